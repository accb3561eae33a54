//! `mintmark evidence operation`: work on all evidence of a tenant, for the platform's operator.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::client::path;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::reach::Consent;
use crate::show::{number, text};
use crate::wait::{self, Patience, Work};

/// What is done with such work.
#[derive(Subcommand)]
pub enum OperationCommand {
    /// Start it.
    Start {
        /// Which.
        kind: OperationKind,
        /// Whose evidence; without it the context's tenant.
        #[arg(long)]
        tenant: Option<String>,
        /// Stay until it is done.
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        patience: Patience,
        #[command(flatten)]
        consent: Consent,
    },
    /// Show how far it is.
    Show {
        /// Its id: job_…
        operation: String,
        /// Whose evidence; without it the context's tenant.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Watch it until it is done.
    Watch {
        /// Its id: job_…
        operation: String,
        /// Whose evidence; without it the context's tenant.
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        patience: Patience,
    },
}

/// Which work.
#[derive(Clone, Copy, ValueEnum)]
pub enum OperationKind {
    /// Erase what is due now and not held.
    Retention,
    /// Wrap every record's key under fresh ones, and destroy the old.
    RotateKeys,
    /// Compute every expiry anew from the present retention; what is due by it is erased with the next run.
    RecomputeRetention,
}

impl OperationKind {
    const fn name(self) -> &'static str {
        match self {
            OperationKind::Retention => "retention",
            OperationKind::RotateKeys => "rotate-keys",
            OperationKind::RecomputeRetention => "recompute-retention",
        }
    }

    const fn question(self) -> &'static str {
        match self {
            OperationKind::Retention => "Erase, for good, what is due of",
            OperationKind::RotateKeys => "Rotate the keys, and destroy the old ones, of",
            OperationKind::RecomputeRetention => "Compute anew when the evidence is erased of",
        }
    }
}

/// Does what is wanted.
pub async fn run(desk: &Desk, wanted: OperationCommand) -> Result<(), Failure> {
    match wanted {
        OperationCommand::Start { kind, tenant, wait, patience, consent } => {
            let tenant = desk.tenant(tenant.as_deref())?;
            desk.confirm(&format!("{} {tenant}", kind.question()), &consent)?;
            let body = json!({ "kind": kind.name() });
            let started = desk.operator()?.create(&place(&tenant, None), &body).await?;
            if wait {
                return watch(desk, &tenant, &text(&started, "id"), &patience).await;
            }
            show(desk, &started)
        }
        OperationCommand::Show { operation, tenant } => {
            let tenant = desk.tenant(tenant.as_deref())?;
            show(desk, &desk.operator()?.get(&place(&tenant, Some(&operation))).await?)
        }
        OperationCommand::Watch { operation, tenant, patience } => {
            let tenant = desk.tenant(tenant.as_deref())?;
            watch(desk, &tenant, &operation, &patience).await
        }
    }
}

/// Watches an operation to its end, and shows it.
pub async fn watch(desk: &Desk, tenant: &str, operation: &str, patience: &Patience) -> Result<(), Failure> {
    let work = Work {
        what: "operation",
        path: place(tenant, Some(operation)),
        unit: "records",
        again: format!("mintmark evidence operation watch {operation} --tenant {tenant}"),
        end: |state| match state {
            "succeeded" => Some(true),
            "dead" | "cancelled" => Some(false),
            _ => None,
        },
    };
    let ended = wait::until_ended(desk, &desk.operator()?, &work, patience).await?;
    show(desk, &ended)
}

fn place(tenant: &str, operation: Option<&str>) -> String {
    let all = ["api", "admin", "tenants", tenant, "evidence", "operations"];
    path(&all.into_iter().chain(operation).collect::<Vec<_>>())
}

/// Shows an operation.
pub fn show(desk: &Desk, operation: &Value) -> Result<(), Failure> {
    let done = format!("{} of {} records", number(operation, "done"), number(operation, "total"));
    desk.screen.thing(
        operation,
        &[
            ("id", text(operation, "id")),
            ("kind", text(operation, "kind")),
            ("state", desk.screen.state(&text(operation, "state"))),
            ("done", done),
            ("last error", text(operation, "lastError")),
        ],
    )
}
