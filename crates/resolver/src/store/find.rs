//! Look-ups of codes, many in one question.
//!
//! A look-up goes out at once while a connection has nothing to look up; those that come meanwhile gather, and go together
//! with the next question. So one visitor waits for one round trip, and a crowd costs the database an index probe each
//! and not a statement each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use mintmark_codes::StoredHash;
use mintmark_db::raw_fault;
use mintmark_fault::{Chain, Result};
use mintmark_service::gather::{Gather, Turn};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::scan::{ANSWER_WITHIN, Links, Session, away};
use crate::app::cache::Placement;

/// Questions under way at once: a second one, so that one that is held up does not hold up everybody.
const AT_ONCE: usize = 2;

/// Gathers look-ups for the connections.
pub(super) struct Finder {
    links: Arc<Links>,
    home: Handle,
    lookups: Arc<Gather<(), Lookup>>,
}

/// One look-up, and who waits for it.
struct Lookup {
    partition: u16,
    hash: Uuid,
    answer: oneshot::Sender<Result<Option<Placement>>>,
}

impl Finder {
    /// A finder on these connections, whose work runs on `home`.
    pub(super) fn new(links: Arc<Links>, home: Handle) -> Self {
        Finder { links, home, lookups: Gather::new(AT_ONCE, Duration::ZERO) }
    }

    /// Where a code stands; `None` when the partition does not have it.
    pub(super) async fn find(
        self: &Arc<Self>,
        partition: u16,
        hash: StoredHash,
    ) -> Result<Option<Placement>> {
        let (answer, answered) = oneshot::channel();
        let lookup = Lookup { partition, hash: Uuid::from_bytes(*hash.as_bytes()), answer };
        if let Some(turn) = self.lookups.add(&(), lookup) {
            self.home.spawn(Arc::clone(self).ask(turn));
        }
        match tokio::time::timeout(ANSWER_WITHIN, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(gone)) => Err(away().caused_by(gone)),
            Err(elapsed) => Err(away().caused_by(elapsed)),
        }
    }

    /// Asks for what has gathered, until nothing has.
    async fn ask(self: Arc<Self>, mut turn: Turn<(), Lookup>) {
        while let Some(lookups) = turn.next(|waiting| waiting.len()) {
            let mut partitions: HashMap<u16, Vec<Lookup>> = HashMap::new();
            for lookup in lookups {
                partitions.entry(lookup.partition).or_default().push(lookup);
            }
            let asked = partitions.into_iter().map(|(partition, lookups)| self.ask_one(partition, lookups));
            join_all(asked).await;
        }
    }

    async fn ask_one(&self, partition: u16, lookups: Vec<Lookup>) {
        let hashes: Vec<Uuid> = lookups.iter().map(|lookup| lookup.hash).collect();
        let found = self.links.put(|session| async move { find(&session, partition, &hashes).await }).await;
        if let Err(fault) = &found {
            tracing::debug!(codes = lookups.len(), error = %Chain(fault), "codes could not be looked up");
        }
        for lookup in lookups {
            let answer = match &found {
                Ok(found) => Ok(found.get(&lookup.hash).copied()),
                Err(_) => Err(away()),
            };
            // Whoever went away needs no answer.
            let _gone = lookup.answer.send(answer);
        }
    }
}

async fn find(session: &Session, partition: u16, hashes: &[Uuid]) -> Result<HashMap<Uuid, Placement>> {
    let statement = session.find_in(partition).await?;
    let rows = session.client.query(statement, &[&hashes]).await.map_err(raw_fault)?;
    let read = |row: &tokio_postgres::Row| {
        let placement = Placement {
            publication: row.try_get(1)?,
            serial: row.try_get(2)?,
            activated_at: None,
            country: None,
            recalled_at: None,
        };
        Ok((row.try_get(0)?, placement))
    };
    rows.iter().map(read).collect::<std::result::Result<_, _>>().map_err(raw_fault)
}
