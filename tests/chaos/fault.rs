//! The table of faults. Each is injected at a random moment of work under way, and takes itself back.

use std::time::{Duration, Instant};

use mintmark_ids::BatchId;
use nix::sys::signal::Signal;

use crate::dice::Dice;
use crate::full::{full_object_folder, full_spool};
use crate::postgres::{LOGINS, Of};
use crate::stage::{LEASE_SECS, Stage};
use crate::wait::until;
use crate::work::Work;

/// How long a fault may look for its moment.
const PATIENCE: Duration = Duration::from_secs(120);

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// `kill -9` of a control plane.
    KillWorker,
    /// `kill -9` of both at once.
    KillBothWorkers,
    /// SIGSTOP of a worker until another has its job, then SIGCONT.
    FreezeWorker,
    /// A worker that goes on although its lease has ended.
    StaleWorker,
    /// `pg_terminate_backend` of whoever is connected.
    TerminateBackends,
    /// Postgres stopped in good order, and started.
    RestartPostgres,
    /// Postgres stopped at once, and started: it recovers from its log.
    CrashPostgres,
    /// `kill -9` of the directory during a publish.
    KillDirectory,
    /// SIGTERM of the directory during a publish.
    RestartDirectory,
    /// No room for objects.
    FullObjectFolder,
    /// No room for the spool of scans.
    FullSpool,
    /// Clocks two hours ahead, then right again.
    ClocksAhead,
    /// Clocks two hours behind, then right again.
    ClocksBehind,
}

impl Fault {
    pub const ALL: [Self; 13] = [
        Self::KillWorker,
        Self::KillBothWorkers,
        Self::FreezeWorker,
        Self::StaleWorker,
        Self::TerminateBackends,
        Self::RestartPostgres,
        Self::CrashPostgres,
        Self::KillDirectory,
        Self::RestartDirectory,
        Self::FullObjectFolder,
        Self::FullSpool,
        Self::ClocksAhead,
        Self::ClocksBehind,
    ];

    /// Those that are over in a moment and touch no worker, and so may come on top of another.
    const ON_TOP: [Self; 5] = [
        Self::TerminateBackends,
        Self::RestartPostgres,
        Self::CrashPostgres,
        Self::KillDirectory,
        Self::RestartDirectory,
    ];

    /// Injects it and takes it back; says what happened. `wild`: others may come on top.
    pub async fn inject(self, stage: &mut Stage, work: &mut Work, dice: &mut Dice, wild: bool) -> String {
        match self {
            Self::KillWorker => {
                let which = holder_of_a_mint(stage, work, dice).await;
                kill_workers(stage, dice, &[which]).await
            }
            Self::KillBothWorkers => {
                holder_of_a_mint(stage, work, dice).await;
                kill_workers(stage, dice, &[0, 1]).await
            }
            Self::FreezeWorker => freeze(stage, work, dice, wild).await,
            Self::StaleWorker => stale(stage, work, dice).await,
            Self::FullObjectFolder => full_object_folder(stage, work, dice).await,
            Self::FullSpool => full_spool(stage, work).await,
            Self::ClocksAhead => clocks(stage, dice, 7_200, wild).await,
            Self::ClocksBehind => clocks(stage, dice, -7_200, wild).await,
            _ => self.inject_on_top(stage, dice).await,
        }
    }

    async fn inject_on_top(self, stage: &mut Stage, dice: &mut Dice) -> String {
        match self {
            Self::TerminateBackends => terminate(stage, dice).await,
            Self::RestartPostgres => {
                stage.postgres.stop();
                back_after(dice, 0..1_500).await;
                stage.postgres.start_again();
                "stopped and started".to_owned()
            }
            Self::CrashPostgres => {
                stage.postgres.crash();
                back_after(dice, 0..800).await;
                stage.postgres.start_again();
                "crashed and recovered".to_owned()
            }
            Self::KillDirectory => {
                stage.directory.kill().await;
                back_after(dice, 0..1_500).await;
                stage.directory.start_again();
                "killed and started".to_owned()
            }
            Self::RestartDirectory => {
                let asked = Instant::now();
                stage.directory.terminate().await;
                let drained = asked.elapsed();
                stage.directory.start_again();
                format!("drained in {:.1} s and started", drained.as_secs_f64())
            }
            _ => String::new(),
        }
    }
}

async fn back_after(dice: &mut Dice, millis: std::ops::Range<u64>) {
    tokio::time::sleep(dice.millis(millis)).await;
}

/// What comes on top of a fault that lasts.
async fn meanwhile(stage: &mut Stage, dice: &mut Dice, wild: bool) -> String {
    if !wild || dice.once_in(2) {
        back_after(dice, 0..700).await;
        return String::new();
    }
    let fault = *dice.pick(&Fault::ON_TOP);
    let said = fault.inject_on_top(stage, dice).await;
    format!("; on top {fault:?}: {said}")
}

