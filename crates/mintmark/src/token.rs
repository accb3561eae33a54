//! `mintmark token`: credentials that an operator puts into configuration, or into a shell variable.

use std::path::Path;

use mintmark_auth::{control, envoy};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::api::{self, Control};
use crate::cli::{PreflightOptions, TokenCommand};
use crate::demo::Stage;
use crate::failure::Failure;
use crate::home::Home;

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
