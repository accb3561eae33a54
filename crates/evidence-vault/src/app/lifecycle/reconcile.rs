//! Setting rows right by what the provider keeps: after a crash between the two, and after a restore of an older database.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use diesel_async::AsyncPgConnection;
use mintmark_fault::Result;
use mintmark_ids::{EvidenceId, KekId, TenantId};
use mintmark_service::telemetry;
use opentelemetry::metrics::Gauge;
use serde_json::json;

use super::{Lifecycle, VAULT, events};
use crate::app::record::State;
use crate::failpoint;
use crate::provider::Hold;
use crate::store::keks::{self, Kek, KekState};
use crate::store::records::{self, Lock};
use crate::store::{keys, reconciling, shredding};

static KEYS_MISSING: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    telemetry::meter()
        .u64_gauge("evidence.keys.missing")
        .with_description("Key-encryption keys that rows refer to and the provider does not have: their records are unreadable")
        .build()
});
static KEYS_UNKNOWN: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    telemetry::meter()
        .u64_gauge("evidence.keys.unknown")
        .with_description(
            "Key-encryption keys that the provider has and no row knows, as after a restore of the database",
        )
        .build()
});

/// What was set right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Records that have a tombstone and were whole here: their erasure is taken up again.
    pub erasures: u64,
    /// Records that the provider holds and the rows did not.
    pub holds: u64,
    /// Holds of records that are erased or whose hold was lifted.
    pub released: u64,
    /// Keys that rows refer to and the provider does not have.
    pub missing: u64,
}

impl Lifecycle {
    /// Compares everything that the provider keeps with the rows, and sets the rows right.
    ///
    /// # Errors
    /// 503, `AUDIT_BEHIND` among them: until a new log is opened nothing is decrypted or erased here.
    pub async fn reconcile(&self) -> Result<Reconciled> {
        let mut done = Reconciled::default();
        for stone in self.parts.provider.tombstones().await? {
            done.erasures += u64::from(self.erase_again(&stone).await?);
        }
        failpoint::hit("reconcile.after_tombstones");
        for hold in self.parts.provider.holds().await? {
            match self.set_right(&hold).await? {
                Right::Held => done.holds += 1,
                Right::Released => done.released += 1,
                Right::Already => {}
            }
        }
        failpoint::hit("reconcile.after_holds");
        self.hold_again().await?;
        done.missing = self.compare_keys().await?;
        if done != Reconciled::default() {
            tracing::warn!(
                erasures = done.erasures,
                holds = done.holds,
                released = done.released,
                missing = done.missing,
                "rows were behind the key provider and are set right"
            );
        }
        Ok(done)
    }

    /// A record with a tombstone is erased to the end, whatever its row says.
    async fn erase_again(&self, stone: &crate::provider::Tombstone) -> Result<bool> {
        self.in_gate("evidence.erase_again", async |conn: &mut AsyncPgConnection| {
            let by = VAULT.to_string();
            let begun = shredding::begin_again(conn, &stone.tenant, stone.record, stone.at, &by).await?;
            if begun {
                let detail = json!({ "tombstone": stone.at.to_rfc3339() });
                events::of_record(conn, &stone.tenant, &VAULT, "ERASURE_RESUMED", stone.record, detail)
                    .await?;
            }
            Ok(begun)
        })
        .await
    }

    /// Sets a record right that the provider holds, as it stands there now.
    pub(super) async fn set_hold_right(&self, tenant: &TenantId, record: EvidenceId) -> Result<()> {
        if let Some(hold) = self.parts.provider.held(tenant, record).await? {
            self.set_right(&hold).await?;
        }
        Ok(())
    }

    async fn set_right(&self, hold: &Hold) -> Result<Right> {
        let entombed = self.parts.provider.is_entombed(&hold.tenant, hold.record).await?;
        let right = self
            .in_gate("evidence.hold_right", async |conn: &mut AsyncPgConnection| {
                hold_right(conn, hold, entombed).await
            })
            .await?;
        if right == Right::Released {
            self.parts.provider.release(&hold.tenant, hold.record).await?;
        }
        Ok(right)
    }

