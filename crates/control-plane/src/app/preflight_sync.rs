//! The registry of preflight jobs: taken over from the gateway when the operator asks, by a token minted for each tenant.
//!
//! The operator's own credential ends at the edge. `X-Upstream-Token` is verified and narrows the sync; it never goes on
//! either: what the gateway gets is minted here, for one tenant, with the one scope that reads its jobs.

use std::time::{Duration, Instant};

use chrono::Utc;
use diesel_async::AsyncPgConnection;
use mintmark_audit::{self as audit, AuditEvent};
use mintmark_auth::action::{ManageTenants, ReadPreflightRegistry, SyncPreflightJobs};
use mintmark_auth::policy::{OnPlatform, OnTenant, Permit, authorize};
use mintmark_auth::{PreflightGrant, Principal, ServiceCaller, ServiceVerifier, Tier, TokenSource};
use mintmark_db::{Conn, Pool, transaction};
use mintmark_fault::{Chain, Fault, Kind, Result};
use mintmark_ids::TenantId;
use mintmark_rpc::client::Preflight;
use mintmark_wire::preflight::v1::{ListChangedJobsRequest, ListChangedJobsResponse};
use serde_json::json;

use crate::store::page::{Slice, Window};
use crate::store::preflight_jobs::syncing::{self, Cursor, Written};
use crate::store::preflight_jobs::{self, Query, RegisteredJob};
use crate::store::tenants;

/// The tenant of a sync that names none (preflight-auth-contract, section 2).
const DEFAULT_TENANT: &str = "ppos-production-worker";
/// Jobs of one page and of one transaction; the gateway gives no more.
const JOBS: u32 = 1_000;
/// Tenants of a sweep that are looked up at a time.
const TENANTS: u32 = 200;
/// A sync ends here and says that there is more: its caller waits.
const BUDGET: Duration = Duration::from_secs(40);

/// Whose jobs are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The tenant of the upstream token, or the default one.
    Default,
    /// One tenant.
    Tenant(TenantId),
    /// Every tenant; with an upstream token that one's alone.
    All,
}

/// What a sync did.
#[derive(Debug, Default)]
pub struct Synced {
    /// By tenant, in the order of the work.
    pub tenants: Vec<SyncedTenant>,
    /// Tenants whose jobs could not be taken over, and why.
    pub failures: Vec<FailedTenant>,
    /// Tenants of a sweep that were not tried: the gateway went away, or the time was over.
    pub skipped: u64,
}

/// What a sync did for one tenant.
#[derive(Debug)]
pub struct SyncedTenant {
    /// Which.
    pub tenant: TenantId,
    /// Jobs that the gateway handed out.
    pub received: u64,
    /// Jobs that were not in the registry.
    pub created: u64,
    /// Jobs that were there in an older form.
    pub updated: u64,
    /// The revision up to which the registry has the tenant's jobs.
    pub cursor: u64,
    /// Whether the gateway has more: the time was over.
    pub more: bool,
}

/// A tenant whose jobs could not be taken over.
#[derive(Debug)]
pub struct FailedTenant {
    /// Which.
    pub tenant: TenantId,
    /// A stable code.
    pub code: String,
    /// A sentence.
    pub detail: String,
}

/// The registry, and taking jobs over into it.
#[derive(Clone)]
pub struct PreflightSync {
    pool: Pool,
    gateway: Preflight,
    source: TokenSource,
    verifier: ServiceVerifier,
}

impl PreflightSync {
    /// Tokens for the gateway are made by `source`; `verifier` judges PREFLIGHT_JWTs that narrow a sync.
    pub fn new(pool: Pool, gateway: Preflight, source: TokenSource, verifier: ServiceVerifier) -> Self {
        PreflightSync { pool, gateway, source, verifier }
    }

    /// Takes changed jobs over. 401 `AUTHENTICATION_REQUIRED` for an upstream token that does not verify, 403 for one of
    /// another tenant or without the scope, 404 for a tenant that there is not, 503 while the gateway is away.
    pub async fn sync(&self, who: &Principal, scope: Scope, upstream: Option<&str>) -> Result<Synced> {
        let all: Permit<ManageTenants> = authorize(who, OnPlatform)?;
        let upstream = upstream
            .map(|token| self.verifier.verify(token))
            .transpose()
            .map_err(|error| Fault::from(error).field("X-Upstream-Token"))?;
        let began = Instant::now();
        let tenant = match (scope, &upstream) {
            (Scope::All, None) => return self.sweep(who, &all, began).await,
            (Scope::Tenant(tenant), _) => tenant,
            (Scope::All | Scope::Default, Some(upstream)) => upstream.tenant().clone(),
            (Scope::Default, None) => TenantId::parse(DEFAULT_TENANT)
                .map_err(|error| Fault::internal(format!("the default tenant: {error}")))?,
        };
        let done = self.one(who, tenant, upstream.as_ref(), began).await?;
        Ok(Synced { tenants: vec![done], ..Synced::default() })
    }

    /// The registry, those first that were seen here last.
    pub async fn list(&self, who: &Principal, query: &Query, window: Window) -> Result<Slice<RegisteredJob>> {
        let permit: Permit<ReadPreflightRegistry> = authorize(who, OnPlatform)?;
        let mut conn = self.pool.get().await?;
        preflight_jobs::list(&mut conn, &permit, query, window).await
    }

