//! Opening a connection: URL, session settings, TLS. Every connection of ours begins here.

use std::time::Duration;

use tokio_postgres::config::SslMode as DriverMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::DbConfig;
use crate::tls::{self, TlsProblem};
use crate::url::{SslMode, Target, UrlProblem};

/// How long the network part of opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A transaction whose owner has stalled must not hold its locks for ever.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(60);
/// A peer that vanished without a word is noticed after about this long.
const PEER_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a database cannot be connected to at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectorProblem {
    #[error(transparent)]
    Url(#[from] UrlProblem),
    #[error(transparent)]
    Tls(#[from] TlsProblem),
}

/// The driver's connection task, whichever transport it uses.
pub(crate) type Driver = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// Opens connections to one database.
#[derive(Clone)]
pub(crate) struct Connector {
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
}

impl Connector {
    pub(crate) fn new(db: &DbConfig) -> Result<Self, ConnectorProblem> {
        let Target { mut config, mode, ca_file } = Target::parse(db.url.expose())?;
        let ca_file = db.ca_file.as_ref().or(ca_file.as_ref());
        let tls = match (mode, ca_file) {
            (SslMode::VerifyFull, None) => return Err(TlsProblem::NoAuthorities.into()),
            // Never used for a handshake: the driver is told `Disable` below.
            (SslMode::Disable, _) | (_, None) => tls::unverified()?,
            (_, Some(file)) => tls::verified(file)?,
        };
        config.ssl_mode(match mode {
            SslMode::Disable => DriverMode::Disable,
            SslMode::Prefer => DriverMode::Prefer,
            SslMode::Require | SslMode::VerifyFull => DriverMode::Require,
        });
        let options = format!(
            "{} -c statement_timeout={} -c idle_in_transaction_session_timeout={}",
            config.get_options().unwrap_or_default(),
            db.statement_timeout.as_millis(),
            IDLE_IN_TRANSACTION.as_millis(),
        );
        config
            .options(options.trim())
            .application_name(&db.application_name)
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives_idle(PEER_TIMEOUT / 3)
            .keepalives_interval(PEER_TIMEOUT / 6)
            .tcp_user_timeout(PEER_TIMEOUT);
        Ok(Self { config, tls: MakeRustlsConnect::new(tls) })
    }

    /// Must be awaited on the home runtime. The caller spawns the driver there.
    pub(crate) async fn open(&self) -> Result<(Client, Driver), tokio_postgres::Error> {
        self.config.connect(self.tls.clone()).await
    }
}
