//! How full the pools of the process are.

use std::sync::{LazyLock, Mutex, PoisonError};

use mintmark_service::telemetry;
use opentelemetry::KeyValue;

/// How full one pool is.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fill {
    /// Connections there may be.
    pub(crate) most: usize,
    /// Connections that are checked out.
    pub(crate) in_use: usize,
    /// Connections that are open and idle.
    pub(crate) idle: usize,
    /// Callers who wait for one.
    pub(crate) waiting: usize,
}

impl From<deadpool::Status> for Fill {
    fn from(status: deadpool::Status) -> Self {
        Self {
            most: status.max_size,
            in_use: status.size.saturating_sub(status.available),
            idle: status.available,
            waiting: status.waiting,
        }
    }
}

/// Answers as long as its pool is there.
type Look = Box<dyn Fn() -> Option<Fill> + Send + Sync>;

static POOLS: LazyLock<Mutex<Vec<Look>>> = LazyLock::new(|| {
    let meter = telemetry::meter();
    meter
        .u64_observable_gauge("db.pool.connections")
        .with_description(
            "Database connections of the process's pools by state; state max: as many as there may be",
        )
        .with_callback(|gauge| {
            let fill = sum();
            for (state, count) in [("max", fill.most), ("in_use", fill.in_use), ("idle", fill.idle)] {
                gauge.observe(count as u64, &[KeyValue::new("state", state)]);
            }
        })
        .build();
    meter
        .u64_observable_gauge("db.pool.waiting")
        .with_description("Callers who wait for a database connection")
        .with_callback(|gauge| gauge.observe(sum().waiting as u64, &[]))
        .build();
    Mutex::default()
});

/// Counts a pool in.
pub(crate) fn watch(look: impl Fn() -> Option<Fill> + Send + Sync + 'static) {
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    // Those that are gone make room: a test opens hundreds.
    pools.retain(|look| look().is_some());
    pools.push(Box::new(look));
}

fn sum() -> Fill {
    let pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    pools.iter().filter_map(|look| look()).fold(Fill::default(), |all, one| Fill {
        most: all.most + one.most,
        in_use: all.in_use + one.in_use,
        idle: all.idle + one.idle,
        waiting: all.waiting + one.waiting,
    })
}
