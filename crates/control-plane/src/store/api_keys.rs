//! Keys of programs: their digests, what was granted to them, and whether they still open anything.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Timestamptz;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::action::{CreateApiKey, ManageApiKey, ViewApiKeys};
use mintmark_auth::policy::{Action, OnTenant, Permit};
use mintmark_auth::{ApiScope, IssuedKey, KeyEnvironment, Tier, VerifiedKey};
use mintmark_db::Meaning;
use mintmark_fault::Result;
use mintmark_ids::{ApiKeyId, TenantId, UserId};
use uuid::Uuid;

use super::page::{Slice, Window};
use super::schema::api_key;
use super::stored;

/// A key as lists show it: everything but the key.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Its id, which the key itself names too.
    pub id: ApiKeyId,
    /// Who made it, by order or by rotation: with their rights it is used.
    pub creator: UserId,
    /// What people call it.
    pub name: String,
    /// What was granted.
    pub scopes: Vec<ApiScope>,
    /// How much.
    pub tier: Tier,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// The key that took its place.
    pub replaced_by: Option<ApiKeyId>,
    /// When it was last used, to the hour.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A key to store.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// Who made it, and answers for it: of a rotated key, whoever rotated it, who alone has seen it.
    pub creator: UserId,
    /// What people call it.
    pub name: String,
    /// What is granted.
    pub scopes: Vec<ApiScope>,
    /// How much.
    pub tier: Tier,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

type Row = (
    Uuid,
    Uuid,
    String,
    Vec<String>,
    String,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
    Option<Uuid>,
    Option<DateTime<Utc>>,
);

const COLUMNS: (
    api_key::id,
    api_key::creator_id,
    api_key::name,
    api_key::scopes,
    api_key::tier,
    api_key::created_at,
    api_key::expires_at,
    api_key::revoked_at,
    api_key::replaced_by,
    api_key::last_used_at,
) = (
    api_key::id,
    api_key::creator_id,
    api_key::name,
    api_key::scopes,
    api_key::tier,
    api_key::created_at,
    api_key::expires_at,
    api_key::revoked_at,
    api_key::replaced_by,
    api_key::last_used_at,
);

fn read(row: Row) -> Result<ApiKey> {
    let (id, creator, name, scopes, tier, created_at, expires_at, revoked_at, replaced_by, last_used_at) =
        row;
    Ok(ApiKey {
        id: ApiKeyId::from_uuid(id),
        creator: UserId::from_uuid(creator),
        name,
        scopes: read_scopes(&scopes)?,
        tier: stored("api_key.tier", tier.parse())?,
        created_at,
        expires_at,
        revoked_at,
        replaced_by: replaced_by.map(ApiKeyId::from_uuid),
        last_used_at,
    })
}

pub(super) fn read_scopes(scopes: &[String]) -> Result<Vec<ApiScope>> {
    scopes.iter().map(|scope| stored("api_key.scopes", scope.parse())).collect()
}

/// Notes that a key was used in this hour.
pub async fn note_use(conn: &mut AsyncPgConnection, key: &VerifiedKey) -> Result<()> {
    diesel::update(api_key::table.filter(api_key::id.eq(key.id().as_uuid())))
        .set(api_key::last_used_at.eq(sql::<Timestamptz>("date_trunc('hour', clock_timestamp())").nullable()))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

/// Stores a fresh key for the permit's tenant.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    permit: &Permit<CreateApiKey>,
    issued: &IssuedKey,
    environment: KeyEnvironment,
    new: &NewApiKey,
) -> Result<ApiKey> {
    create(conn, permit.tenant(), issued, environment, new).await
}

/// Puts a fresh key in the place of `old`, which is revoked in the same moment. `old` comes from [`lock`].
pub async fn replace(
    conn: &mut AsyncPgConnection,
    permit: &Permit<ManageApiKey>,
    old: &ApiKey,
    issued: &IssuedKey,
    environment: KeyEnvironment,
    new: &NewApiKey,
) -> Result<ApiKey> {
    let made = create(conn, permit.tenant(), issued, environment, new).await?;
    diesel::update(
        api_key::table
            .filter(api_key::tenant_id.eq(permit.tenant().as_str()))
            .filter(api_key::id.eq(old.id.as_uuid())),
    )
    .set((
        api_key::revoked_at.eq(sql::<Timestamptz>("clock_timestamp()").nullable()),
        api_key::replaced_by.eq(made.id.as_uuid()),
    ))
    .execute(conn)
    .await
    .or_fault()?;
    Ok(made)
}

