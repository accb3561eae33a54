//! The erasure of records, as a machine whose steps each leave something that the next run goes on from:
//!
//! 1. the row becomes `shredding`, with what its proof will say (nobody reads or holds the record from then on);
//! 2. the provider keeps a tombstone, which refuses the record also for a row that comes back from a backup;
//! 3. the proof is signed and stored, once;
//! 4. wrapped key, IV and tag are overwritten and deleted, the sealed digest is forgotten;
//! 5. the ciphertext is overwritten where that means something, deleted, and looked for;
//! 6. the row becomes `shredded` and the audit says so, with the proof;
//! 7. the soft delete.
//!
//! A run that meets a record between 6 and 7 met a crash: it adds a further proof with a nonce of its own, as the
//! specification says, in the transaction of 7.

use std::collections::HashMap;

use diesel_async::AsyncPgConnection;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use mintmark_auth::Actor;
use mintmark_db::transaction;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{EvidenceId, TenantId};
use serde_json::json;
use uuid::Uuid;

use super::{Lifecycle, events};
use crate::app::record::{Erasure, Record, State};
use crate::failpoint;
use crate::proof::{self, ErasureClaims};
use crate::provider::Tombstone;
use crate::store::proofs::{self, Proof};
use crate::store::shredding;

/// Objects that are erased, or questions that are put to the provider, at once.
const AT_ONCE: usize = 16;

impl Lifecycle {
    /// How many of the tenant's records are due.
    ///
    /// # Errors
    /// 503.
    pub async fn due(&self, tenant: &TenantId) -> Result<u64> {
        shredding::count_due(&mut *self.conn().await?, tenant).await
    }

    /// Erases a batch of what is due, together with what an earlier run left half erased. Gives back how many: 0 is the end.
    ///
    /// # Errors
    /// 503, `AUDIT_BEHIND` among them.
    pub async fn shred_batch(&self, tenant: &TenantId, actor: &Actor) -> Result<usize> {
        self.begin_due(tenant, actor).await?;
        failpoint::hit("shred.after_begin");
        self.shred_begun(tenant).await
    }

    /// Erases a batch of records whose erasure has begun.
    ///
    /// # Errors
    /// 503.
    pub(super) async fn shred_begun(&self, tenant: &TenantId) -> Result<usize> {
        let records = {
            let mut conn = self.conn().await?;
            shredding::unfinished(&mut conn, tenant, State::Shredding, self.batch()).await?
        };
        if records.is_empty() {
            return Ok(0);
        }
        let ids: Vec<EvidenceId> = records.iter().map(|record| record.id).collect();
        self.entomb(tenant, &records).await?;
        failpoint::hit("shred.after_tombstone");
        let proofs = self.prove(&records).await?;
        failpoint::hit("shred.after_proof");
        self.in_gate("evidence.shred_keys", async |conn: &mut AsyncPgConnection| {
            shredding::erase_keys(conn, tenant, &ids).await
        })
        .await?;
        failpoint::hit("shred.after_keys");
        self.erase_blobs(&records).await?;
        failpoint::hit("shred.after_blobs");
        // Steps 6 and 7 under one lock, so that no other process takes what lies between them for a crash.
        let mut guard = self.conn().await?;
        transaction("evidence.shred_end", &mut guard, async |guard: &mut AsyncPgConnection| {
            shredding::lock_end(guard, tenant).await?;
            self.in_gate("evidence.shredded", async |conn: &mut AsyncPgConnection| {
                finish(conn, tenant, &ids, &proofs).await
            })
            .await?;
            failpoint::hit("shred.after_shredded");
            shredding::delete(&mut *self.conn().await?, tenant, &ids).await
        })
        .await?;
        failpoint::hit("shred.after_delete");
        Ok(records.len())
    }

    /// Ends the erasures that a crash left between their audit entry and the soft delete, each with a further proof. Gives back
    /// how many.
    ///
    /// # Errors
    /// 503.
    pub async fn recover(&self, tenant: &TenantId) -> Result<usize> {
        let records = {
            let mut conn = self.conn().await?;
            shredding::unfinished(&mut conn, tenant, State::Shredded, self.batch()).await?
        };
        if records.is_empty() {
            return Ok(0);
        }
        let claims =
            records.iter().map(|record| claims(record, Some(Uuid::new_v4()))).collect::<Result<Vec<_>>>()?;
        let jwts = proof::erasure_proofs(self.parts.provider.as_ref(), &claims).await?;
        failpoint::hit("shred.after_recovery");
        let further: HashMap<EvidenceId, String> = records.iter().map(|record| record.id).zip(jwts).collect();
        let ids: Vec<EvidenceId> = records.iter().map(|record| record.id).collect();
        self.in_gate("evidence.shred_recovered", async |conn: &mut AsyncPgConnection| {
            // Whom another run has deleted meanwhile needs no further proof.
            shredding::lock_end(conn, tenant).await?;
            for id in shredding::delete(conn, tenant, &ids).await? {
                let Some(jwt) = further.get(&id) else { continue };
                proofs::add(conn, &[(id, Proof { erasure: false, jwt: jwt.clone() })]).await?;
                let detail = events::proof(jwt);
                events::of_record(conn, tenant, &super::VAULT, "ERASURE_PROOF_ADDED", id, detail).await?;
            }
            Ok(())
        })
        .await?;
        Ok(records.len())
    }

