//! What a scan notices of a million units being minted beside it: its p99 with and without, at a fifth of what it can do.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures::{SinkExt, TryStreamExt, pin_mut};

use crate::load::open::{Plan, open_loop};
use crate::load::{Dice, Outcome, Requests, closed_loop};
use crate::person::Person;
use crate::precedence;
use crate::report::{Better, Report, Round};
use crate::scanning::{CONNECTIONS, Scanning};
use crate::stage::Role;
use crate::{Result, block_on};

const CODES: u32 = 200_000;
const MILLION: u64 = 1_000_000;
/// How often the two phases alternate; a minting phase takes as long as a million units do.
const ROUNDS: usize = 3;
/// Of what the closed loop reached.
const SHARE: f64 = 0.2;
/// How long scans go on by themselves.
const ALONE: Duration = Duration::from_secs(8);
const PIECE: usize = 64 * 1024;
const SEED: u64 = 20_261_124;

/// `scan-isolation`, and `scan-isolation-mint`: how fast the minting was that it withstood.
///
/// Whoever runs both on one machine gives the scan role the greater weight, as `deploy/compose.yaml` does: it is always short
/// of time and never of processors. So it has here, in both phases. What it can do at most is measured before.
pub fn scan_isolation(report: &mut Report) -> Result {
    block_on(async {
        let mut ours = Scanning::open(report, CODES, SEED, &[]).await?;
        ours.stage.serve(Role::ControlPlane, &[]).await?;
        let mut person = Person::new(&ours.stage).await?;
        person.mint(10_000).await?;
        let rate = most(&mut ours, report).await? * SHARE;
        let first = std::thread::spawn(precedence::of_this_thread).join().unwrap_or_default();
        let priority = if first { "goes first (SCHED_RR)" } else { "has to queue like everybody" };
        let weight = if precedence::of_process(ours.stage.service(Role::Scan).pid()) {
            "takes precedence (nice -10)"
        } else {
            "has no precedence"
        };
        report.note(&format!(
            "open loop at {rate:.0} scans/s, {CONNECTIONS} connections; the generator {priority}, the scan role {weight}"
        ));
        let (mut latencies, mut mints) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS as u64 {
            let alone = scans(&mut ours, rate, round, |so_far| so_far > ALONE).await?;
            let (beside, minted) = scans_beside_a_mint(&mut ours, &mut person, rate, round).await?;
            said(report, "alone", &alone);
            said(report, "beside the mint", &beside);
            latencies.push(Round { ours: beside.latency_ms(0.99), baseline: alone.latency_ms(0.99) });
            let copy = copy_of_a_million(&ours).await?;
            mints.push(Round { ours: MILLION as f64 / minted.as_secs_f64(), baseline: copy });
        }
        report.figure("scan-isolation", "ms (p99)", Better::Less, &latencies)?;
        report.figure("scan-isolation-mint", "units/s", Better::More, &mints)
    })
}

/// What the closed loop reaches, once every code is in the cache.
async fn most(ours: &mut Scanning, report: &Report) -> Result<f64> {
    let mut order: Vec<u32> = (0..CODES).collect();
    ours.scan(&order, 1, report).await?;
    let mut dice = Dice(SEED);
    order.iter_mut().for_each(|code| *code = dice.below(CODES as usize));
    let outcome = closed_loop(ours.addr(), &ours.catalogue.requests, &order, CONNECTIONS, 2)?;
    ours.arrived(&outcome).await?;
    Ok(outcome.per_second())
}

async fn scans(
    ours: &mut Scanning,
    rate: f64,
    round: u64,
    ended: impl Fn(Duration) -> bool + Send,
) -> Result<Outcome> {
    let plan = Plan { rate, seed: SEED + round, connections: CONNECTIONS };
    let (addr, requests) = (ours.addr(), &ours.catalogue.requests);
    let outcome = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| scope.spawn(|| generate(addr, requests, &plan, ended)).join())
    });
    let outcome = outcome.map_err(|_| "the generator panicked")??;
    ours.arrived(&outcome).await?;
    Ok(outcome)
}

/// Scans for as long as a million units are being minted; how long those took.
async fn scans_beside_a_mint(
    ours: &mut Scanning,
    person: &mut Person,
    rate: f64,
    round: u64,
) -> Result<(Outcome, Duration)> {
    let minted = AtomicBool::new(false);
    let minting = async {
        let minting = person.mint(MILLION).await;
        minted.store(true, Ordering::Relaxed);
        minting
    };
    let plan = Plan { rate, seed: SEED + 100 + round, connections: CONNECTIONS };
    let (addr, requests) = (ours.addr(), &ours.catalogue.requests);
    let (outcome, minting) = std::thread::scope(|scope| {
        // On a thread of its own: whoever orders the mint must not hold a scan up, nor the other way round.
        let scanning = scope.spawn(|| generate(addr, requests, &plan, |_| minted.load(Ordering::Relaxed)));
        let minting = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(minting));
        (scanning.join(), minting)
    });
    let outcome = outcome.map_err(|_| "the generator panicked")??;
    ours.arrived(&outcome).await?;
    Ok((outcome, minting?.took))
}

/// On a thread of its own, which keeps its priority until it ends.
fn generate(
    addr: SocketAddr,
    requests: &Requests,
    plan: &Plan,
    ended: impl Fn(Duration) -> bool,
) -> std::io::Result<Outcome> {
    precedence::of_this_thread();
    open_loop(addr, requests, plan, ended)
}

/// A million rows of the directory, copied into an empty table like it: what minting is measured against.
async fn copy_of_a_million(ours: &Scanning) -> Result<f64> {
    let table = &ours.catalogue.table;
    let mut rows = BytesMut::new();
    let source =
        format!("COPY (SELECT * FROM {table} ORDER BY hash LIMIT {MILLION}) TO STDOUT (FORMAT binary)");
    let out = ours.database.copy_out(&source).await?;
    pin_mut!(out);
    while let Some(piece) = out.try_next().await? {
        rows.extend_from_slice(&piece);
    }
    let mut rows: Bytes = rows.freeze();
    let fresh = format!("DROP TABLE IF EXISTS copied; CREATE TABLE copied (LIKE {table} INCLUDING ALL)");
    ours.database.batch_execute(&fresh).await?;
    ours.database.execute("CHECKPOINT", &[]).await?;
    let started = Instant::now();
    let sink = ours.database.copy_in("COPY copied FROM STDIN (FORMAT binary)").await?;
    pin_mut!(sink);
    while !rows.is_empty() {
        sink.send(rows.split_to(PIECE.min(rows.len()))).await?;
    }
    let copied = sink.finish().await?;
    let took = started.elapsed();
    if copied != MILLION {
        return Err(format!("{copied} rows were copied").into());
    }
    Ok(MILLION as f64 / took.as_secs_f64())
}

fn said(report: &Report, what: &str, outcome: &Outcome) {
    report.note(&format!(
        "{what}: {:.0} scans/s for {:.1} s, p50 {:.2}, p99 {:.2}, p99.9 {:.2} ms; the generator itself was late by {:.2} ms (p99)",
        outcome.per_second(),
        outcome.took.as_secs_f64(),
        outcome.latency_ms(0.5),
        outcome.latency_ms(0.99),
        outcome.latency_ms(0.999),
        outcome.late_ms(0.99)
    ));
}
