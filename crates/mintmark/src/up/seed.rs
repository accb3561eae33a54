//! The demonstration's tenant, users, brand and products, out of the catalogue file. Running it again changes nothing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Control, text};
use crate::demo::Stage;
use crate::failure::Failure;
use crate::home::Home;

use super::addresses::Addresses;
use super::keys::Keys;

const CATALOGUE: &str = include_str!("../../demo/catalogue.json");
/// The brand's logo, and the picture of its first product; both drawn for this demonstration.
const LOGO: &[u8] = include_bytes!("../../demo/logo.png");
const PICTURE: &[u8] = include_bytes!("../../demo/espresso.png");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Catalogue {
    tenant: Tenant,
    production_tenant: Tenant,
    users: Vec<User>,
    brand: Brand,
    products: Vec<Product>,
}

#[derive(Deserialize)]
struct Tenant {
    id: String,
    name: String,
    tier: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct User {
    email: String,
    name: String,
    #[serde(default)]
    tenant_admin: bool,
    role: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Brand {
    name: String,
    primary_colour: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Product {
    gtin: String,
    name: String,
    destination_template: Option<String>,
}

/// Makes what is missing, and gives the stage on which the demonstration plays.
pub async fn seed(home: &Home, addresses: &Addresses, keys: &Keys) -> Result<Stage, Failure> {
    let catalogue: Catalogue = serde_json::from_str(CATALOGUE).map_err(|error| {
        Failure::new(format!("crates/mintmark/demo/catalogue.json is not valid: {error}"))
    })?;
    let base = format!("http://{}", addresses.control_http);
    let admin = Control::new(&base, &keys.control_token)?;

    for tenant in [&catalogue.tenant, &catalogue.production_tenant] {
        admin
            .ensure(
                "/api/admin/tenants",
                &json!({ "id": tenant.id, "name": tenant.name, "tier": tenant.tier }),
            )
            .await?;
    }
    let users = ensure_users(&admin, &catalogue).await?;
    let owner = catalogue
        .users
        .iter()
        .find(|user| user.tenant_admin)
        .and_then(|user| users.get(&user.email))
        .ok_or_else(|| Failure::new("the catalogue names no tenant administrator"))?;
    let session = admin.post("/api/admin/sessions", &json!({ "userId": owner })).await?;
    let session = text(&session, "token")?.to_owned();

    let person = Control::new(&base, &session)?;
    let brand = ensure_brand(&person, &catalogue.brand.name).await?;
    for user in &catalogue.users {
        if let (Some(role), Some(id)) = (&user.role, users.get(&user.email)) {
            admin
                .ensure("/api/admin/memberships", &json!({ "userId": id, "brandId": brand, "role": role }))
                .await?;
        }
    }
    let products = ensure_products(&person, &brand, &catalogue.products).await?;
    let first = products.first().ok_or_else(|| Failure::new("the catalogue names no product"))?;

    dress(&person, &brand, &catalogue.brand.primary_colour, &first.0).await?;

    let before = home.dev_env();
    Ok(Stage {
        control_url: base,
        scan_url: format!("http://{}", addresses.scan_http),
        gateway_url: format!("http://{}", addresses.gateway_http),
        gateway_grpc: addresses.gateway_grpc.to_string(),
        console_url: Some(format!("http://{}", addresses.console_http)),
        control_grpc: addresses.control_grpc.to_string(),
        directory_grpc: addresses.directory_grpc.to_string(),
        ratelimit_grpc: addresses.ratelimit_grpc.to_string(),
        vault_grpc: addresses.vault_grpc.to_string(),
        control_token: keys.control_token.clone(),
        production_tenant: catalogue.production_tenant.id,
        tenant: catalogue.tenant.id,
        brand,
        product: first.0.clone(),
        gtin: first.1.clone(),
        redirecting_product: products.last().map(|product| product.0.clone()).unwrap_or_default(),
        session,
        batch: before.get("MINTMARK_BATCH").cloned(),
        code: before.get("MINTMARK_CODE").cloned(),
    })
}

async fn ensure_users(admin: &Control, catalogue: &Catalogue) -> Result<BTreeMap<String, String>, Failure> {
    for user in &catalogue.users {
        let body = json!({
            "tenantId": catalogue.tenant.id, "email": user.email, "name": user.name, "tenantAdmin": user.tenant_admin,
        });
        admin.ensure("/api/admin/users", &body).await?;
    }
    let listed = admin.list(&format!("/api/admin/users?tenantId={}", catalogue.tenant.id)).await?;
    listed.iter().map(|user| Ok((text(user, "email")?.to_owned(), text(user, "id")?.to_owned()))).collect()
}

async fn ensure_brand(person: &Control, name: &str) -> Result<String, Failure> {
    let named = |brand: &&Value| brand["name"].as_str() == Some(name);
    if let Some(brand) = person.list("/v1/brands").await?.iter().find(named) {
        return text(brand, "id").map(ToOwned::to_owned);
    }
    let made = person.post("/v1/brands", &json!({ "name": name })).await?;
    text(&made, "id").map(ToOwned::to_owned)
}

/// Gives the brand its colour and logo and the product its picture; each start puts them back as they are here.
async fn dress(person: &Control, brand: &str, colour: &str, product: &str) -> Result<(), Failure> {
    let look = json!({ "primaryColour": colour });
    person.put(&format!("/v1/brands/{brand}/presentation"), &look).await?;
    person.put_file(&format!("/v1/brands/{brand}/logo"), "image/png", LOGO).await?;
    person.put_file(&format!("/v1/products/{product}/picture"), "image/png", PICTURE).await
}

/// `(product id, GTIN)` in the order of the catalogue.
async fn ensure_products(
    person: &Control,
    brand: &str,
    wanted: &[Product],
) -> Result<Vec<(String, String)>, Failure> {
    for product in wanted {
        let mut body = json!({ "brandId": brand, "gtin": product.gtin, "name": product.name });
        if let Some(template) = &product.destination_template {
            body["destinationTemplate"] = json!(template);
        }
        person.ensure("/v1/products", &body).await?;
    }
    let listed = person.list(&format!("/v1/products?brandId={brand}")).await?;
    wanted
        .iter()
        .map(|product| {
            let found = listed.iter().find(|listed| listed["gtin"].as_str() == Some(&product.gtin));
            let found = found.ok_or_else(|| {
                Failure::new(format!(
                    "the product {} was not found after it was made: another brand of the tenant may hold its GTIN",
                    product.gtin
                ))
            })?;
            Ok((text(found, "id")?.to_owned(), product.gtin.clone()))
        })
        .collect()
}
