//! Under which account Postgres runs: ours, or `postgres` when we are root, since Postgres refuses to be root.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User, chown};

use crate::DevstackError;

/// The account of a private Postgres.
pub(crate) enum Account {
    /// The one that we run under.
    Ours,
    /// We are root: step down to this user.
    StepDown(User),
}

impl Account {
    /// Finds the account, or says that root has nobody to step down to.
    pub(crate) fn find() -> Result<Self, DevstackError> {
        if !Uid::effective().is_root() {
            return Ok(Self::Ours);
        }
        match User::from_name("postgres") {
            Ok(Some(user)) => Ok(Self::StepDown(user)),
            _ => Err(DevstackError::NoPostgresUser),
        }
    }

    /// The words before a program's path that make it run under this account; they `exec`, so the process id is the program's.
    pub(crate) fn prefix(&self) -> Vec<String> {
        match self {
            Self::Ours => Vec::new(),
            Self::StepDown(user) => vec![
                "setpriv".into(),
                format!("--reuid={}", user.uid),
                format!("--regid={}", user.gid),
                "--clear-groups".into(),
            ],
        }
    }

    /// A command for `program` under this account, in the root folder, because the account may not be allowed into ours.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut words = self.prefix();
        words.push(program.to_string_lossy().into_owned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir("/").stdin(Stdio::null());
        command
    }

    /// Gives `path` to the account.
    pub(crate) fn own(&self, path: &Path) -> Result<(), DevstackError> {
        match self {
            Self::Ours => Ok(()),
            Self::StepDown(user) => chown(path, Some(user.uid), Some(user.gid)).map_err(|e| {
                DevstackError::io(format!("give {} to the user postgres", path.display()))(e.into())
            }),
        }
    }

    /// Refuses a folder that the account cannot enter, naming the first of its parents that is closed.
    pub(crate) fn can_reach(&self, folder: &Path) -> Result<(), DevstackError> {
        if matches!(self, Self::Ours) {
            return Ok(());
        }
        let mut way: Vec<PathBuf> = folder.ancestors().map(Path::to_path_buf).collect();
        way.reverse();
        for step in way {
            let open = self
                .command(Path::new("test"))
                .arg("-x")
                .arg(&step)
                .status()
                .map_err(DevstackError::io("run setpriv (package util-linux)"))?;
            if !open.success() {
                return Err(DevstackError::Unreachable { folder: step });
            }
        }
        Ok(())
    }
}
