//! Files behind signed URLs.

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use crate::harness::text;
use crate::stage::{PUBLIC_URL, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn signed_url_gives_an_attachment_that_no_cache_keeps() {
    let stage = Stage::set().await;
    let (id, _) = stage.ready(json!({ "formats": ["csv"] })).await;
    let download = stage.download(&id).await;
    for (object, content_type, name) in [
        (&download["parts"][1], "application/zip", "part-0002.zip"),
        (&download["index"], "application/json", "index.json"),
    ] {
        let response = stage.open("GET", text(object, "url")).await;
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), content_type);
        assert_eq!(header("content-disposition"), format!("attachment; filename=\"{}-{name}\"", stage.batch));
        assert_eq!(header("content-length"), object["bytes"].to_string());
        assert_eq!(header("cache-control"), "private, no-store");
        assert_eq!(header("accept-ranges"), "bytes");
        assert_eq!(header("etag"), format!("\"{}\"", text(object, "sha256")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_url_that_was_edited_is_refused() {
    let stage = Stage::set().await;
    let (id, _) = stage.ready(json!({ "formats": ["csv"] })).await;
    let url = text(&stage.download(&id).await["parts"][0], "url").to_owned();
    let (address, query) = url.split_once('?').unwrap();
    let expires = query.split('&').find_map(|pair| pair.strip_prefix("expires=")).unwrap();
    let later = (expires.parse::<i64>().unwrap() + 1).to_string();
    let edited = [
        url.replace("part-0001", "part-0002"),
        url.replace("/tenant-", "/tenant-1"),
        url.replace(&format!("expires={expires}"), &format!("expires={later}")),
        url.replace("name=bat_", "name=cat_"),
        url.replace("sha256=", "sha256=0"),
        url.replace("signature=", "signature=A"),
        address.to_owned(),
        format!("{address}?expires={expires}"),
        format!("{address}?expires=soon&name=a&signature=b"),
        format!("{PUBLIC_URL}/objects/exports/..%2f..%2fetc%2fpasswd?{query}"),
        format!("{PUBLIC_URL}/objects/?{query}"),
    ];
    for edited in edited {
        let response = stage.open("GET", &edited).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{edited}");
        assert_eq!(response.json::<Value>().await.unwrap()["code"], "SIGNATURE_INVALID", "{edited}");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "HEAD"] {
        assert_eq!(stage.open(method, &url).await.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    let lives = expires.parse::<i64>().unwrap() - chrono::Utc::now().timestamp();
    assert!((270..=300).contains(&lives), "five minutes, less what this test took");
    assert_eq!(stage.open("GET", &url).await.status(), StatusCode::OK);
}

async fn open_range(stage: &Stage, url: &str, headers: &[(&str, &str)]) -> Response {
    let url = format!("{}{}", stage.plane.base, url.strip_prefix(PUBLIC_URL).unwrap());
    let mut request = Client::builder().no_proxy().build().unwrap().get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_url_goes_on_where_a_download_broke() {
    let stage = Stage::set().await;
    let (id, _) = stage.ready(json!({ "formats": ["csv"] })).await;
    let part = stage.download(&id).await["parts"][0].clone();
    let (url, whole) = (text(&part, "url"), stage.fetch(&part["url"]).await);
    let tag = format!("\"{}\"", text(&part, "sha256"));

    let rest = open_range(&stage, url, &[("range", "bytes=1000-"), ("if-range", &tag)]).await;
    assert_eq!(rest.status(), StatusCode::PARTIAL_CONTENT);
    let header = |name: &str| rest.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-range"), format!("bytes 1000-{}/{}", whole.len() - 1, whole.len()));
    assert_eq!(header("content-length"), (whole.len() - 1000).to_string());
    assert_eq!((header("etag"), header("content-type")), (tag, "application/zip".to_owned()));
    assert!(rest.bytes().await.unwrap() == whole[1000..]);

    let last = open_range(&stage, url, &[("range", "bytes=-4")]).await;
    assert!(last.bytes().await.unwrap() == whole[whole.len() - 4..]);
    for headers in
        [[("range", "bytes=5-"), ("if-range", "\"another\"")], [("range", "bytes=0-1,4-5"), ("x", "y")]]
    {
        let all = open_range(&stage, url, &headers).await;
        assert_eq!(all.status(), StatusCode::OK, "{headers:?}");
        assert!(all.bytes().await.unwrap() == whole);
    }

    let outside = open_range(&stage, url, &[("range", &format!("bytes={}-", whole.len()))]).await;
    assert_eq!(outside.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(outside.headers()["content-range"].to_str().unwrap(), format!("bytes */{}", whole.len()));
    assert_eq!(outside.headers()["content-type"], "application/problem+json");
    assert_eq!(outside.json::<Value>().await.unwrap()["code"], "RANGE_OUTSIDE");

    let unsigned = open_range(&stage, url.split_once('?').unwrap().0, &[("range", "bytes=0-3")]).await;
    assert_eq!(unsigned.status(), StatusCode::FORBIDDEN);
}
