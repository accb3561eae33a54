#![doc = include_str!("../README.md")]

pub mod action;
pub mod api_scope;
pub mod audience;
pub mod control;
pub mod envoy;
pub mod policy;
pub mod scope;

mod actor;
mod api_key;
mod bundle;
mod cache;
mod claims;
mod jwk;
mod jws;
mod key;
mod key_ring;
mod named;
mod person;
mod preflight;
mod principal;
mod provider;
mod role;
mod service_token;
mod service_verifier;
mod session;
mod token_error;
mod trust;
mod trusted_envoy;

pub use actor::{Actor, ActorError, Impersonator};
pub use api_key::{
    API_KEY_PREFIX, ApiKeyError, IssuedKey, KeyEnvironment, PresentedKey, VerifiedKey, looks_like_api_key,
};
pub use api_scope::{ApiScope, SCOPE_SETS, scope_satisfies};
pub use audience::DEFAULT_ISSUER;
pub use bundle::{BundleError, Grant, TrustBundle, TrustedKey};
pub use control::{CONTROL_PREFIX, ControlAuthority, ControlToken, ControlTokenError};
pub use envoy::{EnvoyCaller, EnvoyCredentials, EnvoyCredentialsError, EnvoyDomain};
pub use jwk::{Jwk, JwkError, Jwks};
pub use key::{KeyError, SigningKey};
pub use key_ring::{KeyRing, KeyRingError, KeyStore};
pub use named::NameError;
pub use person::{CallRole, DisputeClaim, DisputeState, PersonCall, PersonClaims};
pub use policy::{Action, MatrixRow, OnBrand, OnPlatform, OnTenant, Permit, Rule, authorize, matrix};
pub use preflight::{PreflightGrant, PreflightScopes};
pub use principal::{ApiKeyCaller, KeyStanding, Principal, Session, Standing};
pub use role::{BrandRole, EvidenceRole, Tier};
pub use service_token::{ServiceToken, TokenSource};
pub use service_verifier::{ServiceCaller, ServiceVerifier};
pub use session::{
    MAX_IMPERSONATION_TTL, MAX_SESSION_TTL, Minted, SESSION_AUDIENCE, SessionMinter, SessionVerifier,
    VerifiedSession,
};
pub use token_error::TokenError;
pub use trust::TrustStore;
pub use trusted_envoy::{CertificateIdentity, ClientCertificate, TrustedEnvoy, TrustedEnvoyError};
