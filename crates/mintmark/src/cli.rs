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
    /// Show the main job against a running platform: mint, publish, export, scan, preflight, evidence. Exits 0 only if every step gave what it should.
    Demo(DemoOptions),
    /// Run the four validation commands of the preflight auth contract against a running platform, each with its negatives.
    Contract,
    /// Judge a PDF file by a policy and print the report as a table. Exits 0 for a pass (warnings or not), 1 for a fail, 2 where that could not be decided.
    Preflight(PreflightFileOptions),
    /// Check audit logs and proofs without a platform, or resume a log after a restore.
    #[command(subcommand)]
    Audit(AuditCommand),
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

/// Options of `mintmark preflight`.
#[derive(Args)]
pub struct PreflightFileOptions {
    /// The PDF file.
    pub file: PathBuf,
    /// A policy of ours by its id (a wrong one lists them), or a file with one as JSON.
    #[arg(long, default_value = "digital-print")]
    pub policy: String,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
    /// What the product's trim size shall be: width and height in millimetres, for example 148x210.
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = size)]
    pub trim: Option<[f64; 2]>,
    /// What its bleed shall be, in millimetres.
    #[arg(long, value_name = "MM")]
    pub bleed: Option<f64>,
    /// How many pages it shall have.
    #[arg(long)]
    pub pages: Option<u32>,
    /// Its product type, for processing steps in packaging.
    #[arg(long)]
    pub product_type: Option<String>,
    /// How many times as large as its pages it is printed (large format).
    #[arg(long)]
    pub scaling_factor: Option<f64>,
    /// From how many metres it is looked at (large format).
    #[arg(long, value_name = "METRES")]
    pub viewing_distance: Option<f64>,
}

/// What is done with audit logs.
#[derive(Subcommand)]
pub enum AuditCommand {
    /// Check exported logs, proofs of inclusion and consistency, checkpoints, and proofs of erasure, offline. Exits 0 if all hold, 1 if one does not, 2 where that could not be decided.
    Verify(VerifyOptions),
    /// Open a new log after a restore: its first entry names the checkpoint that was kept outside the database.
    Resume(ResumeOptions),
}

/// Options of `mintmark audit verify`.
#[derive(Args)]
pub struct VerifyOptions {
    /// What is checked; the first line of a file says what it is.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Verifier keys of the logs (C2SP signed-note), one a line.
    #[arg(long, value_name = "FILE")]
    pub keys: PathBuf,
    /// Public keys of services and of erasure proofs: a JWK set. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub jwks: Vec<PathBuf>,
    /// A checkpoint that you kept from before, which the logs must continue. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub kept: Vec<PathBuf>,
    /// Print the outcome as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Options of `mintmark audit resume`.
#[derive(Args)]
pub struct ResumeOptions {
    /// Whose log.
    #[arg(long)]
    pub service: AuditedService,
}

/// A service with a log of its own.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum AuditedService {
    /// The evidence vault.
    EvidenceVault,
    /// The control plane.
    ControlPlane,
}

/// Reads `148x210`.
fn size(text: &str) -> Result<[f64; 2], String> {
    let parts = text
        .split_once(['x', '×'])
        .and_then(|(width, height)| Some([width.trim().parse().ok()?, height.trim().parse().ok()?]));
    parts.ok_or_else(|| "give width and height in millimetres, for example 148x210".to_owned())
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
