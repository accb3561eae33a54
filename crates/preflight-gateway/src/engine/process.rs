//! One process of the engine, from its start to its end.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use mintmark_preflight_engine::Facts;
use mintmark_preflight_engine::envelope::{Confinement, ENVELOPE_VERSION, Envelope, exit};
use mintmark_preflight_engine::facts::SCHEMA_VERSION;
use nix::libc;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::{Failure, Limit, Limits, Outcome, Reading, Sealed};

/// Beyond the facts: the rest of the envelope.
const AROUND_FACTS: u64 = 64 << 10;
/// Of standard error, what is kept.
const SAID: usize = 2 << 10;
/// A probe reads nothing: it takes milliseconds.
const PROBE: Duration = Duration::from_secs(10);

/// How a process is to be run.
pub(super) struct Run<'a> {
    pub program: &'a Path,
    pub limits: Limits,
    pub require_full: bool,
}

/// What a process left behind.
struct Left {
    status: ExitStatus,
    output: Vec<u8>,
    said: String,
    wall: Duration,
}

impl Run<'_> {
    pub(super) async fn probe(&self) -> Result<Confinement, Failure> {
        let limits = Limits { wall: PROBE, ..self.limits };
        let left = Run { limits, ..*self }.finish(Stdio::null(), &["--probe"]).await?;
        let envelope: Envelope<Option<&RawValue>> = read(&left.output)?;
        Ok(envelope.sandbox)
    }

    pub(super) async fn facts(&self, file: &Sealed) -> Outcome {
        if file.length() > self.limits.input {
            return Outcome::Failed(Failure::Limited(Limit::Input));
        }
        match self.reading(file).await {
            Ok(reading) => Outcome::Facts(Box::new(reading)),
            Err(failure) => Outcome::Failed(failure),
        }
    }

    async fn reading(&self, file: &Sealed) -> Result<Reading, Failure> {
        let input = file.open().map_err(|error| Failure::NotStarted(error.to_string()))?;
        let options: &[&str] = if self.require_full { &["--require=full"] } else { &[] };
        let left = self.finish(input.into(), options).await?;
        let envelope: Envelope<&RawValue> = read(&left.output)?;
        let json = envelope.facts.get();
        let facts: Facts = serde_json::from_str(json).map_err(unreadable)?;
        if facts.schema != SCHEMA_VERSION {
            return Err(Failure::Unreadable(format!(
                "its facts are of version {}, not {SCHEMA_VERSION}",
                facts.schema
            )));
        }
        Ok(Reading {
            facts,
            json: json.to_owned(),
            engine: envelope.engine,
            confinement: envelope.sandbox,
            cpu: Duration::from_micros(envelope.cpu_us),
            wall: left.wall,
        })
    }

    /// Starts the program, and waits for its good end or for what else becomes of it.
    async fn finish(&self, input: Stdio, options: &[&str]) -> Result<Left, Failure> {
        let begun = Instant::now();
        let mut child = self.start(input, options).map_err(|error| Failure::NotStarted(error.to_string()))?;
        let ended =
            tokio::time::timeout(self.limits.wall, collect(&mut child, self.limits.output + AROUND_FACTS))
                .await;
        if !matches!(ended, Ok(Ok(Some(_)))) {
            end(&mut child).await;
        }
        let Ok(collected) = ended else { return Err(Failure::Limited(Limit::WallClock)) };
        let collected = collected.map_err(|error| Failure::NotStarted(error.to_string()))?;
        let Some((status, output, said)) = collected else { return Err(Failure::Limited(Limit::Output)) };
        let left = Left { status, output, said, wall: begun.elapsed() };
        if left.status.success() { Ok(left) } else { Err(left.failure()) }
    }

    fn start(&self, input: Stdio, options: &[&str]) -> io::Result<Child> {
        let limits = &self.limits;
        Command::new(self.program)
            .args(options)
            .arg(format!("--memory={}", limits.memory))
            .arg(format!("--cpu={}", limits.cpu.as_secs().max(1)))
            .arg(format!("--input={}", limits.input))
            .arg(format!("--output={}", limits.output + AROUND_FACTS))
            .arg(format!("--parent={}", std::process::id()))
            .env_clear()
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

impl Left {
    /// Why the process did not end well.
    fn failure(self) -> Failure {
        match (self.status.signal(), self.status.code()) {
            (Some(libc::SIGSYS), _) => Failure::Refused,
            (Some(libc::SIGXCPU), _) => Failure::Limited(Limit::Cpu),
            (Some(libc::SIGXFSZ), _) => Failure::Limited(Limit::Output),
            (Some(libc::SIGKILL), _) => Failure::Killed,
            // The sentence with which Rust's allocator gives up.
            (Some(libc::SIGABRT), _) if self.said.contains("memory allocation of") => {
                Failure::Limited(Limit::Memory)
            }
            (Some(signal), _) => Failure::Crashed { how: format!("signal {signal}"), said: self.said },
            (None, Some(code)) => self.ended_with(code),
            (None, None) => Failure::Crashed { how: self.status.to_string(), said: self.said },
        }
    }

    fn ended_with(self, code: i32) -> Failure {
        match u8::try_from(code) {
            Ok(exit::INPUT) => Failure::Limited(Limit::Input),
            Ok(exit::OUTPUT) => Failure::Limited(Limit::Output),
            Ok(exit::OPEN) => Failure::Open(self.said.trim().to_owned()),
            Ok(exit::PANIC) => Failure::Crashed { how: "a panic".to_owned(), said: self.said },
            Ok(exit::USAGE) => Failure::NotStarted(self.said.trim().to_owned()),
            _ => Failure::Crashed { how: format!("exit code {code}"), said: self.said },
        }
    }
}

/// Ends the process and all of its group. SIGKILL cannot be ignored: what is waited for is the kernel.
async fn end(child: &mut Child) {
    if let Some(group) = child.id().and_then(|id| i32::try_from(id).ok()) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let _ = child.kill().await;
}

/// What the process wrote, and how it ended; nothing when it wrote more than `limit` bytes.
async fn collect(child: &mut Child, limit: u64) -> io::Result<Option<(ExitStatus, Vec<u8>, String)>> {
    let (Some(stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("its pipes are gone"));
    };
    let mut output = Vec::new();
    let mut capped = stdout.take(limit + 1);
    let (read, said) = tokio::join!(
        async {
            let outcome = capped.read_to_end(&mut output).await;
            // An early end of reading must not leave the process writing to nobody.
            drop(capped);
            outcome
        },
        beginning(&mut stderr)
    );
    if read? as u64 > limit {
        return Ok(None);
    }
    Ok(Some((child.wait().await?, output, said?)))
}

/// The beginning of a stream, which is read to its end.
async fn beginning(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(String::from_utf8_lossy(&kept).into_owned());
        }
        let room = SAID - kept.len();
        kept.extend_from_slice(&buffer[..count.min(room)]);
    }
}

/// An envelope of the version that is known here.
fn read<'a, F: Deserialize<'a>>(output: &'a [u8]) -> Result<Envelope<F>, Failure> {
    #[derive(Deserialize)]
    struct Version {
        envelope: u32,
    }
    let version: Version = serde_json::from_slice(output).map_err(unreadable)?;
    if version.envelope != ENVELOPE_VERSION {
        let known = format!("its envelope is of version {}, not {ENVELOPE_VERSION}", version.envelope);
        return Err(Failure::Unreadable(known));
    }
    serde_json::from_slice(output).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> Failure {
    // Without the text: what a broken engine wrote is not repeated to anyone.
    Failure::Unreadable(format!("no envelope ({:?} at byte {})", error.classify(), error.column()))
}
