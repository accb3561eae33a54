//! `evidence-vault migrate`: applies what the database lacks.

use std::process::ExitCode;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use mintmark_db::MigrateRole;
use mintmark_service::Ask;

/// The migrations of `migrations/evidence-vault`.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/evidence-vault");

/// Runs `evidence-vault migrate` to its end.
pub fn run(ask: Ask) -> ExitCode {
    let role = MigrateRole {
        name: "evidence-migrate",
        variable: "EVIDENCE_MIGRATION_DATABASE_URL",
        about: "the vault's Postgres database, as the login evidence_owner",
    };
    role.run(ask, MIGRATIONS)
}
