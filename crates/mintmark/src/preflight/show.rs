//! Jobs and reports as people read them.

use mintmark_preflight_engine::policy::{self, Report};
use serde::Deserialize;
use serde_json::Value;

use crate::desk::Desk;
use crate::failure::Failure;
use crate::screen;
use crate::show::{failure, moment, text};

/// Shows a job.
pub fn job(desk: &Desk, job: &Value) -> Result<(), Failure> {
    let state = |member: &str| desk.screen.state(&text(job, member));
    let size = job["target"]["bytes"].as_u64().map(screen::bytes).unwrap_or_default();
    desk.screen.thing(
        job,
        &[
            ("job", text(job, "jobId")),
            ("file", text(job, "targetFile")),
            ("size", size),
            ("policy", policy(job)),
            ("batch", text(job, "batchId")),
            ("state", state("state")),
            ("verdict", state("verdict")),
            ("failure", failure(job)),
            ("sha256", text(job, "contentSha256")),
            ("created", moment(job, "createdAt")),
            ("started", moment(job, "startedAt")),
            ("ended", moment(job, "finishedAt")),
        ],
    )
}

/// The policy of a job: `digital-print@1`.
pub fn policy(job: &Value) -> String {
    format!("{}@{}", text(job, "policy"), text(job, "policyVersion"))
}

/// Prints a report as `mintmark preflight FILE` does.
pub fn report(desk: &Desk, report: &Value) -> Result<(), Failure> {
    let read = Report::deserialize(report).map_err(|error| {
        Failure::new(format!("the report is of another version than this program: {error}; --json prints it"))
    })?;
    let mut text = String::new();
    policy::write_report(&mut text, &read, desk.screen.colour())
        .map_err(|_| Failure::local("the report could not be written"))?;
    desk.screen.print(&text)
}
