//! Segments on disk, while the database is away: a file each, named in their order, drained from the front.
//!
//! A file is written under another name, made durable, and renamed; so what is there under its own name is whole,
//! unless the disk lies, which the digest then shows. The folder belongs to one process, which holds a lock in it.

use std::collections::VecDeque;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::segment::{Segment, Torn};

/// What a file takes on disk at least; small segments would otherwise exceed the limit many times over.
const BLOCK_BYTES: u64 = 4096;
const SUFFIX: &str = ".segment";
const UNFINISHED: &str = ".unfinished";

/// The folder of segments.
pub struct Spool {
    folder: PathBuf,
    max_bytes: u64,
    waiting: Mutex<Waiting>,
    /// Locked as long as it is open; the system lets go of it whatever ends the process.
    _lock: File,
}

#[derive(Default)]
struct Waiting {
    files: VecDeque<Waits>,
    bytes: u64,
    next: u64,
}

/// One file that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    name: String,
    number: u64,
    /// Its rows, as the name says: they count even when the file is damaged.
    pub rows: u64,
    bytes: u64,
}

/// What became of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is on disk.
    Yes,
    /// The spool holds what it may.
    Full,
}

impl Spool {
    /// Opens the folder, which is made if it is missing; what an earlier process left there waits again.
    ///
    /// # Errors
    /// It cannot be made or read, or another process uses it.
    pub fn open(folder: &Path, max_bytes: u64) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let lock = private().truncate(false).open(folder.join("lock"))?;
        lock.try_lock().map_err(|_| {
            io::Error::new(io::ErrorKind::ResourceBusy, "another process uses this folder: give each its own")
        })?;
        let mut waiting = Waiting::default();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(UNFINISHED) {
                std::fs::remove_file(entry.path())?;
            } else if let Some(file) = Waits::named(&name, entry.metadata()?.len()) {
                waiting.bytes += file.bytes;
                waiting.next = waiting.next.max(file.number + 1);
                waiting.files.push_back(file);
            }
        }
        waiting.files.make_contiguous().sort_by_key(|file| file.number);
        Ok(Spool { folder: folder.to_path_buf(), max_bytes, waiting: Mutex::new(waiting), _lock: lock })
    }

    /// Keeps a segment behind all others; when this returns it is durable. Blocks.
    ///
    /// # Errors
    /// The disk did not take it; nothing is left of it then.
    pub fn put(&self, segment: &Segment) -> io::Result<Kept> {
        let contents = segment.encode();
        let number = {
            let mut waiting = self.waiting();
            if waiting.bytes + on_disk(contents.len() as u64) > self.max_bytes {
                return Ok(Kept::Full);
            }
            waiting.next += 1;
            waiting.next - 1
        };
        let name = format!("{number:020}-{}-{}{SUFFIX}", segment.events.len(), segment.id);
        let unfinished = self.folder.join(format!("{name}{UNFINISHED}"));
        let written = self.write(&unfinished, &contents, &name);
        if written.is_err() {
            let _ = std::fs::remove_file(&unfinished);
        }
        written?;
        let bytes = on_disk(contents.len() as u64);
        let mut waiting = self.waiting();
        waiting.bytes += bytes;
        waiting.files.push_back(Waits { name, number, rows: segment.events.len() as u64, bytes });
        Ok(Kept::Yes)
    }

    fn write(&self, unfinished: &Path, contents: &[u8], name: &str) -> io::Result<()> {
        let mut file = private().truncate(true).open(unfinished)?;
        file.write_all(contents)?;
        file.sync_all()?;
        std::fs::rename(unfinished, self.folder.join(name))?;
        // The name is durable only when the folder is.
        File::open(&self.folder)?.sync_all()
    }

    /// The file that waits longest.
    pub fn first(&self) -> Option<Waits> {
        self.waiting().files.front().cloned()
    }

    /// Reads a file. Blocks.
    ///
    /// # Errors
    /// It cannot be read now.
    pub fn read(&self, file: &Waits) -> io::Result<Result<Segment, Torn>> {
        Ok(Segment::decode(&std::fs::read(self.folder.join(&file.name))?))
    }

    /// Removes the first file, which is written or given up. Blocks.
    ///
    /// # Errors
    /// The disk refuses; the file is then drained again after the next start, which changes nothing.
    pub fn remove(&self, file: &Waits) -> io::Result<()> {
        let removed = std::fs::remove_file(self.folder.join(&file.name));
        let mut waiting = self.waiting();
        if waiting.files.front() == Some(file) {
            waiting.files.pop_front();
            waiting.bytes -= file.bytes;
        }
        removed
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting().files.is_empty()
    }

    /// Bytes that wait, in whole blocks.
    pub fn bytes(&self) -> u64 {
        self.waiting().bytes
    }

    /// Segments that wait.
    pub fn segments(&self) -> u64 {
        self.waiting().files.len() as u64
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waits {
    fn named(name: &str, bytes: u64) -> Option<Self> {
        let mut parts = name.strip_suffix(SUFFIX)?.splitn(3, '-');
        let (number, rows) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Waits { name: name.to_owned(), number, rows, bytes: on_disk(bytes) })
    }
}

