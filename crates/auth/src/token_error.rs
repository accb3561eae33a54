use mintmark_fault::{Fault, Kind};

/// Why a bearer was refused. For logs and metrics: the client hears one answer, 401 `AUTHENTICATION_REQUIRED`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenError {
    /// Not a compact JWS: the words are those of the preflight contract's incident.
    #[error("jwt malformed")]
    Malformed,
    /// The header has a parameter that we do not read (`jku`, `jwk`, `x5u`, `x5c`, `crit`, …), twice the same one, or
    /// the wrong `typ`.
    #[error("jwt header not accepted")]
    Header,
    /// `alg` is not the algorithm of the key.
    #[error("jwt algorithm not accepted")]
    Algorithm,
    /// `kid` is absent or names no key that we trust.
    #[error("jwt key unknown")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("jwt signature invalid")]
    Signature,
    /// A claim is missing, null, twice there, or not of its type.
    #[error("jwt claims not accepted")]
    Claims,
    /// `exp` has passed.
    #[error("jwt expired")]
    Expired,
    /// `nbf` or `iat` lies in the future.
    #[error("jwt not yet valid")]
    NotYetValid,
    /// The token is made to live longer than tokens of its kind may.
    #[error("jwt lifetime too long")]
    Lifetime,
    /// `iss` is not our issuer.
    #[error("jwt issuer not accepted")]
    Issuer,
    /// `aud` is not exactly this service's audience.
    #[error("jwt audience not accepted")]
    Audience,
    /// The trust bundle does not let the signing service say this scope here.
    #[error("jwt scope not granted to its signer")]
    Scope,
    /// A control token was sent to something that takes none.
    #[error("control token sent where none is accepted")]
    ControlToken,
    /// Longer than 4096 bytes.
    #[error("jwt too long")]
    Oversize,
}

impl TokenError {
    /// The answer of an edge that a PREFLIGHT_JWT alone opens: one to every credential that is none there. What is no JWT at
    /// all is told so in the words of the contract's incident: whoever forwards the wrong kind of token finds out by them.
    #[must_use]
    pub fn where_preflight_is_wanted(self) -> Fault {
        let fault = match self {
            Self::Malformed | Self::ControlToken => Fault::new(
                Kind::Unauthenticated,
                "AUTHENTICATION_REQUIRED",
                "jwt malformed: this needs a PREFLIGHT_JWT as the bearer token",
            ),
            _ => Fault::unauthenticated(),
        };
        fault.caused_by(self)
    }
}

impl From<TokenError> for Fault {
    fn from(error: TokenError) -> Fault {
        Fault::unauthenticated().caused_by(error)
    }
}