    /// Holds whose rows are right and that the provider lost between two of its own steps are kept there again.
    async fn hold_again(&self) -> Result<()> {
        let mut after = None;
        loop {
            let held = reconciling::held(&mut *self.conn().await?, after, self.batch()).await?;
            let Some((_, last)) = held.last() else { return Ok(()) };
            after = Some(*last);
            for (tenant, record) in &held {
                if self.parts.provider.held(tenant, *record).await?.is_some() {
                    continue;
                }
                self.in_gate("evidence.hold_again", async |conn: &mut AsyncPgConnection| {
                    let row = records::find_any(conn, tenant, *record, Lock::Update).await?;
                    let key = keys::find(conn, *record).await?;
                    let (Some(row), Some(key)) = (row, key) else { return Ok(()) };
                    if row.legal_hold && self.parts.provider.exists(key.kek).await? {
                        let hold = Hold { tenant: tenant.clone(), record: *record, key };
                        self.parts.provider.hold(&hold).await?;
                    }
                    Ok(())
                })
                .await?;
            }
        }
    }

    /// Reports keys that one side knows and the other does not; destroys again what rows call destroyed.
    async fn compare_keys(&self) -> Result<u64> {
        let (rows, there) = {
            let mut conn = self.conn().await?;
            let rows = reconciling::living_keks(&mut conn).await?;
            (rows, self.parts.provider.keys().await?)
        };
        let there: HashMap<KekId, TenantId> = there.into_iter().map(|(tenant, kek)| (kek, tenant)).collect();
        let known: HashSet<KekId> = rows.iter().map(|kek| kek.id).collect();
        let mut missing = 0;
        for kek in rows.iter().filter(|kek| !there.contains_key(&kek.id)) {
            missing += u64::from(self.report_missing(kek).await?);
        }
        let strangers: Vec<KekId> = there.keys().filter(|kek| !known.contains(kek)).copied().collect();
        let gone = reconciling::destroyed_among(&mut *self.conn().await?, &strangers).await?;
        for kek in &gone {
            self.parts.provider.destroy(*kek).await?;
        }
        KEYS_MISSING.record(missing, &[]);
        KEYS_UNKNOWN.record((strangers.len() - gone.len()) as u64, &[]);
        Ok(missing)
    }

    /// Audited once: the key takes nothing any more from then on. False for a key without references, which closes and is
    /// written down as destroyed by the next run.
    async fn report_missing(&self, kek: &Kek) -> Result<bool> {
        self.in_gate("evidence.kek_missing", async |conn: &mut AsyncPgConnection| {
            // Asked again under the row's lock: it may have been made or destroyed since the two lists were read.
            let row = keks::find(conn, &kek.tenant, kek.id).await?;
            let living = row.is_some_and(|row| matches!(row.state, KekState::Active | KekState::Closing));
            if !living || self.parts.provider.exists(kek.id).await? {
                return Ok(false);
            }
            let records = crate::store::rotation::references(conn, kek.id).await?;
            if keks::close(conn, &kek.tenant, kek.id).await? {
                let detail = json!({ "records": records, "provider": self.parts.provider.name() });
                events::of_kek(conn, &kek.tenant, &VAULT, "KEK_MISSING", kek.id, detail).await?;
            }
            Ok(records > 0)
        })
        .await
    }
}

/// What became of a hold that the provider keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    /// The row is held now.
    Held,
    /// The hold is none any more.
    Released,
    /// Nothing was to be done.
    Already,
}

async fn hold_right(conn: &mut AsyncPgConnection, hold: &Hold, entombed: bool) -> Result<Right> {
    let (tenant, record) = (&hold.tenant, hold.record);
    let Some(row) = records::find_any(conn, tenant, record, Lock::Update).await? else {
        // A database from before its upload: the hold waits for a newer one.
        return Ok(Right::Already);
    };
    let lifted = keks::find(conn, tenant, hold.key.kek)
        .await?
        .is_some_and(|kek| matches!(kek.state, KekState::Closing | KekState::Destroyed));
    // An erasure that has its tombstone is past the question whether the record is held.
    if entombed || lifted || row.state == State::Shredded {
        return Ok(Right::Released);
    }
    if row.state != State::Stored {
        return Ok(Right::Already);
    }
    if row.legal_hold && keys::find(conn, record).await?.as_ref() == Some(&hold.key) {
        return Ok(Right::Already);
    }
    reconciling::put_hold_kek(conn, tenant, record, hold.key.kek).await?;
    keys::put(conn, record, &hold.key).await?;
    records::set_hold(conn, tenant, record, true).await?;
    let detail = json!({ "kek": hold.key.kek.to_string(), "reconciled": true });
    events::of_record(conn, tenant, &VAULT, "LEGAL_HOLD_SET", record, detail).await?;
    Ok(Right::Held)
}
