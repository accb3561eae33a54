//! Two processes of each service on databases of the version before.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mintmark_auth::{DEFAULT_ISSUER, Grant, SigningKey, TrustBundle, TrustedKey, audience, control, scope};
use mintmark_devstack::redis::RedisServer;
use mintmark_devstack::testdb::TestDb;
use mintmark_ids::ServiceName;
use mintmark_tests::Home;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::front::Front;
use crate::replica::{Replica, free};
use crate::schema;

const TENANT: &str = "upgrade-goods";
/// Shorter than in a cluster, so that jobs are interrupted and handed over.
const GRACE_SECS: u32 = 5;
/// A batch is a hundred chunks and more.
const CHUNK_UNITS: u32 = 100;

/// Where the replicas of a service are, as its callers are told.
type Pair = [std::net::SocketAddr; 2];

pub struct Stage {
    /// Those first that others call.
    pub replicas: Vec<[Replica; 2]>,
    pub scans: Arc<Front>,
    pub person: Person,
    pub control_db: TestDb,
    pub resolver_db: TestDb,
    _redis: RedisServer,
    _home: Home,
}

impl Stage {
    pub async fn start() -> Self {
        mintmark_service::install_crypto();
        let home = Home::new().unwrap();
        let folder = home.path();
        let redis = RedisServer::start(&[]).await.unwrap();
        let control_db = schema::of_the_version_before("control-plane").await;
        let resolver_db = schema::of_the_version_before("resolver").await;
        let operator = control::generate().expose_secret().to_owned();
        let keys = Keys::make(folder, operator.clone());
        let [limiters, directories, scans, controls]: [Pair; 4] = std::array::from_fn(|_| [free(), free()]);
        let bases = |pair: Pair| pair.map(|addr| format!("http://{addr}"));

        let pair = |what, own: &dyn Fn(usize) -> Variables| {
            [0, 1].map(|which| Replica::new(what, which, own(which), folder))
        };
        let replicas = vec![
            pair(("ratelimit", None), &|which| keys.limiter(limiters[which], &redis)),
            pair(("resolver", Some("directory")), &|which| keys.directory(directories[which], &resolver_db)),
            pair(("control-plane", Some("serve")), &|which| {
                let peers = [bases(limiters).join(","), bases(directories).join(",")];
                keys.control(controls[which], peers, scans[0], &control_db)
            }),
            pair(("resolver", Some("scan")), &|which| keys.scan(scans[which], which, &resolver_db)),
        ];
        let (scans, api) = (Arc::new(Front::of(bases(scans))), Arc::new(Front::of(bases(controls))));
        let mut replicas = replicas;
        for replica in replicas.iter_mut().flatten() {
            replica.start();
        }
        for replica in replicas.iter_mut().flatten() {
            replica.ready().await;
        }
        let person = Person::seed(api, operator).await;
        Self { replicas, scans, person, control_db, resolver_db, _redis: redis, _home: home }
    }

    /// Brings both databases up to date, and a step further.
    pub async fn migrate(&self) {
        let (control, resolver) = (&self.control_db, &self.resolver_db);
        schema::migrate("control-plane", "control-plane", "CONTROL_MIGRATION_DATABASE_URL", control).await;
        schema::migrate("resolver", "resolver", "RESOLVER_MIGRATION_DATABASE_URL", resolver).await;
        schema::expand(control, &["batch", "jobs", "product", "app_user", "idempotency", "export"]).await;
        schema::expand(
            resolver,
            &["publication", "publication_chunk", "product", "scan_event", "activation"],
        )
        .await;
    }

    /// Takes a replica out of rotation, and ends it in good order.
    pub async fn take(&mut self, replicas: usize, which: usize) {
        if let Some(front) = self.front(replicas) {
            front.close(which).await;
        }
        let replica = &mut self.replicas[replicas][which];
        let pid = replica.pid();
        replica.stop().await;
        let held = format!("SELECT count(*) FROM jobs WHERE state = 'running' AND worker LIKE '%/{pid}'");
        let rows = schema::connect(&self.control_db.superuser_url()).await;
        let held: i64 = rows.query_one(&held, &[]).await.unwrap().get(0);
        assert_eq!(held, 0, "what it worked on was given back, and does not wait for a lease to end");
    }

