//! Checks of what people type, shared by the use cases. Each names the field and says what would be right.

use mintmark_fault::{Fault, Result};
use mintmark_ids::TenantId;
use mintmark_web::check;

pub use mintmark_web::check::email;

/// Characters in the longest name of anything.
pub const MAX_NAME: usize = 200;

/// A name: 1 to 200 printable characters.
pub fn name(field: &'static str, value: &str) -> Result<()> {
    check::text(field, value, 1..=MAX_NAME).map(drop)
}

/// A tenant's slug.
pub fn tenant_id(field: &'static str, value: &str) -> Result<TenantId> {
    TenantId::parse(value).map_err(|error| Fault::invalid("TENANT_ID_INVALID", field, error.to_string()))
}
