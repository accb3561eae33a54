//! Files that are there, whole, when a call returns: written aside, fsynced, linked or renamed, the folder fsynced.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

/// What files are called before they are whole.
const UNFINISHED: &str = ".tmp-";
/// No write takes this long: what is older was left behind by a crash.
const ABANDONED_AFTER: Duration = Duration::from_secs(600);

/// Makes the entries of a folder durable.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes a folder that only we may enter, durably; leaves one that is there.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => sync(folder.parent().unwrap_or(folder)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// A whole and durable file under a name that nobody looks at; removed when it is dropped.
pub(super) struct Aside(PathBuf);

impl Aside {
    /// Writes it into `folder`.
    pub(super) fn write(folder: &Path, bytes: &[u8]) -> io::Result<Self> {
        let aside = Aside(folder.join(format!("{UNFINISHED}{}", Uuid::new_v4())));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside.0)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(aside)
    }

    /// Gives it a name that must be free: `false` where it is taken. The folder is not fsynced yet.
    pub(super) fn link(&self, path: &Path) -> io::Result<bool> {
        match fs::hard_link(&self.0, path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // A name that stays is swept when the keystore is opened.
        let _swept_later = fs::remove_file(&self.0);
    }
}

/// Writes a file that must not be there yet: `false`, and nothing changed, where it is.
pub(super) fn write_new(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<bool> {
    let made = Aside::write(folder, bytes)?.link(&folder.join(name))?;
    // Also where it was there: who made it may not have come to the fsync.
    sync(folder)?;
    Ok(made)
}

/// Writes a file, in place of one that is there.
pub(super) fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let aside = Aside::write(folder, bytes)?;
    fs::rename(&aside.0, folder.join(name))?;
    sync(folder)
}

/// `None` where there is no such file.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a name; `false` where there is none.
pub(super) fn unlink(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a file is called from the moment at which it no longer counts until its bytes are overwritten and it is gone.
const CONDEMNED: &str = ".condemned";

/// Takes a file's name away, overwrites its bytes, removes it. Repeated after a crash it goes on where it stopped.
pub(super) fn destroy(folder: &Path, name: &str) -> io::Result<()> {
    let condemned = folder.join(format!("{name}{CONDEMNED}"));
    match fs::rename(folder.join(name), &condemned) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    sync(folder)?;
    finish(&condemned)?;
    sync(folder)
}

fn finish(condemned: &Path) -> io::Result<()> {
    let mut file = match OpenOptions::new().write(true).open(condemned) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let length = usize::try_from(file.metadata()?.len()).unwrap_or_default();
    file.write_all(&vec![0; length])?;
    file.sync_all()?;
    unlink(condemned).map(drop)
}

/// Finishes destructions that a crash cut off, and removes what it left unfinished.
pub(super) fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(CONDEMNED) {
            finish(&entry.path())?;
        } else if name.starts_with(UNFINISHED) && is_abandoned(&entry) {
            unlink(&entry.path())?;
        }
    }
    sync(folder)
}

/// Another process may be writing it at this moment.
fn is_abandoned(entry: &fs::DirEntry) -> bool {
    let age = entry.metadata().and_then(|metadata| metadata.modified()).map(|modified| modified.elapsed());
    matches!(age, Ok(Ok(age)) if age > ABANDONED_AFTER)
}

/// The names in a folder that count; none where there is no folder.
pub(super) fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with(UNFINISHED) && !name.ends_with(CONDEMNED) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}
