//! The folder that holds everything the launcher makes, and nothing else does: keys, database, objects, logs, addresses.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};

use crate::failure::{Doing, Failure};

/// A launcher's folder.
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// Opens the folder, making it when it is missing.
    pub fn open(root: &Path) -> Result<Self, Failure> {
        make_dir(root, 0o755)?;
        let root = root.canonicalize().doing(format_args!("find {}", root.display()))?;
        for (folder, mode) in
            [("keys", 0o700), ("logs", 0o700), ("objects", 0o700), ("env", 0o700), ("run", 0o700)]
        {
            make_dir(&root.join(folder), mode)?;
        }
        Ok(Self { root })
    }

    /// Opens a folder that must have been made by `mintmark up`.
    pub fn existing(root: &Path) -> Result<Self, Failure> {
        let root = root.canonicalize().map_err(|_| {
            Failure::new(format!("there is no platform in {}: start one with `make run`", root.display()))
        })?;
        Ok(Self { root })
    }

    /// The folder itself, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path inside the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The text of `keys/{name}`, made once by `make` and kept with mode 0600.
    pub fn key(&self, name: &str, make: impl FnOnce() -> Result<String, Failure>) -> Result<String, Failure> {
        let path = self.path("keys").join(name);
        if let Ok(text) = fs::read_to_string(&path) {
            return Ok(text.trim_end().to_owned());
        }
        let text = make()?;
        write_private(&path, &text)?;
        Ok(text)
    }

    /// The path of `keys/{name}` after making it as [`Home::key`] does.
    pub fn key_file(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<String, Failure>,
    ) -> Result<PathBuf, Failure> {
        self.key(name, make)?;
        Ok(self.path("keys").join(name))
    }

    /// Holds the folder for this process: a second launcher in it is refused while the file is open.
    pub fn lock(&self) -> Result<fs::File, Failure> {
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.path("lock"))
            .doing("open the lock file")?;
        file.try_lock().map_err(|_| {
            Failure::new(format!(
                "a platform already runs from {}: stop it with Ctrl-C in its terminal first",
                self.root.display()
            ))
        })?;
        Ok(file)
    }

    /// The variables that `env/{role}.env` adds to those of a service here, or puts in their place: `NAME=value`, one a line.
    pub fn role_variables(&self, role: &str) -> Result<Vec<(String, String)>, Failure> {
        let path = self.path("env").join(format!("{role}.env"));
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.doing(format_args!("read {}", path.display()))?,
        };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines
            .map(|line| match line.split_once('=') {
                Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
                // The line is not repeated: it may be a secret.
                None => Err(Failure::new(format!("{} has a line that is not NAME=value", path.display()))),
            })
            .collect()
    }

    /// The variables of the last `dev.env`; empty when there is none.
    pub fn dev_env(&self) -> BTreeMap<String, String> {
        let text = fs::read_to_string(self.path("dev.env")).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect()
    }

    /// The variables of a service's sequencer, as [`Home::write_sequencer`] left them; none where it never ran.
    pub fn sequencer(&self, service: &str) -> Vec<(String, String)> {
        let text = fs::read_to_string(self.path("keys").join(format!("{service}-sequencer.env")));
        let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        text.unwrap_or_default().lines().filter_map(pair).collect()
    }

    /// Writes down how a service's sequencer was started (mode 0600), for `mintmark audit resume`.
    pub fn write_sequencer(&self, service: &str, variables: &[(String, String)]) -> Result<(), Failure> {
        let lines: String = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        write_private(&self.path("keys").join(format!("{service}-sequencer.env")), lines)
    }

    /// Writes `dev.env` (mode 0600): shell variables for people and scripts.
    pub fn write_dev_env(&self, variables: &BTreeMap<String, String>) -> Result<(), Failure> {
        let mut text = String::from(
            "# Written by `mintmark up`. Use it: `. .mintmark/dev.env`. It holds development credentials.\n",
        );
        for (name, value) in variables {
            text.push_str(&format!("export {name}='{value}'\n"));
        }
        // So that `mintmark` is a command wherever the file was read, and speaks of this platform.
        text.push_str(&format!("MINTMARK_HOME='{}'; export MINTMARK_HOME\n", self.root.display()));
        let programs = std::env::current_exe()?;
        if let Some(folder) = programs.parent().map(Path::display) {
            text.push_str(&format!(
                "case \":$PATH:\" in *':{folder}:'*) ;; *) PATH='{folder}':$PATH; export PATH ;; esac\n"
            ));
        }
        write_private(&self.path("dev.env"), &text)
    }
}

/// 32 random bytes in base64, the form of every symmetric key in our configuration.
pub fn random_key() -> Result<String, Failure> {
    let mut bytes = [0_u8; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Failure::new("the system's random generator gave nothing"))?;
    Ok(STANDARD.encode(bytes))
}

/// A random password of hexadecimal digits, which needs no quoting in URLs or SQL.
pub fn random_password() -> Result<String, Failure> {
    let mut bytes = [0_u8; 24];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Failure::new("the system's random generator gave nothing"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes a file that only its owner may read, whole or not at all.
pub fn write_private(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), Failure> {
    let staged = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&staged)
        .doing(format_args!("write {}", path.display()))?;
    file.write_all(bytes.as_ref()).doing(format_args!("write {}", path.display()))?;
    file.sync_all().doing(format_args!("write {}", path.display()))?;
    fs::rename(&staged, path).doing(format_args!("write {}", path.display()))
}

fn make_dir(path: &Path, mode: u32) -> Result<(), Failure> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .doing(format_args!("make {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn key_made_twice_is_the_same_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(&folder.path().join("home")).unwrap();
        let first = home.key("k", random_key).unwrap();
        assert_eq!(home.key("k", random_key).unwrap(), first);
        let mode = fs::metadata(home.path("keys").join("k")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn dev_env_is_read_back_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let variables =
            BTreeMap::from([("A".to_owned(), "x=1".to_owned()), ("B".to_owned(), "y".to_owned())]);
        home.write_dev_env(&variables).unwrap();
        assert_eq!(home.dev_env(), variables);
    }

    #[test]
    fn lock_taken_twice_is_refused_with_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let held = home.lock().unwrap();
        let refused = home.lock().unwrap_err();
        assert!(refused.to_string().contains("already runs"), "{refused}");
        drop(held);
        home.lock().unwrap();
    }
}
