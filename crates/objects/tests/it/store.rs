use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use mintmark_fault::Kind;
use mintmark_objects::Store;

use crate::Fixture;

async fn read(store: &Store, path: &str) -> Vec<u8> {
    let object = store.stream(path).await.unwrap();
    let pieces: Vec<Bytes> = object.bytes.try_collect().await.unwrap();
    let bytes = pieces.concat();
    assert_eq!(bytes.len() as u64, object.meta.bytes);
    bytes
}

#[tokio::test]
async fn put_then_read_then_delete() {
    let fixture = Fixture::new();
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

#[tokio::test]
async fn paths_that_leave_the_folder_are_refused_everywhere() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    std::fs::write(fixture.folder.path().join("secret"), b"s").unwrap();
    for path in ["../secret", "/etc/passwd", "a/../../secret", "..", ""] {
        let refusals = [
            store.writer(path).err(),
            store.put(path, Bytes::new()).await.err(),
            store.get_range(path, 0..1).await.err(),
            store.stream(path).await.err(),
            store.delete(path).await.err(),
            store.head(path).await.err(),
            store.signed_get(path, Duration::from_secs(300), "x.zip").await.err(),
        ];
        for refusal in refusals {
            assert_eq!(refusal.unwrap().code(), "OBJECT_PATH_INVALID", "{path}");
        }
    }
    assert!(fixture.folder.path().join("secret").exists());
}

#[tokio::test]
async fn signed_get_gives_a_url_that_its_signer_accepts() {
    let fixture = Fixture::new();
    let signed = fixture.store.signed_get("a/b.zip", Duration::from_secs(300), "pack.zip").await.unwrap();
    let url = url::Url::parse(&signed.url).unwrap();
    let query = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    assert_eq!(url.path(), "/objects/a/b.zip");
    let expires: i64 = query("expires").parse().unwrap();
    assert_eq!(expires, signed.expires_at.timestamp());
    let signer = fixture.store.signer().unwrap();
    signer
        .verify("GET", "a/b.zip", expires, &query("name"), &query("signature"), chrono::Utc::now())
        .unwrap();
}

#[tokio::test]
async fn open_on_a_file_says_which_folder() {
    let fixture = Fixture::new();
    std::fs::remove_dir(fixture.folder.path().join("objects")).unwrap();
    std::fs::write(fixture.folder.path().join("objects"), b"").unwrap();
    let outcome = std::panic::catch_unwind(|| crate::open(fixture.folder.path()));
    let message = *outcome.err().unwrap().downcast::<String>().unwrap();
    assert!(message.contains("cannot be used for objects"), "{message}");
}
