//! What presented API keys lead to, many in one question.
//!
//! A look-up goes out at once while none is under way; those that come meanwhile gather, and go together with the next one.
//! What is found is remembered for a moment that every change of rights waits out (`key_leases`), so a key that was revoked
//! before a request came is not there for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::{KeyEnvironment, KeyStanding, PresentedKey, Standing};
use mintmark_db::{Meaning, Pool};
use mintmark_fault::{Chain, Fault, Result};
use mintmark_ids::{ApiKeyId, TenantId, UserId};
use mintmark_service::gather::{Gather, Turn};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::api_keys::read_scopes;
use super::key_leases::{Asked, KeyLeases};
use super::memberships::Grant;
use super::schema::{api_key, app_user, membership, tenant};
use super::stored;

/// A question that takes longer is held up, and must not hold up everybody: the next look-up goes out beside it.
const HELD_UP: Duration = Duration::from_millis(2);
/// Questions under way at once.
const AT_ONCE: usize = 4;
/// A question without an answer after this long is given up, so that it makes room for others.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// As many ids as the server expects of an array that it does not see.
const EXPECTED_IDS: usize = 10;

/// A key that ends within this long is looked up for each request: no lease outlives it.
const ENDS_SOON: TimeDelta = TimeDelta::minutes(1);

/// What was found for a presented key, before anybody knows whether it is the key.
#[derive(Clone)]
pub struct Presented {
    environment: String,
    /// SHA-256 of the key.
    pub digest: [u8; 32],
    /// What it may do, should it be the key.
    pub standing: KeyStanding,
    /// Whether its last use lies an hour back.
    pub use_is_to_be_noted: bool,
    /// When it ends by itself.
    expires_at: Option<DateTime<Utc>>,
}

/// Looks presented keys up.
pub struct KeyFinder {
    pool: Pool,
    home: Handle,
    lookups: Arc<Gather<(), Lookup>>,
    leases: KeyLeases<Presented>,
}

/// One look-up, and who waits for it.
struct Lookup {
    id: Uuid,
    answer: oneshot::Sender<Result<Option<Arc<Presented>>>>,
}

impl KeyFinder {
    /// A finder whose questions run on `home`.
    pub fn new(pool: Pool, home: Handle) -> Arc<Self> {
        let lookups = Gather::new(AT_ONCE, HELD_UP);
        Arc::new(Self { pool, home, lookups, leases: KeyLeases::default() })
    }

    /// What a presented key's id leads to, for this environment: nothing for one that is unknown, revoked or expired.
    ///
    /// Authentication comes before any permit; whether the text is the key, its digest decides afterwards.
    pub async fn find(
        self: &Arc<Self>,
        key: &PresentedKey,
        environment: KeyEnvironment,
    ) -> Result<Option<Arc<Presented>>> {
        if key.environment() != environment {
            return Ok(None);
        }
        let id = key.id().as_uuid();
        let its_own = |found: &Arc<Presented>| found.environment == environment.as_str();
        if let Some(found) = self.leases.of(id) {
            return Ok(Some(found).filter(its_own));
        }
        let (answer, answered) = oneshot::channel();
        if let Some(turn) = self.lookups.add(&(), Lookup { id, answer }) {
            self.home.spawn(Arc::clone(self).ask(turn));
        }
        let found = answered.await.map_err(Fault::internal)??;
        Ok(found.filter(its_own))
    }

    /// Asks for what has gathered, until nothing has.
    async fn ask(self: Arc<Self>, mut turn: Turn<(), Lookup>) {
        while let Some(lookups) = turn.next(|waiting| waiting.len()) {
            let mut ids: Vec<Uuid> = lookups.iter().map(|lookup| lookup.id).collect();
            ids.sort_unstable();
            ids.dedup();
            let asked = Asked::now();
            let asking = async { live_among(&mut *self.pool.get().await?, &ids).await };
            let found = tokio::time::timeout(ANSWER_WITHIN, asking).await.unwrap_or_else(|elapsed| {
                let sentence = "the database took too long: try again shortly";
                let fault = Fault::unavailable("DATABASE_TIMEOUT", sentence);
                Err(fault.retry_after(Duration::from_secs(1)).caused_by(elapsed))
            });
            answer(&self.leases, asked, lookups, found);
        }
    }
}

