//! Raw runs in, medians out: a table for people, a line for scripts, a file for whoever compares.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::Result;

/// Ours and the baseline alternate so often.
pub const ROUNDS: usize = 5;

/// One round: what ours reached, and what the baseline did right after it.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Ours, in the figure's unit.
    pub ours: f64,
    /// The baseline, in the same unit.
    pub baseline: f64,
}

/// What makes a figure good. A ratio above one is always the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Rates: ratio = ours / baseline.
    More,
    /// Times and sizes: ratio = baseline / ours.
    Less,
}

/// Collects the figures of this run of the program.
pub struct Report {
    folder: PathBuf,
    commit: String,
    machine: String,
    lines: Vec<String>,
}

impl Report {
    /// Learns commit and machine.
    ///
    /// # Errors
    /// The folder for the results cannot be made.
    pub fn open() -> Result<Self> {
        let own = std::env::current_exe()?;
        // target/release/deps/bench-… → target
        let target = own.ancestors().nth(3).ok_or("the program does not lie in a target folder")?;
        let folder = target.join("bench");
        fs::create_dir_all(&folder)?;
        let report = Self { folder, commit: commit(), machine: machine(), lines: Vec::new() };
        println!("commit {}\nmachine {}", report.commit, report.machine);
        Ok(report)
    }

    /// Announces a benchmark.
    pub fn begin(&mut self, name: &str) {
        println!("\n== {name}");
    }

    /// Says something that belongs beside the figures: a server's version, a load generator's own limit.
    pub fn note(&self, text: &str) {
        println!("   {text}");
    }

    /// Adds a figure: the ratio is of the medians.
    ///
    /// # Errors
    /// There are no rounds, or the file cannot be written.
    pub fn figure(&mut self, name: &str, unit: &str, better: Better, rounds: &[Round]) -> Result {
        let ours = median(rounds.iter().map(|round| round.ours)).ok_or("a figure without a run")?;
        let baseline = median(rounds.iter().map(|round| round.baseline)).ok_or("a figure without a run")?;
        let ratio = match better {
            Better::More => ours / baseline,
            Better::Less => baseline / ours,
        };
        println!("   {name}, {unit}\n   {:>5} {:>16} {:>16}", "run", "ours", "baseline");
        for (at, round) in rounds.iter().enumerate() {
            println!("   {:>5} {:>16} {:>16}", at + 1, shown(round.ours), shown(round.baseline));
        }
        println!("   {:>5} {:>16} {:>16}", "median", shown(ours), shown(baseline));
        let runs: Vec<_> =
            rounds.iter().map(|round| json!({ "ours": round.ours, "baseline": round.baseline })).collect();
        let file = json!({
            "name": name, "ratio": ratio, "ours": ours, "baseline": baseline, "unit": unit,
            "commit": self.commit, "machine": self.machine, "runs": runs,
        });
        fs::write(self.folder.join(format!("{name}.json")), format!("{file:#}\n"))?;
        self.lines.push(format!("{name} ratio={ratio:.2} ours={} baseline={}", shown(ours), shown(baseline)));
        Ok(())
    }

    /// Prints one line a figure, last of all.
    pub fn close(self) {
        println!();
        for line in self.lines {
            println!("{line}");
        }
    }
}

/// Lets ours and the baseline alternate [`ROUNDS`] times on one `state`.
///
/// # Errors
/// The first of any run.
pub async fn alternate<S>(
    state: &mut S,
    mut ours: impl AsyncFnMut(&mut S) -> Result<f64>,
    mut baseline: impl AsyncFnMut(&mut S) -> Result<f64>,
) -> Result<Vec<Round>> {
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let ours = ours(state).await?;
        rounds.push(Round { ours, baseline: baseline(state).await? });
    }
    Ok(rounds)
}

/// The middle of some numbers, or the mean of the two in the middle.
pub fn median(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 { Some(upper) } else { Some(f64::midpoint(*sorted.get(middle - 1)?, upper)) }
}

/// Four digits that matter: a rate needs no fraction, a time in seconds does.
fn shown(number: f64) -> String {
    match number.abs() {
        size if size >= 1_000.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.2}"),
        _ => format!("{number:.4}"),
    }
}

/// What was built: the commit, with `-dirty` where the tree has changes that are not in it.
fn commit() -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(here).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    };
    let Some(commit) = git(&["rev-parse", "HEAD"]) else { return "unknown".to_owned() };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    if changed.is_some_and(|text| text.is_empty()) { commit } else { format!("{commit}-dirty") }
}

/// CPU, cores, memory and kernel; no name or path of the machine.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (cpus, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let after = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = after(&cpus, "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kib: f64 =
        after(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{model}, {cores} cores, {:.1} GiB memory, Linux {}", kib / 1024.0 / 1024.0, kernel.trim())
}
