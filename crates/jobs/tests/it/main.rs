//! Against a real Postgres, with real workers.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

mod claims;
mod endings;
mod fences;
mod kinds;
mod people;
mod surroundings;

use std::sync::Arc;
use std::time::Duration;

use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::Actor;
use mintmark_db::{DbConfig, Pool};
use mintmark_devstack::testdb::{self, TestDb};
use mintmark_ids::{JobId, TenantId};
use mintmark_jobs::{JobState, JobStatus, Worker, WorkerConfig, enqueue, status};
use mintmark_service::Shutdown;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::kinds::{Echo, EchoPayload};

/// One test's queue.
struct Bench {
    db: TestDb,
    pool: Pool,
}

impl Bench {
    /// An empty queue, and a table `effect (note text)` for what handlers do.
    async fn new() -> Arc<Self> {
        let db = testdb::database_with_only("control-plane", "2026-11-22-000001_jobs").await;
        let bench = Self { pool: pool(&db.url("control_app")), db };
        bench.superuser("CREATE TABLE effect (note text); GRANT ALL ON effect TO control_app").await;
        Arc::new(bench)
    }

    /// A worker of two jobs at a time, with short pauses.
    fn worker(&self, lease: Duration) -> Worker {
        self.worker_of(2, lease)
    }

    fn worker_of(&self, concurrency: usize, lease: Duration) -> Worker {
        let config = WorkerConfig { concurrency, lease, poll: Duration::from_millis(50) };
        Worker::new(self.pool.clone(), DbConfig::new(self.db.url("control_app")), config)
            .backoff(Duration::from_millis(10))
            .grace(Duration::from_millis(100))
    }

    async fn enqueue(&self, note: &str) -> JobId {
        let payload = EchoPayload { note: note.into() };
        let enqueued = async {
            loop {
                let mut conn = self.pool.get().await.unwrap();
                match enqueue::<Echo>(&mut conn, &tenant(), &Actor::ControlToken, &payload).await {
                    Ok(job) => return job,
                    // A connection that a test has broken, and whose driver has not heard of it yet.
                    Err(fault) => assert_eq!(fault.code(), "DATABASE_UNAVAILABLE", "{fault:?}"),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), enqueued).await.unwrap()
    }

    async fn status(&self, job: JobId) -> JobStatus {
        status(&mut self.pool.get().await.unwrap(), job).await.unwrap()
    }

    /// Waits until the job is in `state`.
    async fn until(&self, job: JobId, state: JobState) -> JobStatus {
        let waiting = async {
            loop {
                // The pool is the worker's too: where a test breaks connections, the next look gets a new one.
                let seen = match self.pool.get().await {
                    Ok(mut conn) => status(&mut conn, job).await,
                    Err(fault) => Err(fault),
                };
                match seen {
                    Ok(status) if status.state == state => return status,
                    Ok(_) => tokio::task::yield_now().await,
                    Err(fault) => assert_eq!(fault.code(), "DATABASE_UNAVAILABLE", "{fault:?}"),
                }
            }
        };
        match tokio::time::timeout(Duration::from_secs(20), waiting).await {
            Ok(status) => status,
            Err(_) => panic!("{job} never became {state:?}: {:?}", self.status(job).await),
        }
    }

    async fn superuser(&self, sql: &str) {
        let (client, driver) =
            tokio_postgres::connect(&self.db.superuser_url(), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(driver);
        client.batch_execute(sql).await.unwrap();
    }

    /// How many rows the handlers have left.
    async fn effects(&self) -> i64 {
        self.number("SELECT count(*) AS n FROM effect").await
    }

    async fn number(&self, sql: &str) -> i64 {
        let mut conn = self.pool.get().await.unwrap();
        diesel::sql_query(sql).get_result::<Number>(&mut conn).await.unwrap().n
    }

    /// As if the worker of every running job had been gone for a while.
    async fn expire_leases(&self) {
        self.superuser(
            "UPDATE jobs SET lease_until = clock_timestamp() - interval '1 second' WHERE state = 'running'",
        )
        .await;
    }
}

#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

fn pool(url: &str) -> Pool {
    Pool::new(&DbConfig::new(url), &Handle::current()).unwrap()
}

fn tenant() -> TenantId {
    TenantId::parse("acme").unwrap()
}

/// What a handler leaves behind.
async fn leave(conn: &mut AsyncPgConnection, note: &str) -> mintmark_fault::Result<()> {
    use mintmark_db::Meaning;
    diesel::sql_query("INSERT INTO effect VALUES ($1)")
        .bind::<Text, _>(note)
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

/// A worker at work; stops when told.
struct Working {
    shutdown: Shutdown,
    task: JoinHandle<mintmark_fault::Result<()>>,
}

impl Working {
    fn start(worker: Worker) -> Self {
        let shutdown = Shutdown::new();
        let task = tokio::spawn(worker.run(shutdown.clone(), Handle::current()));
        Self { shutdown, task }
    }

    async fn stop(self) {
        self.shutdown.trigger();
        self.task.await.unwrap().unwrap();
    }
}
