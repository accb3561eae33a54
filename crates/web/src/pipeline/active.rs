//! How many requests are under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mintmark_service::telemetry;

/// Counts the requests under way of one edge, for a gauge.
pub(crate) struct Active(Arc<AtomicU64>);

impl Active {
    /// Shows it as `http_server_active_requests`.
    pub(crate) fn observed() -> Self {
        let count = Arc::new(AtomicU64::new(0));
        let of = Arc::downgrade(&count);
        telemetry::meter()
            .u64_observable_gauge("http.server.active.requests")
            .with_description("Requests that are being answered")
            .with_callback(move |gauge| {
                if let Some(count) = of.upgrade() {
                    gauge.observe(count.load(Ordering::Relaxed), &[]);
                }
            })
            .build();
        Self(count)
    }

    /// One more, until the guard is dropped: also where the client went away and nobody finishes the request.
    pub(super) fn enter(&self) -> Entered<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Entered(&self.0)
    }
}

/// A request that is under way.
pub(super) struct Entered<'a>(&'a AtomicU64);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
