//! How full an edge is.

use std::sync::Arc;

use mintmark_service::telemetry;
use opentelemetry::KeyValue;
use tokio::sync::Semaphore;

/// Shows how many calls run, and how many may: beyond that they are refused as OVERLOADED.
pub(crate) fn observe(places: &Arc<Semaphore>, most: usize) {
    let of = Arc::downgrade(places);
    telemetry::meter()
        .u64_observable_gauge("rpc.server.calls")
        .with_description("gRPC calls that run now; state max: as many as may")
        .with_callback(move |gauge| {
            let Some(places) = of.upgrade() else { return };
            let active = most.saturating_sub(places.available_permits());
            for (state, calls) in [("active", active), ("max", most)] {
                gauge.observe(calls as u64, &[KeyValue::new("state", state)]);
            }
        })
        .build();
}
