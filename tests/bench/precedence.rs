//! Who comes first where processors are short: the visitors, and whom they wait for.

use std::path::Path;
use std::process::{Command, Stdio};

use thread_priority::ThreadPriority;
use thread_priority::unix::{
    RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
};

/// Gives a process precedence over whatever else is busy: the weight that a cluster's `requests.cpu` or a unit's `CPUWeight`
/// is there for. Whether the system allows it, as it does for root.
pub fn of_process(pid: i32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let threads = threads.map(|thread| thread.file_name());
    let own = Command::new("renice").args(["-n", "-10", "-p"]).args(threads).stdout(Stdio::null()).status();
    // Where processors are shared out between sessions first (sched(7), autogroup), it is the session that counts.
    let session = format!("/proc/{pid}/autogroup");
    let session = !Path::new(&session).exists() || std::fs::write(session, "-10").is_ok();
    own.is_ok_and(|status| status.success()) && session
}

/// Lets this thread take a processor as soon as it wants one (`SCHED_RR`, sched(7)), from now on; whether the system allows
/// it, as it does for root. Visitors have processors of their own: a generator that queues behind the server, or behind
/// whatever else is measured, puts its own waiting into every latency. What it uses is taken from the server all the same.
pub fn of_this_thread() -> bool {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy).is_ok()
}
