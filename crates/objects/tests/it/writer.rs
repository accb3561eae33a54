use std::io::Write;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use mintmark_objects::{ObjectWriter, Store};
use ring::digest;
use tokio::task::spawn_blocking;

use crate::fixture::{Fixture, files_in};

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
        for fixture in Fixture::both().await {
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
            let stored = fixture.store.stream("packs/p.zip").await.unwrap();
            let stored: Vec<Bytes> = stored.bytes.try_collect().await.unwrap();
            assert!(stored.concat() == content, "{size} bytes in a {}", fixture.name());
            assert_eq!(fixture.files(), ["packs/p.zip"]);
            assert_eq!(fixture.unfinished("packs/p.zip"), 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writer_of_much_data_keeps_little_in_memory() {
    for fixture in Fixture::both().await {
        let writer = start(&fixture.store);
        let before = peak_memory();
        let written = spawn_blocking(move || {
            let mut writer = writer;
            let block = block(0);
            (0..320).for_each(|_| writer.write_all(&block).unwrap());
            writer.finish().unwrap()
        })
        .await
        .unwrap();
        assert_eq!(written.bytes, 320 * MIB as u64);
        let grown = peak_memory() - before;
        // Three parts and what the other tests of this binary hold meanwhile; the object itself is far larger.
        assert!(grown < 200 * MIB, "peak memory grew by {grown} bytes in a {}", fixture.name());
    }
}

/// The most memory that this process ever held, by the kernel's account.
fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[tokio::test]
async fn object_is_invisible_until_finish() {
    for fixture in Fixture::both().await {
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
}

/// Writes 12 MiB and waits until some of it lies on the disk: what an abort then has to remove.
async fn under_way(fixture: &Fixture) -> ObjectWriter {
    let writer = start(&fixture.store);
    let writer = spawn_blocking(move || {
        let mut writer = writer;
        (0..12).for_each(|n| writer.write_all(&block(n)).unwrap());
        writer
    })
    .await
    .unwrap();
    until("something is written", || fixture.unfinished("packs/p.zip") > 0).await;
    writer
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < patience, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn abort_leaves_nothing_and_keeps_the_older_object() {
    for fixture in Fixture::both().await {
        fixture.store.put("packs/p.zip", "older".into()).await.unwrap();
        let small = start(&fixture.store);
        spawn_blocking(move || {
            let mut writer = small;
            writer.write_all(b"a little").unwrap();
            writer.abort();
        })
        .await
        .unwrap();
        let writer = under_way(&fixture).await;
        spawn_blocking(move || writer.abort()).await.unwrap();
        assert_eq!(fixture.unfinished("packs/p.zip"), 0, "{}", fixture.name());
        assert_eq!(fixture.files(), ["packs/p.zip"]);
        assert_eq!(fixture.store.get_range("packs/p.zip", 0..5).await.unwrap(), "older");
    }
}

#[tokio::test]
async fn drop_without_finish_removes_everything_soon() {
    for fixture in Fixture::both().await {
        let writer = under_way(&fixture).await;
        spawn_blocking(move || drop(writer)).await.unwrap();
        let nothing = || fixture.unfinished("packs/p.zip") == 0 && fixture.files().is_empty();
        until("nothing is left", nothing).await;
    }
}

#[tokio::test]
async fn writer_that_cannot_write_says_so_and_leaves_nothing() {
    let fixture = Fixture::folder();
    // A file where the folder of the object should be.
    std::fs::write(fixture.path().join("objects/packs"), b"in the way").unwrap();
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
    assert_eq!(files_in(fixture.path()).len(), 1);
}

#[tokio::test]
async fn store_is_read_while_a_writer_is_open() {
    let fixture = Fixture::folder();
    fixture.store.put("a", "first".into()).await.unwrap();
    let _open = start(&fixture.store);
    let mut object = fixture.store.stream("a").await.unwrap();
    assert_eq!(object.bytes.next().await.unwrap().unwrap(), "first");
}
