//! Files in MaxMind's format, of whichever vendor.

use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use serde::Deserialize;

use super::place::{Country, Region};

/// Networks that are looked at to see whether the file knows countries at all.
const SAMPLE: usize = 10_000;

/// Why a file cannot be used.
#[derive(Debug)]
pub enum MmdbError {
    /// It cannot be read.
    Read(PathBuf, std::io::Error),
    /// It is damaged, or of another format.
    Damaged(PathBuf, MaxMindDbError),
    /// It is sound and says nothing about countries.
    NoCountries(PathBuf, String),
}

impl std::fmt::Display for MmdbError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MmdbError::Read(path, _) => write!(f, "{} cannot be read", path.display()),
            MmdbError::Damaged(path, _) => write!(f, "{} is not a sound MaxMind DB file", path.display()),
            MmdbError::NoCountries(path, kind) => {
                write!(
                    f,
                    "{} is of type {kind} and knows no countries: give a country or city database",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for MmdbError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            MmdbError::Read(_, error) => Some(error),
            MmdbError::Damaged(_, error) => Some(error),
            MmdbError::NoCountries(..) => None,
        }
    }
}

/// A file in memory, whole: it may be replaced on disk at any time.
pub struct MmdbFile {
    reader: Reader<Vec<u8>>,
    stamp: Stamp,
}

/// What changes when a file is written or replaced, also behind a symbolic link.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Result<Self, MmdbError> {
        let metadata = std::fs::metadata(path).map_err(|error| MmdbError::Read(path.to_path_buf(), error))?;
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Ok(Stamp { inode: metadata.ino(), length: metadata.len(), changed })
    }
}

impl MmdbFile {
    /// Reads and verifies it, which takes about a second for the largest.
    ///
    /// # Errors
    /// As the kinds of error say.
    pub fn open(path: &Path) -> Result<Self, MmdbError> {
        let damaged = |error| MmdbError::Damaged(path.to_path_buf(), error);
        // Before the bytes: a write in between is then seen as a change.
        let stamp = Stamp::of(path)?;
        let bytes = std::fs::read(path).map_err(|error| MmdbError::Read(path.to_path_buf(), error))?;
        let reader = Reader::from_source(bytes).map_err(damaged)?;
        reader.verify().map_err(damaged)?;
        let networks = reader.networks(WithinOptions::default()).map_err(damaged)?;
        let knows = networks.take(SAMPLE).flatten().any(|found| {
            found.decode::<Record<'_>>().ok().flatten().is_some_and(|record| record.country().is_some())
        });
        if !knows {
            return Err(MmdbError::NoCountries(
                path.to_path_buf(),
                reader.metadata().database_type.to_string(),
            ));
        }
        Ok(MmdbFile { reader, stamp })
    }

    /// Whether the path still leads to what was read.
    ///
    /// # Errors
    /// There is no file any more.
    pub fn is_still(&self, path: &Path) -> Result<bool, MmdbError> {
        Ok(Stamp::of(path)? == self.stamp)
    }

    /// Country and region of an address, as far as the file knows them.
    pub fn place(&self, address: IpAddr) -> (Option<Country>, Option<Region>) {
        let found = self.reader.lookup(address).ok();
        let record = found.and_then(|found| found.decode::<Record<'_>>().ok().flatten());
        record.map_or((None, None), |record| (record.country(), record.region()))
    }
}

/// The fields in which vendors keep what we want; everything else is skipped.
#[derive(Deserialize)]
struct Record<'a> {
    /// MaxMind, DB-IP.
    #[serde(borrow, default)]
    country: Option<Named<'a>>,
    /// The flat files of ip-location-db.
    #[serde(borrow, default)]
    country_code: Option<&'a str>,
    /// MaxMind's city files, the largest part first.
    #[serde(borrow, default)]
    subdivisions: Option<Vec<Part<'a>>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Named<'a> {
    Code(&'a str),
    #[serde(borrow)]
    Part(Part<'a>),
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    iso_code: Option<&'a str>,
}

impl Record<'_> {
    fn country(&self) -> Option<Country> {
        let named = match &self.country {
            Some(Named::Code(code)) => Some(*code),
            Some(Named::Part(part)) => part.iso_code,
            None => None,
        };
        named.or(self.country_code).and_then(Country::parse)
    }

    fn region(&self) -> Option<Region> {
        Region::parse(self.subdivisions.as_ref()?.first()?.iso_code?)
    }
}