    /// Every tenant, one after the other. What fails for one says so beside the others; a gateway that is away ends the sweep,
    /// and is the answer where nothing was done before.
    async fn sweep(&self, who: &Principal, all: &Permit<ManageTenants>, began: Instant) -> Result<Synced> {
        let mut synced = Synced::default();
        let mut away = None;
        let mut after = None;
        loop {
            let mut conn = self.pool.get().await?;
            let page = tenants::list(&mut conn, all, Window { limit: TENANTS, after }).await?;
            drop(conn);
            for tenant in page.items {
                if away.is_some() || began.elapsed() > BUDGET {
                    synced.skipped += 1;
                    continue;
                }
                match self.one(who, tenant.id.clone(), None, began).await {
                    Ok(done) => synced.tenants.push(done),
                    Err(fault) => {
                        synced.failures.push(failed(tenant.id, &fault));
                        away = (fault.kind() == Kind::Unavailable).then_some(fault);
                    }
                }
            }
            let Some(next) = page.next else { break };
            after = Some(next);
        }
        match away {
            Some(fault) if synced.tenants.is_empty() => Err(fault),
            _ => Ok(synced),
        }
    }

    async fn one(
        &self,
        who: &Principal,
        tenant: TenantId,
        upstream: Option<&ServiceCaller>,
        began: Instant,
    ) -> Result<SyncedTenant> {
        let permit: Permit<SyncPreflightJobs> = authorize(who, OnTenant(tenant))?;
        let grant = PreflightGrant::for_sync(&permit, upstream)?;
        let mut conn = self.pool.get().await?;
        let tier = tenants::tier(&mut conn, &permit).await.map_err(|fault| fault.field("tenantId"))?;
        let mut cursor = syncing::cursor(&mut conn, &permit).await?;
        drop(conn);
        let tenant = permit.tenant().clone();
        let mut done =
            SyncedTenant { tenant, received: 0, created: 0, updated: 0, cursor: cursor.revision, more: true };
        while done.more && began.elapsed() < BUDGET {
            if upstream.is_some_and(|upstream| upstream.expires_at() <= Utc::now()) {
                return Err(Fault::unauthenticated().field("X-Upstream-Token"));
            }
            let page = match self.page(&grant, tier, &cursor).await {
                Err(fault) if fault.code() == "JOBS_RESTARTED" && cursor != Cursor::default() => {
                    cursor = self.start_again(&permit, &cursor).await?;
                    continue;
                }
                page => page?,
            };
            let mut conn = self.pool.get().await?;
            match apply(&mut conn, &permit, &cursor, &page).await? {
                Some(written) => {
                    done.received += page.jobs.len() as u64;
                    done.created += written.created;
                    done.updated += written.updated;
                    done.more = page.more;
                    cursor = Cursor { revision: page.next_cursor, mark: page.mark };
                }
                // Another sync of this tenant was faster: what it wrote is what we would have written.
                None => cursor = syncing::cursor(&mut conn, &permit).await?,
            }
            done.cursor = cursor.revision;
        }
        Ok(done)
    }

    /// One page, under a token of its own.
    async fn page(
        &self,
        grant: &PreflightGrant,
        tier: Tier,
        cursor: &Cursor,
    ) -> Result<ListChangedJobsResponse> {
        let token = self.source.preflight_call(grant, tier);
        let message =
            ListChangedJobsRequest { cursor: cursor.revision, limit: JOBS, mark: cursor.mark.clone() };
        self.gateway.list_changed_jobs(&token, message).await.map_err(|fault| match fault.kind() {
            // Who asked has every right here; it is our own token that the gateway does not take.
            Kind::Forbidden => Fault::internal(fault),
            _ => fault,
        })
    }

    async fn start_again(&self, permit: &Permit<SyncPreflightJobs>, from: &Cursor) -> Result<Cursor> {
        tracing::warn!(
            "the preflight gateway was restored from a backup: the tenant's jobs are taken over again"
        );
        let mut conn = self.pool.get().await?;
        transaction("preflight_jobs.start_again", &mut conn, async |conn: &mut AsyncPgConnection| {
            syncing::start_again(conn, permit, from.revision).await
        })
        .await?;
        syncing::cursor(&mut conn, permit).await
    }
}

/// Rows, cursor and the audit's entry, or nothing.
async fn apply(
    conn: &mut Conn,
    permit: &Permit<SyncPreflightJobs>,
    from: &Cursor,
    page: &ListChangedJobsResponse,
) -> Result<Option<Written>> {
    transaction("preflight_jobs.apply", conn, async |conn: &mut AsyncPgConnection| {
        let Some(written) = syncing::apply(conn, permit, from.revision, page).await? else { return Ok(None) };
        let detail = json!({
            "received": page.jobs.len(), "created": written.created, "updated": written.updated,
            "cursor": page.next_cursor,
        });
        let (of, by) = (permit.tenant(), permit.actor());
        let act = AuditEvent::allowed(Some(of), by, "PREFLIGHT_JOBS_SYNCED", ("tenant", of), detail);
        audit::record(conn, &act).await?;
        Ok(Some(written))
    })
    .await
}

/// One tenant's failure, beside the others' success. What is not for the client's eyes is for the log alone.
fn failed(tenant: TenantId, fault: &Fault) -> FailedTenant {
    tracing::warn!(tenant.id = %tenant, error = %Chain(fault), "preflight jobs of a tenant were not taken over");
    FailedTenant { tenant, code: fault.code().to_owned(), detail: fault.message().to_owned() }
}
