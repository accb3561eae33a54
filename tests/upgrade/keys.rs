//! What the processes are told: keys as an operator makes them, and where everything is.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mintmark_audit::note::Signer;
use mintmark_auth::{DEFAULT_ISSUER, Grant, SigningKey, TrustBundle, TrustedKey, audience, scope};
use mintmark_devstack::redis::RedisServer;
use mintmark_ids::ServiceName;
use serde_json::json;

use crate::places::{Databases, Places, urls};

/// Shorter than in a cluster, so that jobs are interrupted and handed over.
const GRACE_SECS: u32 = 5;
/// A batch is a hundred chunks and more.
const CHUNK_UNITS: u32 = 100;
pub const TENANT: &str = "upgrade-goods";
/// What is preflighted again and again.
pub const FILE: &str = "s3://upgrade-files/incoming/flyer.pdf";
const FLYER: &[u8] = include_bytes!("../../crates/mintmark/demo/flyer-good.pdf");

pub type Variables = Vec<(&'static str, String)>;

pub struct Keys<'a> {
    pub places: &'a Places,
    pub databases: &'a Databases,
    pub redis: &'a RedisServer,
    folder: PathBuf,
    operator: String,
    peppers: String,
    key: String,
}

impl<'a> Keys<'a> {
    pub fn make(
        folder: &Path,
        operator: String,
        places: &'a Places,
        databases: &'a Databases,
        redis: &'a RedisServer,
    ) -> Self {
        let key = STANDARD.encode([b'u'; 32]);
        let peppers = format!("1:{key}");
        let keys = Self { places, databases, redis, folder: folder.to_path_buf(), operator, peppers, key };
        let [control, gateway, console, _session] =
            ["identity.pem", "gateway.pem", "console.pem", "session.pem"].map(|name| keys.signing(name));
        keys.write("bundle.json", bundle(&control, &gateway, &console).as_bytes());
        let verifiers = ["control-plane", "evidence-vault"].map(|service| {
            let pem = keys.signing(&format!("{service}-audit.pem"));
            let origin = format!("mintmark.invalid/{service}");
            std::fs::create_dir_all(folder.join("checkpoints").join(service)).unwrap();
            format!("{}\n", Signer::from_pem(&origin, &pem).unwrap().verifier())
        });
        keys.write("audit.vkeys", verifiers.concat().as_bytes());
        let made = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
        let made = Command::new("openssl").args(made).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        keys.write("proof.pem", &made.stdout);
        std::fs::create_dir_all(folder.join("files/incoming")).unwrap();
        keys.write("files/incoming/flyer.pdf", FLYER);
        keys
    }

