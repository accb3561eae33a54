//! What is asked of the vault beside the evidence itself: proofs of erasure, its audit log, work on all of a tenant's records,
//! and the keys that others verify with.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use mintmark_auth::Principal;
use mintmark_auth::action::{OperateEvidence, ReadEvidenceAudit, ViewErasureProof};
use mintmark_auth::policy::{OnTenant, Permit, authorize};
use mintmark_db::Pool;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{EvidenceId, JobId, TenantId};
use mintmark_rpc::client::EvidenceVault;
use mintmark_wire::evidence::v1 as wire;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::access;
use crate::store::tenants;

/// How long the vault's keys are given out without asking again: a new one is published that long before it signs.
const KEYS_FRESH: Duration = Duration::from_secs(60);
/// How long a vault that is away is not asked again by whoever wants its keys: anybody may, as often as they like.
const AWAY: Duration = Duration::from_secs(2);

/// What administrators and operators do with evidence.
#[derive(Clone)]
pub struct EvidenceAdmin {
    pool: Pool,
    vault: EvidenceVault,
}

/// Which entries of the vault's audit.
#[derive(Clone, Debug, Default)]
pub struct EntryQuery {
    /// In whose name.
    pub actor: Option<String>,
    /// What.
    pub action: Option<String>,
    /// To what kind of thing.
    pub resource_kind: Option<String>,
    /// To which one.
    pub resource_id: Option<String>,
    /// Not before.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: Option<DateTime<Utc>>,
}

impl EvidenceAdmin {
    /// Asks this vault.
    pub fn new(pool: Pool, vault: EvidenceVault) -> Self {
        EvidenceAdmin { pool, vault }
    }

    /// The proof of a record's erasure.
    pub async fn erasure_proof(
        &self,
        who: &Principal,
        id: EvidenceId,
    ) -> Result<wire::GetErasureProofResponse> {
        let permit: Permit<ViewErasureProof> =
            access::to_own_tenant(&mut *self.pool.get().await?, who).await?;
        let asked = wire::GetErasureProofRequest { evidence_id: id.to_string() };
        self.vault.get_erasure_proof(&permit, None, asked).await
    }

    /// The vault's audit entries of the caller's tenant, newest first; `after` is the vault's own cursor.
    pub async fn entries(
        &self,
        who: &Principal,
        query: EntryQuery,
        limit: u32,
        after: Option<String>,
    ) -> Result<wire::ListAuditEntriesResponse> {
        let permit: Permit<ReadEvidenceAudit> =
            access::to_own_tenant(&mut *self.pool.get().await?, who).await?;
        let asked = wire::ListAuditEntriesRequest {
            page_size: limit,
            page_token: after.unwrap_or_default(),
            actor: query.actor,
            action: query.action,
            resource_kind: query.resource_kind,
            resource_id: query.resource_id,
            from: query.from.map(stamp),
            to: query.to.map(stamp),
        };
        self.vault.list_audit_entries(&permit, None, asked).await
    }

    /// The proof that the vault's log holds an entry: one line of JSON.
    pub async fn entry_proof(&self, who: &Principal, entry: Uuid) -> Result<String> {
        let permit: Permit<ReadEvidenceAudit> =
            access::to_own_tenant(&mut *self.pool.get().await?, who).await?;
        let asked = wire::GetAuditProofRequest { entry_id: entry.to_string() };
        Ok(self.vault.get_audit_proof(&permit, None, asked).await?.proof)
    }

    /// Starts work on all records of a tenant (`retention`, `rotate-keys`, `recompute-retention`).
    pub async fn start(&self, who: &Principal, tenant: TenantId, kind: &str) -> Result<wire::Operation> {
        let permit = self.operator(who, tenant).await?;
        let kind = kind_named(kind).ok_or_else(|| {
            let sentence = "an operation on evidence is retention, rotate-keys or recompute-retention";
            Fault::invalid("OPERATION_KIND_INVALID", "kind", sentence)
        })?;
        let asked = wire::StartOperationRequest { kind: kind.into() };
        whole(self.vault.start_operation(&permit, None, asked).await?.operation)
    }

