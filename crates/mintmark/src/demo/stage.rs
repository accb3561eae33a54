//! What the demonstration needs to know of a running platform, kept in `dev.env`.

use std::collections::BTreeMap;

use crate::failure::Failure;
use crate::home::Home;

/// Addresses, credentials and the things that were seeded.
pub struct Stage {
    pub control_url: String,
    pub scan_url: String,
    pub gateway_url: String,
    pub gateway_grpc: String,
    pub control_grpc: String,
    pub directory_grpc: String,
    pub ratelimit_grpc: String,
    pub vault_grpc: String,
    pub control_token: String,
    pub production_tenant: String,
    pub tenant: String,
    pub brand: String,
    pub product: String,
    pub gtin: String,
    pub redirecting_product: String,
    pub session: String,
    /// Where the console answers, where it runs.
    pub console_url: Option<String>,
    pub batch: Option<String>,
    pub code: Option<String>,
}

impl Stage {
    /// One line for a person.
    pub fn summary(&self) -> String {
        format!("{} / {} / GTIN {}", self.tenant, self.brand, self.gtin)
    }

    /// Writes `dev.env`.
    pub fn remember(&self, home: &Home) -> Result<(), Failure> {
        let mut variables = BTreeMap::new();
        for (name, value) in self.required() {
            variables.insert(name.to_owned(), value.clone());
        }
        for (name, value) in [
            ("MINTMARK_BATCH", &self.batch),
            ("MINTMARK_CODE", &self.code),
            ("MINTMARK_CONSOLE_URL", &self.console_url),
        ] {
            if let Some(value) = value {
                variables.insert(name.to_owned(), value.clone());
            }
        }
        home.write_dev_env(&variables)
    }

    /// Reads `dev.env` of a platform that was started before.
    pub fn recall(home: &Home) -> Result<Self, Failure> {
        let variables = home.dev_env();
        let get = |name: &str| {
            variables.get(name).cloned().ok_or_else(|| {
                Failure::new(format!(
                    "{} does not name {name}: start the platform with `make run`",
                    home.path("dev.env").display()
                ))
            })
        };
        Ok(Self {
            control_url: get("MINTMARK_CONTROL_URL")?,
            scan_url: get("MINTMARK_SCAN_URL")?,
            gateway_url: get("MINTMARK_GATEWAY_URL")?,
            gateway_grpc: get("MINTMARK_GATEWAY_GRPC")?,
            control_grpc: get("MINTMARK_CONTROL_GRPC")?,
            directory_grpc: get("MINTMARK_DIRECTORY_GRPC")?,
            ratelimit_grpc: get("MINTMARK_RATELIMIT_GRPC")?,
            vault_grpc: get("MINTMARK_VAULT_GRPC")?,
            control_token: get("PPOS_CONTROL_TOKEN")?,
            production_tenant: get("ACTIVE_TENANT_ID")?,
            tenant: get("MINTMARK_TENANT")?,
            brand: get("MINTMARK_BRAND")?,
            product: get("MINTMARK_PRODUCT")?,
            gtin: get("MINTMARK_GTIN")?,
            redirecting_product: get("MINTMARK_PRODUCT_REDIRECTING")?,
            session: get("MINTMARK_SESSION")?,
            console_url: variables.get("MINTMARK_CONSOLE_URL").cloned(),
            batch: variables.get("MINTMARK_BATCH").cloned(),
            code: variables.get("MINTMARK_CODE").cloned(),
        })
    }

    fn required(&self) -> [(&'static str, &String); 16] {
        [
            ("ACTIVE_TENANT_ID", &self.production_tenant),
            ("MINTMARK_BRAND", &self.brand),
            ("MINTMARK_CONTROL_GRPC", &self.control_grpc),
            ("MINTMARK_CONTROL_URL", &self.control_url),
            ("MINTMARK_DIRECTORY_GRPC", &self.directory_grpc),
            ("MINTMARK_RATELIMIT_GRPC", &self.ratelimit_grpc),
            ("MINTMARK_GATEWAY_GRPC", &self.gateway_grpc),
            ("MINTMARK_GATEWAY_URL", &self.gateway_url),
            ("MINTMARK_GTIN", &self.gtin),
            ("MINTMARK_PRODUCT", &self.product),
            ("MINTMARK_PRODUCT_REDIRECTING", &self.redirecting_product),
            ("MINTMARK_SCAN_URL", &self.scan_url),
            ("MINTMARK_SESSION", &self.session),
            ("MINTMARK_TENANT", &self.tenant),
            ("MINTMARK_VAULT_GRPC", &self.vault_grpc),
            ("PPOS_CONTROL_TOKEN", &self.control_token),
        ]
    }
}
