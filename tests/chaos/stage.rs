//! The platform under test: two control planes (two workers on one database), the directory, the scan service, their
//! database, and two small disks.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mintmark_auth::{
    DEFAULT_ISSUER, Grant, KeyRing, SigningKey, TrustBundle, TrustedKey, audience, control, scope,
};
use mintmark_ids::ServiceName;
use mintmark_tests::{Home, program};
use nix::sys::signal::Signal;
use reqwest::Client;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::api::{Api, As};
use crate::disk::Disks;
use crate::postgres::{LOGINS, Of, Postgres, random};
use crate::process::{Launch, Service};
use crate::scans::Scans;

/// The tenant of the run.
pub const TENANT: &str = "chaos-goods";
/// A worker that is silent for so long is replaced.
pub const LEASE_SECS: u64 = 4;
/// Free places for jobs in each control plane: two mints, an export and whatever comes.
const JOB_WORKERS: u64 = 4;
const GTINS: [&str; 2] = ["09506000134352", "09506000134369"];

/// How large things are.
#[derive(Clone, Copy)]
pub struct Scale {
    /// Units of a batch: from, to.
    pub units: (u64, u64),
    pub chunk_units: u64,
    /// Units of the batch that was exported in peace, and is exported again in chaos.
    pub exported_units: u64,
    pub part_units: u64,
}

pub struct Stage {
    pub seed: u64,
    pub scale: Scale,
    pub workers: [Service; 2],
    pub directory: Service,
    pub scan: Service,
    pub api: Api,
    pub brand: String,
    pub products: Vec<String>,
    pub scans: Scans,
    pub postgres: Postgres,
    pub disks: Disks,
    home: Home,
}

impl Stage {
    pub async fn start(seed: u64, scale: Scale) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let home = Home::new().unwrap();
        let disks = Disks::make(home.path(), 64);
        println!("chaos: a full disk is made by {:?}", disks.way);
        let postgres = Postgres::start(home.path()).await;
        let client = Client::builder().no_proxy().connect_timeout(Duration::from_secs(1)).build().unwrap();
        let setting = Setting::make(&home, &disks, &postgres, scale);
        let service = |name, program, role, ops, own| setting.service(name, program, role, ops, own, &client);
        let [directory_ops, scan_ops, first_ops, second_ops] = setting.ops_ports;
        let directory = service("directory", "resolver", "directory", directory_ops, setting.directory());
        let scan = service("scan", "resolver", "scan", scan_ops, setting.scan());
        let first = service("worker-1", "control-plane", "serve", first_ops, setting.control(0));
        let second = service("worker-2", "control-plane", "serve", second_ops, setting.control(1));
        let bases = setting.control_ports.map(|port| format!("http://127.0.0.1:{port}"));
        let scans = Scans::of(&client, format!("http://127.0.0.1:{}", setting.scan_port));
        let operator = setting.operator.clone();
        drop(setting);
        let api = Api { client, bases, operator, session: String::new() };
        let workers = [first, second];
        let (brand, products) = (String::new(), Vec::new());
        let mut stage = Self {
            seed,
            scale,
            workers,
            directory,
            scan,
            api,
            brand,
            products,
            scans,
            postgres,
            disks,
            home,
        };
        stage.ready().await;
        stage.seed_tenant().await;
        stage
    }

    /// All services, in the order in which they are listed.
    pub fn services(&mut self) -> [&mut Service; 4] {
        let [first, second] = &mut self.workers;
        [first, second, &mut self.directory, &mut self.scan]
    }

    /// Waits until each service says that it is ready.
    pub async fn ready(&mut self) {
        for service in self.services() {
            service.ready().await;
        }
    }

    /// Takes every fault back that may still be on, and waits until all is well.
    pub async fn heal(&mut self) {
        let users = [self.workers[0].pid(), self.workers[1].pid()];
        self.disks.free(&self.disks.objects, &users);
        self.disks.free(&self.disks.spool, &[self.scan.pid()]);
        for service in self.services() {
            service.start_again();
            service.signal(Signal::SIGCONT);
            service.right_clock();
        }
        self.ready().await;
    }

    async fn seed_tenant(&mut self) {
        let api = &self.api;
        let create = async |path: &str, body: Value| api.post(As::Operator, path, None, &body).await;
        create("/api/admin/tenants", json!({ "id": TENANT, "name": "Chaos Goods", "tier": "pro" })).await;
        let owner =
            json!({ "tenantId": TENANT, "email": "o@chaos.example", "name": "O", "tenantAdmin": true });
        let user = create("/api/admin/users", owner).await;
        let session = create("/api/admin/sessions", json!({ "userId": user["id"] })).await;
        self.api.session = text(&session, "token");
        let api = &self.api;
        let create = async |path: &str, body: Value| api.post(As::Person, path, None, &body).await;
        let brand = text(&create("/v1/brands", json!({ "name": "Chaos" })).await, "id");
        let mut products = Vec::new();
        for gtin in GTINS {
            let product = json!({ "brandId": brand, "gtin": gtin, "name": format!("Product {gtin}") });
            products.push(text(&create("/v1/products", product).await, "id"));
        }
        (self.brand, self.products) = (brand, products);
    }
}

