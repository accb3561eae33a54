//! Raw tokio-postgres clients, for what diesel does not do: COPY, pipelining.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deadpool::managed;
use mintmark_fault::{Chain, Fault, Result};
use tokio::runtime::Handle;
use tokio_postgres::{Client, Statement};

use crate::connect::Connector;
use crate::fault::unavailable;
use crate::{DbConfig, raw_fault, saturation};

/// As for diesel connections: the longest wait for a client.
const GET_WITHIN: Duration = Duration::from_secs(2);

/// A raw client whose connection is driven on the home runtime; derefs to [`tokio_postgres::Client`].
pub struct RawClient {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
}

impl RawClient {
    /// The prepared statement for `sql`, prepared once a connection.
    ///
    /// # Errors
    /// The statement is wrong (500) or the database is away (503).
    pub async fn prepared(&self, sql: &'static str) -> Result<Statement> {
        let known = self.statements().get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await.map_err(raw_fault)?;
        self.statements().insert(sql, statement.clone());
        Ok(statement)
    }

    fn statements(&self) -> std::sync::MutexGuard<'_, HashMap<&'static str, Statement>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for RawClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for RawClient {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// Opens one raw client, driven on `home`, within two seconds.
///
/// # Errors
/// 503 `DATABASE_UNAVAILABLE`, or 500 for a URL that cannot be used.
pub async fn connect_raw(config: &DbConfig, home: &Handle) -> Result<RawClient> {
    let manager = RawManager::new(config, home)?;
    match tokio::time::timeout(GET_WITHIN, manager.open()).await {
        Ok(opened) => opened,
        Err(elapsed) => Err(unavailable().caused_by(elapsed)),
    }
}

/// A checked-out raw client; derefs to [`RawClient`]. A transaction that it leaves open is rolled back by its own drop.
pub type RawConn = managed::Object<RawManager>;

/// A pool of raw clients; a client whose connection is closed is replaced. Cheap to clone.
#[derive(Clone)]
pub struct RawPool(managed::Pool<RawManager>);

impl RawPool {
    /// Makes the pool of `config.max_connections`; connects on first use.
    ///
    /// # Errors
    /// The URL or the TLS settings cannot be used.
    pub fn new(config: &DbConfig, home: &Handle) -> Result<Self> {
        let pool = managed::Pool::builder(RawManager::new(config, home)?)
            .max_size(config.max_connections)
            .build()
            .map_err(Fault::internal)?;
        let weak = pool.weak();
        saturation::watch(move || weak.upgrade().map(|pool| pool.status().into()));
        Ok(Self(pool))
    }

    /// A client within two seconds.
    ///
    /// # Errors
    /// 503 `DATABASE_UNAVAILABLE` with `Retry-After`.
    pub async fn get(&self) -> Result<RawConn> {
        match tokio::time::timeout(GET_WITHIN, self.0.get()).await {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(managed::PoolError::Backend(fault))) => Err(fault),
            Ok(Err(error)) => Err(unavailable().caused_by(error)),
            Err(elapsed) => Err(unavailable().caused_by(elapsed)),
        }
    }
}

/// Opens and checks raw clients for the pool.
pub struct RawManager {
    connector: Connector,
    home: Handle,
}

impl RawManager {
    fn new(config: &DbConfig, home: &Handle) -> Result<Self> {
        let connector = Connector::new(config).map_err(Fault::internal)?;
        Ok(Self { connector, home: home.clone() })
    }

    async fn open(&self) -> Result<RawClient> {
        let connector = self.connector.clone();
        let opened = self.home.spawn(async move {
            let (client, driver) = connector.open().await?;
            tokio::spawn(async move {
                if let Err(error) = driver.await {
                    tracing::warn!(error = %Chain(&error), "a raw database connection ended");
                }
            });
            Ok::<_, tokio_postgres::Error>(client)
        });
        match opened.await {
            Ok(Ok(client)) => Ok(RawClient { client, statements: Mutex::default() }),
            // Whatever the reason, there is no connection: an operator reads which in the cause.
            Ok(Err(error)) => Err(unavailable().caused_by(error)),
            Err(gone) => Err(unavailable().caused_by(gone)),
        }
    }
}

impl managed::Manager for RawManager {
    type Type = RawClient;
    type Error = Fault;

    async fn create(&self) -> Result<RawClient> {
        self.open().await
    }

    async fn recycle(&self, client: &mut RawClient, _: &managed::Metrics) -> managed::RecycleResult<Fault> {
        if client.is_closed() {
            return Err(managed::RecycleError::message("the connection is closed"));
        }
        Ok(())
    }
}
