//! The private database server of a run. Unlike that of other tests it syncs, so that what it acknowledged survives
//! its own crash.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mintmark_devstack::{PostgresOptions, PostgresServer, Provision, unix_url};
use mintmark_tests::program;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::task::block_in_place;
use tokio_postgres::{Client, NoTls, Row};

use crate::wait::until;

/// Which database.
#[derive(Clone, Copy)]
pub enum Of {
    Control,
    Resolver,
}

impl Of {
    fn name(self) -> &'static str {
        match self {
            Self::Control => "mintmark_control",
            Self::Resolver => "mintmark_resolver",
        }
    }
}

const CONTROL_ROLES: &str = include_str!("../../migrations/control-plane/roles.sql");
const RESOLVER_ROLES: &str = include_str!("../../migrations/resolver/roles.sql");
/// Every login that a running service uses.
pub const LOGINS: [&str; 3] = ["control_app", "resolver_directory", "resolver_scan"];
/// Recovery after a crash, on a busy machine.
const BACK_WITHIN: Duration = Duration::from_secs(60);

pub struct Postgres {
    folder: PathBuf,
    password: String,
    server: Option<PostgresServer>,
}

impl Postgres {
    /// A new cluster below `folder` with both databases, migrated.
    pub async fn start(folder: &Path) -> Self {
        let mut this = Self { folder: folder.to_path_buf(), password: secret(24), server: None };
        this.start_again();
        // Little to recover after a crash, so that the run is about us.
        let server = this.connect("postgres").await;
        for setting in ["max_wal_size = '128MB'", "checkpoint_timeout = '30s'"] {
            server.batch_execute(&format!("ALTER SYSTEM SET {setting}")).await.unwrap();
        }
        server.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        for (of, owner, logins, roles) in [
            (Of::Control, "control_owner", vec!["control_owner", "control_app"], CONTROL_ROLES),
            (
                Of::Resolver,
                "resolver_owner",
                vec!["resolver_owner", "resolver_scan", "resolver_directory"],
                RESOLVER_ROLES,
            ),
        ] {
            let logins: Vec<(&str, &str)> =
                logins.into_iter().map(|login| (login, this.password.as_str())).collect();
            let what = Provision { database: of.name(), owner, roles_sql: roles, logins: &logins };
            this.server.as_ref().unwrap().provision(&what).await.unwrap();
        }
        this.migrate(
            "control-plane",
            "CONTROL_MIGRATION_DATABASE_URL",
            &this.url("control_owner", Of::Control),
        );
        this.migrate(
            "resolver",
            "RESOLVER_MIGRATION_DATABASE_URL",
            &this.url("resolver_owner", Of::Resolver),
        );
        this
    }

    fn migrate(&self, name: &str, variable: &str, url: &str) {
        let mut command = Command::new(program(name));
        let command = command.arg("migrate").env_clear().env("APP_ENV", "test").env(variable, url);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts the server on the data that is there.
    pub fn start_again(&mut self) {
        let mut options = PostgresOptions::durable(self.folder.join("pg"), self.password.clone());
        options.socket_dir = Some(self.folder.join("s"));
        self.server = Some(block_in_place(|| PostgresServer::start(options).unwrap()));
    }

    /// Stops it in good order; sessions are cut.
    pub fn stop(&mut self) {
        block_in_place(|| self.server.take().unwrap().stop());
    }

    /// Stops it at once, as after a crash: the next start recovers from the log.
    pub fn crash(&mut self) {
        let server = self.server.take().unwrap();
        kill(Pid::from_raw(server.pid()), Signal::SIGQUIT).unwrap();
        block_in_place(|| server.stop());
    }

    /// The URL of a login.
    pub fn url(&self, login: &str, of: Of) -> String {
        unix_url(login, Some(&self.password), of.name(), &self.folder.join("s"))
    }

    /// A connection of the superuser, whom no grant keeps from looking.
    pub async fn client(&self, of: Of) -> Client {
        self.connect(of.name()).await
    }

    async fn connect(&self, database: &str) -> Client {
        let url = unix_url("postgres", Some(&self.password), database, &self.folder.join("s"));
        let opened = until(BACK_WITHIN, async || tokio_postgres::connect(&url, NoTls).await.ok()).await;
        let (client, connection) = opened.expect("Postgres is back");
        tokio::spawn(connection);
        client
    }

    /// The rows of a query; asked again when the connection breaks.
    pub async fn rows(&self, of: Of, sql: &str) -> Vec<Row> {
        let asked = until(BACK_WITHIN, async || match self.client(of).await.query(sql, &[]).await {
            Ok(rows) => Some(rows),
            Err(error) if error.as_db_error().is_some_and(|said| !said.code().code().starts_with("57")) => {
                panic!("{sql}: {error:?}")
            }
            Err(_) => None,
        });
        asked.await.expect("Postgres answers")
    }

    /// The one number of a query.
    pub async fn number(&self, of: Of, sql: &str) -> i64 {
        self.rows(of, sql).await[0].get(0)
    }
}

/// So many random bytes, in hexadecimal digits.
pub fn secret(bytes: usize) -> String {
    random(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// So many random bytes.
pub fn random(bytes: usize) -> Vec<u8> {
    let mut random = vec![0; bytes];
    SystemRandom::new().fill(&mut random).unwrap();
    random
}
