//! Preflight of files: a whole engine process and one policy, against the three programs of poppler that say part of the
//! same; and a file of a thousand pages against one of a hundred.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mintmark_preflight_engine::envelope::Envelope;
use mintmark_preflight_engine::policy::{Intent, Verdict, evaluate, find};
use mintmark_preflight_engine::{ENGINE_VERSION, Facts};

use crate::print_files::{many_pages, typical};
use crate::report::{Better, ROUNDS, Report, Round};
use crate::{Failure, Result};

/// The policy of the good demo file: permissive, and wholly evaluated.
pub const POLICY: &str = "digital-print";
/// Each file so often in a round: what else the machine does is spread over all.
const TURNS: usize = 5;
/// Pages of the long file, and of the one beside it.
const LONG: usize = 1_000;
const SHORT: usize = 100;
/// What the reader of the long file may take.
const MEMORY_MIB: f64 = 256.0;

/// Milliseconds a file: ours, and the three programs together.
pub fn preflight(report: &mut Report) -> Result {
    let folder = tempfile::tempdir()?;
    let mut files = Vec::new();
    for (at, file) in typical().into_iter().enumerate() {
        let path = folder.path().join(format!("{at}.pdf"));
        fs::write(&path, &file.bytes)?;
        report.note(&format!("{}: {} kB", file.name, file.bytes.len() / 1_000));
        files.push(path);
    }
    let engine = engine()?;
    report.note(&format!("engine {ENGINE_VERSION}, policy {POLICY}; {}", poppler()?));
    let mut rounds = Vec::new();
    // A round that nobody counts brings programs and files into memory.
    for round in 0..=ROUNDS {
        let (mut ours, mut theirs) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..TURNS {
            for file in &files {
                let started = Instant::now();
                judged(&engine, file)?;
                ours += started.elapsed();
                let started = Instant::now();
                for (program, options) in [("pdfinfo", &[][..]), ("pdffonts", &[]), ("pdfimages", &["-list"])]
                {
                    asked(program, options, file)?;
                }
                theirs += started.elapsed();
            }
        }
        if round > 0 {
            let each = |time: Duration| time.as_secs_f64() * 1_000.0 / (TURNS * files.len()) as f64;
            rounds.push(Round { ours: each(ours), baseline: each(theirs) });
        }
    }
    report.figure("preflight", "ms a file", Better::Less, &rounds)
}

/// Time per page of a long file against that of a short one, and the memory that the long one takes.
pub fn pages(report: &mut Report) -> Result {
    let folder = tempfile::tempdir()?;
    let (long, short) = (folder.path().join("long.pdf"), folder.path().join("short.pdf"));
    fs::write(&long, many_pages(LONG))?;
    fs::write(&short, many_pages(SHORT))?;
    report.note(&format!("{LONG} pages: {} kB; {SHORT} pages: {} kB", size(&long)?, size(&short)?));
    let engine = engine()?;
    let (mut times, mut peaks) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let (time, peak) = watched(&engine, &long)?;
        // The short one as often as it takes to have read as many pages.
        let mut beside = Duration::ZERO;
        for _ in 0..LONG / SHORT {
            beside += watched(&engine, &short)?.0;
        }
        if round > 0 {
            let each = |time: Duration| time.as_secs_f64() * 1_000.0 / LONG as f64;
            times.push(Round { ours: each(time), baseline: each(beside) });
            peaks.push(Round { ours: peak, baseline: MEMORY_MIB });
        }
    }
    report.figure("preflight-pages", "ms a page", Better::Less, &times)?;
    report.figure(
        "preflight-memory",
        "MiB resident at the peak; the baseline is the limit",
        Better::Less,
        &peaks,
    )
}

fn size(file: &Path) -> Result<u64> {
    Ok(fs::metadata(file)?.len() / 1_000)
}

/// The engine that was built beside this program.
pub fn engine() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let program = own.ancestors().nth(2).map(|folder| folder.join("preflight-engine"));
    program
        .filter(|program| program.exists())
        .ok_or_else(|| "preflight-engine was not built beside this program: run `make bench`".into())
}

fn poppler() -> Result<String> {
    let output =
        Command::new("pdfinfo").arg("-v").output().map_err(|_| "pdfinfo is missing: run `make setup`")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(said.lines().next().unwrap_or_default().to_owned())
}

/// One file from its path to a verdict, through a process that shuts itself in as in production.
pub fn judged(engine: &Path, file: &Path) -> Result {
    let output = start(engine, file)?.wait_with_output()?;
    let facts = facts(&output.stdout)?;
    let policy = find(POLICY).ok_or("the policy is gone")?;
    match evaluate(policy, &facts, &Intent::default()).verdict {
        Verdict::Incomplete => Err(format!("{} was not read to its end", file.display()).into()),
        Verdict::Pass | Verdict::PassWithWarnings | Verdict::Fail => Ok(()),
    }
}

fn start(engine: &Path, file: &Path) -> Result<std::process::Child> {
    let mut command = Command::new(engine);
    command.arg("--require=full").env_clear().stdin(File::open(file)?).stdout(Stdio::piped());
    Ok(command.spawn()?)
}

fn facts(output: &[u8]) -> Result<Facts> {
    let envelope: Envelope<Facts> = serde_json::from_slice(output)
        .map_err(|error| Failure::from(format!("the engine's answer: {error}")))?;
    Ok(envelope.facts)
}

/// The time of one engine process, and its peak of memory in MiB, looked at while it runs.
fn watched(engine: &Path, file: &Path) -> Result<(Duration, f64)> {
    let started = Instant::now();
    let mut child = start(engine, file)?;
    let mut stdout = child.stdout.take().ok_or("the engine has no output")?;
    let status = format!("/proc/{}/status", child.id());
    let reader = std::thread::spawn(move || {
        let mut output = Vec::new();
        stdout.read_to_end(&mut output).map(|_| output)
    });
    let mut peak = 0.0_f64;
    while !reader.is_finished() {
        peak = peak.max(resident(&status).unwrap_or_default());
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = started.elapsed();
    let output = reader.join().map_err(|_| "the reader of the output panicked")??;
    if !child.wait()?.success() || facts(&output)?.pages.is_empty() {
        return Err("the engine did not read the file".into());
    }
    Ok((took, peak))
}

fn resident(status: &str) -> Option<f64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().split(' ').next()?.parse().ok()?;
    Some(kib / 1024.0)
}

/// One of poppler's programs over a file; what it says is read and thrown away.
fn asked(program: &str, options: &[&str], file: &Path) -> Result {
    let output = Command::new(program).args(options).arg(file).stderr(Stdio::null()).output()?;
    if output.status.success() && !output.stdout.is_empty() {
        return Ok(());
    }
    Err(format!("{program} does not read {}", file.display()).into())
}
