//! A private Postgres cluster: a database for each service, a least-privileged login for each role.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mintmark_devstack::{DevstackError, PostgresOptions, PostgresServer, Provision};

use crate::failure::{Doing, Failure};
use crate::home::{Home, write_private};
use crate::screen;

use super::keys::database_password;
use super::program::program;

/// One service's database.
struct Owned {
    /// The database.
    name: &'static str,
    /// The login that owns it and migrates it.
    owner: &'static str,
    /// Every login, the owner's included.
    logins: &'static [&'static str],
    /// Creates the logins where they are missing.
    roles: &'static str,
    /// The program that migrates it, and the variable that names the owner's URL.
    migrate: (&'static str, &'static str),
}

const DATABASES: &[Owned] = &[
    Owned {
        name: "mintmark_control",
        owner: "control_owner",
        logins: &["control_owner", "control_app", "control_sequencer"],
        roles: include_str!("../../../../migrations/control-plane/roles.sql"),
        migrate: ("control-plane", "CONTROL_MIGRATION_DATABASE_URL"),
    },
    Owned {
        name: "mintmark_resolver",
        owner: "resolver_owner",
        logins: &["resolver_owner", "resolver_scan", "resolver_directory"],
        roles: include_str!("../../../../migrations/resolver/roles.sql"),
        migrate: ("resolver", "RESOLVER_MIGRATION_DATABASE_URL"),
    },
    Owned {
        name: "mintmark_preflight",
        owner: "preflight_owner",
        logins: &["preflight_owner", "preflight_gateway", "preflight_worker"],
        roles: include_str!("../../../../migrations/preflight-gateway/roles.sql"),
        migrate: ("preflight-gateway", "PREFLIGHT_MIGRATION_DATABASE_URL"),
    },
    Owned {
        name: "mintmark_evidence",
        owner: "evidence_owner",
        logins: &["evidence_owner", "evidence_vault", "evidence_sequencer"],
        roles: include_str!("../../../../migrations/evidence-vault/roles.sql"),
        migrate: ("evidence-vault", "EVIDENCE_MIGRATION_DATABASE_URL"),
    },
];

/// The running cluster.
pub struct Databases {
    server: PostgresServer,
}

impl Databases {
    /// Starts the cluster, making it on the first start.
    pub fn start(home: &Home) -> Result<Self, Failure> {
        let password = database_password(home, "superuser")?;
        let inside = home.path("postgres");
        let (server, dir) =
            match PostgresServer::start(PostgresOptions::durable(inside.clone(), password.clone())) {
                Err(DevstackError::Unreachable { .. }) => {
                    let outside = reachable_folder(home)?;
                    (PostgresServer::start(PostgresOptions::durable(outside.clone(), password))?, outside)
                }
                started => (started?, inside),
            };
        screen::step("postgres", &format!("private cluster in {}", dir.display()));
        let databases = Self { server };
        databases.write_down(home)?;
        Ok(databases)
    }

    /// Whether the cluster's server is there.
    pub fn is_running(&self) -> bool {
        self.server.is_running()
    }

    /// Where the cluster's server says what happens to it.
    pub fn log(&self) -> &Path {
        self.server.log()
    }

    /// Writes `postgres.env` (mode 0600): what psql, pg_dump and pg_restore want to know.
    fn write_down(&self, home: &Home) -> Result<(), Failure> {
        let text = format!(
            "# Written by `mintmark up`, for psql, pg_dump and pg_restore: `. .mintmark/postgres.env`.\n\
             export PGHOST='{}' PGUSER='postgres' PGPASSWORD='{}'\n",
            self.server.socket_dir().display(),
            database_password(home, "superuser")?
        );
        write_private(&home.path("postgres.env"), text)
    }

    /// Logins, databases and migrations; each is there already after the first start.
    pub async fn prepare(&self, home: &Home) -> Result<(), Failure> {
        for database in DATABASES {
            let mut passwords = Vec::new();
            for login in database.logins {
                passwords.push((*login, database_password(home, login)?));
            }
            let logins: Vec<(&str, &str)> =
                passwords.iter().map(|(login, word)| (*login, word.as_str())).collect();
            let what = Provision {
                database: database.name,
                owner: database.owner,
                roles_sql: database.roles,
                logins: &logins,
            };
            self.server.provision(&what).await?;
            self.migrate(home, database)?;
        }
        let names: Vec<&str> = DATABASES.iter().map(|database| database.name).collect();
        screen::step("databases", &format!("{}: migrated", names.join(", ")));
        Ok(())
    }

    /// The URL with which `login` reaches `database`.
    pub fn url(&self, home: &Home, login: &str, database: &str) -> Result<String, Failure> {
        Ok(self.server.url(login, Some(&database_password(home, login)?), database))
    }

    /// Stops the cluster; its data stays.
    pub fn stop(self) {
        self.server.stop();
        screen::step("postgres", "stopped");
    }

    fn migrate(&self, home: &Home, database: &Owned) -> Result<(), Failure> {
        let (name, variable) = database.migrate;
        let log = home.path("logs").join(format!("{name}-migrate.log"));
        let output = std::fs::File::create(&log).doing(format_args!("write {}", log.display()))?;
        let status = Command::new(program(name)?)
            .arg("migrate")
            .env_clear()
            .env("APP_ENV", "development")
            .env(variable, self.url(home, database.owner, database.name)?)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .status()
            .doing(format_args!("run `{name} migrate`"))?;
        if !status.success() {
            return Err(Failure::new(format!(
                "`{name} migrate` failed ({status}); its log says why: {}",
                log.display()
            )));
        }
        Ok(())
    }
}

/// Where the cluster of this folder lives when root's Postgres user may not enter it, as under `/root`: a folder of its
/// own below `/var/lib/mintmark`, with a link to it in ours so that a person finds it.
fn reachable_folder(home: &Home) -> Result<PathBuf, Failure> {
    let digest = ring::digest::digest(&ring::digest::SHA256, home.root().as_os_str().as_encoded_bytes());
    let name: String = digest.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let folder = Path::new("/var/lib/mintmark").join(name);
    std::fs::create_dir_all(&folder).doing(format_args!("make {}", folder.display()))?;
    let link = home.path("postgres-is-in");
    if !link.exists() {
        std::os::unix::fs::symlink(&folder, &link).doing(format_args!("link {}", link.display()))?;
    }
    Ok(folder.join("postgres"))
}
