//! What the directory role works with.

use std::sync::Arc;

use diesel_async::AsyncPgConnection;
use mintmark_codes::Pepper;
use mintmark_db::{Pool, RawPool};
use mintmark_fault::{Fault, Result};

use super::metrics::PublishMetrics;
use super::peppers::Peppers;
use crate::store::publication;

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

impl Directory {
    /// The pepper under which a partition stands.
    pub(crate) async fn pepper_of(
        &self,
        conn: &mut AsyncPgConnection,
        partition: u16,
    ) -> Result<Arc<Pepper>> {
        let number = publication::pepper_of(conn, partition).await?;
        self.peppers.get(number).cloned().ok_or_else(|| {
            Fault::internal(format!(
                "CODE_PEPPERS lacks pepper {number}, under which partition {partition} stands"
            ))
        })
    }
}
