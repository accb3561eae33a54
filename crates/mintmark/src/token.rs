//! `mintmark token`: credentials that an operator puts into configuration, or into a shell variable.

use std::path::Path;

use clap::{Args, Subcommand};
use mintmark_auth::{control, envoy, scope};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::api::{self, Control};
use crate::demo::Stage;
use crate::failure::Failure;
use crate::home::Home;

/// Tokens that can be made.
#[derive(Subcommand)]
pub enum TokenCommand {
    /// Print a new control token, for `PPOS_CONTROL_TOKEN`.
    Control,
    /// Print a new credential for an Envoy, and its SHA-256 for `RATE_LIMIT_ENVOY_CREDENTIALS`.
    Envoy,
    /// Print a PREFLIGHT_JWT of the running platform, for `PREFLIGHT_JWT`; it lives five minutes.
    Preflight(PreflightOptions),
}

/// What the PREFLIGHT_JWT is for.
#[derive(Args)]
pub struct PreflightOptions {
    /// What it may be used for, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = scope::PREFLIGHT.map(str::to_owned))]
    pub scopes: Vec<String>,
    /// Whose files it is for; `ACTIVE_TENANT_ID` of `dev.env` when left out.
    #[arg(long)]
    pub tenant: Option<String>,
}

/// Makes and prints what is wanted.
pub async fn make(home: &Path, wanted: &TokenCommand) -> Result<(), Failure> {
    match wanted {
        TokenCommand::Control => control(),
        TokenCommand::Envoy => envoy(),
        TokenCommand::Preflight(options) => return preflight(home, options).await,
    }
    Ok(())
}

/// Prints a new control token. It goes to standard output alone, so that `$(mintmark token control)` works.
#[expect(clippy::print_stdout, reason = "the token is this command's output")]
fn control() {
    println!("{}", control::generate().expose_secret());
}

/// Prints a new credential for an Envoy and, on the next line, the SHA-256 that the rate limiter is told of it.
#[expect(clippy::print_stdout, reason = "the credential is this command's output")]
fn envoy() {
    let issued = envoy::generate();
    println!("{}\n{}", issued.credential.expose_secret(), issued.sha256);
}

/// Prints a PREFLIGHT_JWT that the running platform issues under its control token: `$(mintmark token preflight)`.
#[expect(clippy::print_stdout, reason = "the token is this command's output")]
async fn preflight(home: &Path, options: &PreflightOptions) -> Result<(), Failure> {
    let stage = Stage::recall(&Home::existing(home)?)?;
    let tenant = options.tenant.as_ref().unwrap_or(&stage.production_tenant);
    let wanted = json!({ "tenantId": tenant, "scopes": options.scopes });
    let control = Control::new(&stage.control_url, &stage.control_token)?;
    let issued = control.post("/api/admin/preflight-tokens", &wanted).await?;
    println!("{}", api::text(&issued, "token")?);
    Ok(())
}
