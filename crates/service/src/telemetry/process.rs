//! What the process itself uses: processor, memory, files, tasks. Read from `/proc/self` when somebody asks for metrics.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::Handle;

use super::meter;

/// The kernel counts processor time and start times for programs in hundredths of a second, on every architecture that
/// Linux has today.
const TICKS_A_SECOND: f64 = 100.0;

/// Shows the process, and how busy the runtime `home` is. Where there is no `/proc` the former stays away.
pub(crate) fn observe_process(home: &Handle) {
    let meter = meter();
    meter
        .f64_observable_counter("process.cpu")
        .with_unit("s")
        .with_description("Processor time that the process used")
        .with_callback(|counter| {
            if let Some(seconds) = stat().and_then(|stat| cpu_seconds(&stat)) {
                counter.observe(seconds, &[]);
            }
        })
        .build();
    let gauge = |name: &'static str, about: &'static str, unit: &'static str, value: fn() -> Option<u64>| {
        meter
            .u64_observable_gauge(name)
            .with_unit(unit)
            .with_description(about)
            .with_callback(move |gauge| {
                if let Some(value) = value() {
                    gauge.observe(value, &[]);
                }
            })
            .build();
    };
    gauge("process.processors", "Processors that the process may use at once", "", processors);
    gauge("process.resident.memory", "Memory that the process holds", "By", resident);
    gauge("process.threads", "Threads of the process", "", threads);
    gauge("process.open.fds", "Files and connections that are open", "", open_files);
    gauge("process.max.fds", "Files and connections that may be open", "", files_limit);
    let started = started_at();
    meter
        .f64_observable_gauge("process.start.time")
        .with_unit("s")
        .with_description("When the process started, as seconds since 1970")
        .with_callback(move |gauge| {
            if let Some(started) = started {
                gauge.observe(started, &[]);
            }
        })
        .build();
    observe_runtime(home);
}

fn observe_runtime(home: &Handle) {
    let (alive, queued) = (home.metrics(), home.metrics());
    let meter = meter();
    meter
        .u64_observable_gauge("runtime.tasks")
        .with_description("Tasks of the home runtime that have not ended")
        .with_callback(move |gauge| gauge.observe(alive.num_alive_tasks() as u64, &[]))
        .build();
    meter
        .u64_observable_gauge("runtime.queued")
        .with_description("Tasks that wait for a thread of the home runtime")
        .with_callback(move |gauge| gauge.observe(queued.global_queue_depth() as u64, &[]))
        .build();
}

/// `/proc/self/stat` from its third field on: the second is a name and may hold anything.
fn stat() -> Option<String> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    text.rsplit_once(") ").map(|(_, fields)| fields.to_owned())
}

/// Field `number` of proc(5), which counts from one, out of what [`stat`] gives.
fn field(stat: &str, number: usize) -> Option<f64> {
    stat.split(' ').nth(number - 3)?.parse().ok()
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    let (user, system) = (field(stat, 14)?, field(stat, 15)?);
    Some((user + system) / TICKS_A_SECOND)
}

fn started_at() -> Option<f64> {
    let since_boot = field(&stat()?, 22)? / TICKS_A_SECOND;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split(' ').next()?.parse().ok()?;
    let age = Duration::try_from_secs_f64((uptime - since_boot).max(0.0)).ok()?;
    let started = SystemTime::now().checked_sub(age)?;
    Some(started.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
}

/// The number behind `name` in a file of lines such as `VmRSS:   1234 kB`.
fn number(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn resident() -> Option<u64> {
    number("/proc/self/status", "VmRSS:").map(|kilobytes| kilobytes * 1024)
}

fn threads() -> Option<u64> {
    number("/proc/self/status", "Threads:")
}

fn open_files() -> Option<u64> {
    let entries = std::fs::read_dir("/proc/self/fd").ok()?;
    // The one that reads the folder is not ours.
    Some((entries.count() as u64).saturating_sub(1))
}

fn files_limit() -> Option<u64> {
    number("/proc/self/limits", "Max open files")
}

/// As the scheduler and the control group's quota allow.
fn processors() -> Option<u64> {
    std::thread::available_parallelism().ok().map(|count| count.get() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics_text;

    fn value(text: &str, name: &str) -> f64 {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name}")).rsplit(' ').next().unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn observe_process_shows_what_this_process_uses() {
        observe_process(&Handle::current());
        let text = metrics_text();
        let memory = value(&text, "process_resident_memory_bytes");
        assert!((1e6..1e11).contains(&memory), "{memory}");
        assert!(value(&text, "process_open_fds") >= 3.0);
        assert!(value(&text, "process_max_fds") > value(&text, "process_open_fds"));
        assert!(value(&text, "process_threads") >= 1.0);
        assert!(value(&text, "process_processors") >= 1.0);
        let age = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
            - value(&text, "process_start_time_seconds");
        assert!((-1.0..3600.0).contains(&age), "{age}");
        assert!(value(&text, "runtime_tasks") >= 0.0);
    }

    #[test]
    fn cpu_seconds_are_those_of_user_and_system() {
        let stat = "S 1 2 3 4 5 6 7 8 9 10 250 50 1 1 20 0 4 0 12345";
        assert!((cpu_seconds(stat).unwrap() - 3.0).abs() < 1e-9);
        assert!((field(stat, 22).unwrap() - 12345.0).abs() < 1e-9);
        assert_eq!(cpu_seconds("S 1"), None);
    }
}