    /// Puts another in its place.
    pub async fn put(&mut self, replicas: usize, which: usize) {
        let replica = &mut self.replicas[replicas][which];
        replica.start();
        replica.ready().await;
        if let Some(front) = self.front(replicas) {
            front.open(which);
        }
    }

    /// The front of those that people come to: the last two.
    fn front(&self, replicas: usize) -> Option<&Front> {
        match self.replicas.len() - replicas {
            1 => Some(&self.scans),
            2 => Some(&self.person.api),
            _ => None,
        }
    }
}

/// Somebody who mints, through the front of the control plane.
#[derive(Clone)]
pub struct Person {
    api: Arc<Front>,
    session: String,
    pub brand: String,
    pub product: String,
}

impl Person {
    async fn seed(api: Arc<Front>, operator: String) -> Self {
        let (brand, product) = (String::new(), String::new());
        let mut this = Self { api, session: operator, brand, product };
        let tenant = json!({ "id": TENANT, "name": "Upgrade Goods", "tier": "enterprise" });
        this.post("/api/admin/tenants", None, &tenant).await;
        let owner =
            json!({ "tenantId": TENANT, "email": "o@upgrade.example", "name": "O", "tenantAdmin": true });
        let user = this.post("/api/admin/users", None, &owner).await;
        let asked = json!({ "userId": user["id"] });
        this.session = text(&this.post("/api/admin/sessions", None, &asked).await, "token");
        this.brand = text(&this.post("/v1/brands", None, &json!({ "name": "Upgrade" })).await, "id");
        let product = json!({ "brandId": this.brand, "gtin": "09506000134352", "name": "Product" });
        this.product = text(&this.post("/v1/products", None, &product).await, "id");
        this
    }

    /// A request that must succeed at once.
    pub async fn post(&self, path: &str, key: Option<&str>, body: &Value) -> Value {
        let sent = self.api.send(|client, base| {
            let request = client.post(format!("{base}{path}")).bearer_auth(&self.session).json(body);
            match key {
                Some(key) => request.header("Idempotency-Key", key),
                None => request,
            }
        });
        answer(path, sent.await)
    }

    pub async fn get(&self, path: &str) -> Value {
        let sent =
            self.api.send(|client, base| client.get(format!("{base}{path}")).bearer_auth(&self.session));
        answer(path, sent.await)
    }

    /// The bytes behind a signed URL.
    pub async fn fetch(&self, url: &str) -> Vec<u8> {
        let path = &url[url.find("/objects/").unwrap()..];
        let (status, bytes) =
            self.api.send(|client, base| client.get(format!("{base}{path}"))).await.unwrap();
        assert_eq!(status, 200, "{path}");
        bytes
    }
}

