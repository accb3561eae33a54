//! The services as processes of their own, each with its own environment and its own log.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use mintmark_devstack::Process;
use mintmark_devstack::redis::RedisServer;

use crate::failure::Failure;
use crate::home::Home;
use crate::screen;
use crate::service;

use super::addresses::Addresses;
use super::database::Databases;
use super::evidence;
use super::incoming;
use super::keys::Keys;
use super::program::program;
use super::tls::Certificates;

/// How long a service may take from start to ready: the first start warms caches on a cold disk.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How often it is looked whether a service ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The private servers that the services use.
#[derive(Clone, Copy)]
pub struct Servers<'a> {
    pub databases: &'a Databases,
    pub redis: &'a RedisServer,
}

impl Servers<'_> {
    /// What to say when one of them has ended.
    fn ended(&self) -> Option<Failure> {
        if !self.databases.is_running() {
            return Some(Failure::new(format!(
                "Postgres ended by itself, and nothing works without it: start the platform again; its log says why: {}",
                self.databases.log().display()
            )));
        }
        // Its log went with it.
        let sentence = "Redis ended by itself, and nothing works without it: start the platform again";
        (!self.redis.is_running()).then(|| Failure::new(sentence))
    }
}

/// The running services, in the order in which they were started.
pub struct Services {
    running: Vec<Running>,
    certificates: Option<Certificates>,
}

/// What a service stands on: folder, addresses and servers of this start.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    pub home: &'a Home,
    pub addresses: &'a Addresses,
    pub servers: Servers<'a>,
}

/// One of them.
struct Running {
    name: &'static str,
    process: Process,
    /// Where it says that it is ready.
    ops: SocketAddr,
    /// Where it answers; none of a worker.
    serving: Option<SocketAddr>,
}

impl Services {
    /// Starts the directory, the scan service, the rate limiter, the preflight gateway with its worker, the evidence vault
    /// with its sequencer, the control plane with its own, and the console.
    pub fn start(ground: Ground<'_>, keys: &Keys) -> Result<Self, Failure> {
        let certificates = Certificates::make(ground.home)?;
        let mut running = Vec::new();
        for service in described(ground, keys)? {
            running.push(service.spawn(ground.home, certificates.as_ref())?);
        }
        Ok(Self { running, certificates })
    }

    /// Waits until every service says that it is ready.
    pub async fn wait_until_ready(&mut self) -> Result<(), Failure> {
        for Running { name, process, ops, serving } in &mut self.running {
            process
                .wait_ready(&format!("http://{ops}/readyz"), READY_WITHIN)
                .await
                .map_err(|error| Failure::new(format!("{name} did not become ready: {error}")))?;
            let at = serving.map_or_else(|| "in the background".to_owned(), |at| at.to_string());
            screen::step(name, &format!("{at}, operations on {ops}, process {}", process.pid()));
        }
        Ok(())
    }

    /// Starts a service again that ended in good order, which is what `mintmark service restart` asks for: with keys and variables
    /// as they are now. Returns when one ended in another way, or a server that they need did.
    pub async fn one_died(&mut self, ground: Ground<'_>) -> Failure {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        loop {
            tick.tick().await;
            if let Some(failure) = ground.servers.ended() {
                return failure;
            }
            for running in &mut self.running {
                let Some(status) = running.process.ended() else { continue };
                let name = running.name;
                if !status.success() {
                    let log = log_of(ground.home, name);
                    return Failure::new(format!(
                        "{name} ended by itself ({status}); its log says why: {}",
                        log.display()
                    ));
                }
                let service = Keys::load(ground.home)
                    .and_then(|keys| described(ground, &keys))
                    .map(|all| all.into_iter().find(|service| service.name == name));
                let again = match service {
                    Ok(Some(service)) => service.spawn(ground.home, self.certificates.as_ref()),
                    Ok(None) => Err(Failure::new(format!("{name} is no service of this platform"))),
                    Err(failure) => Err(failure),
                };
                match again {
                    Ok(again) => *running = again,
                    Err(failure) => return failure,
                }
                screen::step(name, &format!("started again, process {}", running.process.pid()));
            }
        }
    }

    /// Stops the services, the last started first, so that nobody calls one that is gone.
    pub async fn stop(self) {
        for Running { name, process, .. } in self.running.into_iter().rev() {
            let stopped = tokio::task::spawn_blocking(move || process.terminate()).await;
            match stopped {
                Ok(Some(status)) if status.success() => screen::step(name, "stopped"),
                Ok(Some(status)) => screen::line(&format!("{name} ended with {status}; see {name}.log")),
                Ok(None) | Err(_) => screen::line(&format!("{name} did not end in time and was killed")),
            }
        }
    }
}

