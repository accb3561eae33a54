//! Reading the audit of one tenant.

use diesel_async::AsyncPgConnection;
use mintmark_audit::log::{self, Query, Recorded};
use mintmark_audit::proof::Inclusion;
use mintmark_auth::action::{ExportAuditLog, ReadAdmin};
use mintmark_auth::policy::{Action, OnTenant, Permit};
use mintmark_fault::Result;
use uuid::Uuid;

use super::page::{Slice, Window};

/// The actions that may read the audit.
pub trait ReadsAudit: Action<On = OnTenant> {}
impl ReadsAudit for ReadAdmin {}
impl ReadsAudit for ExportAuditLog {}

/// The entries of the permit's tenant that a query is about, newest first.
pub async fn list<A: ReadsAudit>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    query: &Query,
    window: Window,
) -> Result<Slice<Recorded>> {
    let found = log::entries(conn, permit.tenant(), query, window.below(), window.probe()).await?;
    Ok(window.cut(found, |entry| entry.id))
}

/// The proof that the log holds an entry of the permit's tenant.
pub async fn proof<A: ReadsAudit>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    id: Uuid,
) -> Result<Inclusion> {
    log::proof(conn, Some(permit.tenant()), id).await
}
