//! Development keys: made once, kept in `keys/`, never printed.

use std::path::PathBuf;

use mintmark_auth::control;
use mintmark_auth::{DEFAULT_ISSUER, SigningKey, audience, scope};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

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

/// The trust bundle: who may sign what. Only what runs today is granted anything.
fn bundle(control_plane_pem: &str) -> Result<String, Failure> {
    let key = SigningKey::from_pem(control_plane_pem).map_err(|error| {
        Failure::new(format!(
            "keys/control-plane.pem cannot be read ({error}): remove it to have it made again"
        ))
    })?;
    let mut entry = serde_json::to_value(key.public_jwk())
        .map_err(|error| Failure::new(format!("could not write the trust bundle: {error}")))?;
    if let Value::Object(members) = &mut entry {
        members.insert("service".to_owned(), json!("control-plane"));
        members.insert(
            "grants".to_owned(),
            json!([{ "aud": audience::RESOLVER, "scopes": [scope::DIRECTORY_PUBLISH, scope::DIRECTORY_READ] }]),
        );
    }
    Ok(format!("{:#}\n", json!({ "issuer": DEFAULT_ISSUER, "keys": [entry] })))
}
