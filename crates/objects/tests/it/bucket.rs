//! What holds of buckets alone.

use std::time::Duration;

use mintmark_fault::Kind;
use tokio::task::spawn_blocking;

use crate::fixture::{Fixture, PREFIX, Place, open_bucket, request};

const TTL: Duration = Duration::from_secs(300);

#[tokio::test]
async fn unsigned_requests_see_neither_bucket_nor_object() {
    let fixture = Fixture::bucket().await;
    fixture.store.put("a/b.zip", "content".into()).await.unwrap();
    let Place::Bucket(bucket) = &fixture.place else { unreachable!() };
    let (endpoint, name) = (bucket.endpoint(), bucket.name());
    for path in [
        "/".to_owned(),
        format!("/{name}"),
        format!("/{name}/"),
        format!("/{name}?list-type=2"),
        format!("/{name}?uploads="),
        format!("/{name}/{PREFIX}/a/b.zip"),
        format!("/{name}/{PREFIX}/nothing"),
    ] {
        let response = request("GET", &format!("{endpoint}{path}")).await;
        assert_eq!(response.status().as_u16(), 403, "{path}");
        assert!(!response.text().await.unwrap().contains("content"));
    }
    assert_eq!(request("PUT", &format!("{endpoint}/{name}/{PREFIX}/x")).await.status().as_u16(), 403);
}

#[tokio::test]
async fn signed_url_gives_an_attachment_that_no_cache_keeps() {
    let fixture = Fixture::bucket().await;
    for (path, name, content_type) in [
        ("p/1.zip", "bat_1-part-0001.zip", "application/zip"),
        ("p/i.json", "index.json", "application/json"),
    ] {
        fixture.store.put(path, "content".into()).await.unwrap();
        let signed = fixture.store.signed_get(path, TTL, name, &[7; 32]).await.unwrap();
        let response = request("GET", &signed.url).await;
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), content_type);
        assert_eq!(header("content-disposition"), format!("attachment; filename=\"{name}\""));
        assert_eq!(header("cache-control"), "private, no-store");
        assert_eq!(response.text().await.unwrap(), "content");
    }
}

#[tokio::test]
async fn signed_url_leads_to_the_public_endpoint() {
    let fixture = Fixture::bucket().await;
    let Place::Bucket(bucket) = &fixture.place else { unreachable!() };
    // The same server under a name that only the reader uses: what is signed is that name.
    let public = bucket.endpoint().replace("127.0.0.1", "localhost");
    let store = open_bucket(bucket, &[("S3_PUBLIC_ENDPOINT", &public)]);
    store.put("a", "content".into()).await.unwrap();
    let signed = store.signed_get("a", TTL, "a.zip", &[7; 32]).await.unwrap();
    assert!(signed.url.starts_with(&format!("{public}/{}/{PREFIX}/a?", bucket.name())), "{}", signed.url);
    assert_eq!(request("GET", &signed.url).await.text().await.unwrap(), "content");
    let inside = signed.url.replace("localhost", "127.0.0.1");
    assert_eq!(request("GET", &inside).await.status().as_u16(), 403, "the host is signed");
}

#[tokio::test]
async fn store_that_refuses_our_key_says_so() {
    let fixture = Fixture::bucket().await;
    let store = fixture.with_wrong_secret();
    let refused = [
        store.put("a", "x".into()).await.err().unwrap(),
        store.get_range("a", 0..1).await.err().unwrap(),
        store.delete("a").await.err().unwrap(),
    ];
    for fault in refused {
        assert_eq!((fault.kind(), fault.code()), (Kind::Unavailable, "STORE_REFUSED"));
    }
}

#[tokio::test]
async fn bucket_that_does_not_exist_is_no_missing_object() {
    let fixture = Fixture::bucket().await;
    let Place::Bucket(bucket) = &fixture.place else { unreachable!() };
    let store = open_bucket(bucket, &[("EXPORT_STORE_URL", "s3://no-such-bucket")]);
    assert_eq!(store.put("a", "x".into()).await.err().unwrap().code(), "STORE_MISSING");
    let writer = store.writer("a").unwrap();
    let fault = spawn_blocking(move || writer.finish().err().unwrap()).await.unwrap();
    assert_eq!((fault.kind(), fault.code()), (Kind::Unavailable, "STORE_MISSING"));
}

#[tokio::test]
async fn store_that_is_away_is_unavailable() {
    let fixture = Fixture::bucket().await;
    let Place::Bucket(bucket) = &fixture.place else { unreachable!() };
    let nobody = format!("http://127.0.0.1:{}", mintmark_devstack::free_port());
    let store = open_bucket(bucket, &[("S3_ENDPOINT", &nobody)]);
    let fault = store.put("a", "x".into()).await.err().unwrap();
    assert_eq!((fault.kind(), fault.code()), (Kind::Unavailable, "STORE_UNAVAILABLE"));
}
