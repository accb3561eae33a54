//! What the directory role works with.

use mintmark_db::{Pool, RawPool};

use super::metrics::PublishMetrics;
use super::peppers::Peppers;

/// The directory role's parts. Cheap to clone.
#[derive(Clone)]
pub struct Directory {
    /// Connections for everything but chunks.
    pub pool: Pool,
    /// Connections for chunks: COPY needs the driver itself.
    pub raw: RawPool,
    /// The keys under which codes are stored.
    pub peppers: Peppers,
    /// Counters.
    pub metrics: PublishMetrics,
}
