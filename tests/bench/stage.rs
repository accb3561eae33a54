//! Real release processes on a private Postgres that keeps its promises: fsync, full_page_writes and synchronous_commit on.
//!
//! ```text
//! let mut stage = Stage::open(report).await?;      // Postgres, both databases migrated, keys, a trust bundle
//! stage.serve(Role::Directory, &[]).await?;        // `resolver directory` on a free port, ready
//! stage.serve(Role::Scan, &[("SCAN_CACHE_ENTRIES", "1000")]).await?;
//! stage.serve(Role::ControlPlane, &[]).await?;
//! stage.service(Role::Scan).url();                 // http://127.0.0.1:port
//! stage.sql(RESOLVER).await?;                      // a superuser's connection
//! ```
//!
//! Everything lies in one temporary folder and goes with it, also when the benchmark is killed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mintmark_audit::note::Signer;
use mintmark_auth::{DEFAULT_ISSUER, Grant, SigningKey, TrustBundle, TrustedKey, audience, control, scope};
use mintmark_control_plane::sequence::ORIGIN;
use mintmark_devstack::{PostgresOptions, PostgresServer, Process, Provision, free_port};
use mintmark_ids::ServiceName;
use mintmark_tests::program;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::ExposeSecret;
use tokio_postgres::{Client, NoTls};

use crate::Result;
use crate::report::Report;

/// The control plane's database.
pub const CONTROL: &str = "mintmark_control";
/// The resolver's database.
pub const RESOLVER: &str = "mintmark_resolver";

/// The preflight gateway's database.
pub const PREFLIGHT: &str = "mintmark_preflight";

/// How long a service may take from start to ready.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// What must be on, for both sides of every comparison.
const PROMISES: [&str; 3] = ["fsync", "full_page_writes", "synchronous_commit"];

/// Sizes that a server for this work would have; the rest is Postgres's default. Both sides of a comparison use this
/// server, and no checkpoint falls into a run unless the run asks for one.
const SETTINGS: [(&str, &str); 4] = [
    ("shared_buffers", "1GB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "30min"),
    ("wal_compression", "off"),
];

/// A process of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `resolver directory`.
    Directory,
    /// `resolver scan`.
    Scan,
    /// `control-plane serve`.
    ControlPlane,
    /// `control-plane sequencer`.
    ControlSequencer,
    /// `preflight-gateway gateway`.
    PreflightGateway,
    /// `preflight-gateway worker`.
    PreflightWorker,
}

/// A running process of the platform.
pub struct Service {
    role: Role,
    /// What its clients speak to: gRPC of the directory, HTTP of the others.
    pub address: SocketAddr,
    /// Where /metrics answers.
    pub ops: SocketAddr,
    process: Process,
}

/// Secrets of one stage.
pub struct Secrets {
    /// The operator's token.
    pub control_token: String,
    /// The pepper of new partitions, number 1, in base64.
    pub pepper: String,
    code_master_key: String,
    export_url_signing_key: String,
}

/// The private servers and processes of one benchmark. The order of the fields is the order in which they end.
pub struct Stage {
    services: Vec<Service>,
    postgres: PostgresServer,
    /// Secrets of this stage.
    pub secrets: Secrets,
    /// Inside Postgres's private folder, which is removed at the end, also when this process is killed.
    folder: PathBuf,
}

impl Stage {
    /// Starts Postgres and migrates both databases.
    ///
    /// # Errors
    /// Postgres is missing or does not keep its promises; a program was not built.
    pub async fn open(report: &Report) -> Result<Self> {
        // Thrown away afterwards, and otherwise as durable as one that is kept.
        let mut options = PostgresOptions::throwaway()?;
        options.fsync = true;
        options.settings = SETTINGS.map(|(name, value)| (name, value.to_owned())).into();
        let folder = options.dir.with_file_name("stage");
        std::fs::create_dir(&folder)?;
        let postgres = tokio::task::spawn_blocking(move || PostgresServer::start(options)).await??;
        let secrets = Secrets {
            control_token: control::generate().expose_secret().to_owned(),
            pepper: random_key()?,
            code_master_key: random_key()?,
            export_url_signing_key: random_key()?,
        };
        let stage = Self { services: Vec::new(), postgres, secrets, folder };
        stage.write_keys()?;
        stage.check_promises(report).await?;
        stage
            .make_database(CONTROL, "control-plane", "control_owner", &["control_app", "control_sequencer"])
            .await?;
        stage
            .make_database(RESOLVER, "resolver", "resolver_owner", &["resolver_scan", "resolver_directory"])
            .await?;
        Ok(stage)
    }

    /// Migrates the preflight gateway's database too.
    ///
    /// # Errors
    /// The program was not built.
    pub async fn open_preflight(&self) -> Result {
        let others = ["preflight_gateway", "preflight_worker"];
        self.make_database(PREFLIGHT, "preflight-gateway", "preflight_owner", &others).await
    }