async fn kill_workers(stage: &mut Stage, dice: &mut Dice, which: &[usize]) -> String {
    let held = held_jobs(stage).await;
    let pids: Vec<i32> = which.iter().map(|&which| stage.workers[which].pid()).collect();
    for &which in which {
        stage.workers[which].kill().await;
    }
    back_after(dice, 0..1_000).await;
    for &which in which {
        stage.workers[which].start_again();
    }
    let jobs = held.iter().filter(|held| pids.contains(&held.pid)).count();
    let names: Vec<&str> = which.iter().map(|&which| stage.workers[which].name).collect();
    format!("{}, with {jobs} jobs in hand", names.join(" and "))
}

/// A job that a worker has.
struct Held {
    job: String,
    kind: String,
    fence: i64,
    pid: i32,
}

async fn held_jobs(stage: &Stage) -> Vec<Held> {
    let sql = "SELECT id::text, kind, fence, split_part(worker, '/', 2) FROM jobs
        WHERE state = 'running' AND kind IN ('mint-batch', 'export-pack') ORDER BY total - done DESC";
    let rows = stage.postgres.rows(Of::Control, sql).await;
    let held = |row: &tokio_postgres::Row| Held {
        job: row.get(0),
        kind: row.get(1),
        fence: row.get(2),
        pid: row.get::<_, String>(3).parse().unwrap(),
    };
    rows.iter().map(held).collect()
}

/// A mint that a worker has right now, and which worker that is.
async fn held_mint(stage: &Stage, work: &mut Work, dice: &mut Dice) -> Option<(Held, usize)> {
    work.keep_busy(stage, dice).await;
    held_jobs(stage).await.into_iter().find_map(|held| {
        let which = stage.workers.iter().position(|worker| worker.pid() == held.pid)?;
        (held.kind == "mint-batch").then_some((held, which))
    })
}

/// A worker that mints right now; waits for one, because a job whose worker was killed waits for its lease to run out.
async fn holder_of_a_mint(stage: &Stage, work: &mut Work, dice: &mut Dice) -> usize {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some((_, which)) = held_mint(stage, work, dice).await {
            return which;
        }
    }
    panic!("no worker minted in time")
}

/// Whether another claim has the job before `within` has passed; an end of the job ends the wait.
async fn taken_over(stage: &Stage, held: &Held, within: Duration) -> bool {
    let sql = format!("SELECT fence, state <> 'running' FROM jobs WHERE id = '{}'", held.job);
    let taken = until(within, async || {
        let row = &stage.postgres.rows(Of::Control, &sql).await[0];
        let taken = row.get::<_, i64>(0) > held.fence;
        (taken || row.get(1)).then_some(taken)
    });
    taken.await == Some(true)
}

/// Stops the worker of a mint past its lease, until another has its job. It wakes, knows by its own clock that the job is not
/// its own any more or is told so by a fence, and ends that claim as lost.
async fn freeze(stage: &mut Stage, work: &mut Work, dice: &mut Dice, wild: bool) -> String {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let Some((held, which)) = held_mint(stage, work, dice).await else { continue };
        let before = lost(stage, which).await;
        stage.workers[which].signal(Signal::SIGSTOP);
        let taken = taken_over(stage, &held, Duration::from_secs(LEASE_SECS * 3)).await;
        let on_top = if taken { meanwhile(stage, dice, wild).await } else { String::new() };
        stage.workers[which].signal(Signal::SIGCONT);
        if !taken {
            // It had ended just then, or was stopped inside a fenced transaction, whose lock nobody breaks.
            continue;
        }
        let told = until(Duration::from_secs(30), async || (lost(stage, which).await > before).then_some(()));
        let name = stage.workers[which].name;
        told.await.unwrap_or_else(|| panic!("{name} woke with a job that is not its own, and kept it"));
        return format!("{name} lost its job to the other{on_top}");
    }
    panic!("no job was taken over in time")
}

/// The lease of a mint ends in the database while its worker is stopped for a moment, so that the worker wakes and still
/// believes in it: what it publishes then is refused by the fence of the directory, and its claim by that of the queue.
async fn stale(stage: &mut Stage, work: &mut Work, dice: &mut Dice) -> String {
    let deadline = Instant::now() + PATIENCE;
    let mut tries = 0;
    while Instant::now() < deadline {
        let Some((held, which)) = held_mint(stage, work, dice).await else { continue };
        tries += 1;
        let (before, refused_before) = (lost(stage, which).await, stale_fences(stage).await);
        stage.workers[which].signal(Signal::SIGSTOP);
        let expire = format!(
            "SET lock_timeout = '300ms';
             UPDATE jobs SET lease_until = clock_timestamp() - interval '1 second'
             WHERE id = '{}' AND fence = {} AND state = 'running';
             NOTIFY mintmark_jobs, 'mint-batch'",
            held.job, held.fence
        );
        let queue = stage.postgres.client(Of::Control).await;
        // Either lock is out of reach where the worker was stopped inside a fenced transaction.
        let taken = queue.batch_execute(&expire).await.is_ok()
            && taken_over(stage, &held, Duration::from_secs(LEASE_SECS) / 4).await
            && opened_anew(stage, &held).await
            // The queue is kept from telling it for a moment; longer, and the new holder would lose the job as well.
            && queue.batch_execute("BEGIN; LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE").await.is_ok();
        stage.workers[which].signal(Signal::SIGCONT);
        let within = if taken { Duration::from_secs(LEASE_SECS) / 4 } else { Duration::ZERO };
        let refused = until(within, async || (stale_fences(stage).await > refused_before).then_some(()));
        let refused = refused.await.is_some();
        let _ = queue.batch_execute("ROLLBACK").await;
        if !refused {
            continue;
        }
        let told = until(Duration::from_secs(30), async || (lost(stage, which).await > before).then_some(()));
        let name = stage.workers[which].name;
        told.await.unwrap_or_else(|| panic!("{name} was refused by the directory, and kept its claim"));
        return format!("{name} published with a stale fence and was refused (try {tries})");
    }
    panic!("no stale fence was refused in time, in {tries} tries")
}