/// Gives each its own; of a failure each gets the same. Whoever went away needs no answer.
fn answer(leases: &KeyLeases<Presented>, asked: Asked, lookups: Vec<Lookup>, found: Result<Vec<Found>>) {
    match found {
        Ok(rows) => {
            let mut by_id: HashMap<Uuid, Vec<Found>> = HashMap::new();
            for row in rows {
                by_id.entry(row.0.0).or_default().push(row);
            }
            for lookup in lookups {
                let rows = by_id.get(&lookup.id).map_or(&[][..], Vec::as_slice);
                let found = read(rows).map(|found| found.map(Arc::new));
                if let Ok(Some(found)) = &found
                    && found.expires_at.is_none_or(|at| at > Utc::now() + ENDS_SOON)
                {
                    // Its use is noted by whoever asked.
                    let remembered = Presented { use_is_to_be_noted: false, ..Presented::clone(found) };
                    leases.put(lookup.id, asked, Arc::new(remembered));
                }
                let _gone = lookup.answer.send(found);
            }
        }
        Err(fault) => {
            tracing::debug!(keys = lookups.len(), error = %Chain(&fault), "keys could not be looked up");
            let again = |cause: String| {
                let same = Fault::new(fault.kind(), fault.code().to_owned(), fault.message().to_owned());
                let same = same.caused_by(cause);
                match fault.retry_delay() {
                    Some(delay) => same.retry_after(delay),
                    None => same,
                }
            };
            for lookup in lookups {
                let _gone = lookup.answer.send(Err(again(Chain(&fault).to_string())));
            }
        }
    }
}

type KeyColumns =
    (Uuid, Vec<u8>, String, String, Uuid, Vec<String>, String, Option<DateTime<Utc>>, Option<DateTime<Utc>>);
type CreatorColumns = (String, bool, Option<DateTime<Utc>>, Option<(Option<Uuid>, String)>);
/// A key, its tenant, and its creator with one of their roles: a row for each role.
type Found = (KeyColumns, CreatorColumns);

/// What a key's id leads to: nothing for one that is unknown, revoked or expired. For authentication, which has no permit.
pub(super) async fn live(conn: &mut AsyncPgConnection, id: ApiKeyId) -> Result<Option<Presented>> {
    read(&live_among(conn, &[id.as_uuid()]).await?)
}

async fn live_among(conn: &mut AsyncPgConnection, ids: &[Uuid]) -> Result<Vec<Found>> {
    // The server keeps one plan for all arrays only where that plan looks no dearer than one made for the array at hand, and
    // of an array that it does not see it expects ten ids (its estimate_array_length). Fewer would be planned anew each time,
    // which takes ten times as long as the look-up; one that comes twice is looked up once.
    let again = ids.iter().cycle().take(EXPECTED_IDS.saturating_sub(ids.len()));
    let padded: Vec<&Uuid> = ids.iter().chain(again).collect();
    live_keys().filter(api_key::id.eq_any(padded)).load(conn).await.or_fault()
}

// No fragment of SQL here: with one the statement is prepared anew for each request. This runs in no transaction, so `now`
// is when the statement began.
#[diesel::dsl::auto_type]
fn live_keys() -> _ {
    api_key::table
        .inner_join(tenant::table.on(tenant::id.eq(api_key::tenant_id)))
        .inner_join(
            app_user::table
                .on(app_user::tenant_id.eq(api_key::tenant_id).and(app_user::id.eq(api_key::creator_id))),
        )
        .left_join(membership::table.on(
            membership::tenant_id.eq(api_key::tenant_id).and(membership::user_id.eq(api_key::creator_id)),
        ))
        .filter(api_key::revoked_at.is_null())
        .filter(api_key::expires_at.is_null().or(api_key::expires_at.gt(now)))
        .select((
            (
                api_key::id,
                api_key::digest,
                api_key::environment,
                api_key::tenant_id,
                api_key::creator_id,
                api_key::scopes,
                api_key::tier,
                api_key::last_used_at,
                api_key::expires_at,
            ),
            (
                tenant::tier,
                app_user::tenant_admin,
                app_user::disabled_at,
                (membership::brand_id, membership::role).nullable(),
            ),
        ))
}

/// The rows of one key.
fn read(rows: &[Found]) -> Result<Option<Presented>> {
    let Some((key, (tenant_tier, ..))) = rows.first() else { return Ok(None) };
    let mut held = Standing::default();
    for (_, (_, tenant_admin, disabled_at, role)) in rows {
        // Whoever may not enter may grant nothing: the key has nothing left.
        if disabled_at.is_some() {
            continue;
        }
        held.tenant_admin = *tenant_admin;
        if let Some((brand, role)) = role {
            match Grant::read(*brand, role)? {
                Grant::Brand(brand, role) => held.brands.push((brand, role)),
                Grant::Evidence(role) => held.evidence.push(role),
            }
        }
    }
    let (_, digest, environment, tenant, creator, scopes, tier, last_used_at, expires_at) = key;
    let digest = digest.as_slice().try_into();
    Ok(Some(Presented {
        environment: environment.clone(),
        digest: digest.map_err(|_| Fault::internal("api_key.digest has not 32 bytes"))?,
        standing: KeyStanding {
            tenant: stored("api_key.tenant_id", TenantId::parse(tenant))?,
            creator: UserId::from_uuid(*creator),
            creator_standing: held,
            scopes: read_scopes(scopes)?,
            tier: stored("api_key.tier", tier.parse())?,
            tenant_tier: stored("tenant.tier", tenant_tier.parse())?,
        },
        use_is_to_be_noted: last_used_at.is_none_or(|at| at < Utc::now() - TimeDelta::hours(1)),
        expires_at: *expires_at,
    }))
}
