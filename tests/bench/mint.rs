//! Minting: derive, hash, stream over gRPC, store, seal; against a COPY of the same rows.

use bytes::{Bytes, BytesMut};
use futures::{SinkExt, TryStreamExt, pin_mut};
use std::time::Instant;
use tokio_postgres::Client;

use crate::memory::Memory;
use crate::person::Person;
use crate::report::{Better, Report, Round, alternate};
use crate::stage::{RESOLVER, Role, Stage};
use crate::{Result, block_on};

const MILLION: u64 = 1_000_000;
/// What one partition takes before the directory opens the next one.
const PARTITION: u64 = 16 * MILLION;
/// How much COPY sends at a time: the size that is best for tokio-postgres over a socket.
const PIECE: usize = 64 * 1024;
/// No process may have more resident memory than this.
const LIMIT_MIB: f64 = 200.0;

/// The first partition that a directory opens.
const FIRST: &str = "code_0000";

/// A platform that can mint, and a way to look behind it.
struct Mint {
    person: Person,
    database: Client,
    stage: Stage,
}

impl Mint {
    async fn open(report: &Report) -> Result<Self> {
        let mut stage = Stage::open(report).await?;
        stage.serve(Role::Directory, &[]).await?;
        stage.serve(Role::ControlPlane, &[]).await?;
        let mut person = Person::new(&stage).await?;
        let database = stage.sql(RESOLVER).await?;
        // Opens the first partition, connections and channels: a platform that has worked before.
        person.mint(10_000).await?;
        Ok(Self { person, database, stage })
    }

    /// An empty table and nothing left to write of what was before.
    async fn empty(&self) -> Result {
        Ok(self.database.batch_execute(&format!("TRUNCATE {FIRST}; CHECKPOINT")).await?)
    }

    /// Units a second, from the order to the seal.
    async fn million(&mut self) -> Result<f64> {
        Ok(MILLION as f64 / self.person.mint(MILLION).await?.took.as_secs_f64())
    }

    async fn million_into_empty(&mut self) -> Result<f64> {
        self.empty().await?;
        let rate = self.million().await?;
        let stored: i64 =
            self.database.query_one(&format!("SELECT count(*) FROM {FIRST}"), &[]).await?.get(0);
        if stored.unsigned_abs() != MILLION {
            return Err(format!("{stored} units are in the directory").into());
        }
        Ok(rate)
    }

    /// The rows that the directory has just stored, copied into the same table by themselves: one connection, one
    /// transaction, in the order in which ours lie, which is the one that suits the index.
    async fn copy_same_rows(&mut self) -> Result<f64> {
        let mut rows = BytesMut::new();
        let out = self.database.copy_out(&format!("COPY {FIRST} TO STDOUT (FORMAT binary)")).await?;
        pin_mut!(out);
        while let Some(piece) = out.try_next().await? {
            rows.extend_from_slice(&piece);
        }
        let mut rows: Bytes = rows.freeze();
        self.empty().await?;
        let started = Instant::now();
        let sink = self.database.copy_in(&format!("COPY {FIRST} FROM STDIN (FORMAT binary)")).await?;
        pin_mut!(sink);
        while !rows.is_empty() {
            sink.send(rows.split_to(PIECE.min(rows.len()))).await?;
        }
        let copied = sink.finish().await?;
        let rate = copied as f64 / started.elapsed().as_secs_f64();
        if copied != MILLION {
            return Err(format!("COPY wrote {copied} rows").into());
        }
        Ok(rate)
    }
}

/// A million units into an empty directory, against COPY.
pub fn empty(report: &mut Report) -> Result {
    block_on(async {
        let mut mint = Mint::open(report).await?;
        report.note("ours: from the order over HTTP to the answer that says sealed, as its owner sees it");
        let rounds = alternate(&mut mint, Mint::million_into_empty, Mint::copy_same_rows).await?;
        report.figure("mint", "units/s", Better::More, &rounds)
    })
}

/// A million units into a directory that holds 20 million, against ours into an empty one.
pub fn beside_twenty_million(report: &mut Report) -> Result {
    block_on(async {
        let (full, empty) = (Mint::open(report).await?, Mint::open(report).await?);
        let started = Instant::now();
        preload(&full.database).await?;
        report.note(&format!(
            "20 million units preloaded in {:.0} s: a full partition of 16 million, and 4 million in the one that the runs go on filling",
            started.elapsed().as_secs_f64()
        ));
        let rounds = alternate(
            &mut (full, empty),
            async |(full, _)| {
                full.database.batch_execute("CHECKPOINT").await?;
                full.million().await
            },
            async |(_, empty)| empty.million_into_empty().await,
        )
        .await?;
        report.figure("mint-20m", "units/s", Better::More, &rounds)
    })
}

/// Fills the first partition, opens the second and puts four million into that.
///
/// The index is built at once and 70 % full, which is how insertions in random order leave it.
async fn preload(database: &Client) -> Result {
    let full = format!("UPDATE partition SET units_reserved = {PARTITION} WHERE id = 0");
    database.batch_execute(&full).await?;
    database.batch_execute("SELECT open_partition(1, 1)").await?;
    for (table, units) in [(FIRST, PARTITION), ("code_0001", 4 * MILLION)] {
        database
            .batch_execute(&format!(
                "TRUNCATE {table};
                 ALTER TABLE {table} DROP CONSTRAINT {table}_pkey;
                 INSERT INTO {table} SELECT gen_random_uuid(), serial, 1 FROM generate_series(1, {units}) AS serial;
                 SET maintenance_work_mem = '1GB';
                 ALTER TABLE {table} ADD PRIMARY KEY (hash) WITH (fillfactor = 70);
                 ALTER INDEX {table}_pkey RESET (fillfactor);
                 ANALYZE {table}"
            ))
            .await?;
    }
    let reserved = format!("UPDATE partition SET units_reserved = {} WHERE id = 1", 4 * MILLION);
    database.batch_execute(&reserved).await?;
    Ok(database.batch_execute("CHECKPOINT").await?)
}

/// The most that any process has resident while five million units are minted.
pub fn memory(report: &mut Report) -> Result {
    block_on(async {
        let mut mint = Mint::open(report).await?;
        mint.stage.serve(Role::Scan, &[]).await?;
        let minted = mint.person.mint(5 * MILLION).await?;
        report.note(&format!("one batch of five million in {:.1} s", minted.took.as_secs_f64()));
        let mut highest: f64 = 0.0;
        for service in mint.stage.services() {
            let memory = Memory::of(service)?;
            let mib = |bytes: u64| bytes as f64 / 1024.0 / 1024.0;
            report.note(&format!(
                "{:?}: peak {:.1} MiB, at the end {:.1} MiB",
                service.role(),
                mib(memory.peak),
                mib(memory.now)
            ));
            highest = highest.max(mib(memory.peak));
        }
        let round = Round { ours: highest, baseline: LIMIT_MIB };
        report.figure(
            "mint-memory",
            "MiB resident, peak of the largest process; the baseline is the limit",
            Better::Less,
            &[round],
        )
    })
}
