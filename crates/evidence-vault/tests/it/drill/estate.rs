//! A vault on a Postgres cluster of its own, and its backup: base backup with WAL, object folder, keystore folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use mintmark_db::DbConfig;
use mintmark_devstack::{BaseBackup, PostgresOptions, PostgresServer, Provision};
use mintmark_evidence_vault::migrate::MIGRATIONS;
use tempfile::TempDir;
use tokio::task::block_in_place;

use crate::stage::Stage;

const DATABASE: &str = "evidence";
const ROLES: &str = include_str!("../../../../../migrations/evidence-vault/roles.sql");
const LOGINS: [&str; 3] = ["evidence_owner", "evidence_vault", "evidence_sequencer"];

/// What a base backup needs of a throwaway cluster.
fn settings() -> Vec<(&'static str, String)> {
    [("wal_level", "replica"), ("max_wal_senders", "4"), ("full_page_writes", "on")]
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec()
}

/// A running cluster with the vault's database.
pub struct Cluster(PostgresServer);

impl Cluster {
    pub async fn new() -> Self {
        let mut options = PostgresOptions::throwaway().unwrap();
        options.settings = settings();
        let server = block_in_place(|| PostgresServer::start(options).unwrap());
        let logins = LOGINS.map(|login| (login, "unused"));
        let what =
            Provision { database: DATABASE, owner: "evidence_owner", roles_sql: ROLES, logins: &logins };
        server.provision(&what).await.unwrap();
        let cluster = Cluster(server);
        let url = cluster.url("evidence_owner");
        mintmark_db::migrate(&DbConfig::new(url), MIGRATIONS).await.unwrap();
        cluster
    }

    pub fn url(&self, login: &str) -> String {
        self.0.url(login, None, DATABASE)
    }

    pub fn superuser_url(&self) -> String {
        self.0.superuser_url(DATABASE)
    }

    pub fn stop(self) {
        block_in_place(|| self.0.stop());
    }

    /// The logins of the stage's processes lead here.
    pub fn serve(&self, stage: &mut Stage) {
        stage.set("EVIDENCE_DATABASE_URL", &self.url("evidence_vault"));
        stage.set("EVIDENCE_SEQUENCER_DATABASE_URL", &self.url("evidence_sequencer"));
    }

    pub async fn sql(&self) -> tokio_postgres::Client {
        let url = self.superuser_url();
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

/// What was copied at one moment.
pub struct Backup {
    postgres: BaseBackup,
    files: TempDir,
}

impl Backup {
    pub fn take(cluster: &Cluster, stage: &Stage) -> Self {
        let postgres = block_in_place(|| cluster.0.base_backup().unwrap());
        assert!(postgres.data().join("pg_wal").read_dir().unwrap().count() > 0, "with its WAL");
        let files = tempfile::tempdir().unwrap();
        for name in ["objects", "keystore"] {
            let from = stage.folder.path().join(name);
            if from.exists() {
                copy(&from, &files.path().join(name));
            }
        }
        Backup { postgres, files }
    }

    /// A cluster on a copy of the base backup.
    pub fn restore(&self) -> Cluster {
        Cluster(block_in_place(|| self.postgres.start(settings()).unwrap()))
    }

    /// Puts the object folder back.
    pub fn restore_objects(&self, stage: &Stage) {
        let objects = stage.folder.path().join("objects");
        std::fs::remove_dir_all(&objects).unwrap();
        copy(&self.objects(), &objects);
    }

    pub fn objects(&self) -> PathBuf {
        self.files.path().join("objects")
    }

    /// The keystore folder of the day, where there was one.
    pub fn keystore(&self) -> PathBuf {
        self.files.path().join("keystore")
    }
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}