    /// Step 1. The provider is asked for holds while the rows are locked, so that nobody holds a record in between.
    async fn begin_due(&self, tenant: &TenantId, actor: &Actor) -> Result<()> {
        let by = actor.to_string();
        let held = self
            .in_gate("evidence.shred_begin", async |conn: &mut AsyncPgConnection| {
                let due = shredding::lock_due(conn, tenant, self.batch()).await?;
                let asked: Vec<_> = due.into_iter().map(|id| self.ask(tenant, id)).collect();
                let asked: Vec<(EvidenceId, bool)> =
                    stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
                let free: Vec<EvidenceId> =
                    asked.iter().filter(|(_, held)| !held).map(|(id, _)| *id).collect();
                shredding::begin(conn, tenant, &free, &by).await?;
                Ok(asked.into_iter().filter(|(_, held)| *held).map(|(id, _)| id).collect::<Vec<_>>())
            })
            .await?;
        // Whatever their rows say: they are held, and the next run does not find them due.
        for id in held {
            self.set_hold_right(tenant, id).await?;
        }
        Ok(())
    }

    /// Step 2.
    async fn entomb(&self, tenant: &TenantId, records: &[Record]) -> Result<()> {
        let tombstones = records.iter().map(|record| {
            Ok(Tombstone { tenant: tenant.clone(), record: record.id, at: erasure(record)?.at })
        });
        self.parts.provider.entomb(&tombstones.collect::<Result<Vec<_>>>()?).await
    }

    /// Step 3: gives back the proofs as they are stored.
    async fn prove(&self, records: &[Record]) -> Result<HashMap<EvidenceId, String>> {
        let ids: Vec<EvidenceId> = records.iter().map(|record| record.id).collect();
        let there = shredding::proofs(&mut *self.conn().await?, &ids).await?;
        let missing = records.iter().filter(|record| !there.contains_key(&record.id));
        let claims = missing.map(|record| claims(record, None)).collect::<Result<Vec<_>>>()?;
        if claims.is_empty() {
            return Ok(there);
        }
        let jwts = proof::erasure_proofs(self.parts.provider.as_ref(), &claims).await?;
        failpoint::hit("shred.after_sign");
        let new: Vec<(EvidenceId, Proof)> = claims
            .iter()
            .zip(jwts)
            .map(|(claims, jwt)| (claims.record, Proof { erasure: true, jwt }))
            .collect();
        let mut conn = self.conn().await?;
        proofs::add(&mut conn, &new).await?;
        // Another run may have been first; what is stored is what holds.
        shredding::proofs(&mut conn, &ids).await
    }

    /// Step 5.
    async fn erase_blobs(&self, records: &[Record]) -> Result<()> {
        let blobs: Vec<_> = records
            .iter()
            .filter_map(|record| record.blob.as_deref())
            .map(|blob| self.erase_blob(blob))
            .collect();
        stream::iter(blobs).buffer_unordered(AT_ONCE).try_collect().await
    }

    fn erase_blob<'a>(&'a self, blob: &'a str) -> BoxFuture<'a, Result<()>> {
        async move {
            self.parts.blobs.erase(blob).await?;
            failpoint::hit("shred.in_blobs");
            Ok(())
        }
        .boxed()
    }

    /// Whether the provider holds a record.
    fn ask<'a>(&'a self, tenant: &'a TenantId, id: EvidenceId) -> BoxFuture<'a, Result<(EvidenceId, bool)>> {
        async move { Ok((id, self.parts.provider.held(tenant, id).await?.is_some())) }.boxed()
    }

    /// A transaction in a database that is not an older one.
    pub(super) async fn in_gate<T, F>(&self, name: &'static str, body: F) -> Result<T>
    where
        T: Send,
        for<'r> F: AsyncFn(&'r mut AsyncPgConnection) -> Result<T>
            + mintmark_db::TransactionBody<&'r mut AsyncPgConnection, Result<T>, Fut: Send>
            + Send
            + Sync,
    {
        let mut conn = self.conn().await?;
        transaction(name, &mut conn, async |conn: &mut AsyncPgConnection| {
            self.parts.gate.check(conn).await?;
            body(conn).await
        })
        .await
    }
}

/// Step 6.
async fn finish(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    ids: &[EvidenceId],
    proofs: &HashMap<EvidenceId, String>,
) -> Result<()> {
    for record in shredding::finish(conn, tenant, ids).await? {
        let jwt = proofs.get(&record.id).ok_or_else(|| {
            Fault::internal(format!("{} was about to be erased without a proof", record.id))
        })?;
        let mut detail = events::proof(jwt);
        if let Some(sha256) = record.ciphertext_sha256 {
            detail["ciphertextSha256"] = json!(events::hex(&sha256));
        }
        // In the name in which the erasure began, also where another run ends it.
        let actor = erasure(&record)?.by.parse().unwrap_or(super::VAULT);
        events::of_record(conn, tenant, &actor, "EVIDENCE_SHREDDED", record.id, detail).await?;
    }
    Ok(())
}

fn erasure(record: &Record) -> Result<&Erasure> {
    let begun = record.erasure.as_ref();
    begun.ok_or_else(|| {
        Fault::internal(format!("the erasure of {} has begun and says nothing of itself", record.id))
    })
}

/// What a proof says: with a nonce of its own it is a recovery's.
fn claims(record: &Record, recovery: Option<Uuid>) -> Result<ErasureClaims> {
    let begun = erasure(record)?;
    Ok(ErasureClaims {
        tenant: record.tenant.clone(),
        record: record.id,
        erased_at: begun.at,
        nonce: recovery.unwrap_or(begun.nonce),
        actor: begun.by.clone(),
        recovery: recovery.is_some(),
        ciphertext_sha256: record.ciphertext_sha256,
    })
}
