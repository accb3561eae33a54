//! Creating a job, once for each name.

use diesel_async::AsyncPgConnection;
use mintmark_auth::action::{AnalyzePreflight, SubmitPreflight, WritePreflight};
use mintmark_auth::policy::{Action, OnTenant};
use mintmark_auth::{Permit, Principal};
use mintmark_db::transaction;
use mintmark_fault::{Fault, Kind, Result};
use mintmark_objects::{Pinned, Target};
use ring::digest::{SHA256, digest};
use serde::Serialize;
use uuid::Uuid;

use super::intent::Intent;
use super::job::Job;
use super::jobs::Jobs;
use super::names::{JobKey, PolicyRef};
use super::policies::{Known, resolve, unknown};
use super::{asker, permit};
use crate::jobs::{Preflight, PreflightPayload};
use crate::store::jobs::{self as rows, NewJob};

/// A job that somebody wants.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its name.
    pub key: JobKey,
    /// What to preflight.
    pub target: Target,
    /// By which policy.
    pub policy: PolicyRef,
    /// What the product shall be.
    pub intent: Option<Intent>,
    /// The batch whose codes are printed.
    pub batch: Option<String>,
    /// Whether the engine shall run at once.
    pub run: bool,
}

/// What a request says, in one form whatever edge it came by: the same name with another one of these is refused.
#[derive(Serialize)]
struct Said<'a> {
    target: String,
    policy: (&'a str, Option<&'a str>),
    intent: &'a Option<Intent>,
    batch: &'a Option<String>,
    run: bool,
}

impl Order {
    fn fingerprint(&self) -> Result<[u8; 32]> {
        let said = Said {
            target: self.target.to_string(),
            policy: (&self.policy.name, self.policy.version.as_deref()),
            intent: &self.intent,
            batch: &self.batch,
            run: self.run,
        };
        let text = serde_json::to_vec(&said).map_err(Fault::internal)?;
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest(&SHA256, &text).as_ref());
        Ok(fingerprint)
    }
}

impl Jobs {
    /// Creates a job by the first version of the interface, or finds the one that the same request created: `preflight:write`,
    /// and `preflight:analyze` where it runs at once. The flag: it was created now.
    ///
    /// # Errors
    /// 422 `JOB_ID_REUSED`, `POLICY_UNKNOWN`, `TARGET_NOT_ALLOWED`, `TARGET_MISSING`, `TARGET_TOO_LARGE`; 503.
    pub async fn create(&self, who: &Principal, order: &Order) -> Result<(Job, bool)> {
        self.create_under(who, permit::<WritePreflight>(who)?, order).await
    }

    /// The same by the second version, where `jobs:write` serves too.
    ///
    /// # Errors
    /// As [`Jobs::create`].
    pub async fn submit(&self, who: &Principal, order: &Order) -> Result<(Job, bool)> {
        self.create_under(who, permit::<SubmitPreflight>(who)?, order).await
    }

    async fn create_under<A: Action<On = OnTenant>>(
        &self,
        who: &Principal,
        permit: Permit<A>,
        order: &Order,
    ) -> Result<(Job, bool)> {
        if order.run {
            super::permit::<AnalyzePreflight>(who)?;
        }
        let request = order.fingerprint()?;
        let mut conn = self.pool.get().await?;
        if let Some((first, job)) = rows::created(&mut conn, &permit, &order.key).await? {
            return same(&first, &request, job);
        }
        let policy = resolve(&mut conn, &permit, &order.policy).await?;
        let policy = policy.ok_or_else(|| unknown(&order.policy))?;
        drop(conn);
        // Before the transaction: the store may take its time.
        let pin = self.accept(permit.tenant().as_str(), &order.target).await?;
        let asker = asker(who);
        let (permit, request, policy, pin) = (&permit, &request, &policy, &pin);
        let mut conn = self.pool.get().await?;
        transaction("preflight.create", &mut conn, async |conn: &mut AsyncPgConnection| {
            rows::hold_tenant(conn, permit).await?;
            if let Some((first, job)) = rows::created(conn, permit, &order.key).await? {
                return same(&first, request, job);
            }
            insert(conn, permit, order, (request, policy, pin, &asker)).await?;
            Ok((rows::find(conn, permit, &order.key).await?, true))
        })
        .await
    }

    /// The version of the file that is there now, when it is one that may be read.
    async fn accept(&self, tenant: &str, target: &Target) -> Result<Pinned> {
        let pin = self.intake.pin(tenant, target).await?;
        if pin.bytes > self.max_file_bytes {
            let sentence = format!(
                "the file has {} bytes, and {} is the most that is preflighted",
                pin.bytes, self.max_file_bytes
            );
            return Err(Fault::new(Kind::Unprocessable, "TARGET_TOO_LARGE", sentence).field("targetFile"));
        }
        Ok(pin)
    }
}

async fn insert<A: Action<On = OnTenant>>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    order: &Order,
    (request, policy, pin, asker): (&[u8; 32], &Known, &Pinned, &str),
) -> Result<()> {
    let id = Uuid::now_v7();
    let queue = match order.run {
        true => {
            let payload = PreflightPayload { id };
            Some(mintmark_jobs::enqueue::<Preflight>(conn, permit.tenant(), permit.actor(), &payload).await?)
        }
        false => None,
    };
    let new = NewJob {
        key: &order.key,
        request,
        target_file: order.target.to_string(),
        pin,
        policy: &policy.name,
        policy_version: &policy.version,
        intent: order.intent.as_ref(),
        batch: order.batch.as_deref(),
        queue,
        created_by: asker,
    };
    rows::insert(conn, permit, id, &new).await
}

/// The job of that name, for whoever asked for that very job.
fn same(first: &[u8], request: &[u8; 32], job: Job) -> Result<(Job, bool)> {
    if first == request {
        return Ok((job, false));
    }
    let sentence = "a job of this name was created by another request: give a new job a new jobId";
    Err(Fault::new(Kind::Unprocessable, "JOB_ID_REUSED", sentence).field("jobId"))
}