    /// How far such work is.
    pub async fn operation(&self, who: &Principal, tenant: TenantId, id: JobId) -> Result<wire::Operation> {
        let permit = self.operator(who, tenant).await?;
        let asked = wire::GetOperationRequest { operation_id: id.to_string() };
        whole(self.vault.get_operation(&permit, None, asked).await?.operation)
    }

    /// 404 for a tenant that does not exist: the vault knows none.
    async fn operator(&self, who: &Principal, tenant: TenantId) -> Result<Permit<OperateEvidence>> {
        let permit = authorize::<OperateEvidence>(who, OnTenant(tenant))?;
        tenants::tier(&mut *self.pool.get().await?, &permit).await?;
        Ok(permit)
    }
}

/// The word for a kind of operation, as clients spell it.
pub fn kind_word(kind: wire::OperationKind) -> &'static str {
    match kind {
        wire::OperationKind::Unspecified => "unknown",
        wire::OperationKind::Retention => "retention",
        wire::OperationKind::RotateKeys => "rotate-keys",
        wire::OperationKind::RecomputeRetention => "recompute-retention",
    }
}

fn kind_named(word: &str) -> Option<wire::OperationKind> {
    use wire::OperationKind::{RecomputeRetention, Retention, RotateKeys};
    [Retention, RotateKeys, RecomputeRetention].into_iter().find(|kind| kind_word(*kind) == word)
}

fn whole(operation: Option<wire::Operation>) -> Result<wire::Operation> {
    operation.ok_or_else(|| Fault::internal("the vault answered without an operation"))
}

fn stamp(at: DateTime<Utc>) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or_default();
    prost_types::Timestamp { seconds: at.timestamp(), nanos }
}

/// The vault's public keys, for anybody: asked for once a minute at most, whoever wants them.
#[derive(Clone)]
pub struct EvidenceKeys {
    vault: EvidenceVault,
    /// In whose name this service asks; the keys belong to no tenant.
    platform: TenantId,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    keys: Option<(Instant, Arc<wire::GetVerifyingKeysResponse>)>,
    away_since: Option<Instant>,
}

impl EvidenceKeys {
    /// The keys of this vault.
    ///
    /// # Errors
    /// When the platform's own name is no tenant's, which cannot be.
    pub fn new(vault: EvidenceVault) -> Result<Self> {
        let platform = TenantId::parse("mintmark").map_err(Fault::internal)?;
        Ok(EvidenceKeys { vault, platform, known: Arc::default() })
    }

    /// The keys; those of the last time while the vault is away.
    pub async fn current(&self) -> Result<Arc<wire::GetVerifyingKeysResponse>> {
        let mut known = self.known.lock().await;
        let last = known.keys.as_ref().map(|(at, keys)| (at.elapsed(), Arc::clone(keys)));
        let away = known.away_since.is_some_and(|since| since.elapsed() < AWAY);
        match last {
            Some((age, keys)) if age < KEYS_FRESH || away => return Ok(keys),
            None if away => return Err(unavailable()),
            _ => {}
        }
        match self.vault.get_verifying_keys(&self.platform).await {
            Ok(keys) => {
                let keys = Arc::new(keys);
                *known = Known { keys: Some((Instant::now(), Arc::clone(&keys))), away_since: None };
                Ok(keys)
            }
            Err(fault) => {
                known.away_since = Some(Instant::now());
                last.map(|(_, keys)| keys).ok_or(fault)
            }
        }
    }
}

fn unavailable() -> Fault {
    let sentence = "the evidence vault cannot be reached now; the same request may work later";
    Fault::unavailable("EVIDENCE_UNAVAILABLE", sentence).retry_after(AWAY)
}
