//! Redirects of known codes, telemetry on, against nginx that answers a fixed redirect.

use crate::load::{Dice, Outcome, closed_loop, trivial};
use crate::nginx::Nginx;
use crate::report::{Better, Report, Round, alternate};
use crate::scanning::{CONNECTIONS, Scanning};
use crate::{Result, block_on};

/// Distinct codes.
const CODES: u32 = 200_000;
/// How often each is scanned in one run.
const TIMES: usize = 2;
/// Threads of the generator, for both sides.
const THREADS: usize = 2;
const SEED: u64 = 20_261_122;

/// Both sides.
struct Sides {
    ours: Scanning,
    nginx: Nginx,
    order: Vec<u32>,
    latencies: Vec<(f64, f64)>,
}

/// `scan`, and `scan-p99` beside it.
pub fn scan(report: &mut Report) -> Result {
    block_on(async {
        let ours = Scanning::open(report, CODES, SEED, &[]).await?;
        let nginx = Nginx::start(ours.stage.folder(), report)?;
        let mut sides = Sides { ours, nginx, order: shuffled(), latencies: Vec::new() };
        // Each code once into the cache; nginx opens what it opens at the first request.
        sides.ours.scan(&sides.order, THREADS, report).await?;
        sides.of_nginx(report)?;
        sides.latencies.clear();
        let said = &*report;
        let rounds = alternate(
            &mut sides,
            async |sides| {
                let outcome = sides.ours.scan(&sides.order, THREADS, said).await?;
                sides.latencies.push((outcome.latency_ms(0.99), 0.0));
                Ok(outcome.per_second())
            },
            async |sides| {
                let outcome = sides.of_nginx(said)?;
                if let Some(pair) = sides.latencies.last_mut() {
                    pair.1 = outcome.latency_ms(0.99);
                }
                Ok(outcome.per_second())
            },
        )
        .await?;
        let hits = sides.ours.metric("scan_cache_hits_total").await?;
        let asked = hits + sides.ours.metric("scan_cache_misses_total").await?;
        let spooled = sides.ours.metric("telemetry_spooled_total").await?;
        report.note(&format!(
            "cache hits {:.1} % with the first run; {spooled:.0} events by way of the spool",
            hits / asked * 100.0
        ));
        let own = sides.generator()?;
        report.note(&format!(
            "the generator alone, against a responder that only answers: {:.0}/s",
            own.per_second()
        ));
        report.figure("scan", "redirects/s", Better::More, &rounds)?;
        let latencies: Vec<Round> = sides
            .latencies
            .iter()
            .map(|(ours, baseline)| Round { ours: *ours, baseline: *baseline })
            .collect();
        report.figure("scan-p99", "ms", Better::Less, &latencies)
    })
}

impl Sides {
    fn of_nginx(&self, report: &Report) -> Result<Outcome> {
        let outcome =
            closed_loop(self.nginx.addr, &self.ours.catalogue.requests, &self.order, CONNECTIONS, THREADS)?;
        if outcome.other_than(307) > 0 {
            return Err(format!("nginx answered with {:?}", outcome.statuses).into());
        }
        report.note(&format!(
            "nginx {:.0}/s, p50 {:.2} ms, p99 {:.2} ms",
            outcome.per_second(),
            outcome.latency_ms(0.5),
            outcome.latency_ms(0.99)
        ));
        Ok(outcome)
    }

    fn generator(&self) -> Result<Outcome> {
        let addr = trivial::start()?;
        Ok(closed_loop(addr, &self.ours.catalogue.requests, &self.order, CONNECTIONS, THREADS)?)
    }
}

/// Every code, [`TIMES`] times, in a random order.
fn shuffled() -> Vec<u32> {
    let mut order: Vec<u32> = (0..TIMES).flat_map(|_| 0..CODES).collect();
    let mut dice = Dice(SEED);
    for at in (1..order.len()).rev() {
        order.swap(at, dice.below(at + 1) as usize);
    }
    order
}
