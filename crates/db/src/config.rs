//! Where a database is and how to talk to it.

use std::path::PathBuf;
use std::time::Duration;

use mintmark_service::config::{AppEnv, Reader, Secret};

use crate::connect::Connector;
use crate::url::Target;

/// Connections of a pool when nothing is said.
const MAX_CONNECTIONS: usize = 16;
/// A statement that runs longer is cancelled by the server: the same bound as a request's deadline.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a database is and how to talk to it.
#[derive(Clone, Debug)]
pub struct DbConfig {
    /// `postgres://user:password@host/database?sslmode=…`, or `…@/database?host=/folder` for a socket.
    pub url: Secret,
    /// Upper bound of a pool's connections.
    pub max_connections: usize,
    /// PEM certificates of the authorities that sign the server's certificate; `sslmode=verify-full` needs it.
    pub ca_file: Option<PathBuf>,
    /// The server cancels a statement that runs longer; zero: never.
    pub statement_timeout: Duration,
    /// What `pg_stat_activity` shows.
    pub application_name: String,
}

impl DbConfig {
    /// `url` with the defaults: 16 connections, 30 seconds a statement.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: Secret::new(url.into()),
            max_connections: MAX_CONNECTIONS,
            ca_file: None,
            statement_timeout: STATEMENT_TIMEOUT,
            application_name: "mintmark".to_owned(),
        }
    }

    /// Reads the URL from `variable` and, for every database of the process, `DATABASE_MAX_CONNECTIONS`,
    /// `DATABASE_CA_FILE` and `DATABASE_STATEMENT_TIMEOUT_SECS`.
    ///
    /// In production a TCP connection to another machine needs `sslmode=verify-full`. `about` says which database it is, and
    /// as which login.
    pub fn read(reader: &mut Reader, variable: &'static str, about: &'static str) -> Option<Self> {
        let url = reader.secret(variable, about);
        let max_connections = reader.number(
            "DATABASE_MAX_CONNECTIONS",
            MAX_CONNECTIONS,
            1..=1000,
            "upper bound of a pool's database connections",
        );
        let ca_file = reader.optional_path(
            "DATABASE_CA_FILE",
            "PEM certificates of the authorities behind the database's certificate",
        );
        reader.needed_when("DATABASE_CA_FILE", "the database's URL says sslmode=verify-full");
        let timeout = reader.seconds(
            "DATABASE_STATEMENT_TIMEOUT_SECS",
            STATEMENT_TIMEOUT.as_secs(),
            1..=3600,
            "a database statement that runs longer is cancelled",
        );
        let app_env = reader.app_env();
        let config = Self {
            url: url?,
            max_connections: max_connections?,
            ca_file: ca_file?,
            statement_timeout: timeout?,
            application_name: "mintmark".to_owned(),
        };
        config.check(app_env?, variable, reader).then_some(config)
    }

    /// The same database under another application name.
    #[must_use]
    pub fn named(mut self, application_name: impl Into<String>) -> Self {
        self.application_name = application_name.into();
        self
    }

    fn check(&self, app_env: AppEnv, variable: &'static str, reader: &mut Reader) -> bool {
        let target = match Target::parse(self.url.expose()) {
            Ok(target) => target,
            Err(problem) => {
                reader.problem(variable, problem.to_string());
                return false;
            }
        };
        if app_env.is_production() && !target.is_safe_in_production() {
            reader.problem(
                variable,
                "in production a database on another machine needs sslmode=verify-full in its URL, and DATABASE_CA_FILE",
            );
            return false;
        }
        match Connector::new(self) {
            Ok(_) => true,
            Err(problem) => {
                reader.problem(variable, problem.to_string());
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DbConfig;
    use mintmark_service::config::Reader;

    fn problem(env: &str, url: &str) -> Option<String> {
        let mut reader = Reader::from_pairs([("APP_ENV", env), ("X_DATABASE_URL", url)]);
        let config = DbConfig::read(&mut reader, "X_DATABASE_URL", "a database");
        reader.finish(config).err().map(|e| e.to_string())
    }

    #[test]
    fn read_in_production_accepts_a_socket_and_loopback() {
        for url in [
            "postgres://a@/b?host=/run/pg",
            "postgres://a@127.0.0.1/b",
            "postgres://a@[::1]/b?sslmode=disable",
            "postgres://a@localhost/b",
        ] {
            assert_eq!(problem("production", url), None, "{url}");
        }
    }

    #[test]
    fn read_in_production_refuses_unverified_tcp() {
        for mode in ["", "?sslmode=disable", "?sslmode=prefer", "?sslmode=require"] {
            let url = format!("postgres://a:hunter2@db.example/b{mode}");
            let said = problem("production", &url).unwrap();
            assert!(said.contains("X_DATABASE_URL") && said.contains("verify-full"), "{said}");
            assert!(!said.contains("hunter2"));
            assert_eq!(problem("development", &url), None);
        }
    }

    #[test]
    fn read_of_verify_full_without_a_ca_file_says_which_variable() {
        let said = problem("production", "postgres://a@db.example/b?sslmode=verify-full").unwrap();
        assert!(said.contains("DATABASE_CA_FILE"), "{said}");
    }

    #[test]
    fn read_of_nonsense_does_not_repeat_it() {
        for url in ["hunter2", "postgres://a:hunter2@h/b?sslmode=maybe", "mysql://a:hunter2@h/b"] {
            let said = problem("test", url).unwrap();
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
