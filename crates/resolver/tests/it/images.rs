//! What a brand brings to the page: its images are stored once, served by their hash, and gone when nothing shows them.

use mintmark_ids::ProductId;
use mintmark_wire::directory::v1::{ActivationMode, Image, Presentation, Product};
use reqwest::Response;

use crate::page::dressed;
use crate::stage::{Scan, Stage, link, product};

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// The addresses of the images on the page behind a path.
async fn shown(stage: &Stage, path: &str) -> Vec<String> {
    let html = stage.scan.get(path).send().await.unwrap().text().await.unwrap();
    html.split("<img src=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

/// A sealed code of a dressed product, once the scan role shows it.
async fn scene(stage: &Stage) -> (ProductId, String) {
    let id = ProductId::new();
    stage.directory.put_product(&stage.tenant, dressed(id, 1)).await.unwrap();
    let codes = stage.sealed(id, ActivationMode::Static, 1, 4).await;
    let path = link(&codes[0]);
    stage.scan.becomes(&path, "genuine").await;
    (id, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn image_is_served_under_its_hash_and_nothing_else_is() {
    let stage = Stage::new().await;
    let (_, path) = scene(&stage).await;
    let shown = shown(&stage, &path).await;
    assert_eq!(shown.len(), 2, "{shown:?}");
    for (address, expected) in shown.iter().zip([crate::page::LOGO, crate::page::PICTURE]) {
        // The second time out of memory.
        for _ in 0..2 {
            let response = stage.scan.get(address).send().await.unwrap();
            assert_eq!(response.status(), 200, "{address}");
            assert_eq!(header(&response, "content-type"), "image/png");
            assert_eq!(header(&response, "cache-control"), "public, max-age=31536000, immutable");
            assert_eq!(header(&response, "x-content-type-options"), "nosniff");
            assert_eq!(header(&response, "content-security-policy"), "default-src 'none'; sandbox");
            assert_eq!(response.bytes().await.unwrap(), expected);
        }
    }
    let known = shown[0].strip_suffix(".png").unwrap();
    for other in [
        format!("{known}.jpg"),
        known.to_owned(),
        format!("{}.png", known.to_uppercase().replace("/-/IMAGES/", "/-/images/")),
        format!("/-/images/{}.png", "0".repeat(64)),
        "/-/images/..%2fetc.png".to_owned(),
    ] {
        let response = stage.scan.get(&other).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), header(&response, "cache-control")),
            (404, "no-store"),
            "{other}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn image_goes_with_the_last_product_that_shows_it() {
    let stage = Stage::new().await;
    let (id, path) = scene(&stage).await;
    let sister = ProductId::new();
    let without_picture = |mut product: Product| {
        product.presentation.as_mut().unwrap().picture = None;
        product
    };
    let sisters = Product { gtin: "04006381333931".to_owned(), ..without_picture(dressed(sister, 1)) };
    stage.directory.put_product(&stage.tenant, sisters).await.unwrap();
    let images = async || -> i64 {
        stage.superuser().await.query_one("SELECT count(*) FROM image", &[]).await.unwrap().get(0)
    };
    assert_eq!(images().await, 2, "one logo for both, one picture");
    let before = shown(&stage, &path).await;
    stage.directory.put_product(&stage.tenant, product(id, 2, None)).await.unwrap();
    assert_eq!(images().await, 1, "the sister shows the logo");
    crate::eventually("the page is plain", || async { shown(&stage, &path).await.is_empty() }).await;
    assert_eq!(stage.scan.get(&before[0]).send().await.unwrap().status(), 200);
    assert_eq!(stage.scan.get(&before[1]).send().await.unwrap().status(), 404, "also where it was in memory");
}

#[tokio::test(flavor = "multi_thread")]
async fn put_product_checks_the_look_again() {
    let stage = Stage::new().await;
    let with =
        |presentation| Product { presentation: Some(presentation), ..product(ProductId::new(), 1, None) };
    let image = |content_type: &str, content: &[u8]| {
        Some(Image { content_type: content_type.to_owned(), content: content.to_vec() })
    };
    let plain = Presentation::default;
    let mut large = crate::page::LOGO.to_vec();
    large.resize(262_145, 0);
    for (look, code) in [
        (Presentation { primary_colour: Some("red".to_owned()), ..plain() }, "COLOUR_INVALID"),
        (Presentation { logo: image("image/svg+xml", b"<svg/>"), ..plain() }, "IMAGE_MALFORMED"),
        (Presentation { picture: image("image/jpeg", crate::page::LOGO), ..plain() }, "IMAGE_MALFORMED"),
        (Presentation { picture: image("image/png", &large), ..plain() }, "IMAGE_MALFORMED"),
    ] {
        let fault = stage.directory.put_product(&stage.tenant, with(look)).await.unwrap_err();
        assert_eq!(fault.code(), code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn page_speaks_the_language_that_is_asked_for() {
    let stage = Stage::new().await;
    let codes = stage.sealed(stage.product(None).await, ActivationMode::Static, 1, 4).await;
    let path = link(&codes[0]);
    stage.scan.becomes(&path, "genuine").await;
    for (asked, tag, headline) in [
        ("de-CH,de;q=0.9,en;q=0.5", "de", "Echt"),
        ("nl;q=0.9,fr;q=0.8", "fr", "Authentique"),
        ("zh-TW", "zh-Hans", "正品"),
        ("es;q=0.1,en;q=0", "es", "Auténtico"),
        ("ja", "en", "Genuine"),
    ] {
        let response = stage.scan.get(&path).header("accept-language", asked).send().await.unwrap();
        assert_eq!(header(&response, "content-language"), tag);
        assert_eq!(header(&response, "vary"), "Accept, Accept-Language");
        let html = response.text().await.unwrap();
        assert!(html.contains(&format!("<h1>{headline}</h1>")), "{asked}: {html}");
        assert!(html.contains(&format!("<html lang=\"{tag}\">")), "{asked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn page_says_in_which_country_a_code_was_activated() {
    let stage = Stage::new().await;
    let codes = stage.sealed(stage.product(None).await, ActivationMode::FirstScan, 1, 4).await;
    let path = link(&codes[0]);
    let (here, there) = (
        Scan::start(&stage.db, vec!["127.0.0.0/8"]).await,
        Scan::start(&stage.db, vec!["127.0.0.0/8"]).await,
    );
    for replica in [&here, &there, &stage.scan] {
        replica.becomes(&path, "genuine").await;
    }
    // The first from Germany, the others from the United States; one asks a replica that has not seen the first.
    let scan = async |scan: &Scan, from: &str| {
        let request = scan.get(&path).header("x-forwarded-for", from).header("accept-language", "fr");
        request.send().await.unwrap().text().await.unwrap()
    };
    let first = scan(&here, "2003:e0:1::1").await;
    assert!(!first.contains("Allemagne"), "who activates knows where they are: {first}");
    for replica in [&here, &there] {
        let later = scan(replica, "8.8.8.8").await;
        assert!(later.contains("<dt>Pays de la première activation</dt><dd>Allemagne</dd>"), "{later}");
        let (_, view) = replica.json(&path).await;
        assert_eq!(view["activation"]["country"], "DE");
    }
    let unknown = link(&codes[1]);
    stage.scan.json(&unknown).await;
    let (_, view) = stage.scan.json(&unknown).await;
    assert!(view["activation"]["at"].is_string() && view["activation"]["country"].is_null(), "{view}");
}
