//! TLS to Postgres: whom a connection believes, by `sslmode` and `DATABASE_CA_FILE`.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use diesel_async::RunQueryDsl as _;
use mintmark_db::{DbConfig, Pool, connect_raw};
use mintmark_devstack::authority::Authority;
use mintmark_devstack::{PostgresOptions, PostgresServer, free_port};
use mintmark_fault::Fault;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::Number;

/// The server reads its files again within this.
const RELOADED_WITHIN: Duration = Duration::from_secs(30);

/// A cluster that listens on TCP, without TLS at first.
struct Cluster {
    server: PostgresServer,
    port: u16,
}

impl Cluster {
    fn start() -> Self {
        let port = free_port();
        let mut options = PostgresOptions::throwaway().unwrap();
        options.settings = vec![("listen_addresses", "127.0.0.1".to_owned()), ("port", port.to_string())];
        let server = block_in_place(|| PostgresServer::start(options).unwrap());
        Self { server, port }
    }

    fn url(&self, host: &str, mode: &str) -> String {
        format!("postgres://postgres@{host}:{}/postgres?sslmode={mode}", self.port)
    }

    /// Gives it a certificate for `localhost`.
    async fn encrypt(&self, authority: &Authority) {
        let issued = authority.issue("localhost").unwrap();
        let certificate = self.give("server.pem", &issued.chain);
        let key = self.give("server.key", &issued.key);
        let plain = connect_raw(&DbConfig::new(self.url("localhost", "disable")), &Handle::current()).await;
        let plain = plain.unwrap();
        for setting in [
            format!("ssl_cert_file = '{}'", certificate.display()),
            format!("ssl_key_file = '{}'", key.display()),
            "ssl = on".to_owned(),
        ] {
            plain.batch_execute(&format!("ALTER SYSTEM SET {setting}")).await.unwrap();
        }
        plain.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        let begun = Instant::now();
        while plain.query_one("SHOW ssl", &[]).await.unwrap().get::<_, String>(0) != "on" {
            assert!(begun.elapsed() < RELOADED_WITHIN, "Postgres did not take its certificate: see its log");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A file that belongs to the server's account, and that nobody else reads.
    fn give(&self, name: &str, text: &str) -> PathBuf {
        let folder: &Path = self.server.socket_dir();
        let (file, owner) = (folder.join(name), std::fs::metadata(folder).unwrap());
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
        file
    }
}

/// Whether a connection came about, and was encrypted: by both drivers, which must agree.
async fn encrypted(url: String, authority: Option<&Authority>) -> Result<bool, Fault> {
    let config = DbConfig { ca_file: authority.map(|it| it.file().to_owned()), ..DbConfig::new(url) };
    let mine = "SELECT count(*) AS n FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";
    let raw = match connect_raw(&config, &Handle::current()).await {
        Ok(client) => Ok(client.query_one(mine, &[]).await.unwrap().get::<_, i64>(0)),
        Err(fault) => Err(fault),
    };
    let pool = Pool::new(&config, &Handle::current())?;
    let pooled = match pool.get().await {
        Ok(mut conn) => Ok(diesel::sql_query(mine).get_result::<Number>(&mut conn).await.unwrap().n),
        Err(fault) => Err(fault),
    };
    assert_eq!(raw.as_ref().ok(), pooled.as_ref().ok(), "the drivers differ");
    raw.map(|connections| connections == 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_believes_the_configured_authority_and_the_name_in_the_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let [ours, another] = ["ours", "another"].map(|name| Authority::new(folder.path(), name).unwrap());
    let cluster = Cluster::start();
    let away = |tried: Result<bool, Fault>| tried.unwrap_err().code().to_owned();

    // A server that offers no TLS is spoken to only where that was asked for, or nothing was.
    assert!(!encrypted(cluster.url("localhost", "prefer"), None).await.unwrap());
    assert_eq!(away(encrypted(cluster.url("localhost", "require"), None).await), "DATABASE_UNAVAILABLE");
    let verified = cluster.url("localhost", "verify-full");
    assert_eq!(away(encrypted(verified.clone(), Some(&ours)).await), "DATABASE_UNAVAILABLE");

    cluster.encrypt(&ours).await;
    assert!(encrypted(verified.clone(), Some(&ours)).await.unwrap());
    assert!(encrypted(cluster.url("localhost", "require"), None).await.unwrap());
    assert!(encrypted(cluster.url("localhost", "prefer"), None).await.unwrap());
    assert!(!encrypted(cluster.url("localhost", "disable"), None).await.unwrap());
    assert_eq!(away(encrypted(verified.clone(), Some(&another)).await), "DATABASE_UNAVAILABLE");
    let by_address = cluster.url("127.0.0.1", "verify-full");
    assert_eq!(away(encrypted(by_address, Some(&ours)).await), "DATABASE_UNAVAILABLE", "another name");
    assert_ne!(away(encrypted(verified, None).await), "DATABASE_UNAVAILABLE", "a fault of the configuration");
}
