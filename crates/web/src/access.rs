//! Who may come to a route, and who says whether they are who they claim.

use futures::future::BoxFuture;
use mintmark_auth::Principal;
use mintmark_fault::Fault;
use mintmark_service::config::Secret;

/// Who may come to a route. Every row of the table states one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Anybody; an `Authorization` header is dropped unread.
    Public,
    /// The control token and nothing else.
    ControlToken,
    /// A person's session.
    Session,
    /// A person's session, or an API key (`X-API-Key`, or as the bearer).
    SessionOrKey,
    /// A PREFLIGHT_JWT (preflight-auth-contract, section 2).
    Preflight,
    /// Whoever holds the URL: it carries its own proof, which the handler verifies.
    Signed,
}

impl Access {
    /// Whether the gate asks for credentials.
    #[must_use]
    pub fn needs_credentials(self) -> bool {
        matches!(self, Self::ControlToken | Self::Session | Self::SessionOrKey | Self::Preflight)
    }
}

/// What a request brought to prove who sent it. The edge has taken it out of the request.
#[derive(Debug)]
pub struct Credentials {
    /// The value after `Bearer`; `None` when there was no `Authorization` header.
    pub bearer: Option<Secret>,
    /// The value of `X-API-Key`; only on routes that take one, and there never beside a bearer.
    pub api_key: Option<Secret>,
}

/// Judges credentials. Called for routes that need them, before anything else of the request is read.
pub trait Authenticate: Send + Sync + 'static {
    /// Who this is, or `Fault::unauthenticated()`; a principal of another kind than `access` asks for is refused here.
    fn authenticate(
        &self,
        access: Access,
        credentials: Credentials,
    ) -> BoxFuture<'_, Result<Principal, Fault>>;
}
