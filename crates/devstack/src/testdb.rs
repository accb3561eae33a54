//! A fresh database for each test: one throwaway cluster for each test binary, one migrated template for each service.
//!
//! These functions are for tests alone, so they panic with the sentence that says what is missing.

pub mod schema;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use tokio::sync::{Mutex, OnceCell};

use crate::binaries::Binaries;
use crate::provision::{connect, quoted_name, run};
use crate::{DevstackError, PostgresOptions, PostgresServer};

/// The owner login of each service's database, which runs its migrations.
const OWNERS: [(&str, &str); 4] = [
    ("control-plane", "control_owner"),
    ("resolver", "resolver_owner"),
    ("preflight-gateway", "preflight_owner"),
    ("evidence-vault", "evidence_owner"),
];
/// The owner of databases that belong to no service.
const NOBODYS_OWNER: &str = "test_owner";

/// Lives until the process ends; its keeper then removes it.
static CLUSTER: LazyLock<Result<PostgresServer, DevstackError>> =
    LazyLock::new(|| PostgresServer::start(PostgresOptions::throwaway()?));
/// Each template is made once; tests that need it meanwhile wait.
static TEMPLATES: LazyLock<Mutex<HashMap<Source, Arc<OnceCell<String>>>>> = LazyLock::new(Mutex::default);
static NEXT: AtomicU32 = AtomicU32::new(1);

/// What a template contains.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Source {
    service: Option<String>,
    /// Only this migration, where a crate owns one table of a service's database.
    only: Option<String>,
}

impl Source {
    fn owner(&self) -> &'static str {
        let Some(service) = &self.service else {
            return NOBODYS_OWNER;
        };
        match OWNERS.iter().find(|(name, _)| name == service) {
            Some((_, owner)) => owner,
            None => panic!("no owner login is known for `{service}`: add it to devstack's testdb"),
        }
    }
}

/// A database of its own for one test, removed when dropped.
pub struct TestDb {
    name: String,
    owner: &'static str,
}

/// A copy of `service`'s migrated template, for example `database("control-plane")`.
///
/// # Panics
/// With a sentence, when Postgres is missing or a migration fails.
pub async fn database(service: &str) -> TestDb {
    copy_of(Source { service: Some(service.to_owned()), only: None }).await
}

/// The same with a single migration folder applied, for a crate that owns just that table.
///
/// # Panics
/// As [`database`].
pub async fn database_with_only(service: &str, migration: &str) -> TestDb {
    copy_of(Source { service: Some(service.to_owned()), only: Some(migration.to_owned()) }).await
}

/// An empty database with the owner `test_owner`.
///
/// # Panics
/// When Postgres is missing.
pub async fn empty() -> TestDb {
    copy_of(Source { service: None, only: None }).await
}

impl TestDb {
    /// The URL for `role` (tests need no password inside the private folder).
    #[must_use]
    pub fn url(&self, role: &str) -> String {
        cluster().url(role, None, &self.name)
    }

    /// The URL of the login that owns the tables.
    #[must_use]
    pub fn owner_url(&self) -> String {
        self.url(self.owner)
    }

    /// The superuser's URL, to break things from outside.
    #[must_use]
    pub fn superuser_url(&self) -> String {
        cluster().superuser_url(&self.name)
    }

    /// Writes a dump of the database, as an operator's backup does: with the database's own grants.
    ///
    /// # Panics
    /// When `pg_dump` is missing or fails.
    pub fn dump(&self, file: &Path) {
        let url = self.superuser_url();
        run_program("pg_dump", &["--format=custom", "--create", "--file", &file.to_string_lossy(), &url]);
    }

    /// Puts a dump of this database in its place, as an operator does. Connections end.
    ///
    /// # Panics
    /// When `pg_restore` is missing or fails.
    pub async fn restore(&self, file: &Path) {
        let url = cluster().superuser_url("postgres");
        let client = connect(&url).await.unwrap_or_else(|e| panic!("no connection: {}", chain(&e)));
        let sql = format!("DROP DATABASE {} WITH (FORCE)", quoted_name(&self.name));
        if let Err(e) = run(&client, "drop the database", &sql).await {
            panic!("{}", chain(&e));
        }
        run_program(
            "pg_restore",
            &["--create", "--exit-on-error", "--dbname", &url, &file.to_string_lossy()],
        );
    }

