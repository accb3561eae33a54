//! The `migrate` role that every service with a database has.

use std::process::ExitCode;

use diesel_migrations::EmbeddedMigrations;
use mintmark_service::{Ask, Context, Launch, StartError, launch};

use crate::{DbConfig, migrate};

/// The role of a program that brings its database up to date and ends; the only one with the login that owns the tables.
#[derive(Debug)]
pub struct MigrateRole {
    /// As logs and `pg_stat_activity` show it.
    pub name: &'static str,
    /// The variable with the database's URL.
    pub variable: &'static str,
    /// Which database that is, and as which login.
    pub about: &'static str,
}

impl MigrateRole {
    /// Runs from `main` to the exit code: applies what is missing of `migrations`, and logs which.
    #[must_use]
    pub fn run(self, ask: Ask, migrations: EmbeddedMigrations) -> ExitCode {
        let MigrateRole { name, variable, about } = self;
        // Port 0: the roles that may be running beside it have the ordinary ports.
        let role = Launch { name, default_ops_addr: "127.0.0.1:0", ask };
        let read = |reader: &mut _| Some(DbConfig::read(reader, variable, about)?.named(name));
        launch(role, read, async |config, _: Context| apply(&config, migrations).await)
    }
}

async fn apply(config: &DbConfig, migrations: EmbeddedMigrations) -> Result<(), StartError> {
    let applied = migrate(config, migrations).await?;
    tracing::info!(applied = applied.join(", "), count = applied.len(), "the database is up to date");
    Ok(())
}
