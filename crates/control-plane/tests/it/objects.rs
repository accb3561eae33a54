//! Files behind signed URLs.

use reqwest::StatusCode;
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
