//! The audiences of service tokens: one service each, so that a token opens one door only.

use std::time::Duration;

/// The issuer that the preflight contract names; `AUTH_ISSUER` replaces it.
pub const DEFAULT_ISSUER: &str = "https://auth.printprice.pro";

/// The preflight gateway. The name is the contract's (preflight-auth-contract, section 2), although it says "control".
pub const PREFLIGHT: &str = "ppos:control";
/// The resolver's directory.
pub const RESOLVER: &str = "ppos:resolver";
/// The evidence vault.
pub const EVIDENCE: &str = "ppos:evidence";
/// The rate limiter.
pub const RATELIMIT: &str = "ppos:ratelimit";
/// The control plane's own gRPC.
pub const REGISTRY: &str = "ppos:registry";

/// The longest that a token for this audience may live, from `iat` to `exp`.
///
/// A PREFLIGHT_JWT is given to clients and lives five minutes at most; tokens between services live one minute.
pub(crate) fn max_lifetime(audience: &str) -> Duration {
    Duration::from_secs(if audience == PREFLIGHT { 300 } else { 60 })
}
