//! Applying migrations: one program at a time, whoever starts it.

use std::time::Duration;

use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};
use mintmark_fault::{Fault, Result};

use crate::connect::Connector;
use crate::fault::unavailable;
use crate::{DbConfig, fault};

/// Any constant will do; this one spells "mintmark".
const LOCK: i64 = 0x6d69_6e74_6d61_726b;

/// Whoever waits for a table's lock makes everybody after it wait as well, scans too: a migration waits this long at most.
const LOCK_WAIT: &str = "SET lock_timeout = '400ms'";
/// Then it lets the others pass, and tries again.
const PAUSE: Duration = Duration::from_millis(600);
/// Some minutes: a backup that reads all tables ends, or is ended.
const ATTEMPTS: usize = 600;

/// Applies what is missing, in order, each migration in its own transaction, and returns the versions applied.
///
/// Programs of the version before go on meanwhile. A migration that cannot have a table's lock at once gives way, and tries
/// again for some minutes.
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
    diesel::sql_query(LOCK_WAIT).execute(&mut conn).await.map_err(fault)?;
    // The harness blocks while it drives the connection, so it gets a thread that may.
    let applied =
        tokio::task::spawn_blocking(move || apply(&mut AsyncMigrationHarness::new(conn), &migrations));
    applied.await.map_err(Fault::internal)?.map_err(Fault::internal)
}

type Applied = std::result::Result<Vec<String>, Box<dyn std::error::Error + Send + Sync>>;

fn apply(harness: &mut AsyncMigrationHarness<AsyncPgConnection>, migrations: &EmbeddedMigrations) -> Applied {
    let mut applied = Vec::new();
    let mut attempts = 0;
    while harness.has_pending_migration(Borrowed(migrations))? {
        match harness.run_next_migration(Borrowed(migrations)) {
            Ok(version) => {
                applied.push(version.to_string());
                attempts = 0;
            }
            Err(error) if waits_for_a_lock(error.as_ref()) && attempts < ATTEMPTS => {
                if attempts == 0 {
                    tracing::info!("somebody uses a table that a migration changes: waiting for its turn");
                }
                attempts += 1;
                std::thread::sleep(PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(applied)
}

fn waits_for_a_lock(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.to_string().contains("lock timeout") {
            return true;
        }
        next = error.source();
    }
    false
}

/// Migrations that are needed more than once.
struct Borrowed<'a>(&'a EmbeddedMigrations);

impl MigrationSource<Pg> for Borrowed<'_> {
    fn migrations(&self) -> diesel::migration::Result<Vec<Box<dyn Migration<Pg>>>> {
        self.0.migrations()
    }
}
