//! Applying migrations: one program at a time, whoever starts it.

use std::time::Duration;

use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};
use mintmark_fault::{Fault, Result};

use crate::connect::Connector;
use crate::fault::unavailable;
use crate::{DbConfig, fault};

/// Any constant will do; this one spells "mintmark".
const LOCK: i64 = 0x6d69_6e74_6d61_726b;

/// Applies what is missing, in order, each migration in its own transaction, and returns the versions applied.
///
/// An advisory lock makes a second program wait and then find nothing to do; it goes with the connection, so a killed
/// program leaves none behind. Statements have no time limit here. Needs a tokio runtime of any kind.
///
/// # Errors
/// 503 when the database is away; 500 with the migration's own error.
pub async fn migrate(config: &DbConfig, migrations: EmbeddedMigrations) -> Result<Vec<String>> {
    let mut config = config.clone();
    config.statement_timeout = Duration::ZERO;
    let connector = Connector::new(&config).map_err(Fault::internal)?;
    let (client, driver) = connector.open().await.map_err(|e| unavailable().caused_by(e))?;
    let mut conn = AsyncPgConnection::try_from_client_and_connection(client, driver)
        .await
        .map_err(|e| unavailable().caused_by(e))?;
    diesel::sql_query("SELECT pg_advisory_lock($1)")
        .bind::<diesel::sql_types::BigInt, _>(LOCK)
        .execute(&mut conn)
        .await
        .map_err(fault)?;
    // The harness blocks while it drives the connection, so it gets a thread that may.
    let applied = tokio::task::spawn_blocking(move || {
        let mut harness = AsyncMigrationHarness::new(conn);
        let applied = harness.run_pending_migrations(migrations)?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(applied.iter().map(ToString::to_string).collect())
    })
    .await
    .map_err(Fault::internal)?;
    applied.map_err(Fault::internal)
}
