//! A pool of diesel connections that live on the home runtime.

use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::pooled_connection::deadpool::{Object, Pool as DieselPool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures::FutureExt;
use mintmark_fault::{Chain, Fault, Result};
use mintmark_service::{Gate, Shutdown};
use tokio::runtime::Handle;

use crate::connect::Connector;
use crate::fault::unavailable;
use crate::{DbConfig, fault, saturation};

/// How long a caller waits for a connection, whatever the reason: queue, network, a restarting server.
const GET_WITHIN: Duration = Duration::from_secs(2);
/// How often the readiness gate looks.
const WATCH_EVERY: Duration = Duration::from_secs(2);

/// A checked-out connection; goes back to the pool when dropped, unless it is broken or inside a transaction.
pub type Conn = Object<AsyncPgConnection>;

/// A pool of connections. Cheap to clone.
#[derive(Clone)]
pub struct Pool(DieselPool<AsyncPgConnection>);

impl Pool {
    /// Makes the pool; connects on first use. Connections are driven on `home`.
    ///
    /// # Errors
    /// The URL or the TLS settings cannot be used.
    pub fn new(config: &DbConfig, home: &Handle) -> Result<Self> {
        let connector = Connector::new(config).map_err(Fault::internal)?;
        let home = home.clone();
        let mut manager = ManagerConfig::default();
        // The driver notices a closed connection by itself: asking before each checkout costs a round trip.
        manager.recycling_method = RecyclingMethod::Fast;
        manager.custom_setup = Box::new(move |_| {
            let connector = connector.clone();
            let opened = home.spawn(async move { establish(&connector).await });
            async move {
                match opened.await {
                    Ok(result) => result,
                    Err(gone) => Err(ConnectionError::BadConnection(gone.to_string())),
                }
            }
            .boxed()
        });
        let manager = AsyncDieselConnectionManager::new_with_config("", manager);
        let pool =
            DieselPool::builder(manager).max_size(config.max_connections).build().map_err(Fault::internal)?;
        let weak = pool.weak();
        saturation::watch(move || weak.upgrade().map(|pool| pool.status().into()));
        Ok(Self(pool))
    }

    /// A connection within two seconds.
    ///
    /// # Errors
    /// 503 `DATABASE_UNAVAILABLE` with `Retry-After`.
    pub async fn get(&self) -> Result<Conn> {
        // One bound for queueing and connecting together; deadpool's own time-outs would add up.
        match tokio::time::timeout(GET_WITHIN, self.0.get()).await {
            Ok(Ok(conn)) => Ok(conn),
            Ok(Err(error)) => {
                tracing::warn!(error = %Chain(&error), "no database connection");
                Err(unavailable().caused_by(error))
            }
            Err(elapsed) => {
                let status = self.0.status();
                tracing::warn!(
                    pool.size = status.size,
                    pool.waiting = status.waiting,
                    "no database connection in time"
                );
                Err(unavailable().caused_by(elapsed))
            }
        }
    }

    /// One round trip to the database.
    ///
    /// # Errors
    /// 503 when it is away.
    pub async fn check(&self) -> Result<()> {
        let mut conn = self.get().await?;
        diesel::sql_query("SELECT 1").execute(&mut conn).await.map_err(fault)?;
        Ok(())
    }

    /// Keeps a readiness gate in step with the database, until shutdown.
    pub async fn watch(self, gate: Gate, shutdown: Shutdown) {
        let mut ended = std::pin::pin!(shutdown.requested());
        loop {
            let up = tokio::select! {
                () = &mut ended => return,
                checked = tokio::time::timeout(GET_WITHIN * 2, self.check()) => matches!(checked, Ok(Ok(()))),
            };
            gate.set(up);
            tokio::select! {
                () = &mut ended => return,
                () = tokio::time::sleep(WATCH_EVERY) => {}
            }
        }
    }
}

async fn establish(connector: &Connector) -> ConnectionResult<AsyncPgConnection> {
    // The driver's Display leaves out the cause, which is what an operator needs.
    let opened = connector.open().await.map_err(|e| ConnectionError::BadConnection(Chain(&e).to_string()));
    let (client, driver) = opened?;
    AsyncPgConnection::try_from_client_and_connection(client, driver).await
}
