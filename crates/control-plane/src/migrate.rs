//! `control-plane migrate`: applies the embedded migrations with the owner's login, and nothing else.
//!
//! It opens no port, so that it can run while an older version still serves.

use std::io::Write;
use std::process::ExitCode;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use mintmark_fault::Chain;
use mintmark_service::config::Reader;

use crate::config::MigrateConfig;

/// The migrations in `migrations/control-plane`.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/control-plane");

/// `EX_USAGE` of sysexits.h: the configuration was wrong.
const EXIT_CONFIG: u8 = 64;

/// Applies what is missing and says what it was. Exit code 0, 1 when a migration failed, 64 for a bad configuration.
pub fn run(check_config: bool) -> ExitCode {
    mintmark_service::install_crypto();
    let mut reader = Reader::process();
    let config = MigrateConfig::read(&mut reader);
    let config = match reader.finish(config) {
        Ok(config) => config,
        Err(errors) => return say(&errors.to_string(), ExitCode::from(EXIT_CONFIG)),
    };
    if check_config {
        return say("configuration ok", ExitCode::SUCCESS);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return say(&format!("the runtime cannot start: {error}"), ExitCode::FAILURE),
    };
    match runtime.block_on(mintmark_db::migrate(&config.database, MIGRATIONS)) {
        Ok(applied) if applied.is_empty() => say("the database is up to date", ExitCode::SUCCESS),
        Ok(applied) => say(&format!("applied {}", applied.join(", ")), ExitCode::SUCCESS),
        Err(fault) => {
            say(&format!("the migrations could not be applied: {}", Chain(&fault)), ExitCode::FAILURE)
        }
    }
}

/// What went well goes to standard output, what did not to standard error.
fn say(text: &str, code: ExitCode) -> ExitCode {
    // A closed terminal is no reason to end differently.
    let _unreportable = if code == ExitCode::SUCCESS {
        writeln!(std::io::stdout(), "{text}")
    } else {
        writeln!(std::io::stderr(), "{text}")
    };
    code
}
