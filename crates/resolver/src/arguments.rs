//! What the program is started with.

use clap::{Parser, Subcommand};
use mintmark_service::Ask;

/// The public resolver. Each command reads its configuration from the environment.
#[derive(Parser)]
#[command(name = "resolver", version)]
pub struct Arguments {
    #[command(subcommand)]
    pub role: Role,
    /// Only check the configuration: exit 0 or 64.
    #[arg(long, global = true)]
    check_config: bool,
    /// Only print which variables are read, as JSON; docs/configuration.md is made of it.
    #[arg(long, global = true)]
    describe_config: bool,
}

#[derive(Subcommand)]
pub enum Role {
    /// Answer scans.
    Scan,
    /// Take publications from the control plane.
    Directory,
    /// Bring the database up to date.
    Migrate,
}

impl Arguments {
    /// Whether it is to run at all.
    pub fn ask(&self) -> Ask {
        Ask::from_options(self.check_config, self.describe_config)
    }
}