    fn signing(&self, name: &str) -> String {
        let pem = SigningKey::generate_pem().to_string();
        self.write(name, pem.as_bytes());
        pem
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.folder.join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn trust(&self) -> (&'static str, String) {
        ("TRUST_BUNDLE_FILE", self.file("bundle.json"))
    }

    /// For those who ask the rate limiter.
    fn limited(&self) -> Variables {
        vec![
            ("RATELIMIT_GRPC_URL", urls(self.places.limiters)),
            ("RATE_LIMIT_FAIL_OPEN", "false".to_owned()),
            // A debug build beside all the others on two processors.
            ("RATE_LIMIT_BUDGET_MS", "2000".to_owned()),
        ]
    }

    pub fn limiter(&self, which: usize) -> Variables {
        vec![
            ("RATELIMIT_GRPC_ADDR", self.places.limiters[which].to_string()),
            ("RATE_LIMIT_REDIS_URL", self.redis.url()),
            // As for `RATE_LIMIT_BUDGET_MS`, and less than that.
            ("RATE_LIMIT_REDIS_BUDGET_MS", "1000".to_owned()),
            // Everything is counted, and nobody has too much however long a busy machine takes.
            ("RATE_LIMIT_MAX_ENTERPRISE", "1000000".to_owned()),
            self.trust(),
        ]
    }

    pub fn directory(&self, which: usize) -> Variables {
        vec![
            ("DIRECTORY_GRPC_ADDR", self.places.directories[which].to_string()),
            ("DIRECTORY_DATABASE_URL", self.databases.resolver.url("resolver_directory")),
            ("CODE_PEPPERS", self.peppers.clone()),
            self.trust(),
        ]
    }

    pub fn scan(&self, which: usize) -> Variables {
        vec![
            ("SCAN_HTTP_ADDR", self.places.scans[which].to_string()),
            ("SCAN_DATABASE_URL", self.databases.resolver.url("resolver_scan")),
            ("SCAN_SPOOL_DIR", self.file(&format!("spool-{which}"))),
            ("CODE_PEPPERS", self.peppers.clone()),
        ]
    }

    pub fn control(&self, which: usize) -> Variables {
        let own = vec![
            ("CONTROL_HTTP_ADDR", self.places.controls[which].to_string()),
            ("CONTROL_GRPC_ADDR", self.places.registries[which].to_string()),
            ("CONTROL_DATABASE_URL", self.databases.control.url("control_app")),
            ("PPOS_CONTROL_TOKEN", self.operator.clone()),
            ("CONTROL_SIGNING_KEY_FILE", self.file("identity.pem")),
            ("SESSION_SIGNING_KEY_FILE", self.file("session.pem")),
            ("CODE_MASTER_KEY", self.key.clone()),
            ("DIRECTORY_GRPC_URL", urls(self.places.directories)),
            ("EVIDENCE_VAULT_GRPC_URL", urls(self.places.vaults)),
            ("PREFLIGHT_GATEWAY_GRPC_URL", urls(self.places.jobs)),
            ("CODE_BASE_URL", format!("http://{}", self.places.scans[0])),
            ("CONTROL_PUBLIC_URL", format!("http://{}", self.places.controls[which])),
            ("EXPORT_STORE_URL", format!("file://{}", self.file("objects"))),
            ("EXPORT_URL_SIGNING_KEY", self.key.clone()),
            // One mint in each, so that both have work.
            ("JOB_WORKERS", "1".to_owned()),
            ("MINT_CHUNK_UNITS", CHUNK_UNITS.to_string()),
            ("SHUTDOWN_GRACE_SECS", GRACE_SECS.to_string()),
            self.trust(),
        ];
        [own, self.limited()].concat()
    }

    pub fn gateway(&self, which: usize) -> Variables {
        let own = vec![
            ("PREFLIGHT_HTTP_ADDR", self.places.gateways[which].to_string()),
            ("PREFLIGHT_GRPC_ADDR", self.places.jobs[which].to_string()),
            ("PREFLIGHT_DATABASE_URL", self.databases.preflight.url("preflight_gateway")),
            ("PREFLIGHT_SIGNING_KEY_FILE", self.file("gateway.pem")),
            ("PREFLIGHT_BUCKETS", self.buckets()),
            self.trust(),
        ];
        [own, self.limited()].concat()
    }

    pub fn worker(&self, _which: usize) -> Variables {
        vec![
            ("PREFLIGHT_WORKER_DATABASE_URL", self.databases.preflight.url("preflight_worker")),
            ("PREFLIGHT_BUCKETS", self.buckets()),
            ("PREFLIGHT_WORKERS", "1".to_owned()),
            ("SHUTDOWN_GRACE_SECS", GRACE_SECS.to_string()),
        ]
    }

    fn buckets(&self) -> String {
        let store = format!("file://{}", self.file("files"));
        json!({ "upgrade-files": { "store": store, "tenants": { TENANT: ["incoming/"] } } }).to_string()
    }

    pub fn console(&self, which: usize) -> Variables {
        vec![
            ("CONSOLE_HTTP_ADDR", self.places.consoles[which].to_string()),
            ("CONSOLE_SIGNING_KEY_FILE", self.file("console.pem")),
            ("CONTROL_PLANE_GRPC_URL", urls(self.places.registries)),
            ("PREFLIGHT_GATEWAY_GRPC_URL", urls(self.places.jobs)),
            self.trust(),
        ]
    }

    /// Where a log's checkpoints are kept, and who may have signed them.
    fn log(&self, service: &str) -> Variables {
        vec![
            ("AUDIT_CHECKPOINT_URL", format!("file://{}", self.file(&format!("checkpoints/{service}")))),
            ("AUDIT_VERIFIER_KEYS_FILE", self.file("audit.vkeys")),
        ]
    }

    pub fn vault(&self, which: usize) -> Variables {
        let own = vec![
            ("EVIDENCE_GRPC_ADDR", self.places.vaults[which].to_string()),
            ("EVIDENCE_DATABASE_URL", self.databases.evidence.url("evidence_vault")),
            ("EVIDENCE_STORE_URL", format!("file://{}", self.file("evidence"))),
            // Both replicas on one folder, as both would be on one token.
            ("EVIDENCE_KEY_PROVIDER", "local".to_owned()),
            ("EVIDENCE_ENCRYPTION_KEY", self.key.clone()),
            ("EVIDENCE_KEYSTORE_DIR", self.file("keystore")),
            ("EVIDENCE_PROOF_KEY_FILE", self.file("proof.pem")),
            ("RETENTION_TTL_EVIDENCE_DAYS", "2555".to_owned()),
            ("SHUTDOWN_GRACE_SECS", GRACE_SECS.to_string()),
            self.trust(),
        ];
        [own, self.log("evidence-vault")].concat()
    }

    pub fn vault_sequencer(&self, _which: usize) -> Variables {
        let own = vec![
            ("EVIDENCE_SEQUENCER_DATABASE_URL", self.databases.evidence.url("evidence_sequencer")),
            ("AUDIT_SIGNING_KEY_FILE", self.file("evidence-vault-audit.pem")),
        ];
        [own, self.log("evidence-vault")].concat()
    }

    pub fn control_sequencer(&self, _which: usize) -> Variables {
        let own = vec![
            ("CONTROL_SEQUENCER_DATABASE_URL", self.databases.control.url("control_sequencer")),
            ("AUDIT_SIGNING_KEY_FILE", self.file("control-plane-audit.pem")),
        ];
        [own, self.log("control-plane")].concat()
    }
}

/// What each service may do at those that it calls.
fn bundle(control: &str, gateway: &str, console: &str) -> String {
    let grant = |audience: &str, scopes: &[&str]| Grant {
        aud: audience.to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
    };
    let trusted = |service, pem: &str, grants| TrustedKey {
        jwk: SigningKey::from_pem(pem).unwrap().public_jwk(),
        service,
        grants,
    };
    let directory = [scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ];
    let limiter = || grant(audience::RATELIMIT, &[scope::RATELIMIT_CHECK]);
    let authority = vec![
        grant(audience::RESOLVER, &directory),
        grant(audience::PREFLIGHT, &scope::PREFLIGHT),
        grant(audience::EVIDENCE, &scope::EVIDENCE),
        limiter(),
    ];
    let exchange = vec![grant(audience::REGISTRY, &[scope::TOKENS_EXCHANGE])];
    let keys = vec![
        trusted(ServiceName::ControlPlane, control, authority),
        trusted(ServiceName::PreflightGateway, gateway, vec![limiter()]),
        trusted(ServiceName::Console, console, exchange),
    ];
    TrustBundle::new(DEFAULT_ISSUER, keys).unwrap().to_json()
}