/// One service: what to run and with which variables.
pub struct Described {
    name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    environment: Vec<(String, String)>,
    ops: SocketAddr,
    serving: Option<SocketAddr>,
}

impl Described {
    /// Starts it, and writes down where it runs (`run/NAME`).
    fn spawn(mut self, home: &Home, certificates: Option<&Certificates>) -> Result<Running, Failure> {
        if let (Some(certificates), Ok(named)) = (certificates, self.program.parse()) {
            certificates.apply(named, &mut self.environment);
        }
        let own = home.role_variables(self.name)?;
        self.environment.retain(|(name, _)| own.iter().all(|(other, _)| other != name));
        self.environment.extend(own);
        let log = log_of(home, self.name);
        let process = Process::spawn(&program(self.program)?, self.arguments, &self.environment, &log)?;
        let Described { name, ops, serving, .. } = self;
        service::write_down(home, name, process.pid(), ops)?;
        Ok(Running { name, process, ops, serving })
    }

    /// A program in one role, with what is said to it and where it answers.
    pub fn new(
        name: &'static str,
        (program, arguments): (&'static str, &'static [&'static str]),
        environment: Vec<(String, String)>,
        ops: SocketAddr,
        serving: impl Into<Option<SocketAddr>>,
    ) -> Self {
        Described { name, program, arguments, environment, ops, serving: serving.into() }
    }
}

fn log_of(home: &Home, name: &str) -> PathBuf {
    home.path("logs").join(format!("{name}.log"))
}

fn described(ground: Ground<'_>, keys: &Keys) -> Result<Vec<Described>, Failure> {
    let Ground { home, addresses, servers } = ground;
    let at = addresses;
    let ratelimit = environment(
        at.ratelimit_ops,
        [
            ("RATELIMIT_GRPC_ADDR", at.ratelimit_grpc.to_string()),
            ("RATE_LIMIT_REDIS_URL", servers.redis.url()),
            ("TRUST_BUNDLE_FILE", keys.trust_bundle.display().to_string()),
        ],
    );
    let console = environment(
        at.console_ops,
        [
            ("CONSOLE_HTTP_ADDR", at.console_http.to_string()),
            ("CONSOLE_SIGNING_KEY_FILE", keys.console_signing_key.display().to_string()),
            ("TRUST_BUNDLE_FILE", keys.trust_bundle.display().to_string()),
            ("CONTROL_PLANE_GRPC_URL", format!("http://{}", at.control_grpc)),
            ("PREFLIGHT_GATEWAY_GRPC_URL", format!("http://{}", at.gateway_grpc)),
        ],
    );
    let [directory, scan] = resolver(home, addresses, keys, servers)?;
    let [gateway, worker] = preflight(home, addresses, keys, servers)?;
    let [vault_sequencer, vault] = evidence::vault(home, addresses, keys, servers)?;
    Ok(vec![
        directory,
        scan,
        Described::new("ratelimit", ("ratelimit", &[]), ratelimit, at.ratelimit_ops, at.ratelimit_grpc),
        gateway,
        worker,
        vault_sequencer,
        vault,
        evidence::control_sequencer(home, addresses, keys, servers)?,
        control_plane(home, addresses, keys, servers)?,
        Described::new("console", ("console", &[]), console, at.console_ops, at.console_http),
    ])
}

/// The two roles of the resolver, on one database and one pepper.
fn resolver(
    home: &Home,
    addresses: &Addresses,
    keys: &Keys,
    servers: Servers<'_>,
) -> Result<[Described; 2], Failure> {
    let databases = servers.databases;
    let peppers = format!("1:{}", keys.code_pepper);
    let directory = environment(
        addresses.directory_ops,
        [
            ("DIRECTORY_GRPC_ADDR", addresses.directory_grpc.to_string()),
            ("DIRECTORY_DATABASE_URL", databases.url(home, "resolver_directory", "mintmark_resolver")?),
            ("CODE_PEPPERS", peppers.clone()),
            ("TRUST_BUNDLE_FILE", keys.trust_bundle.display().to_string()),
        ],
    );
    let scan = environment(
        addresses.scan_ops,
        [
            ("SCAN_HTTP_ADDR", addresses.scan_http.to_string()),
            ("SCAN_DATABASE_URL", databases.url(home, "resolver_scan", "mintmark_resolver")?),
            ("SCAN_SPOOL_DIR", home.path("scan-spool").display().to_string()),
            ("CODE_PEPPERS", peppers),
        ],
    );
    let program = |role: &'static [&'static str]| ("resolver", role);
    let at = addresses;
    Ok([
        Described::new("directory", program(&["directory"]), directory, at.directory_ops, at.directory_grpc),
        Described::new("scan", program(&["scan"]), scan, at.scan_ops, at.scan_http),
    ])
}

fn control_plane(
    home: &Home,
    addresses: &Addresses,
    keys: &Keys,
    servers: Servers<'_>,
) -> Result<Described, Failure> {
    let control = environment(
        addresses.control_ops,
        [
            ("CONTROL_HTTP_ADDR", addresses.control_http.to_string()),
            ("CONTROL_GRPC_ADDR", addresses.control_grpc.to_string()),
            ("CONTROL_DATABASE_URL", servers.databases.url(home, "control_app", "mintmark_control")?),
            ("PPOS_CONTROL_TOKEN", keys.control_token.clone()),
            ("CONTROL_SIGNING_KEY_FILE", keys.control_signing_key.display().to_string()),
            ("SESSION_SIGNING_KEY_FILE", keys.session_signing_key.display().to_string()),
            ("TRUST_BUNDLE_FILE", keys.trust_bundle.display().to_string()),
            ("CODE_MASTER_KEY", keys.code_master_key.clone()),
            ("DIRECTORY_GRPC_URL", format!("http://{}", addresses.directory_grpc)),
            ("PREFLIGHT_GATEWAY_GRPC_URL", format!("http://{}", addresses.gateway_grpc)),
            ("EVIDENCE_VAULT_GRPC_URL", format!("http://{}", addresses.vault_grpc)),
            ("RATELIMIT_GRPC_URL", format!("http://{}", addresses.ratelimit_grpc)),
            ("CODE_BASE_URL", format!("http://{}", addresses.scan_http)),
            ("CONTROL_PUBLIC_URL", format!("http://{}", addresses.control_http)),
            ("EXPORT_STORE_URL", format!("file://{}", home.path("objects").display())),
            ("EXPORT_URL_SIGNING_KEY", keys.export_url_signing_key.clone()),
            // Somebody sits in front of it and waits for the numbers.
            ("SCAN_PULL_SECS", "2".to_owned()),
        ],
    );
    let program: (&str, &[&str]) = ("control-plane", &["serve"]);
    Ok(Described::new("control-plane", program, control, addresses.control_ops, addresses.control_http))
}

/// The two roles of the preflight gateway, on the same buckets.
fn preflight(
    home: &Home,
    addresses: &Addresses,
    keys: &Keys,
    servers: Servers<'_>,
) -> Result<[Described; 2], Failure> {
    let databases = servers.databases;
    let buckets = incoming::buckets(home)?;
    let gateway = environment(
        addresses.gateway_ops,
        [
            ("PREFLIGHT_HTTP_ADDR", addresses.gateway_http.to_string()),
            ("PREFLIGHT_GRPC_ADDR", addresses.gateway_grpc.to_string()),
            ("PREFLIGHT_DATABASE_URL", databases.url(home, "preflight_gateway", "mintmark_preflight")?),
            ("PREFLIGHT_SIGNING_KEY_FILE", keys.gateway_signing_key.display().to_string()),
            ("PREFLIGHT_BUCKETS", buckets.clone()),
            ("TRUST_BUNDLE_FILE", keys.trust_bundle.display().to_string()),
            ("RATELIMIT_GRPC_URL", format!("http://{}", addresses.ratelimit_grpc)),
        ],
    );
    let worker = environment(
        addresses.preflight_worker_ops,
        [
            ("PREFLIGHT_WORKER_DATABASE_URL", databases.url(home, "preflight_worker", "mintmark_preflight")?),
            ("PREFLIGHT_BUCKETS", buckets),
        ],
    );
    Ok([
        Described::new(
            "preflight-gateway",
            ("preflight-gateway", &["gateway"]),
            gateway,
            addresses.gateway_ops,
            addresses.gateway_http,
        ),
        Described::new(
            "preflight-worker",
            ("preflight-gateway", &["worker"]),
            worker,
            addresses.preflight_worker_ops,
            None,
        ),
    ])
}

/// The variables of one service, with those that every service has. Nothing else of ours leaks in.
pub fn environment<const N: usize>(ops: SocketAddr, own: [(&str, String); N]) -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> = own.map(|(name, value)| (name.to_owned(), value)).into();
    variables.push(("APP_ENV".to_owned(), "development".to_owned()));
    variables.push(("OPS_ADDR".to_owned(), ops.to_string()));
    // The operator's limits, for the limiter and for those who ask it; where its Redis is, is ours to say.
    for (name, value) in std::env::vars_os() {
        let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) else { continue };
        if name.starts_with("RATE_LIMIT_") && !name.starts_with("RATE_LIMIT_REDIS_") {
            variables.push((name, value));
        }
    }
    for passed in ["OTEL_EXPORTER_OTLP_ENDPOINT", "LOG_LEVEL", "RUST_BACKTRACE", "SCAN_TRUSTED_PROXIES"] {
        if let Ok(value) = std::env::var(passed) {
            variables.push((passed.to_owned(), value));
        }
    }
    variables
}
