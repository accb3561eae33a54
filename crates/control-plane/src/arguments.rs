//! What the program is started with.

use clap::{Parser, Subcommand};
use mintmark_service::Ask;

/// Tenants, brands, products, batches and exports. Configured by environment variables: docs/configuration.md.
#[derive(Parser)]
#[command(version)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Only check the configuration: exit code 0 when it is complete and sound, 64 when it is not.
    #[arg(long, global = true)]
    check_config: bool,
    /// Only print which variables are read, as JSON; docs/configuration.md is made of it.
    #[arg(long, global = true)]
    describe_config: bool,
}

#[derive(Subcommand)]
pub enum Command {
    /// Answer requests and work on jobs, until SIGTERM.
    Serve,
    /// Make and sign the log of the audit, until SIGTERM.
    Sequencer,
    /// Apply the migrations that are missing (CONTROL_MIGRATION_DATABASE_URL), then exit.
    Migrate,
}

impl Arguments {
    /// Whether it is to run at all.
    pub fn ask(&self) -> Ask {
        Ask::from_options(self.check_config, self.describe_config)
    }
}