impl Drop for Stage {
    /// What the processes wrote survives a failure.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let to = program("control-plane").with_file_name(format!("chaos-{}", self.seed));
        let _ = fs::create_dir_all(&to);
        for entry in fs::read_dir(self.home.path()).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|kind| kind == "log") {
                let _ = fs::copy(entry.path(), to.join(entry.file_name()));
            }
        }
        println!("chaos: seed {} failed; the logs are in {}", self.seed, to.display());
    }
}

/// A member that must be there and be text.
pub fn text(body: &Value, member: &str) -> String {
    body[member].as_str().unwrap_or_else(|| panic!("no '{member}' in {body:#}")).to_owned()
}

type Variables = Vec<(&'static str, String)>;

/// Keys, ports and folders of the services.
struct Setting<'a> {
    folder: PathBuf,
    disks: &'a Disks,
    postgres: &'a Postgres,
    scale: Scale,
    operator: String,
    peppers: String,
    master_key: String,
    url_key: String,
    control_ports: [u16; 2],
    grpc_ports: [u16; 2],
    ops_ports: [u16; 4],
    scan_port: u16,
    directory_port: u16,
}

impl<'a> Setting<'a> {
    fn make(home: &Home, disks: &'a Disks, postgres: &'a Postgres, scale: Scale) -> Self {
        let folder = home.path().to_path_buf();
        let identity = SigningKey::generate_pem().to_string();
        private(&folder.join("session.pem"), &SigningKey::generate_pem());
        private(&folder.join("identity.pem"), &identity);
        private(&folder.join("bundle.json"), &bundle(&identity));
        let key = || STANDARD.encode(random(32));
        let [a, b, c, d, e, f, g, h, scan_port, directory_port] = ports();
        Self {
            folder,
            disks,
            postgres,
            scale,
            operator: control::generate().expose_secret().to_owned(),
            peppers: format!("1:{}", key()),
            master_key: key(),
            url_key: key(),
            control_ports: [a, b],
            grpc_ports: [c, d],
            ops_ports: [e, f, g, h],
            scan_port,
            directory_port,
        }
    }

    fn service(
        &self,
        name: &'static str,
        program_name: &str,
        role: &'static str,
        ops: u16,
        own: Variables,
        client: &Client,
    ) -> Service {
        let shared = [("APP_ENV", "test".to_owned()), ("OPS_ADDR", format!("127.0.0.1:{ops}"))];
        let environment =
            own.into_iter().chain(shared).map(|(name, value)| (name.to_owned(), value)).collect();
        let prefix = self.disks.prefix();
        let launch = Launch { prefix, program: program(program_name), role, environment };
        Service::start(name, launch, format!("http://127.0.0.1:{ops}"), &self.folder, client)
    }

