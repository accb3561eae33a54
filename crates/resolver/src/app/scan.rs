//! A scan: from a code to a verdict (DESIGN §6).

use std::sync::Arc;

use chrono::{DateTime, Utc};
use mintmark_codes::{Code, CodeDigest, Gtin, StoredHash};
use mintmark_fault::{Chain, Fault};

use super::cache::{CodeCache, Placement};
use super::directory_state::{DirectoryState, Mode};
use super::metrics::ScanMetrics;
use super::network::Network;
use super::telemetry::{ScanEvent, Telemetry};
use super::verdict::{Activation, Outcome, Unit, Verdict};
use super::visitor::DeviceClass;
use crate::store::scan::ScanStore;

/// Who scans: a person leaves traces, a machine none.
#[derive(Clone, Copy, Debug)]
pub enum Visitor {
    /// A person.
    Person {
        /// The kind of device.
        device: DeviceClass,
        /// The block of addresses that the scan came from.
        network: Network,
    },
    /// A crawler, a previewer, a prefetch, a HEAD.
    Machine,
}

/// Everything that answers scans. One a process, shared by all workers; nothing in it is locked for a scan.
pub struct Scanner {
    state: Arc<DirectoryState>,
    cache: CodeCache,
    store: ScanStore,
    telemetry: Telemetry,
    metrics: ScanMetrics,
}

impl Scanner {
    /// Puts the parts together.
    pub fn new(
        state: Arc<DirectoryState>,
        cache: CodeCache,
        store: ScanStore,
        telemetry: Telemetry,
        metrics: ScanMetrics,
    ) -> Self {
        Scanner { state, cache, store, telemetry, metrics }
    }

    /// Judges a code; `gtin` is the one that the link names, which must then be the product's.
    ///
    /// For a person it activates where the mode says so, and leaves a row of telemetry.
    pub async fn scan(&self, code: &Code, gtin: Option<&Gtin>, visitor: Visitor) -> Verdict {
        let person = matches!(visitor, Visitor::Person { .. });
        let (verdict, placement) = self.judge(code, gtin, person).await;
        let outcome = Outcome::of(&verdict);
        self.metrics.scanned(outcome);
        if let Visitor::Person { device, network } = visitor {
            self.telemetry.record(ScanEvent {
                at: Utc::now(),
                publication: placement.map(|placement| placement.publication),
                serial: placement.map(|placement| placement.serial),
                outcome,
                device,
                network,
            });
        }
        verdict
    }

    /// The verdict, and the placement where telemetry may name it: an unknown code names nothing.
    async fn judge(&self, code: &Code, gtin: Option<&Gtin>, person: bool) -> (Verdict, Option<Placement>) {
        let (hash, placement) = match self.locate(code).await {
            Ok(Some(found)) => found,
            Ok(None) => return (Verdict::Unknown, None),
            Err(Unconfirmable) => return (Verdict::Unconfirmed, None),
        };
        let unit = {
            let Some(snapshot) = self.state.fresh() else {
                return (Verdict::Unconfirmed, None);
            };
            let Some(publication) = snapshot.publications.get(&placement.publication) else {
                return (Verdict::Unknown, None);
            };
            let Some(product) = snapshot.products.get(&publication.product) else {
                return (Verdict::Unconfirmed, None);
            };
            if gtin.is_some_and(|gtin| gtin.as_str() != product.gtin) {
                return (Verdict::Unknown, None);
            }
            Unit { product: product.clone(), publication: publication.clone(), serial: placement.serial }
        };
        if unit.publication.revoked_at.is_some() {
            return (Verdict::Recalled(unit), Some(placement));
        }
        let verdict = match self.activation(&unit, hash, placement, person).await {
            Ok(activation) => Verdict::Genuine(unit, activation),
            Err(Unconfirmable) => Verdict::Unconfirmed,
        };
        (verdict, Some(placement))
    }

    async fn locate(&self, code: &Code) -> Result<Option<(StoredHash, Placement)>, Unconfirmable> {
        let partition = code.partition().get();
        // The counter is read before the directory is asked: whatever is published afterwards moves it.
        let (hash, counter) = {
            let snapshot = self.state.fresh().ok_or(Unconfirmable)?;
            match snapshot.partitions.get(&partition) {
                None => return Ok(None),
                // Opened under a pepper that this process was not given: the code may well be genuine.
                Some(None) => return Err(Unconfirmable),
                Some(Some(pepper)) => (pepper.hash(&CodeDigest::of(code)), snapshot.counter),
            }
        };
        if let Some(known) = self.cache.get(hash.as_u128(), counter) {
            self.metrics.cache_hit();
            return Ok(known.map(|placement| (hash, placement)));
        }
        self.metrics.cache_miss();
        match self.store.find(partition, hash).await.map_err(unconfirmable)? {
            Some(placement) => {
                self.cache.placed(hash.as_u128(), placement);
                Ok(Some((hash, placement)))
            }
            None => {
                self.cache.absent(hash.as_u128(), counter);
                Ok(None)
            }
        }
    }

    async fn activation(
        &self,
        unit: &Unit,
        hash: StoredHash,
        placement: Placement,
        person: bool,
    ) -> Result<Activation, Unconfirmable> {
        match unit.publication.mode {
            Mode::Static => return Ok(Activation::Static),
            Mode::FirstScan if !person => return Ok(Activation::NotAsked),
            Mode::FirstScan => {}
        }
        if let Some(known) = placement.activated_at.and_then(DateTime::from_timestamp_micros) {
            return Ok(Activation::Since(known));
        }
        let attempt = self.store.activate(hash, placement).await.map_err(unconfirmable)?;
        // Recalled within the last second: the directory knows it and our state does not yet.
        let at = attempt.activated_at.ok_or(Unconfirmable)?;
        self.cache
            .placed(hash.as_u128(), Placement { activated_at: Some(at.timestamp_micros()), ..placement });
        Ok(if attempt.won { Activation::Now(at) } else { Activation::Since(at) })
    }
}

/// Neither genuine nor unknown can be said now.
struct Unconfirmable;

#[expect(clippy::needless_pass_by_value, reason = "it is the end of the fault")]
fn unconfirmable(fault: Fault) -> Unconfirmable {
    tracing::debug!(error = %Chain(&fault), "a scan could not be confirmed");
    Unconfirmable
}
