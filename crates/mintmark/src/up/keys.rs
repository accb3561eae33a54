//! Development keys: made once, kept in `keys/`, never printed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mintmark_auth::control;
use mintmark_auth::{
    BundleError, DEFAULT_ISSUER, Grant, Jwk, KeyRing, SigningKey, TrustBundle, TrustedKey, audience, scope,
};
use mintmark_ids::ServiceName;
use secrecy::ExposeSecret;

use crate::failure::{Doing, Failure};
use crate::home::{Home, random_key, random_password, write_private};

use super::evidence;

/// Every secret that the launcher hands to a service.
pub struct Keys {
    pub control_token: String,
    pub control_signing_key: PathBuf,
    pub session_signing_key: PathBuf,
    pub gateway_signing_key: PathBuf,
    pub console_signing_key: PathBuf,
    pub trust_bundle: PathBuf,
    pub code_master_key: String,
    pub code_pepper: String,
    pub export_url_signing_key: String,
    pub evidence_encryption_key: String,
    pub evidence_proof_key: PathBuf,
    pub vault_audit_key: PathBuf,
    pub control_audit_key: PathBuf,
    pub audit_verifier_keys: PathBuf,
}

impl Keys {
    /// Reads the keys of this folder, making those that are missing, and writes what follows from them: the trust bundle and
    /// the list of the logs' public keys.
    pub fn load_or_make(home: &Home) -> Result<Self, Failure> {
        write_private(&home.path(TRUST_BUNDLE), bundle(|file| home.key(file, signing_key))?)?;
        write_verifier_keys(home)?;
        Self::load(home)
    }

