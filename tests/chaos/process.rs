//! One service as a process that can be killed, stopped, started again, asked for its numbers, and given a wrong time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mintmark_devstack::Process;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Client;
use tokio::task::block_in_place;

use crate::clock::{self, Clock};
use crate::wait::until;

/// From start to ready on a busy machine, with a database that recovers meanwhile.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// For a question to the operations port; a stopped process never answers.
const ASKED_WITHIN: Duration = Duration::from_secs(2);

/// How a service is started.
pub struct Launch {
    /// What stands before the program.
    pub prefix: Vec<String>,
    pub program: PathBuf,
    pub role: &'static str,
    pub environment: Vec<(String, String)>,
}

pub struct Service {
    pub name: &'static str,
    launch: Launch,
    ops: String,
    clock: Clock,
    log: PathBuf,
    client: Client,
    process: Option<Process>,
    /// Counters of the processes that are gone, as far as they were last seen.
    past: BTreeMap<String, f64>,
}

impl Service {
    /// Starts it; its log and its clock live in `folder`.
    pub fn start(
        name: &'static str,
        mut launch: Launch,
        ops: String,
        folder: &Path,
        client: &Client,
    ) -> Self {
        let clock = Clock::right(folder.join(format!("{name}.clock")));
        // For the service alone: nothing that starts it shall live by its clock.
        launch.prefix.push("env".to_owned());
        launch.prefix.extend(clock.variables().into_iter().map(|(name, value)| format!("{name}={value}")));
        let log = folder.join(format!("{name}.log"));
        let client = client.clone();
        let mut this = Self { name, launch, ops, clock, log, client, process: None, past: BTreeMap::new() };
        this.start_again();
        this
    }

    /// Starts it where it is not running.
    pub fn start_again(&mut self) {
        if self.process.is_some() {
            return;
        }
        let Launch { prefix, program, role, environment } = &self.launch;
        let program = program.to_string_lossy().into_owned();
        let words: Vec<&str> = prefix.iter().map(String::as_str).chain([program.as_str(), *role]).collect();
        let spawned = Process::spawn(&which(words[0]), &words[1..], environment, &self.log);
        self.process = Some(spawned.unwrap());
    }

    /// Waits until it is ready.
    pub async fn ready(&mut self) {
        let process = self.process.as_mut().unwrap();
        process.wait_ready(&format!("{}/readyz", self.ops), READY_WITHIN).await.unwrap();
    }

    pub fn pid(&self) -> i32 {
        self.process.as_ref().unwrap().pid()
    }

    /// SIGSTOP, SIGCONT.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        self.remember().await;
        let process = self.process.take().unwrap();
        let pid = process.pid();
        block_in_place(|| process.kill());
        clock::forget(pid);
    }

    /// SIGTERM, and waits for its end.
    pub async fn terminate(&mut self) {
        self.remember().await;
        let process = self.process.take().unwrap();
        block_in_place(|| process.terminate());
    }

    /// Puts its clock so many seconds ahead, and waits until it lives by that.
    pub async fn set_clock(&self, seconds_ahead: i64) {
        self.clock.set(seconds_ahead);
        let told = until(READY_WITHIN, async || {
            let date = self.date().await?;
            ((date - now()).abs_diff(seconds_ahead) < 60).then_some(())
        });
        told.await.unwrap_or_else(|| panic!("the clock of {} does not move", self.name));
    }

    /// Sets its clock right, whether or not it runs.
    pub fn right_clock(&self) {
        self.clock.set(0);
    }

    /// The process's own time of day, in seconds since 1970.
    async fn date(&self) -> Option<i64> {
        let asked = self.client.get(format!("{}/healthz", self.ops)).timeout(ASKED_WITHIN);
        let answer = asked.send().await.ok()?;
        unix(answer.headers().get("date")?.to_str().ok()?)
    }

    /// The sum of a counter over the labels that contain all of `labels`, over this process and those before it.
    pub async fn counter(&self, name: &str, labels: &[&str]) -> f64 {
        let matches = |line: &&String| {
            line.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
                && labels.iter().all(|label| line.contains(label))
        };
        let past: f64 = self.past.keys().filter(matches).map(|line| self.past[line]).sum();
        past + self
            .present()
            .await
            .iter()
            .filter(|(line, _)| matches(line))
            .map(|(_, value)| value)
            .sum::<f64>()
    }

    /// Adds the present numbers to the past: the process is about to go.
    async fn remember(&mut self) {
        for (line, value) in self.present().await {
            *self.past.entry(line).or_default() += value;
        }
    }

    /// The numbers of the process that runs. It may have been started just now, or be slow on a busy machine: without an
    /// answer a counter would seem to have gone back.
    async fn present(&self) -> BTreeMap<String, f64> {
        let told = until(READY_WITHIN, async || {
            let asked = self.client.get(format!("{}/metrics", self.ops)).timeout(ASKED_WITHIN);
            let answer = asked.send().await.ok()?.error_for_status().ok()?;
            answer.text().await.ok()
        });
        let text = told.await.unwrap_or_else(|| panic!("{} does not say its numbers", self.name));
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(line, value)| Some((line.to_owned(), value.parse().ok()?)))
            .collect()
    }

    /// The log of all its processes.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

/// Where a program is.
fn which(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("`{program}` is missing"))
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_secs().cast_signed()
}

/// `Sun, 22 Nov 2026 12:00:00 GMT` in seconds since 1970.
fn unix(date: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (day, month) = (date.split(' ').nth(1)?.parse::<i64>().ok()?, date.split(' ').nth(2)?);
    let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
    let mut words = date.split([' ', ':']).skip(3);
    let mut number = || words.next()?.parse::<i64>().ok();
    let (year, hour, minute, second) = (number()?, number()?, number()?, number()?);
    // Days from the civil calendar: years begin in March, so that the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[test]
fn unix_reads_the_date_of_a_header() {
    assert_eq!(unix("Sun, 22 Nov 2026 12:00:00 GMT"), Some(1_795_348_800));
    assert_eq!(unix("Thu, 01 Jan 1970 00:00:01 GMT"), Some(1));
}
