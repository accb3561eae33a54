//! What is erased is gone.

use std::os::unix::fs::MetadataExt as _;

use bytes::Bytes;

use crate::fixture::{Fixture, Place};
use crate::versions;

#[tokio::test(flavor = "multi_thread")]
async fn erase_removes_an_object_and_may_be_repeated() {
    for fixture in Fixture::both().await {
        let store = &fixture.store;
        store.refuse_versions().await.unwrap();
        store.put("acme/one", Bytes::from_static(b"secret")).await.unwrap();
        store.put("acme/two", Bytes::from_static(b"other")).await.unwrap();
        for _ in 0..2 {
            store.erase("acme/one").await.unwrap();
        }
        assert_eq!(store.head("acme/one").await.unwrap(), None, "{}", fixture.name());
        assert_eq!(fixture.files(), ["acme/two"], "{}", fixture.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn erase_in_a_folder_leaves_zeros_to_whoever_has_the_file() {
    let fixture = Fixture::folder();
    let content = Bytes::from(vec![7; 600_000]);
    fixture.store.put("acme/one", content).await.unwrap();
    let path = fixture.path().join("objects/acme/one");
    // A second name for the same bytes on the disk.
    let kept = fixture.path().join("kept");
    std::fs::hard_link(&path, &kept).unwrap();
    fixture.store.erase("acme/one").await.unwrap();
    let bytes = std::fs::read(&kept).unwrap();
    assert!(bytes.len() == 600_000 && bytes.iter().all(|byte| *byte == 0));
    assert_eq!(std::fs::metadata(&kept).unwrap().nlink(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn refuse_versions_refuses_a_bucket_that_keeps_them_or_did() {
    let fixture = Fixture::bucket().await;
    let Place::Bucket(bucket) = &fixture.place else { panic!("not a bucket") };
    fixture.store.refuse_versions().await.unwrap();
    for status in ["Enabled", "Suspended"] {
        versions::set(bucket, status).await;
        let refused = fixture.store.refuse_versions().await.unwrap_err();
        assert_eq!(refused.code(), "STORE_VERSIONED", "{status}");
        assert!(refused.message().contains(bucket.name()), "{refused}");
    }
    let refused = fixture.with_wrong_secret().refuse_versions().await.unwrap_err();
    assert_eq!(refused.code(), "STORE_REFUSED");
}
