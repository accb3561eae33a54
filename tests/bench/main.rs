//! Benchmarks against named baselines, on release builds: `make bench`, or `make bench NAME=mint`.
//!
//! A benchmark is a row of [`BENCHMARKS`]: a function that starts what it needs ([`stage`]), lets ours and the baseline
//! alternate, and hands its raw runs to the [`report`], which prints a table and writes `target/bench/NAME.json`.
//! `docs/benchmarks.md` says what each one measures, on what terms, and what came out.

mod report;
mod stage;

mod apikey;
mod audit;
mod calling;
mod catalogue;
mod export;
mod load;
mod memory;
mod mint;
mod nginx;
#[path = "../../crates/preflight-engine/tests/support/pdf.rs"]
#[expect(clippy::unwrap_used, reason = "the builder of test files fails by panicking")]
mod pdf;
mod person;
mod pgbench;
mod precedence;
mod preflight;
mod preflight_queue;
mod print_files;
mod ratelimit;
mod scan;
mod scan_cold;
mod scan_isolation;
mod scanning;
mod seal;
mod shred;
mod token;
mod upload;
mod vault;

use std::error::Error;
use std::process::ExitCode;

use report::Report;

/// The control plane's: `apikey` mounts its edge in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Whatever stops a benchmark, as a sentence: nobody handles it, somebody reads it.
type Failure = Box<dyn Error + Send + Sync>;
/// The result of every step.
type Result<T = ()> = std::result::Result<T, Failure>;

/// One benchmark.
struct Benchmark {
    /// Its name, which is also the name of its figure.
    name: &'static str,
    /// The benchmark that it is a further figure of: `NAME=mint` runs `mint-20m` too.
    with: Option<&'static str>,
    /// Measures and reports.
    run: fn(&mut Report) -> Result,
}

const BENCHMARKS: &[Benchmark] = &[
    Benchmark { name: "token", with: None, run: token::uncached },
    Benchmark { name: "token-cached", with: Some("token"), run: token::cached },
    Benchmark { name: "mint", with: None, run: mint::empty },
    Benchmark { name: "mint-20m", with: Some("mint"), run: mint::beside_twenty_million },
    Benchmark { name: "mint-memory", with: Some("mint"), run: mint::memory },
    Benchmark { name: "scan", with: None, run: scan::scan },
    Benchmark { name: "scan-cold", with: None, run: scan_cold::scan_cold },
    Benchmark { name: "scan-isolation", with: None, run: scan_isolation::scan_isolation },
    Benchmark { name: "export", with: None, run: export::export },
    Benchmark { name: "ratelimit", with: None, run: ratelimit::ratelimit },
    Benchmark { name: "preflight", with: None, run: preflight::preflight },
    Benchmark { name: "preflight-pages", with: None, run: preflight::pages },
    Benchmark { name: "preflight-queue", with: None, run: preflight_queue::queue },
    Benchmark { name: "apikey", with: None, run: apikey::apikey },
    Benchmark { name: "audit", with: None, run: audit::audit },
    Benchmark { name: "upload", with: None, run: upload::upload },
    Benchmark { name: "seal", with: None, run: seal::seal },
    Benchmark { name: "seal-digest", with: Some("seal"), run: seal::digest },
    Benchmark { name: "shred", with: None, run: shred::shred },
];

fn main() -> ExitCode {
    // Cargo adds `--bench`; what is left names benchmarks.
    let names: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    match run(&names) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("the benchmark cannot go on: {}", chain(failure.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(names: &[String]) -> Result {
    refuse_debug_builds()?;
    let asked = |row: &&Benchmark| {
        names.is_empty() || names.iter().any(|name| name == row.name || Some(name.as_str()) == row.with)
    };
    let chosen: Vec<&Benchmark> = BENCHMARKS.iter().filter(asked).collect();
    if chosen.is_empty() {
        let known: Vec<&str> = BENCHMARKS.iter().map(|row| row.name).collect();
        return Err(format!("there is no such benchmark; there are {}", known.join(", ")).into());
    }
    // The first call wins; a further one changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut report = Report::open()?;
    for benchmark in chosen {
        report.begin(benchmark.name);
        (benchmark.run)(&mut report)?;
    }
    report.close();
    Ok(())
}

/// A figure of a debug build says nothing, and nobody sees it on the figure.
fn refuse_debug_builds() -> Result {
    if cfg!(debug_assertions) || !std::env::current_exe()?.iter().any(|part| part == "release") {
        return Err("this is not a release build: run `make bench`".into());
    }
    Ok(())
}

/// Runs the asynchronous part of a benchmark on a runtime of its own.
fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