    /// A further database with the control plane's tables, for a baseline.
    ///
    /// # Errors
    /// The program was not built.
    pub async fn copy_control(&self, name: &str) -> Result {
        let others = ["control_app", "control_sequencer"];
        self.make_database(name, "control-plane", "control_owner", &others).await
    }

    /// Starts a process on free ports with these variables beside (and over) its ordinary ones, and waits until it is ready.
    ///
    /// # Errors
    /// It does not become ready.
    pub async fn serve(&mut self, role: Role, variables: &[(&str, &str)]) -> Result<&Service> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let ops = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut environment = self.environment(role, address);
        environment.push(("APP_ENV", "production".to_owned()));
        environment.push(("OPS_ADDR", ops.to_string()));
        let mut environment: Vec<(String, String)> =
            environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let (binary, arguments) = role.command();
        let log = self.folder.join(format!("{role:?}-{}.log", self.services.len()));
        let mut process = Process::spawn(&program(binary), &arguments, &environment, &log)?;
        process.wait_ready(&format!("http://{ops}/readyz"), READY_WITHIN).await?;
        self.services.push(Service { role, address, ops, process });
        self.services.last().ok_or_else(|| "a service was started and is not there".into())
    }

    /// Ends the first process of a role and starts another, on ports of its own and with its ordinary variables.
    ///
    /// # Errors
    /// It does not become ready.
    pub async fn restart(&mut self, role: Role) -> Result<&Service> {
        if let Some(at) = self.services.iter().position(|service| service.role == role) {
            let ended = self.services.remove(at);
            tokio::task::spawn_blocking(move || ended.process.terminate()).await?;
        }
        self.serve(role, &[]).await
    }

    /// The first process of a role.
    ///
    /// # Panics
    /// When none was started: the benchmark is wrong.
    pub fn service(&self, role: Role) -> &Service {
        match self.services.iter().find(|service| service.role == role) {
            Some(service) => service,
            None => panic!("the stage has no {role:?}"),
        }
    }

    /// All processes of the platform.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// A connection as the superuser, with the server's whole trust.
    ///
    /// # Errors
    /// Postgres refuses it.
    pub async fn sql(&self, database: &str) -> Result<Client> {
        connect(&self.postgres.superuser_url(database)).await
    }

    /// The folder of Postgres's socket, and a login's URL there (no password is asked).
    pub fn postgres_url(&self, login: &str, database: &str) -> String {
        self.postgres.url(login, None, database)
    }

    /// Where the socket is, for programs that take it as their host.
    pub fn socket_dir(&self) -> &Path {
        self.postgres.socket_dir()
    }

    /// A folder that goes with the stage.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn environment(&self, role: Role, address: SocketAddr) -> Vec<(&'static str, String)> {
        let shown = |name: &str| self.path(name).display().to_string();
        let peppers = format!("1:{}", self.secrets.pepper);
        match role {
            Role::Directory => vec![
                ("DIRECTORY_GRPC_ADDR", address.to_string()),
                ("DIRECTORY_DATABASE_URL", self.postgres_url("resolver_directory", RESOLVER)),
                ("CODE_PEPPERS", peppers),
                ("TRUST_BUNDLE_FILE", shown("trust-bundle.json")),
            ],
            Role::Scan => vec![
                ("SCAN_HTTP_ADDR", address.to_string()),
                ("SCAN_DATABASE_URL", self.postgres_url("resolver_scan", RESOLVER)),
                ("SCAN_SPOOL_DIR", shown(&format!("spool-{}", address.port()))),
                ("CODE_PEPPERS", peppers),
            ],
            Role::PreflightGateway => vec![
                ("PREFLIGHT_HTTP_ADDR", address.to_string()),
                ("PREFLIGHT_GRPC_ADDR", format!("127.0.0.1:{}", free_port())),
                ("PREFLIGHT_DATABASE_URL", self.postgres_url("preflight_gateway", PREFLIGHT)),
                ("PREFLIGHT_SIGNING_KEY_FILE", shown("session.pem")),
                ("TRUST_BUNDLE_FILE", shown("trust-bundle.json")),
                // As below.
                ("RATE_LIMIT_FAIL_OPEN", "true".to_owned()),
            ],
            Role::PreflightWorker => {
                vec![("PREFLIGHT_WORKER_DATABASE_URL", self.postgres_url("preflight_worker", PREFLIGHT))]
            }
            Role::ControlSequencer => vec![
                ("CONTROL_SEQUENCER_DATABASE_URL", self.postgres_url("control_sequencer", CONTROL)),
                ("AUDIT_CHECKPOINT_URL", format!("file://{}", shown("audit"))),
                ("AUDIT_SIGNING_KEY_FILE", shown("audit.pem")),
                ("AUDIT_VERIFIER_KEYS_FILE", shown("audit-keys.txt")),
            ],
            Role::ControlPlane => vec![
                ("CONTROL_HTTP_ADDR", address.to_string()),
                ("CONTROL_GRPC_ADDR", format!("127.0.0.1:{}", free_port())),
                ("CONTROL_DATABASE_URL", self.postgres_url("control_app", CONTROL)),
                ("PPOS_CONTROL_TOKEN", self.secrets.control_token.clone()),
                ("CONTROL_SIGNING_KEY_FILE", shown("control-plane.pem")),
                ("SESSION_SIGNING_KEY_FILE", shown("session.pem")),
                ("TRUST_BUNDLE_FILE", shown("trust-bundle.json")),
                ("CODE_MASTER_KEY", self.secrets.code_master_key.clone()),
                ("DIRECTORY_GRPC_URL", format!("http://{}", self.service(Role::Directory).address)),
                // There is no limiter here: what is measured has nothing to do with it.
                ("RATE_LIMIT_FAIL_OPEN", "true".to_owned()),
                ("CODE_BASE_URL", "https://id.example".to_owned()),
                ("CONTROL_PUBLIC_URL", format!("http://{address}")),
                ("EXPORT_STORE_URL", format!("file://{}", shown("objects"))),
                ("EXPORT_URL_SIGNING_KEY", self.secrets.export_url_signing_key.clone()),
            ],
        }
    }

    fn write_keys(&self) -> Result {
        let identity = SigningKey::generate_pem();
        let grant = |aud: &str, scopes: &[&str]| Grant {
            aud: aud.to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        };
        let directory = [scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ];
        let key = TrustedKey {
            jwk: SigningKey::from_pem(&identity)?.public_jwk(),
            service: ServiceName::ControlPlane,
            grants: vec![
                grant(audience::RESOLVER, &directory),
                grant(audience::PREFLIGHT, &scope::PREFLIGHT),
            ],
        };
        std::fs::write(
            self.path("trust-bundle.json"),
            TrustBundle::new(DEFAULT_ISSUER, vec![key])?.to_json(),
        )?;
        std::fs::write(self.path("control-plane.pem"), identity.as_bytes())?;
        std::fs::write(self.path("session.pem"), SigningKey::generate_pem().as_bytes())?;
        let audit = SigningKey::generate_pem();
        let log = Signer::from_pem(ORIGIN, &audit)?;
        std::fs::write(self.path("audit.pem"), audit.as_bytes())?;
        std::fs::write(self.path("audit-keys.txt"), format!("{}\n", log.verifier()))?;
        std::fs::create_dir_all(self.path("objects"))?;
        Ok(())
    }

    async fn check_promises(&self, report: &Report) -> Result {
        let client = self.sql("postgres").await?;
        for name in PROMISES {
            let value: String = client.query_one(&format!("SHOW {name}"), &[]).await?.get(0);
            if value != "on" {
                return Err(format!("{name} is {value}: this server's figures would flatter").into());
            }
        }
        let version: String = client.query_one("SHOW server_version", &[]).await?.get(0);
        let settings = SETTINGS.map(|(name, value)| format!("{name} {value}")).join(", ");
        report.note(&format!("PostgreSQL {version}, {} on, {settings}", PROMISES.join(", ")));
        Ok(())
    }

    async fn make_database(&self, name: &str, service: &str, owner: &str, others: &[&str]) -> Result {
        let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(service);
        let roles = std::fs::read_to_string(migrations.join("roles.sql"))?;
        // The cluster asks nobody for a password inside its private folder.
        let logins: Vec<(&str, &str)> =
            std::iter::once(owner).chain(others.iter().copied()).map(|login| (login, "unused")).collect();
        let what = Provision { database: name, owner, roles_sql: &roles, logins: &logins };
        self.postgres.provision(&what).await?;
        let (binary, variable) = match service {
            "resolver" => ("resolver", "RESOLVER_MIGRATION_DATABASE_URL"),
            "preflight-gateway" => ("preflight-gateway", "PREFLIGHT_MIGRATION_DATABASE_URL"),
            _ => ("control-plane", "CONTROL_MIGRATION_DATABASE_URL"),
        };
        let output = Command::new(program(binary))
            .arg("migrate")
            .env_clear()
            .env(variable, self.postgres_url(owner, name))
            .output()?;
        if !output.status.success() {
            return Err(
                format!("{binary} migrate failed: {}", String::from_utf8_lossy(&output.stderr)).into()
            );
        }
        Ok(())
    }
}

impl Role {
    /// The program, and the word that chooses its role.
    fn command(self) -> (&'static str, [&'static str; 1]) {
        match self {
            Role::Directory => ("resolver", ["directory"]),
            Role::Scan => ("resolver", ["scan"]),
            Role::ControlPlane => ("control-plane", ["serve"]),
            Role::ControlSequencer => ("control-plane", ["sequencer"]),
            Role::PreflightGateway => ("preflight-gateway", ["gateway"]),
            Role::PreflightWorker => ("preflight-gateway", ["worker"]),
        }
    }
}

impl Service {
    /// Which process of the platform it is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// `http://` and the address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }
}

/// A connection whose driver lives on the calling runtime.
///
/// # Errors
/// Postgres refuses it.
pub async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn random_key() -> Result<String> {
    let mut bytes = [0_u8; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "the system gave no randomness")?;
    Ok(STANDARD.encode(bytes))
}
