//! Administration of one tenant by its own people and programs: who is there, what happened, what failed, who may do what.
//!
//! Nobody gives what they have not: a role, or a person to act as, is measured against the rights of whoever asks, and of a
//! key against those of its creator.

use std::sync::Arc;
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use mintmark_audit::log::{Query, Recorded};
use mintmark_audit::proof::Inclusion;
use mintmark_audit::{self as audit, AuditEvent};
use mintmark_auth::action::{AssignRoles, Impersonate, ReadAdmin, ReplayEvent};
use mintmark_auth::policy::{Action, Permit};
use mintmark_auth::{
    BrandRole, EvidenceRole, Impersonator, MAX_IMPERSONATION_TTL, Minted, Principal, SessionMinter, Standing,
};
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Fault, Result};
use mintmark_ids::{BrandId, JobId, MembershipId, UserId};
use mintmark_jobs::DeadLetter;
use serde_json::json;
use uuid::Uuid;

use super::{access, memberships as role_names};
use crate::store::audit_log;
use crate::store::memberships::{self, Grant, Membership};
use crate::store::page::{Slice, Window};
use crate::store::standing;
use crate::store::users::{self, User};

/// What administrators do, in person or through a key.
#[derive(Clone)]
pub struct Administration {
    pool: Pool,
    minter: Arc<SessionMinter>,
}

impl Administration {
    /// Impersonating sessions are made by `minter`.
    pub fn new(pool: Pool, minter: Arc<SessionMinter>) -> Self {
        Administration { pool, minter }
    }

    /// The people of the tenant, newest first.
    pub async fn users(&self, who: &Principal, window: Window) -> Result<Slice<User>> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<ReadAdmin> = access::to_own_tenant(&mut conn, who).await?;
        users::list(&mut conn, &permit, window).await
    }

    /// What happened in the tenant, newest first.
    pub async fn audit(&self, who: &Principal, query: &Query, window: Window) -> Result<Slice<Recorded>> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<ReadAdmin> = access::to_own_tenant(&mut conn, who).await?;
        audit_log::list(&mut conn, &permit, query, window).await
    }

    /// The proof that the log holds an entry of the tenant.
    pub async fn audit_proof(&self, who: &Principal, id: Uuid) -> Result<Inclusion> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<ReadAdmin> = access::to_own_tenant(&mut conn, who).await?;
        audit_log::proof(&mut conn, &permit, id).await
    }

    /// The work of the tenant that was given up, newest first.
    pub async fn failed_events(&self, who: &Principal, window: Window) -> Result<Slice<DeadLetter>> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<ReadAdmin> = access::to_own_tenant(&mut conn, who).await?;
        let after = window.after.map(JobId::from_uuid);
        let letters =
            mintmark_jobs::dead_letters_of(&mut conn, permit.tenant(), window.limit + 1, after).await?;
        Ok(window.cut(letters, |letter| letter.job.as_uuid()))
    }

    /// Puts failed work back into the queue, once: the second of two who ask at the same time is told that it is not dead.
    pub async fn replay(&self, who: &Principal, job: JobId) -> Result<()> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<ReplayEvent> = access::to_own_tenant(&mut conn, who).await?;
        transaction("event.replay", &mut conn, async |conn: &mut AsyncPgConnection| {
            mintmark_jobs::replay_of(conn, permit.tenant(), job).await?;
            let (of, by) = (Some(permit.tenant()), permit.actor());
            audit::record(conn, &AuditEvent::allowed(of, by, "EVENT_REPLAYED", ("job", job), json!({}))).await
        })
        .await?;
        Ok(())
    }

    /// Gives a person of the tenant a role: at most one that the caller has, and never ARBITRATOR or GOVERNANCE, which are
    /// the operator's to give.
    pub async fn assign(
        &self,
        who: &Principal,
        user: UserId,
        brand: Option<BrandId>,
        role: &str,
    ) -> Result<Membership> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<AssignRoles> = access::to_own_tenant(&mut conn, who).await?;
        let grant = role_names::grant(brand, role)?;
        self.within_rights::<AssignRoles>(&mut conn, who, grant, user).await?;
        transaction("role.assign", &mut conn, async |conn: &mut AsyncPgConnection| {
            let made = memberships::insert(conn, &permit, user, grant).await?;
            audit::record(conn, &role_names::act(&permit, "MEMBERSHIP_GRANTED", &made)).await?;
            Ok(made)
        })
        .await
    }

    /// Takes a role away, within the same bounds.
    pub async fn unassign(&self, who: &Principal, id: MembershipId) -> Result<()> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<AssignRoles> = access::to_own_tenant(&mut conn, who).await?;
        let found = memberships::find(&mut conn, &permit, id).await?;
        self.within_rights::<AssignRoles>(&mut conn, who, found.grant, found.user).await?;
        transaction("role.unassign", &mut conn, async |conn: &mut AsyncPgConnection| {
            let gone = memberships::delete(conn, &permit, id).await?;
            audit::record(conn, &role_names::act(&permit, "MEMBERSHIP_REMOVED", &gone)).await?;
            Ok(())
        })
        .await
    }

    /// A session in which the caller acts as a person of the tenant: at most 15 minutes, never as somebody with a right that
    /// the caller (of a key: its creator) has not, and closed to minting, exports, evidence, roles and keys.
    pub async fn impersonate(&self, who: &Principal, user: UserId, ttl_secs: Option<u64>) -> Result<Minted> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<Impersonate> = access::to_own_tenant(&mut conn, who).await?;
        let ttl = impersonation_ttl(ttl_secs)?;
        let target = standing::of_user(&mut conn, &permit, user).await?;
        let (by, held) = impersonator(who)?;
        if !held.covers(&target) {
            let sentence = "this person has a right that you (or the creator of your key) have not: you cannot act as them";
            let fault = Fault::forbidden("RIGHTS_EXCEEDED", sentence);
            let resource = ("user", user.to_string());
            return Err(access::refused::<Impersonate>(&mut conn, who, fault, resource).await);
        }
        let minted = self.minter.impersonate(user, permit.tenant(), ttl, by);
        transaction("session.impersonate", &mut conn, async |conn: &mut AsyncPgConnection| {
            let detail = json!({ "by": by.to_string(), "expiresAt": minted.expires_at() });
            let (of, actor) = (Some(permit.tenant()), permit.actor());
            let act = AuditEvent::allowed(of, actor, "IMPERSONATION_STARTED", ("user", user), detail);
            audit::record(conn, &act).await
        })
        .await?;
        Ok(minted)
    }

    async fn within_rights<A: Action>(
        &self,
        conn: &mut AsyncPgConnection,
        who: &Principal,
        grant: Grant,
        user: UserId,
    ) -> Result<()> {
        match assignable(impersonator(who)?.1, grant) {
            Ok(()) => Ok(()),
            Err(fault) => Err(access::refused::<A>(conn, who, fault, ("user", user.to_string())).await),
        }
    }
}