fn answer(path: &str, sent: Result<(u16, Vec<u8>), reqwest::Error>) -> Value {
    let (status, body) = sent.unwrap_or_else(|error| panic!("{path}: {error:?}"));
    assert!((200..300).contains(&status), "{path}: {status} {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

/// A member that must be there and be text.
pub fn text(body: &Value, member: &str) -> String {
    body[member].as_str().unwrap_or_else(|| panic!("no '{member}' in {body:#}")).to_owned()
}

type Variables = Vec<(&'static str, String)>;

/// What all processes are told.
struct Keys {
    folder: PathBuf,
    operator: String,
    peppers: String,
    key: String,
}

impl Keys {
    fn make(folder: &Path, operator: String) -> Self {
        let identity = SigningKey::generate_pem().to_string();
        std::fs::write(folder.join("session.pem"), SigningKey::generate_pem().as_str()).unwrap();
        std::fs::write(folder.join("identity.pem"), &identity).unwrap();
        std::fs::write(folder.join("bundle.json"), bundle(&identity)).unwrap();
        let key = STANDARD.encode([b'u'; 32]);
        Self { folder: folder.to_path_buf(), operator, peppers: format!("1:{key}"), key }
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn limiter(&self, addr: std::net::SocketAddr, redis: &RedisServer) -> Variables {
        vec![
            ("RATELIMIT_GRPC_ADDR", addr.to_string()),
            ("RATE_LIMIT_REDIS_URL", redis.url()),
            // As for `RATE_LIMIT_BUDGET_MS` below, and less than that.
            ("RATE_LIMIT_REDIS_BUDGET_MS", "1000".to_owned()),
            ("TRUST_BUNDLE_FILE", self.file("bundle.json")),
        ]
    }

    fn directory(&self, addr: std::net::SocketAddr, db: &TestDb) -> Variables {
        vec![
            ("DIRECTORY_GRPC_ADDR", addr.to_string()),
            ("DIRECTORY_DATABASE_URL", db.url("resolver_directory")),
            ("CODE_PEPPERS", self.peppers.clone()),
            ("TRUST_BUNDLE_FILE", self.file("bundle.json")),
        ]
    }

    fn scan(&self, addr: std::net::SocketAddr, which: usize, db: &TestDb) -> Variables {
        vec![
            ("SCAN_HTTP_ADDR", addr.to_string()),
            ("SCAN_DATABASE_URL", db.url("resolver_scan")),
            ("SCAN_SPOOL_DIR", self.file(&format!("spool-{which}"))),
            ("CODE_PEPPERS", self.peppers.clone()),
        ]
    }

    fn control(
        &self,
        addr: std::net::SocketAddr,
        [limiters, directories]: [String; 2],
        scan: std::net::SocketAddr,
        db: &TestDb,
    ) -> Variables {
        vec![
            ("CONTROL_HTTP_ADDR", addr.to_string()),
            ("CONTROL_GRPC_ADDR", free().to_string()),
            ("CONTROL_DATABASE_URL", db.url("control_app")),
            ("PPOS_CONTROL_TOKEN", self.operator.clone()),
            ("CONTROL_SIGNING_KEY_FILE", self.file("identity.pem")),
            ("SESSION_SIGNING_KEY_FILE", self.file("session.pem")),
            ("TRUST_BUNDLE_FILE", self.file("bundle.json")),
            ("CODE_MASTER_KEY", self.key.clone()),
            ("DIRECTORY_GRPC_URL", directories),
            ("RATELIMIT_GRPC_URL", limiters),
            ("RATE_LIMIT_FAIL_OPEN", "false".to_owned()),
            // A debug build beside all the others on two processors.
            ("RATE_LIMIT_BUDGET_MS", "2000".to_owned()),
            ("CODE_BASE_URL", format!("http://{scan}")),
            ("CONTROL_PUBLIC_URL", format!("http://{addr}")),
            ("EXPORT_STORE_URL", format!("file://{}", self.file("objects"))),
            ("EXPORT_URL_SIGNING_KEY", self.key.clone()),
            // One mint in each, so that both have work.
            ("JOB_WORKERS", "1".to_owned()),
            ("MINT_CHUNK_UNITS", CHUNK_UNITS.to_string()),
            ("SHUTDOWN_GRACE_SECS", GRACE_SECS.to_string()),
        ]
    }
}

/// The control plane's rights at those that it calls.
fn bundle(identity: &str) -> String {
    let grant = |audience: &str, scopes: &[&str]| Grant {
        aud: audience.to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
    };
    let grants = vec![
        grant(
            audience::RESOLVER,
            &[scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ],
        ),
        grant(audience::RATELIMIT, &[scope::RATELIMIT_CHECK]),
    ];
    let jwk = SigningKey::from_pem(identity).unwrap().public_jwk();
    let key = TrustedKey { jwk, service: ServiceName::ControlPlane, grants };
    TrustBundle::new(DEFAULT_ISSUER, vec![key]).unwrap().to_json()
}
