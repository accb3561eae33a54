//! Memory that nobody can change.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;

use mintmark_preflight_gateway::engine::{Filling, SealError, Sealed};

#[test]
fn sealed_file_is_read_from_its_start_by_each_reader() {
    let mut filling = Filling::new(10).unwrap();
    filling.push(b"hello ").unwrap();
    filling.push(b"file").unwrap();
    let sealed = filling.seal().unwrap();
    assert_eq!(sealed.length(), 10);
    let (mut one, mut other) = (sealed.open().unwrap(), sealed.open().unwrap());
    let mut start = [0; 5];
    one.read_exact(&mut start).unwrap();
    let mut whole = String::new();
    other.read_to_string(&mut whole).unwrap();
    assert_eq!((&start, whole.as_str()), (b"hello", "hello file"));
}

#[test]
fn sealed_file_takes_no_change() {
    let sealed = Sealed::of_bytes(b"bytes").unwrap();
    let mut reader = sealed.open().unwrap();
    assert!(reader.write_all(b"other").is_err(), "a reader does not write");
    let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
    // Whoever opens it again with the right to write gets a file that refuses to be written.
    if let Ok(mut writer) = OpenOptions::new().write(true).open(path) {
        assert!(writer.write_all(b"other").is_err());
        assert!(writer.set_len(0).is_err() && writer.set_len(100).is_err());
    }
    let mut whole = String::new();
    reader.read_to_string(&mut whole).unwrap();
    assert_eq!(whole, "bytes");
}

#[tokio::test]
async fn file_longer_than_allowed_is_not_sealed() {
    let exact = Sealed::of_reader(&b"12345"[..], 5).await.unwrap();
    assert_eq!(exact.length(), 5);
    let long = Sealed::of_reader(&b"123456"[..], 5).await.unwrap_err();
    assert!(matches!(long, SealError::TooLong(5)), "{long}");
}
