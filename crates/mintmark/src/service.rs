//! `mintmark service`: one service of the platform on this machine, restarted after its keys or variables changed.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Subcommand;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::failure::Failure;
use crate::home::{Home, write_private};
use crate::screen;

/// A service drains within 20 seconds, and starts within a minute.
const BACK_WITHIN: Duration = Duration::from_secs(90);
/// How often it is looked whether it is back.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What to do with services of the platform on this machine.
#[derive(Subcommand)]
pub enum ServiceCommand {
    /// End each in good order and wait until it is back. It starts with the keys in `keys/` and the variables in `env/NAME.env` as they are now.
    Restart {
        /// Their names, as `mintmark up` prints them.
        #[arg(required = true)]
        services: Vec<String>,
    },
}

/// Where a service of this platform runs.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    pid: i32,
    ops: SocketAddr,
}

/// Notes where a service runs: the launcher does, each time that it starts one.
pub fn write_down(home: &Home, name: &str, pid: i32, ops: SocketAddr) -> Result<(), Failure> {
    write_private(&home.path("run").join(name), format!("{pid} {ops}\n"))
}

/// Runs the command.
pub async fn command(root: &Path, wanted: &ServiceCommand) -> Result<(), Failure> {
    let home = Home::existing(root)?;
    // Notes of a platform that is gone name processes that are somebody else's by now.
    if home.lock().is_ok() {
        let sentence = format!("no platform runs from {}: start one with `make run`", home.root().display());
        return Err(Failure::new(sentence));
    }
    match wanted {
        ServiceCommand::Restart { services } => {
            let places: Vec<(&String, Place)> = services
                .iter()
                .map(|name| Ok((name, place(&home, name)?)))
                .collect::<Result<_, Failure>>()?;
            for (name, before) in places {
                restart(&home, name, before).await?;
            }
            Ok(())
        }
    }
}

/// Has it end in good order; the launcher starts it again.
async fn restart(home: &Home, name: &str, before: Place) -> Result<(), Failure> {
    kill(Pid::from_raw(before.pid), Signal::SIGTERM)
        .map_err(|error| Failure::new(format!("{name} (process {}) cannot be ended: {error}", before.pid)))?;
    let deadline = Instant::now() + BACK_WITHIN;
    loop {
        let now = place(home, name)?;
        if now.pid != before.pid && is_ready(now.ops).await {
            screen::step(name, &format!("restarted, process {}", now.pid));
            return Ok(());
        }
        if Instant::now() >= deadline || home.lock().is_ok() {
            let log = home.path("logs").join(format!("{name}.log"));
            return Err(Failure::new(format!(
                "{name} did not come back; its log says why: {}",
                log.display()
            )));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn place(home: &Home, name: &str) -> Result<Place, Failure> {
    let unknown = || {
        let mut names: Vec<String> = std::fs::read_dir(home.path("run"))
            .map(|found| {
                found.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
            })
            .unwrap_or_default();
        names.sort();
        Failure::new(format!("there is no service {name} here: take one of {}", names.join(", ")))
    };
    // A name, not a path.
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let text = plain.then(|| std::fs::read_to_string(home.path("run").join(name)).ok()).flatten();
    let text = text.ok_or_else(unknown)?;
    let parsed = text.trim().split_once(' ').and_then(|(pid, ops)| {
        Some(Place { pid: pid.parse().ok().filter(|pid| *pid > 1)?, ops: ops.parse().ok()? })
    });
    parsed.ok_or_else(|| Failure::new(format!("run/{name} cannot be read: restart the platform")))
}

async fn is_ready(ops: SocketAddr) -> bool {
    let answer = reqwest::get(format!("http://{ops}/readyz")).await;
    answer.is_ok_and(|answer| answer.status().is_success())
}
