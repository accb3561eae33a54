//! `mintmark preflight`: judges one file here, without a platform, or has the platform's preflight service do it.

mod file;
mod jobs;
mod product;
mod show;
mod submit;
mod watch;

use clap::{Args, Subcommand};

use crate::desk::Desk;
use crate::failure::Failure;

pub use file::{FileOptions, judge};
pub use jobs::{JobOptions, ListOptions, PoliciesOptions, ReportOptions, show_job};
pub use submit::SubmitOptions;
pub use watch::{WatchOptions, watch};

/// A file to judge here, or what the platform shall do.
#[derive(Args)]
#[command(subcommand_negates_reqs = true)]
pub struct PreflightArguments {
    #[command(subcommand)]
    pub command: Option<PreflightCommand>,
    #[command(flatten)]
    pub file: FileOptions,
}

/// What is done with the preflight jobs of the platform.
#[derive(Subcommand)]
pub enum PreflightCommand {
    /// Have the platform preflight a file of its object store. With --wait it exits 0 for a pass (warnings or not), 7 otherwise.
    Submit(SubmitOptions),
    /// List jobs, newest first.
    List(ListOptions),
    /// Show a job.
    Show(JobOptions),
    /// Watch a job until it has ended, and print its report. Exits 0 for a pass (warnings or not), 7 otherwise.
    Watch(WatchOptions),
    /// Print the report of a job that succeeded.
    Report(ReportOptions),
    /// Cancel a job that has not ended.
    Cancel(JobOptions),
    /// List the policies that a job may name, or show one.
    Policies(PoliciesOptions),
}

/// Has the platform do what is wanted.
pub async fn run(desk: &Desk, wanted: PreflightCommand, file: &FileOptions) -> Result<(), Failure> {
    if file.is_given() {
        return Err(Failure::usage(
            "a file is judged here without a subcommand, and the platform's jobs with one: give either of them",
        ));
    }
    match wanted {
        PreflightCommand::Submit(options) => submit::submit(desk, &options).await,
        PreflightCommand::List(options) => jobs::list(desk, &options).await,
        PreflightCommand::Show(options) => show_job(desk, &options.job, options.tenant.as_deref()).await,
        PreflightCommand::Watch(options) => watch::command(desk, &options).await,
        PreflightCommand::Report(options) => jobs::report(desk, &options).await,
        PreflightCommand::Cancel(options) => jobs::cancel(desk, &options).await,
        PreflightCommand::Policies(options) => jobs::policies(desk, &options).await,
    }
}
