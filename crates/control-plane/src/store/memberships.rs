//! Which person may do what: roles for a brand, and the evidence roles of the tenant.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::action::{AdministerTenant, AssignRoles, CreateBrand, ManageTenants};
use mintmark_auth::policy::{Action, OnTenant, Permit};
use mintmark_auth::{BrandRole, EvidenceRole};
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{BrandId, MembershipId, TenantId, UserId};
use uuid::Uuid;

use super::page::{Slice, Window};
use super::schema::{app_user, brand, membership};
use super::stored;

/// What a membership grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// A role for one brand.
    Brand(BrandId, BrandRole),
    /// An evidence role, which holds for the tenant.
    Evidence(EvidenceRole),
}

impl Grant {
    /// The brand, where the role is held for one.
    pub fn brand(&self) -> Option<BrandId> {
        match self {
            Grant::Brand(brand, _) => Some(*brand),
            Grant::Evidence(_) => None,
        }
    }

    /// Reads the two columns back.
    pub(super) fn read(brand: Option<Uuid>, role: &str) -> Result<Grant> {
        match brand {
            Some(id) => Ok(Grant::Brand(
                BrandId::from_uuid(id),
                stored("membership.role", BrandRole::from_str(role))?,
            )),
            None => Ok(Grant::Evidence(stored("membership.role", EvidenceRole::from_str(role))?)),
        }
    }
}

/// The role alone, as it is stored and shown: `owner`, `admin`, `member`, `USER`, `ARBITRATOR`, `GOVERNANCE`.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Grant::Brand(_, role) => role.as_str(),
            Grant::Evidence(role) => role.as_str(),
        })
    }
}

/// One grant to one person.
#[derive(Clone, Debug)]
pub struct Membership {
    /// Its id.
    pub id: MembershipId,
    /// The person's tenant.
    pub tenant: TenantId,
    /// The person.
    pub user: UserId,
    /// What the person may do.
    pub grant: Grant,
    /// When it was granted.
    pub created_at: DateTime<Utc>,
}

type Row = (Uuid, String, Uuid, Option<Uuid>, String, DateTime<Utc>);

fn read((id, tenant, user, brand, role, created_at): Row) -> Result<Membership> {
    Ok(Membership {
        id: MembershipId::from_uuid(id),
        tenant: stored("membership.tenant_id", TenantId::parse(&tenant))?,
        user: UserId::from_uuid(user),
        grant: Grant::read(brand, &role)?,
        created_at,
    })
}

/// Whose membership this is: what a deletion needs before it can be authorised for its tenant.
pub async fn tenant_of(
    conn: &mut AsyncPgConnection,
    _permit: &Permit<ManageTenants>,
    id: MembershipId,
) -> Result<TenantId> {
    let tenant: String = membership::table
        .filter(membership::id.eq(id.as_uuid()))
        .select(membership::tenant_id)
        .first(conn)
        .await
        .or_not_found("membership")?;
    stored("membership.tenant_id", TenantId::parse(&tenant))
}

/// The actions that may give and take roles.
pub trait GivesRoles: Action<On = OnTenant> {}
impl GivesRoles for AdministerTenant {}
impl GivesRoles for AssignRoles {}

/// Grants a role to a person of the permit's tenant.
///
/// 404 when the person or the brand is not the tenant's; 409 `MEMBERSHIP_EXISTS` when the person has a role for this
/// brand, or this evidence role, already.
pub async fn insert<A: GivesRoles>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    user: UserId,
    grant: Grant,
) -> Result<Membership> {
    let tenant = permit.tenant();
    belongs_here(conn, tenant, user, grant.brand()).await?;
    create(conn, tenant, user, grant).await
}

/// Makes the creator of a brand its Owner; the permit is the one that the brand was created under.
pub(super) async fn insert_owner(
    conn: &mut AsyncPgConnection,
    permit: &Permit<CreateBrand>,
    owner: UserId,
    brand: BrandId,
) -> Result<Membership> {
    create(conn, permit.tenant(), owner, Grant::Brand(brand, BrandRole::Owner)).await
}

async fn create(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    user: UserId,
    grant: Grant,
) -> Result<Membership> {
    let taken = || {
        Fault::conflict(
            "MEMBERSHIP_EXISTS",
            "this user holds a role there already: remove that membership first",
        )
    };
    let constraint = match grant {
        Grant::Brand(..) => "membership_brand_key",
        Grant::Evidence(_) => "membership_evidence_key",
    };
    let row: Row = diesel::insert_into(membership::table)
        .values((
            membership::id.eq(MembershipId::new().as_uuid()),
            membership::tenant_id.eq(tenant.as_str()),
            membership::user_id.eq(user.as_uuid()),
            membership::brand_id.eq(grant.brand().map(|brand| brand.as_uuid())),
            membership::role.eq(grant.to_string()),
        ))
        .returning(membership::all_columns)
        .get_result(conn)
        .await
        .or_conflict(constraint, taken)?;
    read(row)
}

/// The foreign keys refuse the same; asking first lets the answer name the field.
async fn belongs_here(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    user: UserId,
    brand: Option<BrandId>,
) -> Result<()> {
    let _: Uuid = app_user::table
        .filter(app_user::tenant_id.eq(tenant.as_str()))
        .filter(app_user::id.eq(user.as_uuid()))
        .select(app_user::id)
        .first(conn)
        .await
        .or_not_found("user")
        .map_err(|fault| fault.field("userId"))?;
    if let Some(id) = brand {
        let _: Uuid = brand::table
            .filter(brand::tenant_id.eq(tenant.as_str()))
            .filter(brand::id.eq(id.as_uuid()))
            .select(brand::id)
            .first(conn)
            .await
            .or_not_found("brand")
            .map_err(|fault| fault.field("brandId"))?;
    }
    Ok(())
}

/// The memberships of the permit's tenant, or of one person of it, newest first.
pub async fn list(
    conn: &mut AsyncPgConnection,
    permit: &Permit<AdministerTenant>,
    user: Option<UserId>,
    window: Window,
) -> Result<Slice<Membership>> {
    let mut query = membership::table
        .filter(membership::tenant_id.eq(permit.tenant().as_str()))
        .filter(membership::id.lt(window.below()))
        .into_boxed();
    if let Some(user) = user {
        query = query.filter(membership::user_id.eq(user.as_uuid()));
    }
    let rows: Vec<Row> =
        query.order(membership::id.desc()).limit(window.probe()).load(conn).await.or_fault()?;
    let slice = window.cut(rows, |row| row.0);
    let next = slice.next;
    let items = slice.items.into_iter().map(read).collect::<Result<_>>()?;
    Ok(Slice { items, next })
}

/// One membership of the permit's tenant.
pub async fn find(
    conn: &mut AsyncPgConnection,
    permit: &Permit<AssignRoles>,
    id: MembershipId,
) -> Result<Membership> {
    let row: Row = membership::table
        .filter(membership::tenant_id.eq(permit.tenant().as_str()))
        .filter(membership::id.eq(id.as_uuid()))
        .first(conn)
        .await
        .or_not_found("membership")?;
    read(row)
}

/// Takes a role away, and says which. Roles are looked up at each request, so it is gone at the next one.
pub async fn delete<A: GivesRoles>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    id: MembershipId,
) -> Result<Membership> {
    let row: Row = diesel::delete(
        membership::table
            .filter(membership::tenant_id.eq(permit.tenant().as_str()))
            .filter(membership::id.eq(id.as_uuid())),
    )
    .returning(membership::all_columns)
    .get_result(conn)
    .await
    .or_not_found("membership")?;
    read(row)
}