/// Who acts, and with whose rights.
fn impersonator(who: &Principal) -> Result<(Impersonator, &Standing)> {
    match who {
        Principal::Session(session) if session.impersonator().is_none() => {
            Ok((Impersonator::User(session.user()), session.standing()))
        }
        Principal::ApiKey(key) => Ok((Impersonator::ApiKey(key.id()), key.creator_standing())),
        Principal::Session(_) | Principal::Control(_) | Principal::Service(_) => {
            Err(Fault::unauthenticated())
        }
    }
}

fn assignable(held: &Standing, grant: Grant) -> Result<()> {
    match grant {
        Grant::Evidence(EvidenceRole::User) => Ok(()),
        Grant::Evidence(EvidenceRole::Arbitrator | EvidenceRole::Governance) => Err(Fault::forbidden(
            "ROLE_NOT_ASSIGNABLE",
            "ARBITRATOR and GOVERNANCE are given and taken by the platform's operator alone",
        )),
        Grant::Brand(brand, role) => {
            let own: Option<BrandRole> = held.role(brand);
            if own.is_some_and(|own| own >= role) {
                return Ok(());
            }
            let sentence = "you cannot give or take a role that is higher than your own for the brand";
            Err(Fault::forbidden("ROLE_NOT_ASSIGNABLE", sentence)
                .with("requiredRole", role.as_str())
                .with("grantedRoles", json!(own.into_iter().collect::<Vec<_>>())))
        }
    }
}

fn impersonation_ttl(asked_secs: Option<u64>) -> Result<Duration> {
    let max = MAX_IMPERSONATION_TTL.as_secs();
    match asked_secs {
        None => Ok(MAX_IMPERSONATION_TTL),
        Some(secs) if (1..=max).contains(&secs) => Ok(Duration::from_secs(secs)),
        Some(_) => {
            let sentence = format!("ttlSecs is a number of seconds from 1 to {max}");
            Err(Fault::invalid("TTL_OUT_OF_RANGE", "ttlSecs", sentence))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignable_is_what_one_has_oneself() {
        let (brand, other) = (BrandId::new(), BrandId::new());
        let held = Standing {
            tenant_admin: true,
            brands: vec![(brand, BrandRole::Admin)],
            evidence: EvidenceRole::ALL.to_vec(),
        };
        for (grant, may) in [
            (Grant::Brand(brand, BrandRole::Member), true),
            (Grant::Brand(brand, BrandRole::Admin), true),
            (Grant::Brand(brand, BrandRole::Owner), false),
            (Grant::Brand(other, BrandRole::Member), false),
            (Grant::Evidence(EvidenceRole::User), true),
            (Grant::Evidence(EvidenceRole::Arbitrator), false),
            (Grant::Evidence(EvidenceRole::Governance), false),
        ] {
            assert_eq!(assignable(&held, grant).is_ok(), may, "{grant:?}");
        }
    }

    #[test]
    fn impersonation_ttl_is_a_quarter_of_an_hour_at_most() {
        assert_eq!(impersonation_ttl(None).unwrap().as_secs(), 900);
        assert_eq!(impersonation_ttl(Some(60)).unwrap().as_secs(), 60);
        assert!(impersonation_ttl(Some(0)).is_err() && impersonation_ttl(Some(901)).is_err());
    }
}
