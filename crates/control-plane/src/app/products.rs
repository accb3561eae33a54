//! Products: what is printed on, and where its scans lead. The directory is told of each change by a job.

use diesel_async::AsyncPgConnection;
use mintmark_audit::{self as audit, AuditEvent};
use mintmark_auth::policy::{Action, OnBrand, Permit};
use mintmark_auth::{Principal, action};
use mintmark_codes::Gtin;
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Fault, Result};
use mintmark_ids::{BrandId, ProductId};
use mintmark_service::config::AppEnv;
use serde_json::{Value, json};

use super::destination;
use super::{access, check};
use crate::job_kinds::{SyncProduct, SyncProductPayload};
use crate::store::page::{Slice, Window};
use crate::store::products::{self, NewProduct, Product, ProductChange};

/// What people do with products.
#[derive(Clone)]
pub struct Products {
    pool: Pool,
    app_env: AppEnv,
}

impl Products {
    /// Works on the given database; only outside production may a destination be plain http.
    pub fn new(pool: Pool, app_env: AppEnv) -> Self {
        Products { pool, app_env }
    }

    /// Creates a product of a brand.
    pub async fn create(
        &self,
        who: &Principal,
        brand: BrandId,
        gtin: &str,
        name: &str,
        destination_template: Option<String>,
    ) -> Result<Product> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_brand::<action::CreateProduct>(&mut conn, who, brand)
            .await
            .map_err(|fault| fault.field("brandId"))?;
        let gtin = Gtin::parse(gtin).map_err(|error| bad_gtin(&error))?;
        check::name("name", name)?;
        destination::check(destination_template.as_deref(), self.app_env)?;
        let new = NewProduct { gtin, name: name.to_owned(), destination_template };
        transaction("product.create", &mut conn, async |conn: &mut AsyncPgConnection| {
            let product = products::insert(conn, &permit, &new).await?;
            tell_directory(conn, &permit, product.id).await?;
            let detail = json!({ "brandId": permit.brand(), "gtin": product.gtin.as_str() });
            audit::record(conn, &act(&permit, "PRODUCT_CREATED", product.id, detail)).await?;
            Ok(product)
        })
        .await
    }

    /// The products of a brand, newest first.
    pub async fn list(&self, who: &Principal, brand: BrandId, window: Window) -> Result<Slice<Product>> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_brand(&mut conn, who, brand).await?;
        products::list(&mut conn, &permit, window).await
    }

    /// One product.
    pub async fn find(&self, who: &Principal, id: ProductId) -> Result<Product> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_product(&mut conn, who, id).await?;
        products::find(&mut conn, &permit, id).await
    }

    /// Changes a product's name or destination.
    pub async fn update(&self, who: &Principal, id: ProductId, change: ProductChange) -> Result<Product> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_product::<action::UpdateProduct>(&mut conn, who, id).await?;
        if let Some(name) = &change.name {
            check::name("name", name)?;
        }
        destination::check(change.destination_template.as_ref().and_then(Option::as_deref), self.app_env)?;
        transaction("product.update", &mut conn, async |conn: &mut AsyncPgConnection| {
            let product = products::update(conn, &permit, id, &change).await?;
            tell_directory(conn, &permit, id).await?;
            let detail = json!({ "brandId": permit.brand(), "version": product.version });
            audit::record(conn, &act(&permit, "PRODUCT_UPDATED", id, detail)).await?;
            Ok(product)
        })
        .await
    }
}

fn act<'a, A: Action<On = OnBrand>>(
    permit: &'a Permit<A>,
    action: &'static str,
    product: ProductId,
    detail: Value,
) -> AuditEvent<'a> {
    AuditEvent::allowed(Some(permit.tenant()), permit.actor(), action, ("product", product), detail)
}

async fn tell_directory<A: Action<On = OnBrand>>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
    product_id: ProductId,
) -> Result<()> {
    let payload = SyncProductPayload { product_id };
    mintmark_jobs::enqueue::<SyncProduct>(conn, permit.tenant(), permit.actor(), &payload).await?;
    Ok(())
}

fn bad_gtin(error: &mintmark_codes::GtinError) -> Fault {
    let code = match error {
        mintmark_codes::GtinError::CheckDigit { .. } => "GTIN_CHECK_DIGIT",
        _ => "GTIN_INVALID",
    };
    Fault::invalid(code, "gtin", error.to_string())
}
