//! The S3-compatible server.

use std::process::{Command, Stdio};

use mintmark_devstack::s3::{self, S3Server};

use crate::{alive, eventually};

/// Set for the copy of this test binary that is to be killed.
const VICTIM: &str = "MINTMARK_S3_VICTIM";

#[tokio::test]
async fn keeper_stops_minio_when_its_owner_is_killed() {
    if std::env::var_os(VICTIM).is_some() {
        let server = S3Server::start().await.unwrap();
        println!("victim {} {}", server.pid(), server.folder().display());
        std::thread::park();
        return;
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "s3::keeper_stops_minio_when_its_owner_is_killed", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = std::io::BufRead::lines(std::io::BufReader::new(victim.stdout.take().unwrap()))
        .map(Result::unwrap)
        .find_map(|line| line.split_once("victim ").map(|(_, rest)| rest.to_owned()))
        .unwrap();
    let (pid, dir) = said.split_once(' ').unwrap();
    let pid = pid.parse().unwrap();
    assert!(alive(pid));
    victim.kill().unwrap();
    victim.wait().unwrap();
    eventually("MinIO has gone", || !alive(pid));
    eventually("its folder has gone", || !std::path::Path::new(dir).exists());
}

#[tokio::test]
async fn drop_stops_minio_and_removes_its_folder() {
    let server = S3Server::start().await.unwrap();
    let (pid, folder) = (server.pid(), server.folder().to_owned());
    assert!(alive(pid) && folder.exists());
    drop(server);
    assert!(!alive(pid));
    assert!(!folder.exists());
}

#[tokio::test]
async fn buckets_are_empty_and_each_a_different_one() {
    let (one, other) = (s3::bucket().await, s3::bucket().await);
    assert_ne!(one.name(), other.name());
    assert_eq!(one.endpoint(), other.endpoint());
    assert!(one.objects().is_empty());
    assert_eq!(
        one.variables().map(|(name, _)| name),
        ["S3_ENDPOINT", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"]
    );
}
