//! `resolver migrate`: applies what the database lacks.

use std::process::ExitCode;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use mintmark_db::MigrateRole;
use mintmark_service::Ask;

/// The migrations of `migrations/resolver`.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/resolver");

/// Runs `resolver migrate` to its end.
pub fn run(ask: Ask) -> ExitCode {
    let role = MigrateRole {
        name: "resolver-migrate",
        variable: "RESOLVER_MIGRATION_DATABASE_URL",
        about: "the resolver's Postgres database, as the login resolver_owner",
    };
    role.run(ask, MIGRATIONS)
}
