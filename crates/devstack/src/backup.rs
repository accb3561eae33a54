//! What an operator's backup has: a base backup of a running cluster with the WAL that makes it whole.

use std::path::PathBuf;
use std::process::Command;

use crate::account::Account;
use crate::binaries::Binaries;
use crate::{DevstackError, PostgresOptions, PostgresServer, private_folder};

/// A base backup in a folder of its own, removed when dropped.
pub struct BaseBackup {
    folder: PathBuf,
}

impl PostgresServer {
    /// Takes a base backup with `pg_basebackup`, and the WAL that was written meanwhile. The cluster needs
    /// `wal_level=replica` and `max_wal_senders` of 2 or more.
    ///
    /// # Errors
    /// The program is missing or fails.
    pub fn base_backup(&self) -> Result<BaseBackup, DevstackError> {
        let (account, binaries) = (Account::find()?, Binaries::find(None)?);
        let backup = BaseBackup { folder: private_folder("mintmark-bk")? };
        account.own(&backup.folder)?;
        let mut command = account.command(&binaries.program("pg_basebackup"));
        command.arg("--pgdata").arg(backup.data()).args([
            "--wal-method=stream",
            "--checkpoint=fast",
            "--no-sync",
        ]);
        command.arg("--dbname").arg(self.superuser_url("postgres"));
        run("pg_basebackup", &mut command)?;
        Ok(backup)
    }
}

impl BaseBackup {
    /// The data folder: tables, and below `pg_wal` the WAL.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Starts a server on a copy of it, which goes when the server does; the backup stays as it is.
    ///
    /// # Errors
    /// As of [`PostgresServer::start`].
    pub fn start(&self, settings: Vec<(&'static str, String)>) -> Result<PostgresServer, DevstackError> {
        let mut options = PostgresOptions::throwaway()?;
        options.settings = settings;
        run("cp", Command::new("cp").arg("-a").arg(self.data()).arg(&options.dir))?;
        PostgresServer::start(options)
    }
}

impl Drop for BaseBackup {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn run(name: &str, command: &mut Command) -> Result<(), DevstackError> {
    let output = command.output().map_err(DevstackError::io(format!("run {name}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(DevstackError::Command {
        program: name.into(),
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
