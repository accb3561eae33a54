//! Publishes chunks: digests come in, their hashes under the pepper go to the partition's table.
//!
//! A window of chunks is in work at once: while one is copied into the database the next ones are hashed on
//! background threads. Acknowledgements leave in the order of the chunks, each after its commit.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use mintmark_auth::Permit;
use mintmark_auth::action::PublishCodes;
use mintmark_codes::{CodeDigest, Pepper};
use mintmark_fault::{Fault, Kind, Result};
use mintmark_ids::BatchId;
use mintmark_service::{Shutdown, spawn_background};
use ring::digest::{SHA256, digest};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{Instrument, Span, field, info_span};

use super::directory::Directory;
use super::publication::{Publication, State, closed};
use crate::store::chunk::{self, PreparedChunk};
use crate::store::publication;

/// Chunks that are hashed ahead of the one that is copied.
const HASHED_AHEAD: usize = 2;
/// Acknowledgements that wait for a slow reader before publishing pauses.
const ACKNOWLEDGED_AHEAD: usize = 8;
/// How long one chunk may take in the database, its wait for the publication's lock included.
const CHUNK_WITHIN: Duration = Duration::from_secs(60);

/// A chunk as it came.
pub struct Chunk {
    /// The batch.
    pub batch: BatchId,
    /// The fence under which the publication was opened.
    pub fence: i64,
    /// The chunk's number.
    pub number: u32,
    /// 32 bytes for each unit, in the order of serials.
    pub digests: Bytes,
}

/// A chunk that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The chunk's number.
    pub number: u32,
    /// How many units it has.
    pub units: u32,
}

/// Publishes a stream of chunks of one batch. The answers end with the first error; what was acknowledged stays.
pub fn publish<Chunks>(
    directory: Directory,
    permit: Permit<PublishCodes>,
    chunks: Chunks,
    shutdown: Shutdown,
) -> mpsc::Receiver<Result<Acknowledged>>
where
    Chunks: Stream<Item = Result<Chunk>> + Send + Unpin + 'static,
{
    let (hashing, hashed) = mpsc::channel(HASHED_AHEAD);
    let (answers, answered) = mpsc::channel(ACKNOWLEDGED_AHEAD);
    let receiving = receive(directory.clone(), permit.clone(), chunks, hashing);
    let writing = write(directory, permit, hashed, answers, shutdown);
    // In the call's span: the trace of a mint ends in its last COPY.
    mintmark_service::spawn_named("publish-receive", receiving.in_current_span());
    mintmark_service::spawn_named("publish-write", writing.in_current_span());
    answered
}

type Hashed = (Arc<Publication>, i64, JoinHandle<PreparedChunk>);

/// Starts hashing each chunk as it comes, as far ahead as the channel has room.
async fn receive(
    directory: Directory,
    permit: Permit<PublishCodes>,
    mut chunks: impl Stream<Item = Result<Chunk>> + Unpin,
    hashing: mpsc::Sender<Result<Hashed>>,
) {
    let mut opened: Option<(Arc<Publication>, Arc<Pepper>)> = None;
    loop {
        let chunk = tokio::select! {
            chunk = chunks.next() => chunk,
            () = hashing.closed() => return,
        };
        let Some(chunk) = chunk else { return };
        let started = match chunk {
            Ok(chunk) => start(&directory, &permit, &mut opened, chunk).await,
            Err(fault) => Err(fault),
        };
        let failed = started.is_err();
        if hashing.send(started).await.is_err() || failed {
            return;
        }
    }
}

async fn start(
    directory: &Directory,
    permit: &Permit<PublishCodes>,
    opened: &mut Option<(Arc<Publication>, Arc<Pepper>)>,
    chunk: Chunk,
) -> Result<Hashed> {
    let (publication, pepper) = match opened {
        Some(known) if known.0.terms.batch == chunk.batch => known.clone(),
        Some(_) => {
            return Err(Fault::invalid(
                "ONE_BATCH",
                "batchId",
                "a stream publishes one batch; open another stream for another",
            ));
        }
        None => opened.insert(directory.opened(permit, chunk.batch).await?).clone(),
    };
    let first_serial = check(&publication, &chunk)?;
    let (id, fence) = (publication.id, chunk.fence);
    let hashing = spawn_background(move || prepare(id, first_serial, &chunk, &pepper));
    Ok((publication, fence, hashing))
}

