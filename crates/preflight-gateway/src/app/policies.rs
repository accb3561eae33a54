//! The policies that a tenant's jobs may name.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use mintmark_auth::Principal;
use mintmark_auth::action::{ViewPreflight, WritePreflight};
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Fault, Kind, Result};

use super::names::{PolicyRef, is_policy};
use super::{asker, permit, ruleset};
use crate::store::Mandate;
use crate::store::policies::{self, OwnPolicy};

/// Names of its own that a tenant may have.
const NAMES_MAX: i64 = 200;
/// Versions of them in all.
const VERSIONS_MAX: i64 = 5_000;

/// A version of a policy.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// A line for people.
    pub title: String,
    /// Whether it is one of ours.
    pub built_in: bool,
    /// When the tenant stored it.
    pub created_at: Option<DateTime<Utc>>,
    /// JSON.
    pub document: String,
}

/// Lists, reads and keeps policies.
#[derive(Clone)]
pub struct Policies {
    pool: Pool,
}

impl Policies {
    /// Works on the given database.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Ours, then the tenant's own that are not withdrawn; by name.
    pub async fn list(&self, who: &Principal) -> Result<Vec<Known>> {
        let permit = permit::<ViewPreflight>(who)?;
        let own = policies::list(&mut *self.pool.get().await?, &permit).await?;
        let ours = ruleset::built_in().into_iter().map(known);
        ours.chain(own.into_iter().map(|policy| Ok(of_own(policy)))).collect()
    }

    /// A policy: its newest version, or the one that is named.
    ///
    /// # Errors
    /// 404.
    pub async fn find(&self, who: &Principal, wanted: &PolicyRef) -> Result<Known> {
        let permit = permit::<ViewPreflight>(who)?;
        let mut conn = self.pool.get().await?;
        resolve(&mut conn, &permit, wanted).await?.ok_or_else(|| Fault::not_found("policy"))
    }

    /// Stores a version of a policy of the tenant's own; what equals the newest one is that one. The flag: a version was made.
    ///
    /// # Errors
    /// 400 `POLICY_NAME_INVALID`, `POLICY_INVALID`; 409 `POLICY_NAME_TAKEN`, `POLICY_VERSION_CONFLICT`, `POLICIES_FULL`.
    pub async fn put(&self, who: &Principal, name: &str, document: &str) -> Result<(Known, bool)> {
        let permit = permit::<WritePreflight>(who)?;
        own_name(name)?;
        let mut conn = self.pool.get().await?;
        transaction("policy.put", &mut conn, async |conn: &mut AsyncPgConnection| {
            policies::hold(conn, &permit).await?;
            let newest = policies::newest(conn, &permit, name).await?;
            if let Some(newest) = policies::find(conn, &permit, name, None).await?
                && says_the_same(&newest, document)
            {
                return Ok((of_own(newest), false));
            }
            let next = newest.unwrap_or(0) + 1;
            let policy = ruleset::read(name, next.unsigned_abs(), document)?;
            let (names, versions) = policies::counts(conn, &permit).await?;
            if versions >= VERSIONS_MAX || (newest.is_none() && names >= NAMES_MAX) {
                let sentence = "the tenant has as many policies as it may have: change one of them instead";
                return Err(Fault::conflict("POLICIES_FULL", sentence));
            }
            let written = ruleset::written(&policy)?;
            policies::add(conn, &permit, name, next, (&policy.title, &written), &asker(who)).await?;
            let stored = policies::find(conn, &permit, name, Some(next)).await?;
            let stored =
                stored.ok_or_else(|| Fault::internal("a policy that was just stored is not there"))?;
            Ok((of_own(stored), true))
        })
        .await
    }

    /// Withdraws a policy of the tenant's own from further jobs.
    ///
    /// # Errors
    /// 404; 409 `POLICY_NAME_TAKEN` when it is one of ours.
    pub async fn withdraw(&self, who: &Principal, name: &str) -> Result<()> {
        let permit = permit::<WritePreflight>(who)?;
        if !is_policy(name) {
            return Err(Fault::not_found("policy"));
        }
        not_ours(name)?;
        let mut conn = self.pool.get().await?;
        transaction("policy.withdraw", &mut conn, async |conn: &mut AsyncPgConnection| {
            policies::hold(conn, &permit).await?;
            policies::withdraw(conn, &permit, name).await
        })
        .await
    }
}

/// The policy that a job names, if there is one.
pub(super) async fn resolve(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    wanted: &PolicyRef,
) -> Result<Option<Known>> {
    if let Some(ours) = ruleset::find(&wanted.name) {
        // We keep no old versions of ours: another number is another policy.
        let same = wanted.version.as_ref().is_none_or(|version| *version == ours.version.to_string());
        return same.then(|| known(ours)).transpose();
    }
    let version = match &wanted.version {
        None => None,
        Some(text) => match text.parse::<i32>() {
            Ok(version) if version.to_string() == *text => Some(version),
            _ => return Ok(None),
        },
    };
    Ok(policies::find(conn, mandate, &wanted.name, version).await?.map(of_own))
}

/// 422 for a job that names a policy which is not there.
pub(super) fn unknown(wanted: &PolicyRef) -> Fault {
    let version = wanted.version.as_ref().map(|version| format!(" in version {version}")).unwrap_or_default();
    let sentence = format!(
        "the tenant has no policy {}{version}: GET /api/preflight/jobs/policies lists those that there are",
        wanted.name
    );
    Fault::new(Kind::Unprocessable, "POLICY_UNKNOWN", sentence).field("policy")
}

fn own_name(name: &str) -> Result<()> {
    if !is_policy(name) || name.ends_with('-') {
        let sentence =
            "a policy's name is 1 to 64 of a-z, 0-9 and '-', begins with a letter and ends with none of '-'";
        return Err(Fault::invalid("POLICY_NAME_INVALID", "name", sentence));
    }
    not_ours(name)
}

fn not_ours(name: &str) -> Result<()> {
    match ruleset::find(name) {
        Some(_) => {
            let sentence =
                "this is one of the built-in policies, which do not change: store yours under another name";
            Err(Fault::conflict("POLICY_NAME_TAKEN", sentence))
        }
        None => Ok(()),
    }
}

/// Whether a document, read as the version that is there, is what is there.
fn says_the_same(stored: &OwnPolicy, document: &str) -> bool {
    let read = ruleset::read(&stored.name, stored.version.unsigned_abs(), document);
    read.and_then(|policy| ruleset::written(&policy)).is_ok_and(|written| written == stored.document)
}

fn known(policy: &mintmark_preflight_engine::policy::Policy) -> Result<Known> {
    Ok(Known {
        name: policy.id.clone(),
        version: policy.version.to_string(),
        title: policy.title.clone(),
        built_in: true,
        created_at: None,
        document: ruleset::written(policy)?,
    })
}

fn of_own(policy: OwnPolicy) -> Known {
    Known {
        name: policy.name,
        version: policy.version.to_string(),
        title: policy.title,
        built_in: false,
        created_at: Some(policy.created_at),
        document: policy.document,
    }
}
