//! `preflight-gateway migrate`: applies what the database lacks.

use std::process::ExitCode;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use mintmark_db::MigrateRole;
use mintmark_service::Ask;

/// The migrations of `migrations/preflight-gateway`.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/preflight-gateway");

/// Runs `preflight-gateway migrate` to its end.
pub fn run(ask: Ask) -> ExitCode {
    let role = MigrateRole {
        name: "preflight-migrate",
        variable: "PREFLIGHT_MIGRATION_DATABASE_URL",
        about: "the gateway's Postgres database, as the login preflight_owner",
    };
    role.run(ask, MIGRATIONS)
}