    /// The same without writing what follows: in the middle of a rotation the bundle knows a key that signs nothing yet.
    pub fn load(home: &Home) -> Result<Self, Failure> {
        let control_signing_key = home.key_file("control-plane.pem", signing_key)?;
        let trust_bundle = home.path(TRUST_BUNDLE);
        Ok(Self {
            control_token: home
                .key("control-token", || Ok(control::generate().expose_secret().to_owned()))?,
            control_signing_key,
            gateway_signing_key: home.key_file("preflight-gateway.pem", signing_key)?,
            console_signing_key: home.key_file("console.pem", signing_key)?,
            session_signing_key: home.key_file("session.pem", signing_key)?,
            trust_bundle,
            code_master_key: home.key("code-master-key", random_key)?,
            code_pepper: home.key("code-pepper", random_key)?,
            export_url_signing_key: home.key("export-url-signing-key", random_key)?,
            evidence_encryption_key: home.key("evidence-encryption-key", random_key)?,
            evidence_proof_key: home.key_file("evidence-proof.pem", proof_key)?,
            vault_audit_key: home.key_file(VAULT_AUDIT, signing_key)?,
            control_audit_key: home.key_file(CONTROL_AUDIT, signing_key)?,
            audit_verifier_keys: home.path(VERIFIER_KEYS),
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

/// What each service is told of the others' keys.
const TRUST_BUNDLE: &str = "trust-bundle.json";
/// The public keys of the two audit logs.
const VERIFIER_KEYS: &str = "audit-keys.txt";
/// The keys of the two audit logs.
const VAULT_AUDIT: &str = "evidence-audit.pem";
const CONTROL_AUDIT: &str = "control-audit.pem";

/// Writes the public halves of the logs' keys where everybody may read them. Those that are there stay: a key that signs no
/// longer still verifies what it signed.
fn write_verifier_keys(home: &Home) -> Result<(), Failure> {
    let path = home.path(VERIFIER_KEYS);
    let mut text = std::fs::read_to_string(&path)
        .unwrap_or_else(|_| "# Keys of the audit logs, for `mintmark audit verify --keys`.\n".to_owned());
    for (file, log) in [(VAULT_AUDIT, evidence::VAULT_LOG), (CONTROL_AUDIT, evidence::CONTROL_LOG)] {
        let signer = mintmark_audit::note::Signer::from_pem(log, &home.key(file, signing_key)?);
        let signer = signer.map_err(|error| {
            Failure::new(format!(
                "keys/{file} cannot be used ({error}): mend it, or remove it to have it made again"
            ))
        })?;
        let line = signer.verifier().to_string();
        if text.lines().all(|known| known.trim() != line) {
            text.push_str(&format!("{line}\n"));
        }
    }
    write_private(&path, text)
}

/// The RSA key that signs proofs of erasure. `ring` signs with such keys and makes none.
fn proof_key() -> Result<String, Failure> {
    let made = Command::new("openssl")
        .args(["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::new(format!("`openssl` makes the key of erasure proofs and cannot be run ({error}): run deploy/setup/setup.sh")))?;
    if !made.status.success() {
        let said = String::from_utf8_lossy(&made.stderr).into_owned();
        return Err(Failure::new(format!("`openssl genpkey` made no key for erasure proofs: {said}")));
    }
    String::from_utf8(made.stdout)
        .map_err(|_| Failure::new("`openssl genpkey` wrote something that is no PEM"))
}

/// A service whose tokens others accept: its key file, and what each key of the file may say.
struct Signer {
    service: ServiceName,
    file: &'static str,
    grants: &'static [(&'static str, &'static [&'static str])],
}

/// Who may sign what. Only what runs today is granted anything.
const SIGNERS: &[Signer] = &[
    // The control plane is the contract's central authority: nobody else may say `ppos:control`.
    Signer {
        service: ServiceName::ControlPlane,
        file: "control-plane.pem",
        grants: &[
            (audience::RESOLVER, &[scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ]),
            (audience::PREFLIGHT, &scope::PREFLIGHT),
            (audience::RATELIMIT, &[scope::RATELIMIT_CHECK]),
            (audience::EVIDENCE, &scope::EVIDENCE),
        ],
    },
    Signer {
        service: ServiceName::PreflightGateway,
        file: "preflight-gateway.pem",
        grants: &[(audience::RATELIMIT, &[scope::RATELIMIT_CHECK])],
    },
    // It may ask for a token in exchange for its caller's own, and for nothing else.
    Signer {
        service: ServiceName::Console,
        file: "console.pem",
        grants: &[(audience::REGISTRY, &[scope::TOKENS_EXCHANGE])],
    },
];

/// The trust bundle of the key files in `folder`, each under the name that it has in `keys/`; issuer and Envoys are those of
/// `like`, where there is one.
pub fn bundle_of(folder: &Path, like: Option<&TrustBundle>) -> Result<String, Failure> {
    let keys = trusted(|file| {
        let path = folder.join(file);
        std::fs::read_to_string(&path).doing(format_args!("read {}", path.display()))
    })?;
    let made = TrustBundle::new(like.map_or(DEFAULT_ISSUER, TrustBundle::issuer), keys);
    made.and_then(|bundle| bundle.with_envoys(like.map_or_else(Vec::new, |like| like.envoys().to_vec())))
        .map(|bundle| bundle.to_json())
        .map_err(unusable_bundle)
}

fn unusable_bundle(error: BundleError) -> Failure {
    Failure::new(format!("could not write the trust bundle: {error}"))
}

/// The trust bundle. `pem` gives the text of a key file.
fn bundle(pem: impl Fn(&'static str) -> Result<String, Failure>) -> Result<String, Failure> {
    let made = TrustBundle::new(DEFAULT_ISSUER, trusted(pem)?);
    made.map(|bundle| bundle.to_json()).map_err(unusable_bundle)
}

/// Whose keys are trusted with what. During a rotation a file holds two keys, with the same grants.
fn trusted(pem: impl Fn(&'static str) -> Result<String, Failure>) -> Result<Vec<TrustedKey>, Failure> {
    let mut keys = Vec::new();
    for signer in SIGNERS {
        let ring = KeyRing::from_pem(&pem(signer.file)?).map_err(|error| {
            Failure::new(format!(
                "keys/{} cannot be used ({error}): mend it, or remove it to have it made again",
                signer.file
            ))
        })?;
        let grant = |(aud, scopes): &(&str, &[&str])| Grant {
            aud: (*aud).to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        };
        let grants: Vec<Grant> = signer.grants.iter().map(grant).collect();
        let trusted =
            |jwk: &Jwk| TrustedKey { jwk: jwk.clone(), service: signer.service, grants: grants.clone() };
        keys.extend(ring.accepted().iter().map(trusted));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use mintmark_auth::PreflightScopes;

    use super::*;

    #[test]
    fn bundle_grants_the_control_plane_alone_every_preflight_scope() {
        // Each file in the middle of a rotation.
        let pem = |_| Ok(format!("{}{}", *SigningKey::generate_pem(), *SigningKey::generate_pem()));
        let bundle = TrustBundle::parse(&bundle(pem).unwrap()).unwrap();
        assert_eq!(bundle.issuer(), "https://auth.printprice.pro");
        assert_eq!(bundle.keys().len(), 2 * SIGNERS.len(), "both keys of a rotation");
        for key in bundle.keys() {
            let preflight = key.grants.iter().find(|grant| grant.aud == "ppos:control");
            if key.service != ServiceName::ControlPlane {
                assert_eq!(preflight, None, "{}", key.service);
                continue;
            }
            let asked = PreflightScopes::parse(&preflight.unwrap().scopes).unwrap();
            assert_eq!(asked.as_slice(), scope::PREFLIGHT);
        }
    }
}
