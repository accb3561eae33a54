//! Waiting for a preflight job, however long its queue is: a PREFLIGHT_JWT lives five minutes.

use clap::Args;
use mintmark_auth::scope;
use serde_json::Value;

use super::show;
use crate::client::path;
use crate::desk::Desk;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::wait::{self, Patience, Work};

/// Options of `mintmark preflight watch`.
#[derive(Args)]
pub struct WatchOptions {
    /// The job's name.
    pub job: String,
    /// Of this tenant, under the operator's control token.
    #[arg(long)]
    pub tenant: Option<String>,
    #[command(flatten)]
    pub patience: Patience,
}

/// Watches a job.
pub async fn command(desk: &Desk, options: &WatchOptions) -> Result<(), Failure> {
    watch(desk, &options.job, options.tenant.as_deref(), &options.patience).await
}

/// Waits for the end of a job, prints it with its report, and fails unless it passed.
pub async fn watch(desk: &Desk, job: &str, tenant: Option<&str>, patience: &Patience) -> Result<(), Failure> {
    let again = tenant.map(|tenant| format!(" --tenant {tenant}")).unwrap_or_default();
    let work = Work {
        what: "preflight",
        path: path(&["api", "preflight", "jobs", job]),
        unit: "files",
        again: format!("mintmark preflight watch {job}{again}"),
        end: |state| match state {
            // A record that nobody started does not move by itself.
            "succeeded" | "recorded" => Some(true),
            "failed" | "cancelled" => Some(false),
            _ => None,
        },
    };
    let (mut ended, report) = loop {
        let gateway = desk.gateway(&[scope::PREFLIGHT_READ], tenant).await?;
        let begun = std::time::Instant::now();
        match wait::until_ended(desk, &gateway, &work, patience).await {
            // The token ran out, not the right to it: the next exchange says if it did.
            Err(old) if old.exit() == Exit::Unauthenticated && begun.elapsed().as_secs() > 60 => {}
            Err(failure) => return Err(failure),
            Ok(ended) if ended["state"] == "succeeded" => {
                let report = gateway.get(&format!("{}/report", work.path)).await?;
                break (ended, report);
            }
            Ok(ended) => return show::job(desk, &ended),
        }
    };
    if desk.screen.json {
        ended["report"] = report;
        desk.screen.document(&ended)?;
    } else {
        show::report(desk, &report)?;
    }
    judged(job, &ended)
}

/// Whether the file can be printed, as an exit status.
fn judged(job: &str, ended: &Value) -> Result<(), Failure> {
    let (code, words) = match ended["verdict"].as_str() {
        Some("pass" | "pass_with_warnings") => return Ok(()),
        Some("fail") => ("PREFLIGHT_FAIL", "found errors in the file"),
        _ => ("PREFLIGHT_INCOMPLETE", "could not evaluate every rule"),
    };
    Err(Failure::new(format!("the preflight {job} {words}")).ending(Exit::EndedBadly).coded(code))
}
