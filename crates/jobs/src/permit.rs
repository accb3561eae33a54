use std::marker::PhantomData;

use mintmark_auth::Actor;
use mintmark_ids::{JobId, TenantId};

use crate::JobKind;
use crate::claimed::Claimed;

/// Leave to do the work of one job: for its kind, its tenant and in the name of the actor who asked for it.
///
/// Only a claim makes one. It says what may be done, not that the lease still holds: rows are protected by
/// [`JobContext::fenced`](crate::JobContext::fenced).
pub struct JobPermit<K> {
    job: JobId,
    tenant: TenantId,
    actor: Actor,
    fence: i64,
    attempt: u32,
    kind: PhantomData<fn() -> K>,
}

impl<K: JobKind> JobPermit<K> {
    pub(crate) fn of(claimed: &Claimed) -> Self {
        Self {
            job: claimed.id,
            tenant: claimed.tenant.clone(),
            actor: claimed.actor,
            fence: claimed.fence,
            attempt: claimed.attempt,
            kind: PhantomData,
        }
    }

    /// The job.
    #[must_use]
    pub fn job(&self) -> JobId {
        self.job
    }

    /// Whose rows it may touch.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Who asked for it.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The number of this claim: higher than every earlier one's. Send it with calls to other services.
    #[must_use]
    pub fn fence(&self) -> i64 {
        self.fence
    }

    /// Which attempt this is, from 1, counted since the last progress.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
}
