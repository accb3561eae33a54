//! How a brand looks: a colour, a logo, pictures of products, and how the directory hears of them.

use mintmark_wire::directory::v1::{Image, Presentation};
use serde_json::{Value, json};

use crate::directory::FakeDirectory;
use crate::harness::{Person, Plane, Reply};
use crate::stage::{count, eventually, working};

const LOGO: &[u8] = include_bytes!("../../../mintmark/demo/logo.png");
const PICTURE: &[u8] = include_bytes!("../../../mintmark/demo/espresso.png");

/// Sends a file.
pub async fn upload(plane: &Plane, who: &Person, path: &str, content_type: &str, file: &[u8]) -> Reply {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.put(format!("{}{path}", plane.base)).bearer_auth(&who.session);
    let response = request.header("content-type", content_type).body(file.to_vec()).send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null);
    Reply { status, headers, body }
}

/// Sends the picture of the demonstration.
pub async fn picture(plane: &Plane, who: &Person, path: &str) -> Reply {
    upload(plane, who, path, "image/png", PICTURE).await
}

async fn syncs(plane: &Plane) -> i64 {
    count(plane, "SELECT count(*) AS n FROM jobs WHERE kind = 'sync-product'").await
}

/// A PNG that is nothing but its header.
fn header_of(width: u32, height: u32) -> Vec<u8> {
    let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
    [b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", sides.as_slice(), &[8, 6, 0, 0, 0, 0, 0, 0, 0]].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn look_is_read_back_as_it_was_given_and_goes_again() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let look = format!("/v1/brands/{}/presentation", shop.brand);
    let logo = format!("/v1/brands/{}/logo", shop.brand);
    assert_eq!(plane.get(&shop.owner, &look).await.expect(200), json!({}));
    plane.get(&shop.owner, &logo).await.problem(404);

    let colour = json!({ "primaryColour": "#12475A" });
    let given = plane.as_person(&shop.owner, "PUT", &look, colour).await.expect(200);
    assert_eq!(given, json!({ "primaryColour": "#12475a" }));
    upload(&plane, &shop.owner, &logo, "image/png", LOGO).await.expect(204);
    let view = plane.get(&shop.owner, &look).await.expect(200);
    assert_eq!(
        (&view["logo"]["contentType"], &view["logo"]["width"], &view["logo"]["bytes"]),
        (&json!("image/png"), &json!(128), &json!(LOGO.len()))
    );
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let read =
        client.get(format!("{}{logo}", plane.base)).bearer_auth(&shop.owner.session).send().await.unwrap();
    let header = |name: &str| read.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "image/png");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert!(header("content-security-policy").contains("sandbox"));
    assert_eq!(read.bytes().await.unwrap(), LOGO);

    for path in [&look, &logo] {
        plane.as_person(&shop.owner, "DELETE", path, Value::Null).await.expect(204);
    }
    assert_eq!(plane.get(&shop.owner, &look).await.expect(200), json!({}));
    let acts = "SELECT count(*) AS n FROM audit_entry WHERE action IN ('BRAND_COLOUR_SET', 'BRAND_LOGO_SET')";
    assert_eq!(count(&plane, acts).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn look_that_does_not_change_tells_nobody() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let second = plane.product(&shop.owner, &shop.brand).await;
    let (logo, picture_of_second) =
        (format!("/v1/brands/{}/logo", shop.brand), format!("/v1/products/{second}/picture"));
    assert_eq!(syncs(&plane).await, 2, "one for each product that was made");
    upload(&plane, &shop.owner, &logo, "image/png", LOGO).await.expect(204);
    assert_eq!(syncs(&plane).await, 4, "a logo shows on each product");
    upload(&plane, &shop.owner, &logo, "image/png", LOGO).await.expect(204);
    assert_eq!(syncs(&plane).await, 4);
    picture(&plane, &shop.owner, &picture_of_second).await.expect(204);
    assert_eq!(syncs(&plane).await, 5, "a picture shows on its own");
    for _ in 0..2 {
        plane.as_person(&shop.owner, "DELETE", &picture_of_second, Value::Null).await.expect(204);
    }
    assert_eq!(syncs(&plane).await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn look_that_may_not_be_shown_is_refused_with_the_reason() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let logo = format!("/v1/brands/{}/logo", shop.brand);
    let large = [header_of(8, 8), vec![0; 256 * 1024]].concat();
    for (content_type, file, status, code) in [
        ("image/svg+xml", b"<svg/>".to_vec(), 415, "IMAGE_TYPE_UNSUPPORTED"),
        ("text/html", LOGO.to_vec(), 415, "IMAGE_TYPE_UNSUPPORTED"),
        ("image/jpeg", LOGO.to_vec(), 400, "IMAGE_MALFORMED"),
        ("image/png", b"<script>alert(1)</script>".to_vec(), 400, "IMAGE_MALFORMED"),
        ("image/png", Vec::new(), 400, "IMAGE_MALFORMED"),
        ("image/png", header_of(2049, 8), 400, "IMAGE_TOO_LARGE"),
        ("image/png", large, 413, "BODY_TOO_LARGE"),
    ] {
        let reply = upload(&plane, &shop.owner, &logo, content_type, &file).await;
        assert_eq!(reply.problem(status), code, "{content_type}, {} bytes", file.len());
    }
    let exact = [header_of(8, 8), vec![0; 256 * 1024 - 33]].concat();
    assert_eq!(exact.len(), 256 * 1024);
    upload(&plane, &shop.owner, &logo, "image/png", &exact).await.expect(204);
    let look = format!("/v1/brands/{}/presentation", shop.brand);
    for wrong in ["red", "#12345", "#1234567", "#12345g"] {
        let reply = plane.as_person(&shop.owner, "PUT", &look, json!({ "primaryColour": wrong })).await;
        assert_eq!((reply.problem(400), &reply.body["field"]), ("COLOUR_INVALID", &json!("primaryColour")));
    }
    let long = json!({ "primaryColour": "#".repeat(70_000) });
    let reply = plane.as_person(&shop.owner, "PUT", &look, long).await;
    assert_eq!(reply.problem(413), "BODY_TOO_LARGE", "only the routes of images take more");
}

#[tokio::test(flavor = "multi_thread")]
async fn look_reaches_the_directory_with_each_product() {
    let directory = FakeDirectory::start().await;
    let plane = working(&directory.url()).await;
    let shop = plane.shop().await;
    let look = format!("/v1/brands/{}/presentation", shop.brand);
    let colour = json!({ "primaryColour": "#12475a" });
    plane.as_person(&shop.owner, "PUT", &look, colour).await.expect(200);
    upload(&plane, &shop.owner, &format!("/v1/brands/{}/logo", shop.brand), "image/png", LOGO)
        .await
        .expect(204);
    picture(&plane, &shop.owner, &format!("/v1/products/{}/picture", shop.product)).await.expect(204);
    let image =
        |content: &[u8]| Some(Image { content_type: "image/png".to_owned(), content: content.to_vec() });
    let whole = Presentation {
        primary_colour: Some("#12475a".to_owned()),
        logo: image(LOGO),
        picture: image(PICTURE),
    };
    eventually("the directory has the whole look", async || {
        let product = directory.product(&shop.owner.tenant, &shop.product)?;
        (product.presentation.as_ref() == Some(&whole) && product.version == 4).then_some(())
    })
    .await;
}
