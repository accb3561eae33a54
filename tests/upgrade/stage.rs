//! Two processes of each service on databases of the version before.

use std::path::Path;
use std::sync::Arc;

use mintmark_auth::control;
use mintmark_devstack::redis::RedisServer;
use mintmark_tests::Home;
use secrecy::ExposeSecret;

use crate::front::Front;
use crate::keys::{Keys, Variables};
use crate::person::Person;
use crate::places::{Databases, Places, bases};
use crate::replica::Replica;
use crate::schema;
use crate::work::Work;

/// A service of two processes.
pub struct Service {
    pub replicas: [Replica; 2],
    /// What needs it: this must go on with one of the two.
    pub needed_by: &'static [Work],
    /// Where people come in; nobody comes to those that are only called by others.
    front: Option<Arc<Front>>,
}

impl Service {
    fn new(
        (program, role): (&'static str, Option<&'static str>),
        needed_by: &'static [Work],
        front: Option<&Arc<Front>>,
        own: &dyn Fn(usize) -> Variables,
        folder: &Path,
    ) -> Self {
        let replicas = [0, 1].map(|which| Replica::new((program, role), which, own(which), folder));
        Self { replicas, needed_by, front: front.cloned() }
    }
}

pub struct Stage {
    /// In the order in which they are replaced: those first that others call.
    pub services: Vec<Service>,
    pub scans: Arc<Front>,
    pub gateways: Arc<Front>,
    pub consoles: Arc<Front>,
    pub person: Person,
    pub databases: Databases,
    _redis: RedisServer,
    _home: Home,
}

impl Stage {
    pub async fn start() -> Self {
        mintmark_service::install_crypto();
        let home = Home::new().unwrap();
        let redis = RedisServer::start(&[]).await.unwrap();
        let (places, databases) = (Places::free(), Databases::of_the_version_before().await);
        let [scans, gateways, consoles, api] =
            [places.scans, places.gateways, places.consoles, places.controls]
                .map(|pair| Arc::new(Front::of(bases(pair))));
        let operator = control::generate().expose_secret().to_owned();
        let keys = Keys::make(home.path(), operator.clone(), &places, &databases, &redis);
        let mut services = described(&keys, home.path(), [&scans, &gateways, &consoles, &api]);
        for replica in services.iter_mut().flat_map(|service| &mut service.replicas) {
            replica.start();
        }
        for replica in services.iter_mut().flat_map(|service| &mut service.replicas) {
            replica.ready().await;
        }
        let person = Person::seed(api, operator).await;
        Self { services, scans, gateways, consoles, person, databases, _redis: redis, _home: home }
    }

    /// Takes a replica out of rotation, and ends it in good order.
    pub async fn take(&mut self, service: usize, which: usize) {
        let Service { replicas, front, .. } = &mut self.services[service];
        if let Some(front) = front {
            front.close(which).await;
        }
        let pid = replicas[which].pid();
        replicas[which].stop().await;
        let held = format!("SELECT count(*) FROM jobs WHERE state = 'running' AND worker LIKE '%/{pid}'");
        for db in self.databases.queues() {
            let rows = schema::connect(&db.superuser_url()).await;
            let held: i64 = rows.query_one(&held, &[]).await.unwrap().get(0);
            assert_eq!(held, 0, "what it worked on was given back, and does not wait for a lease to end");
        }
    }

    /// Puts another in its place.
    pub async fn put(&mut self, service: usize, which: usize) {
        let Service { replicas, front, .. } = &mut self.services[service];
        replicas[which].start();
        replicas[which].ready().await;
        if let Some(front) = front {
            front.open(which);
        }
    }

    pub fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.services.iter().flat_map(|service| &service.replicas)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.replicas().for_each(Replica::show_complaints);
        }
    }
}

/// The services in the order of `docs/upgrade.md`.
fn described(
    keys: &Keys<'_>,
    folder: &Path,
    [scans, gateways, consoles, api]: [&Arc<Front>; 4],
) -> Vec<Service> {
    use Work::{ControlLog, Evidence, Mints, Pages, Preflight, VaultLog};
    let service = |what, needed_by, front, own: &dyn Fn(usize) -> Variables| {
        Service::new(what, needed_by, front, own, folder)
    };
    vec![
        service(("ratelimit", None), &[Mints, Preflight], None, &|which| keys.limiter(which)),
        service(("resolver", Some("directory")), &[Mints], None, &|which| keys.directory(which)),
        service(("evidence-vault", Some("vault")), &[Evidence], None, &|which| keys.vault(which)),
        service(("evidence-vault", Some("sequencer")), &[Evidence, VaultLog], None, &|which| {
            keys.vault_sequencer(which)
        }),
        service(("preflight-gateway", Some("worker")), &[Preflight], None, &|which| keys.worker(which)),
        service(("preflight-gateway", Some("gateway")), &[Preflight, Pages], Some(gateways), &|which| {
            keys.gateway(which)
        }),
        service(
            ("control-plane", Some("serve")),
            &[Mints, Preflight, Evidence, Pages],
            Some(api),
            &|which| keys.control(which),
        ),
        service(("control-plane", Some("sequencer")), &[ControlLog], None, &|which| {
            keys.control_sequencer(which)
        }),
        service(("resolver", Some("scan")), &[Mints], Some(scans), &|which| keys.scan(which)),
        service(("console", None), &[Pages], Some(consoles), &|which| keys.console(which)),
    ]
}
