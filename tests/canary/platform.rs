//! The platform as separate processes, each configured by its environment alone, with a recorder in each of their calls.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mintmark_auth::{DEFAULT_ISSUER, Grant, SigningKey, TrustBundle, TrustedKey, audience, control, scope};
use mintmark_devstack::s3::{self, S3Bucket};
use mintmark_devstack::testdb::{self, TestDb};
use mintmark_devstack::{Process, free_port};
use mintmark_ids::ServiceName;
use mintmark_tests::recording::{Recorder, Secrets};
use mintmark_tests::{Home, program};
use secrecy::ExposeSecret;

use crate::sink;
use crate::vault::Vault;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// The services, who call each other and the outside through recorders.
pub struct Platform {
    pub control_url: String,
    pub scan_url: String,
    pub control_token: String,
    /// What the services are configured with and must keep to themselves.
    pub configured: Vec<(&'static str, Vec<u8>)>,
    pub to_directory: Recorder,
    pub to_store: Recorder,
    pub to_vault: Recorder,
    pub to_vault_store: Recorder,
    pub to_collector: Vec<Recorder>,
    processes: Vec<Process>,
    home: Home,
    _databases: [TestDb; 3],
    _bucket: S3Bucket,
}

/// What belongs to one process.
struct Described<'a> {
    name: &'a str,
    program: &'a str,
    arguments: &'a [&'a str],
    variables: Vec<(&'a str, String)>,
}

impl Platform {
    pub async fn start() -> Self {
        let databases = [
            testdb::database("control-plane").await,
            testdb::database("resolver").await,
            testdb::database("evidence-vault").await,
        ];
        let (bucket, home, collector) = (s3::bucket().await, Home::new().unwrap(), sink::start().await);
        let [directory, control, scan, vault] = [local(), local(), local(), local()];
        let to_directory = Recorder::between("control-plane → directory", directory).unwrap();
        let to_store = Recorder::between("control-plane → object store", host(bucket.endpoint())).unwrap();

        let to_vault = Recorder::between("control-plane → evidence-vault", vault).unwrap();
        let to_vault_store =
            Recorder::between("evidence-vault → object store", host(bucket.endpoint())).unwrap();

        let keys = Keys::make(home.path());
        let evidence = Vault::describe(
            vault,
            &databases[2],
            home.path(),
            &keys.bundle,
            &bucket,
            to_vault_store.address(),
        );
        let store = bucket.variables();
        let mut configured = keys.secrets();
        configured.extend(evidence.secrets);
        configured.push(("S3_SECRET_ACCESS_KEY", store[2].1.clone().into_bytes()));
        let peppers = format!("1:{}", keys.pepper);
        let described = [
            Described {
                name: "directory",
                program: "resolver",
                arguments: &["directory"],
                variables: vec![
                    ("DIRECTORY_GRPC_ADDR", directory.to_string()),
                    ("DIRECTORY_DATABASE_URL", databases[1].url("resolver_directory")),
                    ("CODE_PEPPERS", peppers.clone()),
                    ("TRUST_BUNDLE_FILE", keys.bundle.display().to_string()),
                ],
            },
            Described {
                name: "scan",
                program: "resolver",
                arguments: &["scan"],
                variables: vec![
                    ("SCAN_HTTP_ADDR", scan.to_string()),
                    ("SCAN_DATABASE_URL", databases[1].url("resolver_scan")),
                    ("CODE_PEPPERS", peppers),
                ],
            },
            Described {
                name: "control-plane",
                program: "control-plane",
                arguments: &["serve"],
                variables: vec![
                    ("CONTROL_HTTP_ADDR", control.to_string()),
                    ("CONTROL_GRPC_ADDR", local().to_string()),
                    ("CONTROL_DATABASE_URL", databases[0].url("control_app")),
                    ("PPOS_CONTROL_TOKEN", keys.control_token.clone()),
                    ("CONTROL_SIGNING_KEY_FILE", keys.identity.display().to_string()),
                    ("SESSION_SIGNING_KEY_FILE", keys.session.display().to_string()),
                    ("TRUST_BUNDLE_FILE", keys.bundle.display().to_string()),
                    ("CODE_MASTER_KEY", keys.master.clone()),
                    ("DIRECTORY_GRPC_URL", format!("http://{}", to_directory.address())),
                    ("EVIDENCE_VAULT_GRPC_URL", format!("http://{}", to_vault.address())),
                    ("RATE_LIMIT_ENABLED", "false".to_owned()),
                    ("CODE_BASE_URL", format!("http://{scan}")),
                    ("CONTROL_PUBLIC_URL", format!("http://{control}")),
                    ("EXPORT_STORE_URL", format!("s3://{}/packs", bucket.name())),
                    // We reach the store through the recorder; people fetch from it themselves.
                    ("S3_ENDPOINT", format!("http://{}", to_store.address())),
                    ("S3_PUBLIC_ENDPOINT", bucket.endpoint().to_owned()),
                    (store[1].0, store[1].1.clone()),
                    (store[2].0, store[2].1.clone()),
                    ("EXPORT_PART_UNITS", "25".to_owned()),
                    ("MINT_CHUNK_UNITS", "100".to_owned()),
                    ("SCAN_PULL_SECS", "1".to_owned()),
                ],
            },
            Described {
                name: "evidence-vault",
                program: "evidence-vault",
                arguments: &["vault"],
                variables: evidence.vault,
            },
            Described {
                name: "evidence-sequencer",
                program: "evidence-vault",
                arguments: &["sequencer"],
                variables: evidence.sequencer,
            },
        ];
        let mut platform = Self {
            control_url: format!("http://{control}"),
            scan_url: format!("http://{scan}"),
            control_token: keys.control_token,
            configured,
            to_directory,
            to_store,
            to_vault,
            to_vault_store,
            to_collector: Vec::new(),
            processes: Vec::new(),
            home,
            _databases: databases,
            _bucket: bucket,
        };
        platform.launch(&described, collector).await;
        platform
    }

