//! Who calls: the control plane, in the name of people.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mintmark_auth::SigningKey;
use mintmark_ids::{DisputeId, UserId};
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};

use crate::stage::TENANT;

/// The control plane's key, with nothing held back.
pub struct Forge {
    pair: Ed25519KeyPair,
    pub key: SigningKey,
}

impl Forge {
    pub fn new() -> Self {
        let pem = SigningKey::generate_pem().to_string();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&STANDARD.decode(body).unwrap()).unwrap();
        Forge { pair, key: SigningKey::from_pem(&pem).unwrap() }
    }

    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.key.kid() }).to_string();
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.pair.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// In whose name a call is made.
#[derive(Clone, Debug)]
pub struct Who {
    pub tenant: &'static str,
    pub subject: String,
    pub role: Option<&'static str>,
    pub dispute: Option<(DisputeId, &'static str)>,
}

impl Who {
    pub fn person(role: &'static str) -> Self {
        Who { tenant: TENANT, subject: format!("user:{}", UserId::new()), role: Some(role), dispute: None }
    }

    pub fn operator() -> Self {
        Who { tenant: TENANT, subject: "control-token".to_owned(), role: None, dispute: None }
    }

    pub fn service() -> Self {
        Who { tenant: TENANT, subject: "service:control-plane".to_owned(), role: None, dispute: None }
    }

    pub fn about(mut self, dispute: DisputeId, state: &'static str) -> Self {
        self.dispute = Some((dispute, state));
        self
    }

    pub fn of(mut self, tenant: &'static str) -> Self {
        self.tenant = tenant;
        self
    }
}

/// A dispute that is open, and those who argue about it.
#[derive(Clone, Debug)]
pub struct Cast {
    pub dispute: DisputeId,
    pub user: Who,
    pub arbitrator: Who,
    pub governance: Who,
}

impl Cast {
    pub fn new() -> Self {
        let dispute = DisputeId::new();
        let person = |role| Who::person(role).about(dispute, "open");
        Cast {
            dispute,
            user: person("USER"),
            arbitrator: person("ARBITRATOR"),
            governance: person("GOVERNANCE"),
        }
    }
}
