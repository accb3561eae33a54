//! `mintmark job`: the work that goes on in the background, whatever it is, and the work that was given up.

mod dead;
mod underway;

use clap::{Args, Subcommand};

use crate::batch::{self, BatchCommand};
use crate::client::path;
use crate::desk::Desk;
use crate::evidence::{self, EvidenceCommand, OperationCommand};
use crate::exit::Exit;
use crate::export::{self, ExportCommand};
use crate::failure::Failure;
use crate::preflight;
use crate::wait::Patience;

pub use dead::DeadCommand;
pub use underway::UnderwayOptions;

/// What is done with work.
#[derive(Subcommand)]
pub enum JobCommand {
    /// List the work of your tenant that goes on: mints, exports, exports of the audit, preflight jobs.
    List(UnderwayOptions),
    /// Show how far some work is.
    Show(WorkOptions),
    /// Watch some work to its end. Exits 0 if that is good, 7 if not.
    Watch {
        #[command(flatten)]
        work: WorkOptions,
        #[command(flatten)]
        patience: Patience,
    },
    /// Work that was given up after its last attempt.
    #[command(subcommand)]
    Dead(DeadCommand),
}

/// Which work.
#[derive(Args)]
pub struct WorkOptions {
    /// A batch (bat_…), an export (exp_…), an operation on evidence (job_…), or the name of a preflight job.
    pub id: String,
    /// The tenant of an operation on evidence or a preflight job, under the operator's control token.
    #[arg(long)]
    pub tenant: Option<String>,
}

/// What an id is the id of.
enum Kind {
    Batch,
    Export,
    AuditExport,
    Operation,
    Preflight,
}

/// Does what is wanted.
pub async fn run(desk: &Desk, wanted: JobCommand) -> Result<(), Failure> {
    match wanted {
        JobCommand::List(options) => underway::list(desk, &options).await,
        JobCommand::Show(work) => show(desk, work).await,
        JobCommand::Watch { work, patience } => watch(desk, work, patience).await,
        JobCommand::Dead(wanted) => dead::run(desk, wanted).await,
    }
}

async fn show(desk: &Desk, WorkOptions { id, tenant }: WorkOptions) -> Result<(), Failure> {
    match kind(desk, &id).await? {
        Kind::Batch => batch::run(desk, BatchCommand::Show { id }).await,
        Kind::Export => export::run(desk, ExportCommand::Show { id }).await,
        Kind::AuditExport => crate::audit::show_export(desk, &id).await,
        Kind::Operation => {
            let show = OperationCommand::Show { operation: id, tenant };
            evidence::run(desk, EvidenceCommand::Operation(show)).await
        }
        Kind::Preflight => preflight::show_job(desk, &id, tenant.as_deref()).await,
    }
}

async fn watch(
    desk: &Desk,
    WorkOptions { id, tenant }: WorkOptions,
    patience: Patience,
) -> Result<(), Failure> {
    match kind(desk, &id).await? {
        Kind::Batch => batch::run(desk, BatchCommand::Watch { id, patience }).await,
        Kind::Export => export::run(desk, ExportCommand::Watch { id, patience }).await,
        Kind::AuditExport => crate::audit::watch_export(desk, &id, &patience).await,
        Kind::Operation => {
            let watch = OperationCommand::Watch { operation: id, tenant, patience };
            evidence::run(desk, EvidenceCommand::Operation(watch)).await
        }
        Kind::Preflight => preflight::watch(desk, &id, tenant.as_deref(), &patience).await,
    }
}

/// By the prefix of its id. Packs and exports of the audit have the same one: the platform is asked.
async fn kind(desk: &Desk, id: &str) -> Result<Kind, Failure> {
    if id.starts_with("bat_") {
        return Ok(Kind::Batch);
    }
    if id.starts_with("job_") && id.len() == "job_".len() + 26 && !id.contains(['-', '.', ':']) {
        return Ok(Kind::Operation);
    }
    if !id.starts_with("exp_") {
        return Ok(Kind::Preflight);
    }
    match desk.person()?.get(&path(&["v1", "exports", id])).await {
        Ok(_) => Ok(Kind::Export),
        Err(failure) if failure.exit() == Exit::NotFound => Ok(Kind::AuditExport),
        Err(failure) => Err(failure),
    }
}
