//! `control-plane migrate`: applies what the database lacks.

use std::process::ExitCode;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use mintmark_service::{Ask, Context, Launch, StartError, launch};

use crate::config::MigrateConfig;

/// The migrations in `migrations/control-plane`.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/control-plane");

/// Runs `control-plane migrate` to its end.
pub fn run(ask: Ask) -> ExitCode {
    // Port 0: the roles that may be running beside it have the ordinary ports.
    let role = Launch { name: "control-plane-migrate", default_ops_addr: "127.0.0.1:0", ask };
    launch(role, MigrateConfig::read, migrate)
}

/// Applies them, and logs which; needs the login `control_owner`.
///
/// # Errors
/// When the database is away or a migration fails.
pub async fn migrate(config: MigrateConfig, _context: Context) -> Result<(), StartError> {
    let applied = mintmark_db::migrate(&config.database, MIGRATIONS).await?;
    tracing::info!(
        applied = applied.join(", "),
        count = applied.len(),
        "the database of the control plane is up to date"
    );
    Ok(())
}