/// The permit is the caller's: nothing outside this file reaches this without one.
async fn create(
    conn: &mut AsyncPgConnection,
    owner: &TenantId,
    issued: &IssuedKey,
    environment: KeyEnvironment,
    new: &NewApiKey,
) -> Result<ApiKey> {
    let scopes: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
    let row: Row = diesel::insert_into(api_key::table)
        .values((
            api_key::id.eq(issued.id().as_uuid()),
            api_key::tenant_id.eq(owner.as_str()),
            api_key::creator_id.eq(new.creator.as_uuid()),
            api_key::name.eq(&new.name),
            api_key::environment.eq(environment.as_str()),
            api_key::digest.eq(issued.digest().as_slice()),
            api_key::scopes.eq(scopes),
            api_key::tier.eq(new.tier.as_str()),
            api_key::expires_at.eq(new.expires_at),
        ))
        .returning(COLUMNS)
        .get_result(conn)
        .await
        .or_fault()?;
    read(row)
}

/// One key of the permit's tenant.
pub async fn find(
    conn: &mut AsyncPgConnection,
    permit: &Permit<ViewApiKeys>,
    id: ApiKeyId,
) -> Result<ApiKey> {
    let mine = api_key::table
        .filter(api_key::tenant_id.eq(permit.tenant().as_str()))
        .filter(api_key::id.eq(id.as_uuid()));
    let row: Row = mine.select(COLUMNS).first(conn).await.or_not_found("key")?;
    read(row)
}

/// The keys of the permit's tenant, newest first; only those of `creator` where one is given.
pub async fn list(
    conn: &mut AsyncPgConnection,
    permit: &Permit<ViewApiKeys>,
    creator: Option<UserId>,
    window: Window,
) -> Result<Slice<ApiKey>> {
    let mut query = api_key::table
        .filter(api_key::tenant_id.eq(permit.tenant().as_str()))
        .filter(api_key::id.lt(window.below()))
        .select(COLUMNS)
        .into_boxed();
    if let Some(creator) = creator {
        query = query.filter(api_key::creator_id.eq(creator.as_uuid()));
    }
    let rows: Vec<Row> = query.order(api_key::id.desc()).limit(window.probe()).load(conn).await.or_fault()?;
    let slice = window.cut(rows, |row| row.0);
    let next = slice.next;
    let items = slice.items.into_iter().map(read).collect::<Result<_>>()?;
    Ok(Slice { items, next })
}

/// One key of the permit's tenant, kept from everybody else until the transaction ends.
pub async fn lock<A: Action<On = OnTenant>>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    id: ApiKeyId,
) -> Result<ApiKey> {
    let mine = api_key::table
        .filter(api_key::tenant_id.eq(permit.tenant().as_str()))
        .filter(api_key::id.eq(id.as_uuid()));
    let row: Row = mine.select(COLUMNS).for_update().first(conn).await.or_not_found("key")?;
    read(row)
}

/// Revokes a key that [`lock`] gave. One that is revoked keeps its first time.
pub async fn revoke<A: Action<On = OnTenant>>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    key: &ApiKey,
) -> Result<ApiKey> {
    if key.revoked_at.is_some() {
        return Ok(key.clone());
    }
    let row: Row = diesel::update(
        api_key::table
            .filter(api_key::tenant_id.eq(permit.tenant().as_str()))
            .filter(api_key::id.eq(key.id.as_uuid())),
    )
    .set(api_key::revoked_at.eq(sql::<Timestamptz>("clock_timestamp()").nullable()))
    .returning(COLUMNS)
    .get_result(conn)
    .await
    .or_fault()?;
    read(row)
}
