//! Scans of random codes that no cache has, telemetry on, against pgbench that looks the same codes up.

use crate::load::Dice;
use crate::pgbench::Pgbench;
use crate::report::{Better, Report, Round, alternate};
use crate::scanning::Scanning;
use crate::{Result, block_on};

/// Codes in the directory.
const CODES: u32 = 5_000_000;
/// Scans of one run.
const SCANS: usize = 250_000;
/// How long pgbench runs each time, in seconds.
const SECONDS: u32 = 6;
/// Codes that the cache may hold, so that it knows next to none of those that come.
const CACHE: &str = "50000";
/// More of the scans than this may not come from the cache.
const HITS_AT_MOST: f64 = 0.05;
const THREADS: usize = 2;
const SEED: u64 = 20_261_123;

struct Sides {
    ours: Scanning,
    pgbench: Pgbench,
    dice: Dice,
    latencies: Vec<Round>,
}

/// `scan-cold`, and beside it the latency: the median of ours, the mean of pgbench, which knows no other.
pub fn scan_cold(report: &mut Report) -> Result {
    block_on(async {
        let ours = Scanning::open(report, CODES, SEED, &[("SCAN_CACHE_ENTRIES", CACHE)]).await?;
        let (stage, table) = (&ours.stage, &ours.catalogue.table);
        let pgbench = Pgbench::new(&ours.database, table, stage.socket_dir(), stage.folder()).await?;
        let mut sides = Sides { ours, pgbench, dice: Dice(SEED), latencies: Vec::new() };
        sides.scan(report).await?;
        sides.pgbench.run(2)?;
        sides.latencies.clear();
        let before = sides.cache().await?;
        let said = &*report;
        let rounds = alternate(
            &mut sides,
            async |sides| sides.scan(said).await,
            async |sides| {
                let looked = sides.pgbench.run(SECONDS)?;
                said.note(&format!("pgbench {:.0}/s, mean {:.2} ms", looked.per_second, looked.latency_ms));
                if let Some(round) = sides.latencies.last_mut() {
                    round.baseline = looked.latency_ms;
                }
                Ok(looked.per_second)
            },
        )
        .await?;
        let after = sides.cache().await?;
        let (hits, misses) = (after.0 - before.0, after.1 - before.1);
        let share = hits / (hits + misses);
        report.note(&format!("cache hits {:.2} % ({hits:.0} of {:.0})", share * 100.0, hits + misses));
        if share > HITS_AT_MOST {
            return Err("these scans were not cold".into());
        }
        report.figure("scan-cold", "scans/s", Better::More, &rounds)?;
        report.figure("scan-cold-latency", "ms", Better::Less, &sides.latencies)
    })
}

impl Sides {
    async fn scan(&mut self, report: &Report) -> Result<f64> {
        let codes = self.ours.catalogue.requests.len();
        let order: Vec<u32> = (0..SCANS).map(|_| self.dice.below(codes)).collect();
        let outcome = self.ours.scan(&order, THREADS, report).await?;
        self.latencies.push(Round { ours: outcome.latency_ms(0.5), baseline: 0.0 });
        Ok(outcome.per_second())
    }

    /// Hits and misses of the cache so far.
    async fn cache(&self) -> Result<(f64, f64)> {
        let hits = self.ours.metric("scan_cache_hits_total").await?;
        Ok((hits, self.ours.metric("scan_cache_misses_total").await?))
    }
}
