//! LISTEN: being woken instead of only polling.

use std::sync::Arc;
use std::time::Duration;

use mintmark_db::{DbConfig, Listener};
use mintmark_fault::Chain;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::store::CHANNEL;

/// Between attempts to listen again; polling goes on meanwhile.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// Wakes the worker for each job of its kinds, until `stop`; reconnects for ever.
pub(crate) async fn listen(
    database: DbConfig,
    home: Handle,
    kinds: Vec<&'static str>,
    wake: Arc<Notify>,
    stop: CancellationToken,
) {
    let listening = async {
        loop {
            match Listener::connect(&database, &home, CHANNEL).await {
                Ok(mut listener) => {
                    // Something may have come while nobody listened.
                    wake.notify_one();
                    while let Some(told) = listener.next().await {
                        if kinds.contains(&told.payload.as_str()) {
                            wake.notify_one();
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "cannot listen for jobs; polling goes on");
                }
            }
            tokio::time::sleep(RECONNECT_AFTER).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = listening => {}
    }
}