    fn directory(&self) -> Variables {
        vec![
            ("DIRECTORY_GRPC_ADDR", format!("127.0.0.1:{}", self.directory_port)),
            ("DIRECTORY_DATABASE_URL", self.postgres.url(LOGINS[1], Of::Resolver)),
            ("CODE_PEPPERS", self.peppers.clone()),
            ("TRUST_BUNDLE_FILE", self.file("bundle.json")),
        ]
    }

    fn scan(&self) -> Variables {
        vec![
            ("SCAN_HTTP_ADDR", format!("127.0.0.1:{}", self.scan_port)),
            ("SCAN_DATABASE_URL", self.postgres.url(LOGINS[2], Of::Resolver)),
            ("SCAN_SPOOL_DIR", self.disks.spool.path.display().to_string()),
            // A few segments: what comes then is dropped, and counted.
            ("SCAN_SPOOL_MAX_BYTES", "65536".to_owned()),
            ("CODE_PEPPERS", self.peppers.clone()),
        ]
    }

    fn control(&self, which: usize) -> Variables {
        let public = format!("http://127.0.0.1:{}", self.control_ports[0]);
        vec![
            ("CONTROL_HTTP_ADDR", format!("127.0.0.1:{}", self.control_ports[which])),
            ("CONTROL_GRPC_ADDR", format!("127.0.0.1:{}", self.grpc_ports[which])),
            ("CONTROL_DATABASE_URL", self.postgres.url(LOGINS[0], Of::Control)),
            ("PPOS_CONTROL_TOKEN", self.operator.clone()),
            ("CONTROL_SIGNING_KEY_FILE", self.file("identity.pem")),
            ("SESSION_SIGNING_KEY_FILE", self.file("session.pem")),
            ("TRUST_BUNDLE_FILE", self.file("bundle.json")),
            ("CODE_MASTER_KEY", self.master_key.clone()),
            ("DIRECTORY_GRPC_URL", format!("http://127.0.0.1:{}", self.directory_port)),
            ("RATE_LIMIT_ENABLED", "false".to_owned()),
            ("CODE_BASE_URL", format!("http://127.0.0.1:{}", self.scan_port)),
            ("CONTROL_PUBLIC_URL", public),
            ("EXPORT_STORE_URL", format!("file://{}", self.disks.objects.path.display())),
            ("EXPORT_URL_SIGNING_KEY", self.url_key.clone()),
            ("EXPORT_PART_UNITS", self.scale.part_units.to_string()),
            ("MINT_CHUNK_UNITS", self.scale.chunk_units.to_string()),
            ("JOB_WORKERS", JOB_WORKERS.to_string()),
            ("JOB_LEASE_SECS", LEASE_SECS.to_string()),
            // Each pull is a call of the directory: a wrong clock shows within a second.
            ("SCAN_PULL_SECS", "1".to_owned()),
        ]
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

/// Free ports, all different, and below those that the system gives to outgoing connections: a service that was killed
/// must find its own again.
fn ports<const N: usize>() -> [u16; N] {
    let start = 20_000 + (std::process::id() % 10_000) as u16;
    let mut held = (start..32_000).filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    let listeners = [(); N].map(|()| held.next().expect("a free port"));
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

fn private(path: &Path, content: &str) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The control plane's rights in the directory.
fn bundle(identity: &str) -> String {
    let scopes = [scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ];
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    let grants = vec![Grant { aud: audience::RESOLVER.to_owned(), scopes }];
    let jwk = KeyRing::from_pem(identity).unwrap().accepted()[0].clone();
    let key = TrustedKey { jwk, service: ServiceName::ControlPlane, grants };
    TrustBundle::new(DEFAULT_ISSUER, vec![key]).unwrap().to_json()
}
