//! Where the replicas answer, and the databases that they work on.

use std::net::SocketAddr;

use mintmark_devstack::testdb::TestDb;

use crate::replica::free;
use crate::schema;

/// The two replicas of a service.
pub type Pair = [SocketAddr; 2];

/// The addresses of all services, for those who call them.
pub struct Places {
    pub limiters: Pair,
    pub directories: Pair,
    pub vaults: Pair,
    pub gateways: Pair,
    /// The gateways' gRPC.
    pub jobs: Pair,
    pub controls: Pair,
    /// The control planes' gRPC.
    pub registries: Pair,
    pub scans: Pair,
    pub consoles: Pair,
}

impl Places {
    pub fn free() -> Self {
        let pair = || [free(), free()];
        Self {
            limiters: pair(),
            directories: pair(),
            vaults: pair(),
            gateways: pair(),
            jobs: pair(),
            controls: pair(),
            registries: pair(),
            scans: pair(),
            consoles: pair(),
        }
    }
}

pub fn bases(pair: Pair) -> [String; 2] {
    pair.map(|addr| format!("http://{addr}"))
}

/// Both replicas, as a caller over gRPC is told of them.
pub fn urls(pair: Pair) -> String {
    bases(pair).join(",")
}

pub struct Databases {
    pub control: TestDb,
    pub resolver: TestDb,
    pub preflight: TestDb,
    pub evidence: TestDb,
}

impl Databases {
    /// As they were before the newest migration of each.
    pub async fn of_the_version_before() -> Self {
        Self {
            control: schema::of_the_version_before("control-plane").await,
            resolver: schema::of_the_version_before("resolver").await,
            preflight: schema::of_the_version_before("preflight-gateway").await,
            evidence: schema::of_the_version_before("evidence-vault").await,
        }
    }

    /// Brings all up to date.
    pub async fn migrate(&self) {
        for (program, variable, db) in [
            ("control-plane", "CONTROL_MIGRATION_DATABASE_URL", &self.control),
            ("resolver", "RESOLVER_MIGRATION_DATABASE_URL", &self.resolver),
            ("preflight-gateway", "PREFLIGHT_MIGRATION_DATABASE_URL", &self.preflight),
            ("evidence-vault", "EVIDENCE_MIGRATION_DATABASE_URL", &self.evidence),
        ] {
            schema::migrate(program, variable, db).await;
        }
    }

    /// A step further than this version.
    pub async fn expand(&self) {
        for db in [&self.control, &self.resolver, &self.preflight, &self.evidence] {
            schema::expand(db).await;
        }
    }

    /// Those with a queue.
    pub fn queues(&self) -> [&TestDb; 3] {
        [&self.control, &self.preflight, &self.evidence]
    }
}
