//! No write names a tenant beside its permit: it would be another one some day.
use diesel_async::AsyncPgConnection;
use mintmark_auth::action::{CreateBrand, ManageTenants};
use mintmark_auth::Permit;
use mintmark_control_plane::store::brands;
use mintmark_ids::{TenantId, UserId};

async fn beside_it(conn: &mut AsyncPgConnection, permit: &Permit<CreateBrand>, tenant: &TenantId, owner: UserId) {
    let _ = brands::insert(conn, permit, tenant, owner, "A brand").await;
}

fn of_the_platform(permit: &Permit<ManageTenants>) -> &TenantId {
    permit.tenant()
}

fn main() {}
