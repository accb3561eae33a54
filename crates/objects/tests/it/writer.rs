use std::io::Write;
use std::time::{Duration, Instant};

use futures::StreamExt;
use mintmark_objects::{ObjectWriter, Store};
use ring::digest;
use tokio::task::spawn_blocking;

use crate::Fixture;

const MIB: usize = 1024 * 1024;

/// A MiB that differs from its neighbours.
fn block(n: usize) -> Vec<u8> {
    (0..MIB).map(|i| (i * 31 + n * 7) as u8).collect()
}

fn start(store: &Store) -> ObjectWriter {
    store.writer("packs/p.zip").unwrap()
}

#[tokio::test]
async fn writer_of_any_size_commits_whole_and_counts_and_hashes() {
    // Nothing, a little, exactly one part, one part and a byte, more parts.
    for size in [0, 5, 5 * MIB, 5 * MIB + 1, 12 * MIB + 3] {
        let fixture = Fixture::new();
        let writer = start(&fixture.store);
        let content: Vec<u8> = (0..size).map(|i| (i / 3) as u8).collect();
        let copy = content.clone();
        let written = spawn_blocking(move || {
            let mut writer = writer;
            // Odd pieces, so that parts end within them.
            copy.chunks(777_777).for_each(|piece| writer.write_all(piece).unwrap());
            writer.finish().unwrap()
        })
        .await
        .unwrap();
        assert_eq!(written.bytes, size as u64);
        assert_eq!(written.sha256, digest::digest(&digest::SHA256, &content).as_ref());
        let stored = std::fs::read(fixture.folder.path().join("objects/packs/p.zip")).unwrap();
        assert!(stored == content, "{size} bytes");
        assert_eq!(fixture.files().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writer_of_much_data_keeps_little_in_memory() {
    let fixture = Fixture::new();
    let writer = start(&fixture.store);
    let before = peak_memory();
    let written = spawn_blocking(move || {
        let mut writer = writer;
        let block = block(0);
        (0..160).for_each(|_| writer.write_all(&block).unwrap());
        writer.finish().unwrap()
    })
    .await
    .unwrap();
    assert_eq!(written.bytes, 160 * MIB as u64);
    let grown = peak_memory() - before;
    // Three parts and what the other tests of this binary hold meanwhile; the object itself is far larger.
    assert!(grown < 100 * MIB, "peak memory grew by {grown} bytes");
}

/// The most memory that this process ever held, by the kernel's account.
fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[tokio::test]
async fn object_is_invisible_until_finish() {
    let fixture = Fixture::new();
    let writer = start(&fixture.store);
    let writer = spawn_blocking(move || {
        let mut writer = writer;
        (0..12).for_each(|n| writer.write_all(&block(n)).unwrap());
        writer
    })
    .await
    .unwrap();
    assert_eq!(fixture.store.head("packs/p.zip").await.unwrap(), None);
    spawn_blocking(move || writer.finish().unwrap()).await.unwrap();
    assert_eq!(fixture.store.head("packs/p.zip").await.unwrap().unwrap().bytes, 12 * MIB as u64);
}

#[tokio::test]
async fn abort_leaves_nothing_and_keeps_the_older_object() {
    let fixture = Fixture::new();
    fixture.store.put("packs/p.zip", "older".into()).await.unwrap();
    for size in [1, 12] {
        let writer = start(&fixture.store);
        spawn_blocking(move || {
            let mut writer = writer;
            (0..size).for_each(|n| writer.write_all(&block(n)).unwrap());
            writer.abort();
        })
        .await
        .unwrap();
        assert_eq!(fixture.files(), [fixture.folder.path().join("objects/packs/p.zip")]);
    }
    assert_eq!(fixture.store.get_range("packs/p.zip", 0..5).await.unwrap(), "older");
}

#[tokio::test]
async fn drop_without_finish_removes_everything_soon() {
    let fixture = Fixture::new();
    let writer = start(&fixture.store);
    spawn_blocking(move || {
        let mut writer = writer;
        (0..12).for_each(|n| writer.write_all(&block(n)).unwrap());
    })
    .await
    .unwrap();
    let patience = Instant::now() + Duration::from_secs(10);
    while !fixture.files().is_empty() {
        assert!(Instant::now() < patience, "still there: {:?}", fixture.files());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn writer_that_cannot_write_says_so_and_leaves_nothing() {
    let fixture = Fixture::new();
    // A file where the folder of the object should be.
    std::fs::write(fixture.folder.path().join("objects/packs"), b"in the way").unwrap();
    let writer = start(&fixture.store);
    let (error, again) = spawn_blocking(move || {
        let mut writer = writer;
        let error = (0..30).find_map(|n| writer.write_all(&block(n)).err()).unwrap();
        (error, writer.finish().err().unwrap())
    })
    .await
    .unwrap();
    assert_eq!(mintmark_objects::fault_of_io(error).code(), "STORE_UNAVAILABLE");
    assert_eq!(again.code(), "INTERNAL", "a failed writer is not finished by asking again");
    assert_eq!(fixture.files().len(), 1);
}

#[tokio::test]
async fn store_is_read_while_a_writer_is_open() {
    let fixture = Fixture::new();
    fixture.store.put("a", "first".into()).await.unwrap();
    let _open = start(&fixture.store);
    let mut object = fixture.store.stream("a").await.unwrap();
    assert_eq!(object.bytes.next().await.unwrap().unwrap(), "first");
}