    /// The database's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted_name(&self.name));
        let url = cluster().superuser_url("postgres");
        // A thread with its own runtime: the test's runtime may be ending. Nobody waits: at the process's end the
        // whole cluster goes anyway.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                let _ = runtime.block_on(async {
                    let client = connect(&url).await?;
                    run(&client, "drop a test database", &sql).await
                });
            }
        });
    }
}

async fn copy_of(source: Source) -> TestDb {
    let owner = source.owner();
    match try_copy(&source, owner).await {
        Ok(name) => TestDb { name, owner },
        Err(e) => panic!("no test database: {}", chain(&e)),
    }
}

async fn try_copy(source: &Source, owner: &str) -> Result<String, DevstackError> {
    // Starting the cluster blocks for a second; a worker thread of the runtime must not.
    let _ = tokio::task::spawn_blocking(cluster).await;
    let cell = Arc::clone(TEMPLATES.lock().await.entry(source.clone()).or_default());
    let template = cell.get_or_try_init(|| make_template(source, owner)).await?;
    let name = fresh_name();
    let client = connect(&cluster().superuser_url("postgres")).await?;
    let sql = format!(
        "CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY = file_copy",
        quoted_name(&name),
        quoted_name(owner),
        quoted_name(template),
    );
    run(&client, "copy the template", &sql).await?;
    // A copy has the template's contents, and not what the migrations granted on the database itself.
    let grants = "UPDATE pg_database SET datacl = (SELECT datacl FROM pg_database WHERE datname = $1) WHERE datname = $2";
    client
        .execute(grants, &[template, &name])
        .await
        .map_err(DevstackError::sql("copy who may connect to the template"))?;
    Ok(name)
}

/// Runs a program of the installed Postgres.
fn run_program(name: &str, arguments: &[&str]) {
    let binaries = Binaries::find(None).unwrap_or_else(|e| panic!("{}", chain(&e)));
    let output = std::process::Command::new(binaries.program(name)).args(arguments).output();
    let output = output.unwrap_or_else(|e| panic!("{name} cannot be run: {e}"));
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}

async fn make_template(source: &Source, owner: &str) -> Result<String, DevstackError> {
    let name = fresh_name();
    let client = connect(&cluster().superuser_url("postgres")).await?;
    let roles = match &source.service {
        Some(service) => read(&migrations(service).join("roles.sql"))?,
        None => format!(
            "DO $$ BEGIN CREATE ROLE {NOBODYS_OWNER} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        ),
    };
    run(&client, "make the roles", &roles).await?;
    let sql = format!("CREATE DATABASE {} OWNER {}", quoted_name(&name), quoted_name(owner));
    run(&client, "make the template", &sql).await?;
    if let Some(service) = &source.service {
        let migrator = connect(&cluster().url(owner, None, &name)).await?;
        for folder in folders(&migrations(service))? {
            if source.only.as_ref().is_some_and(|only| !folder.ends_with(only)) {
                continue;
            }
            let what = format!("apply {}", folder.display());
            // One transaction for a migration, as diesel applies it.
            let sql = format!("BEGIN;\n{}\n;COMMIT;", read(&folder.join("up.sql"))?);
            run(&migrator, &what, &sql).await?;
        }
    }
    Ok(name)
}

/// `migrations/<service>` of the workspace that this crate was built in.
fn migrations(service: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(service)
}

fn folders(parent: &Path) -> Result<Vec<PathBuf>, DevstackError> {
    let entries = std::fs::read_dir(parent)
        .map_err(DevstackError::io(format!("read the migrations in {}", parent.display())))?;
    let mut folders: Vec<PathBuf> =
        entries.flatten().map(|e| e.path()).filter(|p| p.join("up.sql").is_file()).collect();
    folders.sort();
    Ok(folders)
}

fn read(file: &Path) -> Result<String, DevstackError> {
    std::fs::read_to_string(file).map_err(DevstackError::io(format!("read {}", file.display())))
}

fn fresh_name() -> String {
    format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn cluster() -> &'static PostgresServer {
    match &*CLUSTER {
        Ok(server) => server,
        Err(e) => panic!("no test database: {}", chain(e)),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        text.push_str(": ");
        text.push_str(&e.to_string());
        cause = e.source();
    }
    text
}
