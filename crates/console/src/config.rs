//! Configuration, from the environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use mintmark_auth::{DEFAULT_ISSUER, KeyStore};
use mintmark_fault::Chain;
use mintmark_service::config::Reader;

/// Configuration of the service.
pub struct ConsoleConfig {
    /// Where pages and API answer.
    pub http_addr: SocketAddr,
    /// This service's identity.
    pub keys: KeyStore,
    /// The trust bundle.
    pub trust_bundle: PathBuf,
    /// Who issues our tokens.
    pub issuer: String,
    /// Where tokens are exchanged.
    pub control_plane_url: String,
    /// Where jobs are.
    pub gateway_url: String,
    /// Whether cookies travel over TLS alone: everywhere but in development and test, where there is none.
    pub secure_cookies: bool,
}

impl ConsoleConfig {
    /// Reads it; problems are kept by the reader.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let app_env = reader.app_env();
        let http_addr = reader.addr("CONSOLE_HTTP_ADDR", "127.0.0.1:8085", "where pages and API answer");
        let keys = keys(reader);
        let trust_bundle = reader.path(
            "TRUST_BUNDLE_FILE",
            "keys of the services, and what each of them may grant; reloaded when it changes",
        );
        let issuer = reader.string("AUTH_ISSUER", DEFAULT_ISSUER, "issuer of our tokens");
        let control_plane_url = reader.peer_url(
            app_env,
            "CONTROL_PLANE_GRPC_URL",
            "http://127.0.0.1:9080",
            "the control plane, where tokens are exchanged",
        );
        let gateway_url = reader.peer_url(
            app_env,
            "PREFLIGHT_GATEWAY_GRPC_URL",
            "http://127.0.0.1:9082",
            "the preflight gateway",
        );
        Some(Self {
            http_addr: http_addr?,
            keys: keys?,
            trust_bundle: trust_bundle?,
            issuer: issuer?,
            control_plane_url: control_plane_url?,
            gateway_url: gateway_url?,
            secure_cookies: app_env?.is_production(),
        })
    }
}

fn keys(reader: &mut Reader) -> Option<KeyStore> {
    const NAME: &str = "CONSOLE_SIGNING_KEY_FILE";
    let path = reader.secret_path(
        NAME,
        "Ed25519 keys (PEM) of this service's identity; the first signs, reloaded when they change",
    )?;
    let unusable = |error| format!("{} cannot be used: {}", path.display(), Chain(&error));
    KeyStore::load(&path).map_err(|error| reader.problem(NAME, unusable(error))).ok()
}
