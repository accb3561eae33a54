//! A scan: from a code to a verdict (DESIGN §6).

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use mintmark_codes::{Code, CodeDigest, Gtin, StoredHash};
use mintmark_fault::{Chain, Fault};

use super::cache::{CodeCache, Placement};
use super::directory_state::{DirectoryState, Mode};
use super::geo::Origin;
use super::metrics::ScanMetrics;
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
        /// Where the scan came from.
        origin: Origin,
    },
    /// A crawler, a previewer, a prefetch, a HEAD.
    Machine,
}

/// What a request wants of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// To know whether it is genuine: a scan.
    Scan,
    /// To activate it where that needs a confirmation: the button was pressed.
    Confirm,
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
    pub async fn scan(&self, code: &Code, gtin: Option<&Gtin>, visitor: Visitor, intent: Intent) -> Verdict {
        let started = Instant::now();
        let (verdict, placement) = self.judge(code, gtin, visitor, intent).await;
        let outcome = Outcome::of(&verdict);
        self.metrics.scanned(outcome, started.elapsed());
        // The scan that showed the button was counted; the button counts when it activates.
        let counts = intent == Intent::Scan || outcome == Outcome::ActivatedNow;
        if let Visitor::Person { device, origin } = visitor
            && counts
        {
            self.telemetry.record(ScanEvent {
                at: Utc::now(),
                publication: placement.map(|placement| placement.publication),
                product: self.state.product_of(placement.map(|placement| placement.publication), gtin),
                serial: placement.map(|placement| placement.serial),
                outcome,
                device,
                origin,
            });
        }
        verdict
    }

    /// The verdict, and the placement where telemetry may name it: a code that nobody published names nothing.
    async fn judge(
        &self,
        code: &Code,
        gtin: Option<&Gtin>,
        visitor: Visitor,
        intent: Intent,
    ) -> (Verdict, Option<Placement>) {
        let (hash, placement) = match self.locate(code).await {
            Ok(Some(found)) => found,
            Ok(None) => return (Verdict::Unknown, None),
            Err(Unconfirmable) => return (Verdict::Unconfirmed, None),
        };
        let (unit, recalled_alone) = {
            let Some(snapshot) = self.state.fresh() else {
                return (Verdict::Unconfirmed, None);
            };
            let Some(publication) = snapshot.publications.get(&placement.publication) else {
                // Not sealed, or given up: looks unknown, and telemetry knows better.
                return (Verdict::Unknown, Some(placement));
            };
            let Some(product) = snapshot.products.get(&publication.product) else {
                return (Verdict::Unconfirmed, None);
            };
            if gtin.is_some_and(|gtin| gtin.as_str() != product.gtin) {
                return (Verdict::Unknown, None);
            }
            let revoked = snapshot.revoked.get(&placement.publication);
            let unit =
                Unit { product: product.clone(), publication: publication.clone(), serial: placement.serial };
            (unit, revoked.is_some_and(|serials| serials.contains(placement.serial)))
        };
        if let Some(at) = unit.publication.revoked_at {
            return (Verdict::Recalled(unit, Some(at)), Some(placement));
        }
        if recalled_alone {
            let at = self.recalled_at(hash, placement).await;
            return (Verdict::Recalled(unit, at), Some(placement));
        }
        let verdict = match self.activation(&unit, hash, placement, visitor, intent).await {
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

    /// When a code was recalled alone. That it is recalled is known; without the time the answer is still true.
    async fn recalled_at(&self, hash: StoredHash, placement: Placement) -> Option<DateTime<Utc>> {
        if let Some(known) = placement.recalled_at {
            return DateTime::from_timestamp_micros(known);
        }
        let at = self.store.recalled_at(hash).await.map_err(unconfirmable).ok().flatten()?;
        self.cache
            .placed(hash.as_u128(), Placement { recalled_at: Some(at.timestamp_micros()), ..placement });
        Some(at)
    }

    async fn activation(
        &self,
        unit: &Unit,
        hash: StoredHash,
        placement: Placement,
        visitor: Visitor,
        intent: Intent,
    ) -> Result<Activation, Unconfirmable> {
        let (person, country) = match visitor {
            Visitor::Person { origin, .. } => (true, origin.country),
            Visitor::Machine => (false, None),
        };
        let mode = unit.publication.mode;
        match mode {
            Mode::Static => return Ok(Activation::Static),
            // There is no button to press, so whoever posts made the request up: it is no scan.
            Mode::FirstScan if !person || intent == Intent::Confirm => return Ok(Activation::NotAsked),
            Mode::FirstScan | Mode::ConfirmedScan => {}
        }
        if let Some(known) = placement.activated_at.and_then(DateTime::from_timestamp_micros) {
            return Ok(Activation::Since(known, placement.country));
        }
        let confirmed = person && intent == Intent::Confirm;
        let attempt =
            self.store.activate(hash, placement, confirmed, country).await.map_err(unconfirmable)?;
        if attempt.activated_at.is_none() && mode == Mode::ConfirmedScan && !confirmed {
            return Ok(Activation::Awaiting);
        }
        // Recalled within the last second: the directory knows it and our state does not yet.
        let at = attempt.activated_at.ok_or(Unconfirmable)?;
        let (activated_at, country) = (Some(at.timestamp_micros()), attempt.country);
        self.cache.placed(hash.as_u128(), Placement { activated_at, country, ..placement });
        Ok(if attempt.won { Activation::Now(at) } else { Activation::Since(at, country) })
    }
}

/// Neither genuine nor unknown can be said now.
struct Unconfirmable;

#[expect(clippy::needless_pass_by_value, reason = "it is the end of the fault")]
fn unconfirmable(fault: Fault) -> Unconfirmable {
    tracing::debug!(error = %Chain(&fault), "a scan could not be confirmed");
    Unconfirmable
}