fn on_disk(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK_BYTES).max(1) * BLOCK_BYTES
}

/// For writing, readable by nobody else.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::segment::tests::segment;
    use super::*;

    fn drain(spool: &Spool) -> Vec<Result<Segment, Torn>> {
        std::iter::from_fn(|| {
            let file = spool.first()?;
            let segment = spool.read(&file).unwrap();
            spool.remove(&file).unwrap();
            Some(segment)
        })
        .collect()
    }

    #[test]
    fn open_finds_what_was_left_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let kept: Vec<Segment> = (1..=12).map(segment).collect();
        let spool = Spool::open(folder.path(), 1 << 20).unwrap();
        for segment in &kept {
            assert_eq!(spool.put(segment).unwrap(), Kept::Yes);
        }
        let bytes = spool.bytes();
        drop(spool);
        let spool = Spool::open(folder.path(), 1 << 20).unwrap();
        assert_eq!((spool.segments(), spool.bytes()), (12, bytes));
        assert_eq!(drain(&spool), kept.iter().cloned().map(Ok).collect::<Vec<_>>());
        assert_eq!(spool.bytes(), 0);
        spool.put(&kept[0]).unwrap();
        assert_eq!(drain(&spool), [Ok(kept[0].clone())]);
    }

    #[test]
    fn open_by_a_second_process_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Spool::open(folder.path(), 1 << 20).unwrap();
        assert_eq!(Spool::open(folder.path(), 1 << 20).err().unwrap().kind(), io::ErrorKind::ResourceBusy);
    }

    #[test]
    fn put_beyond_the_limit_is_full_until_something_is_drained() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 3 * BLOCK_BYTES).unwrap();
        for _ in 0..3 {
            assert_eq!(spool.put(&segment(1)).unwrap(), Kept::Yes);
        }
        assert_eq!(spool.put(&segment(1)).unwrap(), Kept::Full);
        spool.remove(&spool.first().unwrap()).unwrap();
        assert_eq!(spool.put(&segment(1)).unwrap(), Kept::Yes);
    }

    #[test]
    fn read_of_a_damaged_file_says_so_and_its_rows_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 1 << 20).unwrap();
        spool.put(&segment(9)).unwrap();
        drop(spool);
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            if path.extension().is_some_and(|suffix| suffix == "segment") {
                let file = OpenOptions::new().write(true).open(&path).unwrap();
                file.set_len(file.metadata().unwrap().len() - 1).unwrap();
            }
        }
        std::fs::write(folder.path().join("00-3-x.segment.unfinished"), b"MMSC").unwrap();
        let spool = Spool::open(folder.path(), 1 << 20).unwrap();
        assert_eq!(spool.first().unwrap().rows, 9);
        assert_eq!(drain(&spool), [Err(Torn)]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the lock alone");
    }
}
