//! `control-plane migrate`: applies what the database lacks.

use std::process::ExitCode;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use mintmark_db::MigrateRole;
use mintmark_service::Ask;

/// The migrations of `migrations/control-plane`.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/control-plane");

/// Runs `control-plane migrate` to its end.
pub fn run(ask: Ask) -> ExitCode {
    let role = MigrateRole {
        name: "control-plane-migrate",
        variable: "CONTROL_MIGRATION_DATABASE_URL",
        about: "the control plane's Postgres database, as the login control_owner",
    };
    role.run(ask, MIGRATIONS)
}