/// The serial number of the chunk's first unit, if the chunk is one of the publication's and has all its digests.
fn check(publication: &Publication, chunk: &Chunk) -> Result<i64> {
    let (first_serial, units) = publication.terms.chunk(chunk.number).ok_or_else(|| {
        Fault::invalid("CHUNK_OUT_OF_RANGE", "chunk", "the publication has no such chunk")
            .with("chunks", publication.terms.chunks())
    })?;
    if chunk.digests.len() != units * CodeDigest::LEN {
        return Err(Fault::invalid(
            "DIGESTS_LENGTH",
            "digests",
            format!(
                "chunk {} has {units} units: it needs {units} digests of 32 bytes, end to end",
                chunk.number
            ),
        ));
    }
    Ok(first_serial)
}

/// Hashes a chunk; 50,000 units take some 20 ms of one core.
fn prepare(publication: i32, first_serial: i64, chunk: &Chunk, pepper: &Pepper) -> PreparedChunk {
    let mut whole = [0; 32];
    whole.copy_from_slice(digest(&SHA256, &chunk.digests).as_ref());
    let (digests, _) = chunk.digests.as_chunks::<{ CodeDigest::LEN }>();
    let mut codes: Vec<_> = digests
        .iter()
        .zip(first_serial..)
        .map(|(digest, serial)| (pepper.hash(&CodeDigest::from_bytes(*digest)), serial))
        .collect();
    // In the order of the index, so that neighbours meet in the same leaf pages.
    codes.sort_unstable();
    PreparedChunk {
        chunk: chunk.number,
        units: codes.len(),
        digest: whole,
        rows: chunk::code_rows(publication, &codes),
    }
}

/// Writes hashed chunks in order, one transaction each.
async fn write(
    directory: Directory,
    permit: Permit<PublishCodes>,
    mut hashed: mpsc::Receiver<Result<Hashed>>,
    answers: mpsc::Sender<Result<Acknowledged>>,
    shutdown: Shutdown,
) {
    while let Some(next) = hashed.recv().await {
        let answer = if shutdown.is_requested() {
            Err(Fault::unavailable("SHUTTING_DOWN", "this directory is shutting down: go on with another"))
        } else {
            let span = info_span!("publish.chunk", chunk = field::Empty, units = field::Empty);
            commit(&directory, &permit, next).instrument(span).await
        };
        if let Err(fault) = &answer {
            directory.metrics.refused(fault.code());
        }
        let failed = answer.is_err();
        if answers.send(answer).await.is_err() || failed {
            return;
        }
    }
}

async fn commit(
    directory: &Directory,
    permit: &Permit<PublishCodes>,
    next: Result<Hashed>,
) -> Result<Acknowledged> {
    let (publication, fence, hashing) = next?;
    let prepared = hashing.await.map_err(Fault::internal)?;
    Span::current().record("chunk", prepared.chunk).record("units", prepared.units as u64);
    let mut client = directory.raw.get().await?;
    let writing = chunk::write(&mut client, permit, &publication, fence, &prepared);
    let written = tokio::time::timeout(CHUNK_WITHIN, writing).await.map_err(|elapsed| {
        Fault::new(
            Kind::Unavailable,
            "DATABASE_TIMEOUT",
            "the database took too long for a chunk: try again shortly",
        )
        .caused_by(elapsed)
    })??;
    if written {
        directory.metrics.chunk(prepared.units as u64);
    } else {
        directory.metrics.repeated();
    }
    Ok(Acknowledged {
        number: prepared.chunk,
        units: u32::try_from(prepared.units).map_err(Fault::internal)?,
    })
}

impl Directory {
    /// The publication that a stream is for, and the pepper of its partition.
    async fn opened(
        &self,
        permit: &Permit<PublishCodes>,
        batch: BatchId,
    ) -> Result<(Arc<Publication>, Arc<Pepper>)> {
        let mut conn = self.pool.get().await?;
        let publication = publication::find(&mut conn, permit.tenant(), batch).await?;
        // What is closed now stays closed; what is open now is checked again under the lock of each chunk.
        match publication.state {
            _ if publication.revoked_at.is_some() => return Err(closed("recalled")),
            State::Sealed(_) => return Err(closed("sealed")),
            State::Aborted => return Err(closed("aborted")),
            State::Open => {}
        }
        let pepper = self.pepper_of(&mut conn, publication.partition).await?;
        Ok((Arc::new(publication), pepper))
    }
}