/// Whether the new holder of a job has opened its publication with the new fence.
async fn opened_anew(stage: &Stage, held: &Held) -> bool {
    let batch = format!("SELECT payload->>'batch_id' FROM jobs WHERE id = '{}'", held.job);
    let batch: String = stage.postgres.rows(Of::Control, &batch).await[0].get(0);
    let batch = batch.parse::<BatchId>().unwrap().as_uuid();
    let sql = format!(
        "SELECT count(*) FROM publication WHERE batch_id = '{batch}' AND fence > {} AND state = 'open'",
        held.fence
    );
    let opened = until(Duration::from_secs(LEASE_SECS) / 4, async || {
        (stage.postgres.number(Of::Resolver, &sql).await > 0).then_some(())
    });
    opened.await.is_some()
}

/// Chunks that the directory refused because their publisher had been replaced.
pub async fn stale_fences(stage: &Stage) -> u64 {
    stage.directory.counter("publish_chunks_refused_total", &["STALE_FENCE"]).await as u64
}

/// How many claims of this worker ended because another had the job.
pub async fn lost(stage: &Stage, which: usize) -> u64 {
    stage.workers[which].counter("jobs_finished_total", &["outcome=\"lost\""]).await as u64
}

async fn terminate(stage: &mut Stage, dice: &mut Dice) -> String {
    let mut ended = 0;
    let times = dice.roll(1..4);
    for _ in 0..times {
        let login = *dice.pick(&LOGINS);
        let whom =
            if dice.once_in(3) { "usename IS NOT NULL".to_owned() } else { format!("usename = '{login}'") };
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE {whom} AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        );
        ended += stage.postgres.number(Of::Control, &sql).await;
        back_after(dice, 0..400).await;
    }
    format!("{ended} sessions in {times} strokes")
}

/// Sets clocks wrong, sees that the directory refuses the tokens of a wrong time, and sets them right.
async fn clocks(stage: &mut Stage, dice: &mut Dice, ahead: i64, wild: bool) -> String {
    // Both workers, or one of them, or the directory, which then refuses everybody.
    let who = dice.roll(0..if wild { 4 } else { 2 });
    match who {
        0 | 1 => {
            let [first, second] = &stage.workers;
            futures::join!(first.set_clock(ahead), second.set_clock(ahead));
        }
        2 => stage.workers[dice.roll(0..2) as usize].set_clock(ahead).await,
        _ => stage.directory.set_clock(ahead).await,
    }
    let on_top = meanwhile(stage, dice, wild).await;
    // What the directory counted before it was killed may be gone.
    let before = unbelieved(stage).await;
    if who == 2 {
        // Who calls next, this one or the other, is nobody's choice.
        call_of_the_directory(stage).await;
    } else {
        let told = until(PATIENCE, async || {
            call_of_the_directory(stage).await;
            (unbelieved(stage).await > before).then_some(())
        });
        told.await.expect("the directory refuses tokens of a wrong time");
    }
    let refusals = unbelieved(stage).await.saturating_sub(before);
    let [first, second] = &stage.workers;
    futures::join!(first.set_clock(0), second.set_clock(0), stage.directory.set_clock(0));
    let whose = ["both workers", "both workers", "one worker", "the directory"][who as usize];
    format!("{whose} by {ahead} s, {refusals} calls refused{on_top}")
}

/// Sees to it that a worker calls the directory next. Whether any work is left, whether that waits after a failure, and
/// how long a stream that is open goes on are matters of luck; a tenant's pull of scans is always there, and first in line
/// once it is overdue. Where every place is taken, that of a mint becomes free by a call as well.
async fn call_of_the_directory(stage: &Stage) {
    let overdue = "UPDATE jobs SET run_at = clock_timestamp() - interval '1 day'
        WHERE kind = 'pull-scans' AND state = 'queued';
        NOTIFY mintmark_jobs, 'pull-scans'";
    // A session that breaks is made anew at the next look.
    let _ = stage.postgres.client(Of::Control).await.batch_execute(overdue).await;
}

/// Calls that the directory refused for their token.
async fn unbelieved(stage: &Stage) -> u64 {
    stage.directory.counter("rpc_server_duration_seconds_count", &["code=\"16\""]).await as u64
}
