//! Clusters.

use std::process::{Command, Stdio};

use mintmark_devstack::{DevstackError, PostgresOptions, PostgresServer, Provision};
use tokio_postgres::NoTls;

use crate::{alive, eventually};

/// Set for the copy of this test binary that is to be killed.
const VICTIM: &str = "MINTMARK_KEEPER_VICTIM";

#[test]
fn keeper_stops_postgres_when_its_owner_is_killed() {
    if std::env::var_os(VICTIM).is_some() {
        let server = PostgresServer::start(PostgresOptions::throwaway().unwrap()).unwrap();
        println!("victim {} {}", server.pid(), server.socket_dir().display());
        std::thread::park();
        return;
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "postgres::keeper_stops_postgres_when_its_owner_is_killed", "--nocapture"])
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
    eventually("Postgres has gone", || !alive(pid));
    eventually("its folder has gone", || !std::path::Path::new(dir).exists());
}

/// A folder that the `postgres` user can enter, also where the temporary folder's own children are 0700.
fn open_folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    std::fs::set_permissions(dir.path(), mode).unwrap();
    dir
}

#[tokio::test]
async fn start_durable_twice_finds_its_data_and_its_passwords() {
    let home = open_folder();
    let options = || PostgresOptions::durable(home.path().join("pg"), "s3cret/'\\".into());
    let server = PostgresServer::start(options()).unwrap();
    let provision = Provision {
        database: "shop",
        owner: "shop_owner",
        roles_sql: "DO $$ BEGIN CREATE ROLE shop_owner LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        logins: &[("shop_owner", "it's \\ odd")],
    };
    server.provision(&provision).await.unwrap();
    server.provision(&provision).await.unwrap();
    let url = server.url("shop_owner", Some("it's \\ odd"), "shop");
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    client.batch_execute("CREATE TABLE kept AS SELECT 42 AS answer").await.unwrap();
    let wrong = server.url("shop_owner", Some("wrong"), "shop");
    assert!(tokio_postgres::connect(&wrong, NoTls).await.is_err());
    drop(client);
    let _ = driver.await;
    let pid = server.pid();
    server.stop();
    assert!(!alive(pid));

    // A lock file whose number now belongs to another program (here: us) must not stop a start.
    let lock = home.path().join("pg/postmaster.pid");
    std::fs::write(&lock, format!("{}\n", std::process::id())).unwrap();
    let server = PostgresServer::start(options()).unwrap();
    let url = server.url("shop_owner", Some("it's \\ odd"), "shop");
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let row = client.query_one("SELECT answer FROM kept", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 42);
}

#[test]
fn start_on_data_of_another_version_says_which() {
    let home = open_folder();
    let data = home.path().join("pg");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("PG_VERSION"), "9.6\n").unwrap();
    let error = start_error(PostgresOptions::durable(data, "x".into()));
    assert!(matches!(error, DevstackError::PostgresVersion { .. }));
    assert!(error.to_string().contains("9.6"));
}

#[test]
fn start_in_a_folder_of_something_else_refuses() {
    let home = open_folder();
    let data = home.path().join("photos");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("cat.jpg"), "").unwrap();
    let error = start_error(PostgresOptions::durable(data.clone(), "x".into()));
    assert!(matches!(error, DevstackError::Foreign { .. }));
    assert!(data.join("cat.jpg").exists());
}

#[test]
fn start_behind_a_closed_folder_names_it() {
    if !nix::unistd::Uid::effective().is_root() {
        return; // Only root runs Postgres as somebody else.
    }
    let home = tempfile::tempdir().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(home.path(), mode).unwrap();
    let error = start_error(PostgresOptions::durable(home.path().join("a/pg"), "x".into()));
    assert!(error.to_string().contains(&home.path().display().to_string()), "{error}");
}

#[test]
fn start_with_a_long_socket_path_refuses() {
    let home = open_folder();
    let mut options = PostgresOptions::durable(home.path().join("pg"), "x".into());
    options.socket_dir = Some(home.path().join("x".repeat(100)));
    assert!(matches!(start_error(options), DevstackError::SocketPath { .. }));
}

fn start_error(options: PostgresOptions) -> DevstackError {
    match PostgresServer::start(options) {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}
