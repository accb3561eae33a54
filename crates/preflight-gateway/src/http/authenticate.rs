//! Who is calling? One kind of credential opens this edge: a PREFLIGHT_JWT.

use mintmark_auth::{Principal, ServiceVerifier, TokenError};
use mintmark_fault::{Fault, Kind, Result};
use mintmark_web::{Access, Authenticate, BoxFuture, Credentials};

/// Verifies PREFLIGHT_JWTs.
pub struct Gate(pub ServiceVerifier);

impl Gate {
    fn principal(&self, access: Access, credentials: &Credentials) -> Result<Principal> {
        let bearer = credentials.bearer.as_ref().filter(|_| access == Access::Preflight);
        let bearer = bearer.ok_or_else(Fault::unauthenticated)?;
        self.0.verify(bearer.expose()).map(Principal::Service).map_err(refused)
    }
}

/// One answer to every credential that is none here. What is no JWT at all is told so in the words of the contract's incident:
/// whoever forwards the wrong kind of token finds out by them.
fn refused(error: TokenError) -> Fault {
    let fault = match error {
        TokenError::Malformed | TokenError::ControlToken => Fault::new(
            Kind::Unauthenticated,
            "AUTHENTICATION_REQUIRED",
            "jwt malformed: this needs a PREFLIGHT_JWT as the bearer token",
        ),
        _ => Fault::unauthenticated(),
    };
    fault.caused_by(error)
}

impl Authenticate for Gate {
    fn authenticate(&self, access: Access, credentials: Credentials) -> BoxFuture<'_, Result<Principal>> {
        let judged = self.principal(access, &credentials);
        Box::pin(std::future::ready(judged))
    }
}
