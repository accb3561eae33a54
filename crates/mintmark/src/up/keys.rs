//! Development keys: made once, kept in `keys/`, never printed.

use std::path::PathBuf;

use mintmark_auth::control;
use mintmark_auth::{
    DEFAULT_ISSUER, Grant, Jwk, KeyRing, SigningKey, TrustBundle, TrustedKey, audience, scope,
};
use mintmark_ids::ServiceName;
use secrecy::ExposeSecret;

use crate::failure::Failure;
use crate::home::{Home, random_key, random_password, write_private};

/// Every secret that the launcher hands to a service.
pub struct Keys {
    pub control_token: String,
    pub control_signing_key: PathBuf,
    pub session_signing_key: PathBuf,
    pub trust_bundle: PathBuf,
    pub code_master_key: String,
    pub code_pepper: String,
    pub export_url_signing_key: String,
}

impl Keys {
    /// Reads the keys of this folder, making those that are missing.
    pub fn load_or_make(home: &Home) -> Result<Self, Failure> {
        let control_signing_key = home.key_file("control-plane.pem", signing_key)?;
        let trust_bundle = home.path("trust-bundle.json");
        write_private(&trust_bundle, &bundle(&home.key("control-plane.pem", signing_key)?)?)?;
        Ok(Self {
            control_token: home
                .key("control-token", || Ok(control::generate().expose_secret().to_owned()))?,
            control_signing_key,
            session_signing_key: home.key_file("session.pem", signing_key)?,
            trust_bundle,
            code_master_key: home.key("code-master-key", random_key)?,
            code_pepper: home.key("code-pepper", random_key)?,
            export_url_signing_key: home.key("export-url-signing-key", random_key)?,
        })
    }
}

/// The password of one Postgres login.
pub fn database_password(home: &Home, login: &str) -> Result<String, Failure> {
    home.key(&format!("postgres-{login}"), random_password)
}

fn signing_key() -> Result<String, Failure> {
    Ok(SigningKey::generate_pem().to_string())
}

/// The trust bundle: who may sign what. Only what runs today is granted anything. Each key of the file gets the same grants:
/// during a rotation there are two.
fn bundle(control_plane_pem: &str) -> Result<String, Failure> {
    let ring = KeyRing::from_pem(control_plane_pem).map_err(|error| {
        Failure::new(format!(
            "keys/control-plane.pem cannot be used ({error}): mend it, or remove it to have it made again"
        ))
    })?;
    let grant = |aud: &str, scopes: &[&str]| Grant {
        aud: aud.to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
    };
    // The control plane is the contract's central authority: nobody else may say `ppos:control`.
    let grants = [
        grant(
            audience::RESOLVER,
            &[scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ],
        ),
        grant(audience::PREFLIGHT, &scope::PREFLIGHT),
        grant(audience::RATELIMIT, &[scope::RATELIMIT_CHECK]),
    ];
    let trusted = |jwk: &Jwk| TrustedKey {
        jwk: jwk.clone(),
        service: ServiceName::ControlPlane,
        grants: grants.to_vec(),
    };
    TrustBundle::new(DEFAULT_ISSUER, ring.accepted().iter().map(trusted).collect())
        .map(|bundle| bundle.to_json())
        .map_err(|error| Failure::new(format!("could not write the trust bundle: {error}")))
}

#[cfg(test)]
mod tests {
    use mintmark_auth::PreflightScopes;

    use super::*;

    #[test]
    fn bundle_grants_the_control_plane_alone_every_preflight_scope() {
        let (old, new) = (SigningKey::generate_pem(), SigningKey::generate_pem());
        let bundle = TrustBundle::parse(&bundle(&format!("{}{}", *new, *old)).unwrap()).unwrap();
        assert_eq!(bundle.issuer(), "https://auth.printprice.pro");
        assert_eq!(bundle.keys().len(), 2, "both keys of a rotation");
        for key in bundle.keys() {
            assert_eq!(key.service, ServiceName::ControlPlane);
            let preflight = key.grants.iter().find(|grant| grant.aud == "ppos:control").unwrap();
            let asked = PreflightScopes::parse(&preflight.scopes).unwrap();
            assert_eq!(asked.as_slice(), scope::PREFLIGHT);
        }
    }
}
