//! What can go wrong when a private server is started, in sentences for the person at the terminal.

use std::path::PathBuf;

/// A failure of a private server. `Display` is a sentence that says what to do; the cause is the `source`.
#[derive(Debug, thiserror::Error)]
pub enum DevstackError {
    /// No usable Postgres is installed.
    #[error("PostgreSQL 15 or newer was not found: run `make setup`")]
    PostgresMissing,
    /// No MinIO is installed.
    #[error("MinIO, the S3-compatible server that the tests use, was not found: run `make setup-test`")]
    MinioMissing,
    /// No Redis is installed.
    #[error("Redis 7 was not found: run `make setup`")]
    RedisMissing,
    /// The data was written by another major version than the ones installed.
    #[error(
        "the database in {dir} was made by PostgreSQL {found}, and only PostgreSQL {installed} is installed: install version {found}, or move the folder away to start empty"
    )]
    PostgresVersion {
        /// The data folder.
        dir: PathBuf,
        /// The major version that wrote it.
        found: String,
        /// The newest major version that is installed.
        installed: u32,
    },
    /// We run as root and the system has no `postgres` user to step down to.
    #[error(
        "Postgres refuses to run as root, and there is no user `postgres` to run it as: install the package `postgresql`, or start as an ordinary user"
    )]
    NoPostgresUser,
    /// The user `postgres` cannot get to the folder.
    #[error(
        "the user `postgres` cannot enter {folder}, which the database folder lies in: run `chmod o+x {folder}`, or keep the project somewhere that other users may enter"
    )]
    Unreachable {
        /// The first folder on the way that refuses.
        folder: PathBuf,
    },
    /// The socket's path is longer than the system allows.
    #[error(
        "the path {dir} is too long for a Unix socket (at most 107 characters with the socket's name): choose a shorter folder"
    )]
    SocketPath {
        /// The socket folder.
        dir: PathBuf,
    },
    /// Another server uses the data.
    #[error("another Postgres (process {pid}) already runs on {dir}: stop what started it first")]
    InUse {
        /// The data folder.
        dir: PathBuf,
        /// Its process.
        pid: i32,
    },
    /// The folder holds something, and it is no database.
    #[error("{dir} is not empty and holds no database: move it away, or choose another folder")]
    Foreign {
        /// The folder.
        dir: PathBuf,
    },
    /// A durable cluster needs the password that its superuser gets.
    #[error("a durable Postgres needs a superuser password")]
    PasswordMissing,
    /// A program that we ran failed.
    #[error("`{program}` failed ({status}): {output}")]
    Command {
        /// Its name.
        program: String,
        /// How it ended.
        status: String,
        /// The end of what it printed.
        output: String,
    },
    /// A server ended while we waited for it.
    #[error("{name} stopped while starting ({status}); the end of {log}: {tail}")]
    Stopped {
        /// Which server.
        name: String,
        /// How it ended.
        status: String,
        /// Its log file.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// A server was not ready in time.
    #[error("{name} was not ready after {seconds} seconds; see {log}")]
    NotReady {
        /// Which server.
        name: String,
        /// How long we waited.
        seconds: u64,
        /// Its log file.
        log: PathBuf,
    },
    /// A port that we need is taken.
    #[error("{addr} is in use by another program: stop that program, or set {variable} to another address")]
    PortInUse {
        /// The address.
        addr: std::net::SocketAddr,
        /// The variable that changes it.
        variable: String,
    },
    /// A URL to wait for is not of the form `http://host:port/path`.
    #[error("{url} is not of the form http://host:port/path")]
    Url {
        /// What was given.
        url: String,
    },
    /// A file or process operation failed.
    #[error("cannot {what}")]
    Io {
        /// The operation, as the end of "cannot …".
        what: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Postgres refused a statement or a connection.
    #[error("Postgres refused to {what}")]
    Sql {
        /// The operation, as the end of "refused to …".
        what: String,
        /// Why.
        #[source]
        source: Box<tokio_postgres::Error>,
    },
}

impl DevstackError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    pub(crate) fn sql(what: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> Self {
        let what = what.into();
        move |source| Self::Sql { what, source: Box::new(source) }
    }
}
