//! The command line as a person types it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use mintmark_auth::scope;

use crate::audit::ExportOptions;
use crate::batch::BatchCommand;
use crate::brand::BrandCommand;
use crate::code::CodeCommand;
use crate::completion::CompletionOptions;
use crate::context::ContextCommand;
use crate::dispute::DisputeCommand;
use crate::evidence::EvidenceCommand;
use crate::export::ExportCommand;
use crate::job::JobCommand;
use crate::key::KeyCommand;
use crate::login::LoginOptions;
use crate::preflight::PreflightArguments;
use crate::product::ProductCommand;
use crate::reach::{Paging, Reach};
use crate::scan::ScanCommand;
use crate::tenant::TenantCommand;
use crate::user::UserCommand;

/// An identity for every printed thing: run the platform, see what it does, operate it.
#[derive(Parser)]
#[command(name = "mintmark", version, max_term_width = 100)]
pub struct Cli {
    /// The folder that holds everything the launcher makes: database, objects, keys, logs, addresses.
    #[arg(
        long,
        global = true,
        default_value = ".mintmark",
        env = "MINTMARK_HOME",
        help_heading = "Global options"
    )]
    pub home: PathBuf,

    #[command(flatten)]
    pub reach: Reach,

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
    /// Judge a PDF file here by a policy and print the report as a table (exits 0 for a pass, warnings or not, 1 for a fail, 2 where that could not be decided), or have the platform do it.
    Preflight(PreflightArguments),
    /// Export a tenant's audit log; check logs and proofs without a platform; resume a log after a restore.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Make tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Restart one service of the platform on this machine, after its keys or variables changed.
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Print the trust bundle of a folder with control-plane.pem, preflight-gateway.pem and console.pem: the public half of every key in them, and what each may sign.
    TrustBundle(TrustBundleOptions),
    /// Name the platforms that you work with, and choose one.
    #[command(subcommand)]
    Context(ContextCommand),
    /// Get a session: made under the control token, or one that somebody gave you.
    Login(LoginOptions),
    /// Say who the session speaks for, and until when.
    Session,
    /// Forget the session that `mintmark login` kept.
    Logout,
    /// Tenants: create, list, show, update (control token).
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Brands: create, list, show, update how they look.
    #[command(subcommand)]
    Brand(BrandCommand),
    /// Products of a brand: create, list, show, update.
    #[command(subcommand)]
    Product(ProductCommand),
    /// Batches of codes: mint, watch, list, show, cancel, recall, see what happened.
    #[command(subcommand)]
    Batch(BatchCommand),
    /// Single codes of a batch: list, reveal, recall.
    #[command(subcommand)]
    Code(CodeCommand),
    /// Export packs for printers: make, list, show, cancel, download.
    #[command(subcommand)]
    Export(ExportCommand),
    /// API keys: create, list, show, rotate, revoke.
    #[command(subcommand)]
    Key(KeyCommand),
    /// People of a tenant and their roles: list, show, grant, revoke.
    #[command(subcommand)]
    User(UserCommand),
    /// Disputes, to which evidence belongs: open, list, show, close.
    #[command(subcommand)]
    Dispute(DisputeCommand),
    /// Evidence: upload, list, show, download, hold, release, proofs of its erasure.
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// Work in the background: list, show, watch; what was given up: list, replay.
    #[command(subcommand)]
    Job(JobCommand),
    /// Scans of a brand or a batch, in sums.
    #[command(subcommand)]
    Scan(ScanCommand),
    /// Print what makes a shell complete `mintmark`: `source <(mintmark completion bash)`.
    Completion(CompletionOptions),
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

/// What is done with audit logs.
#[derive(Subcommand)]
pub enum AuditCommand {
    /// Check exported logs, proofs of inclusion and consistency, checkpoints, and proofs of erasure, offline. Exits 0 if all hold, 1 if one does not, 2 where that could not be decided.
    Verify(VerifyOptions),
    /// Print the public half of a key that signs a log's checkpoints, for `AUDIT_VERIFIER_KEYS_FILE`.
    VerifierKey(VerifierKeyOptions),
    /// Have the tenant's audit log written to a file, and fetch it (exports:read).
    Export(ExportOptions),
    /// List the exports of the tenant's audit log, newest first (exports:read).
    Exports(Paging),
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
}

/// Options of `mintmark audit verifier-key`.
#[derive(Args)]
pub struct VerifierKeyOptions {
    /// The private key (PEM).
    pub file: PathBuf,
    /// The log's name, as `AUDIT_ORIGIN` has it.
    #[arg(long, value_name = "ORIGIN")]
    pub log: String,
}

/// What to do with services of the platform on this machine.
#[derive(Subcommand)]
pub enum ServiceCommand {
    /// End each in good order and wait until it is back. It starts with the keys in `keys/` and the variables in `env/NAME.env` as they are now.
    Restart {
        /// Their names, as `mintmark up` prints them.
        #[arg(required = true)]
        services: Vec<String>,
    },
}

/// Options of `mintmark trust-bundle`.
#[derive(Args)]
pub struct TrustBundleOptions {
    /// The folder with the key files.
    pub folder: PathBuf,
    /// The bundle that is in force: its issuer, and the Envoys that it names, are kept.
    #[arg(long, value_name = "FILE")]
    pub like: Option<PathBuf>,
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