    /// Starts all, then waits for each.
    async fn launch(&mut self, described: &[Described<'_>], collector: SocketAddr) {
        let mut ready = Vec::new();
        for service in described {
            let name = service.name;
            let to_collector = Recorder::between(&format!("{name} → collector"), collector).unwrap();
            let operations = local();
            let mut variables: Vec<(String, String)> =
                service.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            variables.extend([
                ("APP_ENV".to_owned(), "test".to_owned()),
                ("OPS_ADDR".to_owned(), operations.to_string()),
                ("LOG_LEVEL".to_owned(), "debug".to_owned()),
                ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), format!("http://{}", to_collector.address())),
            ]);
            let log = self.home.path().join(format!("{name}.log"));
            let process =
                Process::spawn(&program(service.program), service.arguments, &variables, &log).unwrap();
            self.processes.push(process);
            self.to_collector.push(to_collector);
            ready.push(format!("http://{operations}/readyz"));
        }
        for (process, url) in self.processes.iter_mut().zip(ready) {
            process.wait_ready(&url, READY_WITHIN).await.unwrap_or_else(|error| panic!("{error}"));
        }
    }

    /// Ends the services, who then export what they have of traces; what they logged, by name.
    pub fn stop(&mut self) -> BTreeMap<String, Vec<u8>> {
        for process in &mut self.processes {
            process.begin_stop();
        }
        for process in self.processes.drain(..) {
            assert!(process.terminate().is_some_and(|status| status.success()), "a service did not end well");
        }
        let logs = std::fs::read_dir(self.home.path()).unwrap().map(|entry| entry.unwrap().path());
        logs.filter(|path| path.extension().is_some_and(|end| end == "log"))
            .map(|path| {
                (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap())
            })
            .collect()
    }

    /// The secrets of operator and services; those of people are the journey's.
    pub fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::new();
        secrets.add("the control token", self.control_token.as_bytes());
        let random = self.control_token.trim_start_matches(control::CONTROL_PREFIX);
        secrets.add("the control token (without its prefix)", random.as_bytes());
        for (name, value) in &self.configured {
            secrets.add(name, value);
        }
        secrets
    }
}

/// Keys as an operator makes them.
struct Keys {
    control_token: String,
    identity: PathBuf,
    session: PathBuf,
    bundle: PathBuf,
    master: String,
    pepper: String,
    private: Vec<(&'static str, Vec<u8>)>,
}

impl Keys {
    fn make(folder: &Path) -> Self {
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (identity, session) = (SigningKey::generate_pem(), SigningKey::generate_pem());
        let grant = |aud: &str, scopes: &[&str]| Grant {
            aud: aud.to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        };
        let directory = [scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ];
        let grants = vec![grant(audience::RESOLVER, &directory), grant(audience::EVIDENCE, &scope::EVIDENCE)];
        let jwk = SigningKey::from_pem(&identity).unwrap().public_jwk();
        let trusted = TrustedKey { jwk, service: ServiceName::ControlPlane, grants };
        let bundle = TrustBundle::new(DEFAULT_ISSUER, vec![trusted]).unwrap();
        Self {
            control_token: control::generate().expose_secret().to_owned(),
            identity: file("identity.pem", &identity),
            session: file("session.pem", &session),
            bundle: file("trust-bundle.json", &bundle.to_json()),
            master: random_key(),
            pepper: random_key(),
            private: vec![("the identity's key", seed(&identity)), ("the sessions' key", seed(&session))],
        }
    }

    fn secrets(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut all = vec![
            ("CODE_MASTER_KEY", STANDARD.decode(&self.master).unwrap()),
            ("CODE_PEPPERS", STANDARD.decode(&self.pepper).unwrap()),
        ];
        all.extend(self.private.iter().cloned());
        all
    }
}

/// The 32 bytes that an Ed25519 key is, out of its PEM: behind the 16 bytes that PKCS#8 begins with.
pub fn seed(pem: &str) -> Vec<u8> {
    let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(text).unwrap()[16..48].to_vec()
}

pub fn random_key() -> String {
    STANDARD.encode(seed(&SigningKey::generate_pem()))
}

fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

fn host(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").parse().unwrap()
}
