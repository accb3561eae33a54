//! Files and secrets as an operator would have them, for whatever the manifests ask for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mintmark_auth::{Grant, SigningKey, TrustBundle, TrustedKey, audience, control, scope};
use mintmark_devstack::authority::Authority;
use mintmark_ids::ServiceName;
use mintmark_service::tls::ZONE;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

/// Where the manifests have files.
const THERE: &str = "/etc/mintmark/";

/// A folder that stands for `/etc/mintmark`.
pub struct Files(TempDir);

impl Files {
    pub fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        for name in
            ["control-signing", "session-signing", "preflight-signing", "console-signing", "audit-signing"]
        {
            files.write(&format!("keys/{name}.pem"), &SigningKey::generate_pem());
        }
        let key = SigningKey::from_pem(&SigningKey::generate_pem()).unwrap();
        let scopes = vec![scope::DIRECTORY_READ.to_owned()];
        let grants = vec![Grant { aud: audience::RESOLVER.to_owned(), scopes }];
        let trusted = TrustedKey { jwk: key.public_jwk(), service: ServiceName::ControlPlane, grants };
        let bundle = TrustBundle::new("https://auth.example", vec![trusted]).unwrap();
        files.write("trust/trust-bundle.json", &bundle.to_json());
        files.certificates();
        files.keys_of_proofs();
        files
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn certificates(&self) {
        let authority = Authority::new(self.0.path(), "authority").unwrap();
        let issued = authority.issue(&format!("control-plane.{ZONE}")).unwrap();
        self.write("tls/tls.crt", &issued.chain);
        self.write("tls/tls.key", &issued.key);
        self.write("tls/ca.crt", &authority.pem());
        self.write("database/ca.crt", &authority.pem());
    }

    /// What the vault's proofs and the audit's checkpoints are made and verified with.
    fn keys_of_proofs(&self) {
        let pem = std::fs::read_to_string(self.0.path().join("keys/audit-signing.pem")).unwrap();
        for origin in ["control-plane", "evidence-vault"] {
            let signer =
                mintmark_audit::note::Signer::from_pem(&format!("example.com/mintmark/{origin}"), &pem)
                    .unwrap();
            let path = self.0.path().join("audit/verifier-keys.txt");
            let before = std::fs::read_to_string(&path).unwrap_or_default();
            self.write("audit/verifier-keys.txt", &format!("{before}{}\n", signer.verifier()));
        }
        let output = std::process::Command::new("openssl")
            .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
            .output()
            .unwrap();
        assert!(output.status.success());
        self.write("keys/proof.pem", &String::from_utf8(output.stdout).unwrap());
    }

    /// The value of a variable on this machine: files are here, and secrets have a form that will do.
    pub fn here(&self, name: &str, value: &str) -> String {
        if let Some(file) = value.strip_prefix(THERE) {
            let path = self.0.path().join(file);
            assert!(path.exists(), "{name} names {value}, which nobody makes");
            return path.display().to_string();
        }
        let Some(secret) = value.strip_prefix("secret:") else { return value.to_owned() };
        let key = STANDARD.encode([7; 32]);
        match secret {
            "database-url" => "postgres://somebody:secret@db.example/mintmark?sslmode=verify-full".to_owned(),
            "redis-url" => "rediss://limiter:secret@redis.example:6379".to_owned(),
            "control-token" => control::generate().expose_secret().to_owned(),
            "code-peppers" => format!("1:{key}"),
            "code-master-key" | "encryption-key" => key,
            "pkcs11-pin" => "4711".to_owned(),
            "s3-access-key-id" => "mintmark".to_owned(),
            "s3-secret-access-key" => "not a real one".to_owned(),
            other => panic!("{name} asks for the secret {other}, which nobody makes"),
        }
    }
}
