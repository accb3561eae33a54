//! Streaming a batch's digests to the directory with a bounded window.
//!
//! Three things overlap: deriving the next chunks on background threads, sending the present one, and waiting for the
//! directory to commit earlier ones. Memory is bounded by [`WINDOW`] plus [`DERIVE_AHEAD`] chunks, however large the
//! batch is.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::{Stream, StreamExt, future, stream};
use mintmark_fault::Fault;
use mintmark_ids::TenantId;
use mintmark_jobs::{JobContext, JobFailure};
use mintmark_rpc::client::Directory;
use mintmark_service::spawn_background;
use mintmark_wire::directory::v1::PublishRequest;
use tokio::sync::Semaphore;

use super::{MintBatch, refused, stopped};
use crate::app::mint::MintPlan;

/// Chunks sent and not yet acknowledged: enough to hide a round trip and one commit behind another, 6.4 MB at 50,000
/// units a chunk.
const WINDOW: usize = 4;

/// Chunks derived at the same time, ahead of the one being sent.
const DERIVE_AHEAD: usize = 2;

/// How long the directory may take for one chunk before it counts as away; a commit of 50,000 rows takes well under a second.
const ACKNOWLEDGEMENT_LIMIT: Duration = Duration::from_secs(60);

/// How long the directory may take to end a stream of which everything is acknowledged.
const END_LIMIT: Duration = Duration::from_secs(2);

/// Publishes the chunks from `next` on and returns when the last one is acknowledged.
pub(super) async fn publish(
    ctx: &JobContext<MintBatch>,
    directory: &Directory,
    tenant: &TenantId,
    plan: &Arc<MintPlan>,
    mut next: u32,
) -> Result<(), JobFailure> {
    let chunks = plan.chunks();
    if next >= chunks {
        return Ok(());
    }
    let lost = ctx.lost();
    let window = Arc::new(Semaphore::new(WINDOW));
    let broken = Arc::new(OnceLock::new());
    let requests = requests(plan.clone(), next, ctx.permit().fence(), window.clone(), broken.clone());
    let opening = directory.publish(tenant, requests);
    let mut answers = tokio::select! {
        () = lost.cancelled() => return Err(stopped()),
        opened = tokio::time::timeout(ACKNOWLEDGEMENT_LIMIT, opening) => {
            opened.map_err(|_| silent())?.map_err(refused)?
        }
    };
    while next < chunks {
        let answer = tokio::select! {
            () = lost.cancelled() => return Err(stopped()),
            answer = tokio::time::timeout(ACKNOWLEDGEMENT_LIMIT, answers.message()) => {
                answer.map_err(|_| silent())?.map_err(|status| refused(Directory::fault(&status)))?
            }
        };
        let Some(acknowledged) = answer else {
            return Err(broken
                .get()
                .map_or_else(silent, |reason: &String| Fault::internal(reason.clone()))
                .into());
        };
        if acknowledged.chunk != next {
            let surprise =
                format!("the directory acknowledged chunk {} where {next} was due", acknowledged.chunk);
            return Err(Fault::internal(surprise).into());
        }
        next += 1;
        window.add_permits(1);
        ctx.progress(plan.units_before(next), plan.units).await?;
    }
    // All of it is published, so this changes nothing; but a stream that its sender drops counts, over there, as one that was
    // given up.
    if tokio::time::timeout(END_LIMIT, answers.message()).await.is_err() {
        tracing::debug!("the directory did not end a stream whose chunks it has acknowledged");
    }
    Ok(())
}

/// The requests, in chunk order; the stream waits while the window is full and ends early if a derivation broke.
fn requests(
    plan: Arc<MintPlan>,
    from: u32,
    fence: i64,
    window: Arc<Semaphore>,
    broken: Arc<OnceLock<String>>,
) -> impl Stream<Item = PublishRequest> + Send + 'static {
    let batch_id = plan.batch_id.to_string();
    stream::iter(from..plan.chunks())
        .map(move |chunk| {
            let plan = plan.clone();
            // Spawned here, not when polled: it runs while the chunks before it are sent.
            let derived = spawn_background(move || plan.digests(chunk));
            async move { (chunk, derived.await) }
        })
        .buffered(DERIVE_AHEAD)
        .then(move |derived| {
            let window = window.clone();
            async move {
                // The semaphore is never closed, so this is only ever a wait.
                if let Ok(place) = window.acquire().await {
                    place.forget();
                }
                derived
            }
        })
        .map(move |(chunk, derived)| match derived {
            Ok(digests) => Some(PublishRequest { batch_id: batch_id.clone(), fence, chunk, digests }),
            Err(error) => {
                let _ = broken.set(format!("deriving chunk {chunk} broke: {error}"));
                None
            }
        })
        .take_while(|request| future::ready(request.is_some()))
        .filter_map(future::ready)
}

fn silent() -> Fault {
    Fault::unavailable(
        "DIRECTORY_UNAVAILABLE",
        "the directory stopped answering; minting goes on when it is back",
    )
}
