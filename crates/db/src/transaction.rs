//! Named, measured transactions that are retried in one place.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use diesel::connection::TransactionManagerStatus;
use diesel::result::Error;
use diesel_async::{AnsiTransactionManager, AsyncPgConnection, TransactionManager};
use mintmark_fault::{Chain, Kind, Result};
use mintmark_service::telemetry;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram};
use tracing::{Instrument, Span};

use crate::{fault, is_contention};

/// Attempts of one transaction, the first included.
const ATTEMPTS: u32 = 5;
/// The first pause; doubled each time, plus as much again at random.
const PAUSE: Duration = Duration::from_millis(4);

static DURATION: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    telemetry::seconds_histogram("db.transaction.duration", "Database transactions, retries included")
});
static RETRIES: LazyLock<Counter<u64>> = LazyLock::new(|| {
    telemetry::meter()
        .u64_counter("db.transaction.retries")
        .with_description("Transactions run again after a serialization failure or a deadlock")
        .build()
});

/// An async closure that can run several times, with a future that is `Send`.
///
/// Stable Rust has no bound for the second half, hence this trait; it is implemented for every fitting closure.
pub trait TransactionBody<A, R>: AsyncFn(A) -> R + Fn(A) -> <Self as TransactionBody<A, R>>::Fut {
    /// The closure's future.
    type Fut: Future<Output = R>;
}

impl<F, A, Fut, R> TransactionBody<A, R> for F
where
    F: AsyncFn(A) -> R + Fn(A) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

/// The same for a closure that runs once.
pub trait TransactionBodyOnce<A, R>:
    AsyncFnOnce(A) -> R + FnOnce(A) -> <Self as TransactionBodyOnce<A, R>>::Fut
{
    /// The closure's future.
    type Fut: Future<Output = R>;
}

impl<F, A, Fut, R> TransactionBodyOnce<A, R> for F
where
    F: AsyncFnOnce(A) -> R + FnOnce(A) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

/// Runs `body` in a transaction called `name` (a metric's label) and commits when it is `Ok`.
///
/// A serialization failure or a deadlock runs `body` again, at most five times in all, so it must have no effect outside
/// the database. Inside another transaction it is a savepoint and is not retried: only the outermost can be.
///
/// # Errors
/// Those of `body`; 503 when the database is away or the retries are used up.
pub async fn transaction<T, F>(name: &'static str, conn: &mut AsyncPgConnection, body: F) -> Result<T>
where
    T: Send,
    for<'r> F: AsyncFn(&'r mut AsyncPgConnection) -> Result<T>
        + TransactionBody<&'r mut AsyncPgConnection, Result<T>, Fut: Send>
        + Send
        + Sync,
{
    let started = Instant::now();
    let attempts = if is_nested(conn) { 1 } else { ATTEMPTS };
    let mut attempt = 1;
    let span = span(name);
    let result = loop {
        let tried = async {
            begin(conn).await?;
            let result = body(&mut *conn).await;
            finish(conn, result).await
        };
        match tried.instrument(span.clone()).await {
            Err(error) if attempt < attempts && is_contention(&error) => {
                RETRIES.add(1, &[KeyValue::new("name", name)]);
                tokio::time::sleep(pause_after(attempt)).await;
                attempt += 1;
            }
            other => break other,
        }
    };
    measure(name, started, &span, &result);
    result
}

/// As [`transaction`] for a body that can run only once: never retried.
///
/// # Errors
/// As [`transaction`].
pub async fn transaction_once<T, F>(name: &'static str, conn: &mut AsyncPgConnection, body: F) -> Result<T>
where
    T: Send,
    for<'r> F: AsyncFnOnce(&'r mut AsyncPgConnection) -> Result<T>
        + TransactionBodyOnce<&'r mut AsyncPgConnection, Result<T>, Fut: Send>
        + Send,
{
    let started = Instant::now();
    let span = span(name);
    let work = async {
        begin(conn).await?;
        let result = body(&mut *conn).await;
        finish(conn, result).await
    };
    let result = work.instrument(span.clone()).await;
    measure(name, started, &span, &result);
    result
}

async fn begin(conn: &mut AsyncPgConnection) -> Result<()> {
    AnsiTransactionManager::begin_transaction(conn).await.map_err(fault)
}

async fn finish<T>(conn: &mut AsyncPgConnection, result: Result<T>) -> Result<T> {
    match result {
        Ok(value) => {
            AnsiTransactionManager::commit_transaction(conn).await.map_err(fault)?;
            Ok(value)
        }
        Err(error) => {
            match AnsiTransactionManager::rollback_transaction(conn).await {
                // A broken manager means that the connection went: the body's own error says more.
                Ok(()) | Err(Error::BrokenTransactionManager) => {}
                Err(rollback) => tracing::warn!(error = %Chain(&rollback), "a rollback failed"),
            }
            Err(error)
        }
    }
}

fn is_nested(conn: &mut AsyncPgConnection) -> bool {
    match AnsiTransactionManager::transaction_manager_status_mut(conn) {
        TransactionManagerStatus::Valid(status) => status.transaction_depth().is_some(),
        TransactionManagerStatus::InError => false,
    }
}

/// Doubling, plus up to as much again: the clock's nanoseconds are random enough to part two rivals.
fn pause_after(attempt: u32) -> Duration {
    let pause = PAUSE * 2_u32.saturating_pow(attempt - 1);
    let noise = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
    pause + pause.mul_f64(f64::from(noise % 1000) / 1000.0)
}

/// One for all attempts of a transaction, and only where it is exported: elsewhere it would add nothing to a line of the log.
fn span(name: &'static str) -> Span {
    if !telemetry::exports_traces() {
        return Span::none();
    }
    tracing::info_span!(
        "db.transaction",
        otel.name = name,
        otel.kind = "client",
        db.system.name = "postgresql",
        db.transaction.outcome = tracing::field::Empty,
    )
}

fn measure<T>(name: &'static str, started: Instant, span: &Span, result: &Result<T>) {
    let outcome = match result {
        Ok(_) => "committed",
        Err(error) => match error.kind() {
            Kind::Unavailable => "unavailable",
            Kind::Internal => "failed",
            _ => "refused",
        },
    };
    span.record("db.transaction.outcome", outcome);
    let labels = [KeyValue::new("name", name), KeyValue::new("outcome", outcome)];
    DURATION.record(started.elapsed().as_secs_f64(), &labels);
}
