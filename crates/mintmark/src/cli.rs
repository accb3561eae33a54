//! The command line as a person types it.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::audit::AuditCommand;
use crate::batch::BatchCommand;
use crate::brand::BrandCommand;
use crate::code::CodeCommand;
use crate::completion::CompletionOptions;
use crate::context::ContextCommand;
use crate::demo::DemoOptions;
use crate::dispute::DisputeCommand;
use crate::evidence::EvidenceCommand;
use crate::export::ExportCommand;
use crate::job::JobCommand;
use crate::key::KeyCommand;
use crate::login::LoginOptions;
use crate::preflight::PreflightArguments;
use crate::product::ProductCommand;
use crate::reach::Reach;
use crate::scan::ScanCommand;
use crate::service::ServiceCommand;
use crate::tenant::TenantCommand;
use crate::token::TokenCommand;
use crate::trust::TrustBundleOptions;
use crate::up::UpOptions;
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
