use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use mintmark_auth::{TokenSource, audience, scope};
use mintmark_fault::{Fault, Kind, Result};
use mintmark_ids::{ServiceName, TenantId};
use mintmark_service::StartError;
use mintmark_service::config::Secret;
use mintmark_wire::control::v1::ExchangePreflightTokenRequest;
use mintmark_wire::control::v1::preflight_token_service_client::PreflightTokenServiceClient;
use tokio::runtime::Handle;
use tonic::Status;
use tracing::Instrument;

use super::again::twice_if_unanswered;
use crate::callee::Callee;
use crate::outgoing::connect;
use crate::status::is_ours;
use crate::{Target, authorized, fault_of};

/// The control plane answers in milliseconds; a page waits for this, its retry apart.
const UNARY: Duration = Duration::from_secs(5);
/// The field of a fault that is about the caller's own token, and not about ours.
const PRESENTED: &str = "presented_token";

/// The control plane's gRPC, as other services call it. Cheap to clone; connects at the first call.
#[derive(Clone)]
pub struct ControlPlane {
    client: PreflightTokenServiceClient<Callee>,
    tokens: TokenSource,
}

/// A PREFLIGHT_JWT that the control plane gave in exchange for a caller's own: what a service goes on with.
///
/// Nothing but [`ControlPlane::exchange_preflight`] makes one, so that a caller's own token cannot be taken for it:
///
/// ```compile_fail
/// fn forge(raw: String) -> mintmark_rpc::client::ExchangedToken { mintmark_rpc::client::ExchangedToken::from(raw) }
/// ```
pub struct ExchangedToken {
    raw: Secret,
    expires_at: DateTime<Utc>,
    scopes: Vec<String>,
}

impl ControlPlane {
    /// A client of the control plane at `target` (a URL alone, or a [`Target`]), driven on the runtime it is made on.
    ///
    /// # Errors
    /// A sentence when its URL cannot be one.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new<'a>(
        target: impl Into<Target<'a>>,
        tokens: TokenSource,
    ) -> std::result::Result<Self, StartError> {
        let callee = connect(target.into(), ServiceName::ControlPlane, &Handle::current())?;
        Ok(Self { client: PreflightTokenServiceClient::new(callee), tokens })
    }

    /// Exchanges a caller's PREFLIGHT_JWT for one of the same tenant, subject and tier with `scopes` (empty: all), as far as
    /// the presented one has them, which ends no later.
    ///
    /// # Errors
    /// 401 `AUTHENTICATION_REQUIRED` where the presented token does not verify; 403 where it is another tenant's or has none
    /// of the scopes; 503 `CONTROL_PLANE_UNAVAILABLE` where nobody answers, a second time neither. That the control plane does
    /// not believe *us* is our own misconfiguration (500).
    pub async fn exchange_preflight(
        &self,
        tenant: &TenantId,
        presented: &str,
        scopes: &[&str],
    ) -> Result<ExchangedToken> {
        let span = tracing::info_span!(
            "rpc.client",
            otel.name = "mintmark.control.v1.PreflightTokenService/ExchangePreflightToken",
            otel.kind = "client",
            rpc.system = "grpc",
            rpc.service = "mintmark.control.v1.PreflightTokenService",
            rpc.method = "ExchangePreflightToken",
            rpc.grpc.status_code = tracing::field::Empty,
        );
        let token = self.tokens.for_tenant(audience::REGISTRY, tenant, &[scope::TOKENS_EXCHANGE]);
        let message = ExchangePreflightTokenRequest {
            presented_token: presented.to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        };
        // An exchange leaves nothing behind but a token that soon ends: a second one does no harm.
        let call = twice_if_unanswered(|| {
            let (mut client, request) = (self.client.clone(), authorized(message.clone(), &token, UNARY));
            async move { client.exchange_preflight_token(request).await }
        });
        let answer = match call.instrument(span.clone()).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => {
                span.record("rpc.grpc.status_code", i32::from(status.code()));
                return Err(fault(&status));
            }
        };
        let expires_at = answer.expires_at.and_then(|at| DateTime::from_timestamp(at.seconds, 0));
        let incomplete = || Fault::internal("the control plane answered an exchange without token or end");
        Ok(ExchangedToken {
            expires_at: expires_at.filter(|_| !answer.token.is_empty()).ok_or_else(incomplete)?,
            raw: Secret::new(answer.token),
            scopes: answer.scopes,
        })
    }
}

/// What the caller should see of a refusal.
fn fault(status: &Status) -> Fault {
    let fault = fault_of(status);
    match fault.kind() {
        Kind::Unauthenticated | Kind::Forbidden if fault.field_name() == Some(PRESENTED) => fault,
        Kind::Unauthenticated | Kind::Forbidden | Kind::MethodNotAllowed => Fault::internal(fault),
        Kind::Timeout => unavailable().caused_by(fault),
        Kind::Unavailable if !is_ours(status) => unavailable().caused_by(fault),
        _ => fault,
    }
}

fn unavailable() -> Fault {
    let sentence =
        "the control plane cannot be reached now, and it alone makes tokens; the same request may work later";
    Fault::unavailable("CONTROL_PLANE_UNAVAILABLE", sentence).retry_after(Duration::from_secs(2))
}

impl ExchangedToken {
    /// The raw token, for the `authorization` of calls made for the caller.
    pub fn expose(&self) -> &str {
        self.raw.expose()
    }

    /// When it ends.
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// What it may be used for.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }
}

impl fmt::Debug for ExchangedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExchangedToken([secret])")
    }
}
