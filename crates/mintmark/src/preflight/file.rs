//! `mintmark preflight FILE`: what a policy says of one file, as a table for a person.
//!
//! The file is read by the program `preflight-engine` beside this one, in a process that shuts itself in; this process opens
//! the file, hands it over as standard input, and looks at nothing but the facts that come back.

use std::fs::File;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use clap::Args;
use mintmark_preflight_engine::Facts;
use mintmark_preflight_engine::envelope::{ENVELOPE_VERSION, Envelope};
use mintmark_preflight_engine::facts::SCHEMA_VERSION;
use mintmark_preflight_engine::policy::{self, Intent, Policy, Problem, Report, Verdict};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::product::Product;
use crate::failure::{Doing, Failure};
use crate::up::program::program;

/// Bytes of facts that are believed.
const MAX_OUTPUT: u64 = 64 << 20;

/// How long one file may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The policy of a file for which none is named.
const DEFAULT_POLICY: &str = "digital-print";

/// The exit status where there is no verdict, or none that says whether the file can be printed.
const UNDECIDED: u8 = 2;

/// A file to judge here.
#[derive(Args)]
pub struct FileOptions {
    /// The PDF file.
    #[arg(required = true)]
    pub file: Option<PathBuf>,
    /// A policy of ours by its id (a wrong one lists them), or a file with one as JSON.
    #[arg(long, default_value = DEFAULT_POLICY)]
    pub policy: String,
    #[command(flatten)]
    pub product: Product,
}

impl FileOptions {
    /// Whether any of them was given.
    pub fn is_given(&self) -> bool {
        self.file.is_some() || self.policy != DEFAULT_POLICY || self.product != Product::default()
    }
}

/// Reads the file, judges it, prints the report. The exit status is 0 for a pass, with or without warnings, 1 for a fail,
/// 2 for anything that was not decided.
pub fn judge(options: &FileOptions, json: bool) -> ExitCode {
    let verdict = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(verdict(options, json)));
    match verdict {
        Ok(Verdict::Pass | Verdict::PassWithWarnings) => ExitCode::SUCCESS,
        Ok(Verdict::Fail) => ExitCode::FAILURE,
        Ok(Verdict::Incomplete) => ExitCode::from(UNDECIDED),
        Err(failure) => {
            let _ = failure.report_for(json);
            ExitCode::from(UNDECIDED)
        }
    }
}

async fn verdict(options: &FileOptions, json: bool) -> Result<Verdict, Failure> {
    let file = options.file.as_deref().ok_or_else(|| Failure::usage("name the PDF file"))?;
    let policy = policy_of(&options.policy)?;
    let intent = intent_of(&options.product)?;
    let envelope = read(file).await?;
    let report = policy::evaluate(&policy, &envelope.facts, &intent);
    print(&report, &envelope, file, json)?;
    Ok(report.verdict)
}

/// One of ours by its id, or one in a file.
fn policy_of(name: &str) -> Result<Policy, Failure> {
    if let Some(policy) = policy::find(name) {
        return Ok(policy.clone());
    }
    let path = Path::new(name);
    if !path.exists() {
        let ids: Vec<&str> = policy::catalog().iter().map(|policy| policy.id.as_str()).collect();
        return Err(Failure::new(format!(
            "there is no policy '{name}', nor a file of that name. Ours are:\n  {}",
            ids.join("\n  ")
        )));
    }
    let json = std::fs::read(path).doing(format_args!("read the policy {name}"))?;
    policy::parse(&json).map_err(|problems| wrong(&format!("the policy {name}"), &problems))
}

fn wrong(what: &str, problems: &[Problem]) -> Failure {
    let lines: Vec<String> =
        problems.iter().map(|problem| format!("\n  {} {}", problem.at, problem.message)).collect();
    Failure::new(format!("{what} cannot be used:{}", lines.concat()))
}

fn intent_of(product: &Product) -> Result<Intent, Failure> {
    let intent = product.intent();
    let problems = intent.problems();
    if problems.is_empty() { Ok(intent) } else { Err(wrong("what was said of the product", &problems)) }
}

/// Has the engine read the file.
async fn read(path: &Path) -> Result<Envelope<Facts>, Failure> {
    let file = File::open(path).doing(format_args!("open {}", path.display()))?;
    if !file.metadata()?.is_file() {
        return Err(Failure::new(format!("{} is not a file", path.display())));
    }
    let engine = program("preflight-engine")?;
    let mut child = Command::new(&engine)
        .arg(format!("--output={MAX_OUTPUT}"))
        .arg(format!("--parent={}", std::process::id()))
        .env_clear()
        .stdin(Stdio::from(file))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .doing(format_args!("start {}", engine.display()))?;
    let output = tokio::time::timeout(PATIENCE, gather(&mut child)).await.map_err(|_| {
        Failure::new(format!("the engine took more than {} seconds and was stopped", PATIENCE.as_secs()))
    })??;
    let envelope: Envelope<Facts> = serde_json::from_slice(&output).map_err(|error| {
        Failure::new(format!("the engine's answer cannot be read: {error}. Run `make build`"))
    })?;
    if envelope.envelope != ENVELOPE_VERSION || envelope.facts.schema != SCHEMA_VERSION {
        return Err(Failure::new("the engine beside this program is of another version: run `make build`"));
    }
    Ok(envelope)
}

async fn gather(child: &mut tokio::process::Child) -> Result<Vec<u8>, Failure> {
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(Failure::new("the engine has no output"));
    };
    let (mut output, mut complaint) = (Vec::new(), Vec::new());
    let mut stdout = stdout.take(MAX_OUTPUT);
    let mut stderr = stderr.take(4_096);
    let (first, second) = tokio::join!(stdout.read_to_end(&mut output), stderr.read_to_end(&mut complaint));
    first?;
    second?;
    let status = child.wait().await?;
    if status.success() {
        return Ok(output);
    }
    let complaint: String =
        String::from_utf8_lossy(&complaint).chars().filter(|letter| !letter.is_control()).take(300).collect();
    Err(Failure::new(format!("there is no verdict: the engine ended with {status}. {complaint}")))
}

#[expect(clippy::print_stdout, reason = "the report is this command's output")]
fn print(report: &Report, envelope: &Envelope<Facts>, file: &Path, json: bool) -> Result<(), Failure> {
    if json {
        let json = serde_json::to_string_pretty(report).map_err(|error| Failure::new(error.to_string()))?;
        println!("{json}");
        return Ok(());
    }
    let mut text = String::new();
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    policy::write_report(&mut text, report, colour)
        .map_err(|_| Failure::new("the report could not be written"))?;
    let missing: Vec<&str> = envelope.sandbox.missing().map(|layer| layer.name.as_str()).collect();
    println!("File     {}", file.display());
    print!("{text}");
    if !missing.is_empty() {
        println!(
            "\nThe engine could not shut itself in wholly on this machine: {} missing.",
            missing.join(", ")
        );
    }
    Ok(())
}
