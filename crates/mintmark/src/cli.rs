//! The command line as a person types it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use mintmark_auth::scope;

/// An identity for every printed thing: run the platform, see what it does, operate it.
#[derive(Parser)]
#[command(name = "mintmark", version, max_term_width = 100)]
pub struct Cli {
    /// The folder that holds everything the launcher makes: database, objects, keys, logs, addresses.
    #[arg(long, global = true, default_value = ".mintmark", env = "MINTMARK_HOME")]
    pub home: PathBuf,

    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Start the platform on this machine and stay up until Ctrl-C.
    Up(UpOptions),
    /// Show the main job against a running platform: mint, publish, export, scan. Exits 0 only if every step gave what it should.
    Demo(DemoOptions),
    /// Make tokens.
    #[command(subcommand)]
    Token(TokenCommand),
}

/// Options of `mintmark up`.
#[derive(Args)]
pub struct UpOptions {
    /// Seed tenant, users, brand and products, but do not run the demonstration.
    #[arg(long)]
    pub no_demo: bool,
    /// Take free ports instead of the default ones; `dev.env` names them.
    #[arg(long)]
    pub free_ports: bool,
    #[command(flatten)]
    pub demo: DemoOptions,
}

/// Options of the demonstration.
#[derive(Args, Clone)]
pub struct DemoOptions {
    /// How many units to mint (2 to 1,000,000).
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(2..=1_000_000))]
    pub units: u64,
}

/// Tokens that can be made.
#[derive(Subcommand)]
pub enum TokenCommand {
    /// Print a new control token, for `PPOS_CONTROL_TOKEN`.
    Control,
    /// Print a new credential for an Envoy, and its SHA-256 for `RATE_LIMIT_ENVOY_CREDENTIALS`.
    Envoy,
    /// Print a PREFLIGHT_JWT of the running platform, for `PREFLIGHT_JWT`; it lives five minutes.
    Preflight(PreflightOptions),
}

/// What the PREFLIGHT_JWT is for.
#[derive(Args)]
pub struct PreflightOptions {
    /// What it may be used for, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = scope::PREFLIGHT.map(str::to_owned))]
    pub scopes: Vec<String>,
    /// Whose files it is for; `ACTIVE_TENANT_ID` of `dev.env` when left out.
    #[arg(long)]
    pub tenant: Option<String>,
}
