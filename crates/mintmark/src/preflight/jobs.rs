//! Jobs, reports and policies of the platform's preflight service.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mintmark_auth::scope;
use serde_json::{Value, json};

use super::show;
use crate::client::{path, query};
use crate::desk::Desk;
use crate::failure::{Doing, Failure};
use crate::reach::Paging;
use crate::show::{Column, moment, text, time};

/// A job, and whose.
#[derive(Args)]
pub struct JobOptions {
    /// The job's name.
    pub job: String,
    /// Of this tenant, under the operator's control token.
    #[arg(long)]
    pub tenant: Option<String>,
}

/// Options of `mintmark preflight list`.
#[derive(Args)]
pub struct ListOptions {
    /// Only jobs in this state.
    #[arg(long)]
    pub state: Option<JobState>,
    /// Only jobs with this verdict.
    #[arg(long)]
    pub verdict: Option<JobVerdict>,
    /// Only jobs of this batch: bat_…
    #[arg(long)]
    pub batch: Option<String>,
    /// Of this tenant, under the operator's control token.
    #[arg(long)]
    pub tenant: Option<String>,
    #[command(flatten)]
    pub paging: Paging,
}

/// Where a job stands.
#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum JobState {
    /// It is a record that nobody started.
    Recorded,
    /// It waits for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// It has a report.
    Succeeded,
    /// It has none, and will not get one.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

/// What a policy says of a file.
#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum JobVerdict {
    /// Nothing was found.
    Pass,
    /// Warnings were found.
    PassWithWarnings,
    /// An error was found.
    Fail,
    /// No error was found, and a rule could not be evaluated.
    Incomplete,
}

/// Options of `mintmark preflight report`.
#[derive(Args)]
pub struct ReportOptions {
    /// The job's name.
    pub job: String,
    /// Of this tenant, under the operator's control token.
    #[arg(long)]
    pub tenant: Option<String>,
    /// Write the report into this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Options of `mintmark preflight policies`.
#[derive(Args)]
pub struct PoliciesOptions {
    /// One of them, with its rules: name, or name@version.
    pub policy: Option<String>,
    /// Those of this tenant, under the operator's control token.
    #[arg(long)]
    pub tenant: Option<String>,
}

const JOBS: [Column; 6] = [
    Column::whole("JOB"),
    Column::words("FILE"),
    Column::words("POLICY"),
    Column::whole("STATE"),
    Column::whole("VERDICT"),
    Column::whole("CREATED (UTC)"),
];

const POLICIES: [Column; 4] =
    [Column::whole("NAME"), Column::number("VERSION"), Column::words("TITLE"), Column::whole("OURS")];

fn at(job: &str) -> String {
    path(&["api", "preflight", "jobs", job])
}

fn word<T: ValueEnum>(value: Option<&T>) -> Option<String> {
    Some(value?.to_possible_value()?.get_name().to_owned())
}

/// Lists jobs.
pub async fn list(desk: &Desk, options: &ListOptions) -> Result<(), Failure> {
    let gateway = desk.gateway(&[scope::PREFLIGHT_READ], options.tenant.as_deref()).await?;
    let (state, verdict) = (word(options.state.as_ref()), word(options.verdict.as_ref()));
    let of = query(
        "/api/preflight/jobs",
        &[
            ("state", state.as_deref()),
            ("verdict", verdict.as_deref()),
            ("batchId", options.batch.as_deref()),
        ],
    );
    let listed = gateway.list(&of, &options.paging).await?;
    let row = |job: &Value| {
        let names = [text(job, "jobId"), text(job, "targetFile"), show::policy(job)];
        let states = ["state", "verdict"].map(|member| desk.screen.state(&text(job, member)));
        names.into_iter().chain(states).chain([time(job, "createdAt")]).collect()
    };
    desk.screen.list(&listed, &JOBS, row, "There are no such jobs: `mintmark preflight submit` makes one.")
}

/// Shows a job.
pub async fn show_job(desk: &Desk, job: &str, tenant: Option<&str>) -> Result<(), Failure> {
    let gateway = desk.gateway(&[scope::PREFLIGHT_READ], tenant).await?;
    show::job(desk, &gateway.get(&at(job)).await?)
}

/// Cancels a job.
pub async fn cancel(desk: &Desk, options: &JobOptions) -> Result<(), Failure> {
    let gateway = desk.gateway(&[scope::PREFLIGHT_WRITE], options.tenant.as_deref()).await?;
    show::job(desk, &gateway.post(&format!("{}/cancel", at(&options.job)), None).await?)
}

/// Prints a report.
pub async fn report(desk: &Desk, options: &ReportOptions) -> Result<(), Failure> {
    let gateway = desk.gateway(&[scope::PREFLIGHT_READ], options.tenant.as_deref()).await?;
    let report = gateway.get(&format!("{}/report", at(&options.job))).await?;
    let Some(out) = &options.out else {
        return if desk.screen.json { desk.screen.document(&report) } else { show::report(desk, &report) };
    };
    let file = out.display().to_string();
    std::fs::write(out, format!("{report:#}\n")).doing(format_args!("write {file}"))?;
    let verdict = text(&report, "verdict");
    let told = json!({ "jobId": options.job, "verdict": verdict, "file": file });
    let shown = [("job", options.job.clone()), ("verdict", desk.screen.state(&verdict)), ("file", file)];
    desk.screen.thing(&told, &shown)
}

/// Lists the policies, or shows one.
pub async fn policies(desk: &Desk, options: &PoliciesOptions) -> Result<(), Failure> {
    let gateway = desk.gateway(&[scope::PREFLIGHT_READ], options.tenant.as_deref()).await?;
    if let Some(policy) = &options.policy {
        let policy = gateway.get(&path(&["api", "preflight", "policies", policy])).await?;
        let rules = policy["document"]["rules"].as_array().into_iter().flatten();
        let rules = rules.map(|rule| format!("{} {}", text(rule, "rule"), text(rule, "severity")));
        let shown = [
            ("name", text(&policy, "name")),
            ("version", text(&policy, "version")),
            ("title", text(&policy, "title")),
            ("ours", text(&policy, "builtIn")),
            ("stored", moment(&policy, "createdAt")),
            ("rules", rules.collect::<Vec<_>>().join(", ")),
        ];
        return desk.screen.thing(&policy, &shown);
    }
    let found = gateway.get("/api/preflight/policies").await?;
    if desk.screen.json {
        return desk.screen.document(&found);
    }
    let row = |policy: &Value| {
        vec![text(policy, "name"), text(policy, "version"), text(policy, "title"), text(policy, "builtIn")]
    };
    let rows = found["items"].as_array().into_iter().flatten().map(row).collect();
    desk.screen.table(&POLICIES, rows)
}
