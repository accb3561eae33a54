//! Who is calling? One kind of credential opens this edge: a PREFLIGHT_JWT.

use mintmark_auth::{Principal, ServiceVerifier, TokenError};
use mintmark_fault::{Fault, Result};
use mintmark_web::{Access, Authenticate, BoxFuture, Credentials};

/// Verifies PREFLIGHT_JWTs.
pub struct Gate(pub ServiceVerifier);

impl Gate {
    fn principal(&self, access: Access, credentials: &Credentials) -> Result<Principal> {
        let bearer = credentials.bearer.as_ref().filter(|_| access == Access::Preflight);
        let bearer = bearer.ok_or_else(Fault::unauthenticated)?;
        self.0.verify(bearer.expose()).map(Principal::Service).map_err(TokenError::where_preflight_is_wanted)
    }
}

impl Authenticate for Gate {
    fn authenticate(&self, access: Access, credentials: Credentials) -> BoxFuture<'_, Result<Principal>> {
        let judged = self.principal(access, &credentials);
        Box::pin(std::future::ready(judged))
    }
}
