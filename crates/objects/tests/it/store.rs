use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use mintmark_fault::Kind;
use mintmark_objects::{LinkProof, Store};

use crate::fixture::{Fixture, KEY, open_folder};

async fn read(store: &Store, path: &str) -> Vec<u8> {
    let object = store.stream(path).await.unwrap();
    let pieces: Vec<Bytes> = object.bytes.try_collect().await.unwrap();
    let bytes = pieces.concat();
    assert_eq!(bytes.len() as u64, object.meta.bytes);
    bytes
}

#[tokio::test]
async fn put_then_read_then_delete() {
    for fixture in Fixture::both().await {
        let store = &fixture.store;
        let content: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
        let written = store.put("a/b.bin", content.clone().into()).await.unwrap();
        assert_eq!(written.bytes, 1_000_000);

        assert_eq!(read(store, "a/b.bin").await, content);
        assert_eq!(store.get_range("a/b.bin", 10..20).await.unwrap(), content[10..20]);
        assert_eq!(store.head("a/b.bin").await.unwrap().unwrap().bytes, 1_000_000);

        store.delete("a/b.bin").await.unwrap();
        store.delete("a/b.bin").await.unwrap();
        assert_eq!(store.head("a/b.bin").await.unwrap(), None);
        assert_eq!(store.stream("a/b.bin").await.err().unwrap().kind(), Kind::NotFound);
        assert!(fixture.files().is_empty());
    }
}

#[tokio::test]
async fn stream_range_gives_that_part_and_tells_the_whole_length() {
    for fixture in Fixture::both().await {
        let content: Vec<u8> = (0..700_000u32).map(|n| (n / 7) as u8).collect();
        fixture.store.put("a", content.clone().into()).await.unwrap();
        for (start, end) in [(0, 1), (0, 700_000), (10, 600_010), (699_999, 700_000)] {
            let object = fixture.store.stream_range("a", start..end).await.unwrap();
            assert_eq!((object.meta.bytes, object.range), (700_000, start..end), "{}", fixture.name());
            let pieces: Vec<Bytes> = object.bytes.try_collect().await.unwrap();
            assert!(pieces.concat() == content[start as usize..end as usize], "{}", fixture.name());
        }
        assert_eq!(fixture.store.stream_range("b", 0..1).await.err().unwrap().kind(), Kind::NotFound);
    }
}

#[tokio::test]
async fn paths_that_leave_the_folder_are_refused_everywhere() {
    let fixture = Fixture::folder();
    let store = &fixture.store;
    std::fs::write(fixture.path().join("secret"), b"s").unwrap();
    for path in ["../secret", "/etc/passwd", "a/../../secret", "..", ""] {
        let refusals = [
            store.writer(path).err(),
            store.put(path, Bytes::new()).await.err(),
            store.get_range(path, 0..1).await.err(),
            store.stream(path).await.err(),
            store.delete(path).await.err(),
            store.head(path).await.err(),
            store.signed_get(path, Duration::from_secs(300), "x.zip", &[7; 32]).await.err(),
        ];
        for refusal in refusals {
            assert_eq!(refusal.unwrap().code(), "OBJECT_PATH_INVALID", "{path}");
        }
    }
    assert!(fixture.path().join("secret").exists());
}

#[tokio::test]
async fn signed_get_gives_a_url_that_its_signer_accepts() {
    let fixture = Fixture::folder();
    let signed =
        fixture.store.signed_get("a/b.zip", Duration::from_secs(300), "pack.zip", &[7; 32]).await.unwrap();
    let url = url::Url::parse(&signed.url).unwrap();
    let query = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    assert_eq!(url.path(), "/objects/a/b.zip");
    let expires: i64 = query("expires").parse().unwrap();
    assert_eq!(expires, signed.expires_at.timestamp());
    let signer = fixture.store.signer().unwrap();
    let (name, sha256, signature) = (query("name"), query("sha256"), query("signature"));
    assert_eq!(sha256, "07".repeat(32));
    let proof = LinkProof { expires, file_name: &name, sha256: &sha256, signature: &signature };
    signer.verify("GET", "a/b.zip", &proof, chrono::Utc::now()).unwrap();
}

#[tokio::test]
async fn open_on_a_file_says_which_folder() {
    let fixture = Fixture::folder();
    std::fs::remove_dir(fixture.path().join("objects")).unwrap();
    std::fs::write(fixture.path().join("objects"), b"").unwrap();
    let path = fixture.path();
    let outcome = std::panic::catch_unwind(|| open_folder(path, KEY));
    let message = *outcome.err().unwrap().downcast::<String>().unwrap();
    assert!(message.contains("cannot be used for objects"), "{message}");
}
