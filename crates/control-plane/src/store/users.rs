//! The people of a tenant.

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::action::{AdministerTenant, ManageTenants, ReadAdmin};
use mintmark_auth::policy::{Action, OnTenant, Permit};
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{TenantId, UserId};
use uuid::Uuid;

use super::page::{Slice, Window};
use super::schema::app_user;
use super::stored;

/// A person who belongs to one tenant.
#[derive(Clone, Debug)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The tenant it belongs to, for ever.
    pub tenant: TenantId,
    /// Its address, unique within the tenant whatever the case.
    pub email: String,
    /// What people call it.
    pub name: String,
    /// Whether it may create brands for the tenant.
    pub tenant_admin: bool,
    /// Since when it may not enter.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// A person to create.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Its address.
    pub email: String,
    /// Its name.
    pub name: String,
    /// Whether it may create brands.
    pub tenant_admin: bool,
}

/// What of a person can change; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// A new name.
    pub name: Option<String>,
    /// Becomes a tenant administrator, or stops being one.
    pub tenant_admin: Option<bool>,
    /// Shut out, or let in again.
    pub disabled: Option<bool>,
}

type Row = (Uuid, String, String, String, bool, Option<DateTime<Utc>>, DateTime<Utc>);

fn read((id, tenant, email, name, tenant_admin, disabled_at, created_at): Row) -> Result<User> {
    Ok(User {
        id: UserId::from_uuid(id),
        tenant: stored("app_user.tenant_id", TenantId::parse(&tenant))?,
        email,
        name,
        tenant_admin,
        disabled_at,
        created_at,
    })
}

/// Whose user this is: what an administrator's request about a user needs before it can be authorised for its tenant.
pub async fn tenant_of(
    conn: &mut AsyncPgConnection,
    _permit: &Permit<ManageTenants>,
    id: UserId,
) -> Result<TenantId> {
    let tenant: String = app_user::table
        .filter(app_user::id.eq(id.as_uuid()))
        .select(app_user::tenant_id)
        .first(conn)
        .await
        .or_not_found("user")?;
    stored("app_user.tenant_id", TenantId::parse(&tenant))
}

/// Creates a person. 404 when the tenant does not exist, 409 `EMAIL_EXISTS` when the address is taken in it.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    permit: &Permit<AdministerTenant>,
    new: &NewUser,
) -> Result<User> {
    let row: Row = diesel::insert_into(app_user::table)
        .values((
            app_user::id.eq(UserId::new().as_uuid()),
            app_user::tenant_id.eq(permit.tenant().as_str()),
            app_user::email.eq(&new.email),
            app_user::name.eq(&new.name),
            app_user::tenant_admin.eq(new.tenant_admin),
        ))
        .returning(app_user::all_columns)
        .get_result(conn)
        .await
        .or_conflict("app_user_email_key", || {
            Fault::conflict("EMAIL_EXISTS", "this tenant has a user with this address already").field("email")
        })?;
    read(row)
}

/// One person of the permit's tenant.
pub async fn find(
    conn: &mut AsyncPgConnection,
    permit: &Permit<AdministerTenant>,
    id: UserId,
) -> Result<User> {
    let row: Row = app_user::table
        .filter(app_user::tenant_id.eq(permit.tenant().as_str()))
        .filter(app_user::id.eq(id.as_uuid()))
        .first(conn)
        .await
        .or_not_found("user")?;
    read(row)
}

/// The actions that may list people.
pub trait ReadsUsers: Action<On = OnTenant> {}
impl ReadsUsers for AdministerTenant {}
impl ReadsUsers for ReadAdmin {}

/// The people of the permit's tenant, newest first.
pub async fn list<A: ReadsUsers>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    window: Window,
) -> Result<Slice<User>> {
    let rows: Vec<Row> = app_user::table
        .filter(app_user::tenant_id.eq(permit.tenant().as_str()))
        .filter(app_user::id.lt(window.below()))
        .order(app_user::id.desc())
        .limit(window.probe())
        .load(conn)
        .await
        .or_fault()?;
    let slice = window.cut(rows, |row| row.0);
    let next = slice.next;
    let items = slice.items.into_iter().map(read).collect::<Result<_>>()?;
    Ok(Slice { items, next })
}

/// Changes one person of the permit's tenant. Disabling one that is disabled keeps the first time.
pub async fn update(
    conn: &mut AsyncPgConnection,
    permit: &Permit<AdministerTenant>,
    id: UserId,
    change: &UserChange,
) -> Result<User> {
    let mine = || {
        app_user::table
            .filter(app_user::tenant_id.eq(permit.tenant().as_str().to_owned()))
            .filter(app_user::id.eq(id.as_uuid()))
    };
    if change.name.is_some() || change.tenant_admin.is_some() {
        diesel::update(mine())
            .set((
                change.name.as_deref().map(|name| app_user::name.eq(name)),
                change.tenant_admin.map(|admin| app_user::tenant_admin.eq(admin)),
            ))
            .execute(conn)
            .await
            .or_fault()?;
    }
    match change.disabled {
        Some(true) => {
            diesel::update(mine().filter(app_user::disabled_at.is_null()))
                .set(app_user::disabled_at.eq(now))
                .execute(conn)
                .await
                .or_fault()?;
        }
        Some(false) => {
            diesel::update(mine())
                .set(app_user::disabled_at.eq(None::<DateTime<Utc>>))
                .execute(conn)
                .await
                .or_fault()?;
        }
        None => {}
    }
    find(conn, permit, id).await
}
