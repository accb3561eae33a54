//! The public plane under load, and the proof that every scan that was answered is in the database.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio_postgres::Client;

use crate::Result;
use crate::catalogue::Catalogue;
use crate::load::{Outcome, closed_loop};
use crate::report::Report;
use crate::stage::{RESOLVER, Role, Stage};

/// Clients, each with one request under way.
pub const CONNECTIONS: usize = 64;
/// The telemetry of a run is in the database, and summed, so soon after its last answer.
const ARRIVED_WITHIN: Duration = Duration::from_secs(60);

/// Directory and scan role on one stage, with a published batch.
pub struct Scanning {
    /// Everything that runs.
    pub stage: Stage,
    /// What is scanned.
    pub catalogue: Catalogue,
    /// A superuser's connection.
    pub database: Client,
    /// Events that must be in the database.
    expected: u64,
}

impl Scanning {
    /// Starts both roles and publishes so many codes. The generator's addresses are believed, as those of a proxy are.
    ///
    /// # Errors
    /// Something does not start.
    pub async fn open(report: &Report, units: u32, seed: u64, variables: &[(&str, &str)]) -> Result<Self> {
        let mut stage = Stage::open(report).await?;
        stage.serve(Role::Directory, &[]).await?;
        let catalogue = Catalogue::publish(&stage, units, seed, report).await?;
        let mut all = vec![("SCAN_TRUSTED_PROXIES", "127.0.0.0/8")];
        all.extend_from_slice(variables);
        // Started after the seal: its first state has the batch, and ready means that it has one.
        stage.serve(Role::Scan, &all).await?;
        let database = stage.sql(RESOLVER).await?;
        // One by one: VACUUM stands in no transaction.
        for statement in ["VACUUM ANALYZE", "CHECKPOINT"] {
            database.execute(statement, &[]).await?;
        }
        Ok(Self { stage, catalogue, database, expected: 0 })
    }

    /// Where scans are answered.
    pub fn addr(&self) -> SocketAddr {
        self.stage.service(Role::Scan).address
    }

    /// Scans these codes as fast as they are answered, and sees every event into the database.
    ///
    /// # Errors
    /// An answer was no redirect, or an event is missing.
    pub async fn scan(&mut self, order: &[u32], threads: usize, report: &Report) -> Result<Outcome> {
        let addr = self.addr();
        let outcome = closed_loop(addr, &self.catalogue.requests, order, CONNECTIONS, threads)?;
        let behind = self.arrived(&outcome).await?;
        report.note(&format!(
            "ours {:.0}/s, p50 {:.2} ms, p99 {:.2} ms; {} events, all arrived {:.1} s after the last answer",
            outcome.per_second(),
            outcome.latency_ms(0.5),
            outcome.latency_ms(0.99),
            outcome.answered(),
            behind.as_secs_f64()
        ));
        Ok(outcome)
    }

    /// Waits until every event of these scans is in the database and summed; how long that took.
    ///
    /// # Errors
    /// An answer was no redirect, or an event is missing, lost or there twice.
    pub async fn arrived(&mut self, outcome: &Outcome) -> Result<Duration> {
        let others = outcome.other_than(307);
        if others > 0 {
            return Err(format!("{others} answers were no redirects: {:?}", outcome.statuses).into());
        }
        self.expected += outcome.answered();
        let started = Instant::now();
        let mut arrived = None;
        loop {
            let row = self
                .database
                .query_one(
                    "SELECT coalesce(sum(rows), 0)::bigint, count(*) FILTER (WHERE summed_at IS NULL) FROM scan_segment",
                    &[],
                )
                .await?;
            let (rows, waiting): (i64, i64) = (row.get(0), row.get(1));
            if rows.unsigned_abs() >= self.expected {
                arrived.get_or_insert(started.elapsed());
                if waiting == 0 {
                    break;
                }
            }
            if started.elapsed() > ARRIVED_WITHIN {
                return Err(format!("{rows} of {} events arrived: telemetry was lost", self.expected).into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let rows: i64 = self.database.query_one("SELECT count(*) FROM scan_event", &[]).await?.get(0);
        let lost = self.metric("telemetry_dropped_total").await?;
        if rows.unsigned_abs() != self.expected || lost > 0.0 {
            return Err(format!("{rows} events for {} scans, {lost} counted as lost", self.expected).into());
        }
        Ok(arrived.unwrap_or_default())
    }

    /// The sum of a metric of the scan role over its labels.
    ///
    /// # Errors
    /// The operations port does not answer.
    pub async fn metric(&self, name: &str) -> Result<f64> {
        let url = format!("http://{}/metrics", self.stage.service(Role::Scan).ops);
        let client = reqwest::Client::builder().no_proxy().build()?;
        let text = client.get(url).send().await?.error_for_status()?.text().await?;
        let of = |line: &str| {
            let rest = line.strip_prefix(name).filter(|rest| rest.starts_with([' ', '{']))?;
            rest.rsplit(' ').next()?.parse::<f64>().ok()
        };
        Ok(text.lines().filter_map(of).sum())
    }
}
