//! Where a scan comes from, as coarse as it is kept: the one place that sees a visitor's address.
//!
//! The country is looked up with the whole address, in memory, and what leaves this module is the truncated block. The
//! country comes from the table that is compiled in, or from a file in MaxMind's format that the operator brings.

mod country_table;
mod mmdb;
mod place;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use mintmark_service::Context;
use mintmark_service::reload::keep_fresh;

pub use country_table::{CountryTable, TableError};
pub use mmdb::{MmdbError, MmdbFile};
pub use place::{Country, Origin, Region};

use super::network::Network;

/// `data/README.md` says what it is made from, and how.
static EMBEDDED: &[u8] = include_bytes!("../../data/countries.bin");

/// Finds the origin of an address. Cheap to clone; all clones read the same source.
#[derive(Clone)]
pub struct Geo(Arc<Source>);

enum Source {
    Embedded(CountryTable),
    File(ArcSwap<MmdbFile>),
}

impl Geo {
    /// The table that is compiled in.
    ///
    /// # Errors
    /// It is damaged: the program was not built from a sound tree.
    pub fn embedded() -> Result<Self, TableError> {
        Ok(Geo(Arc::new(Source::Embedded(CountryTable::decode(EMBEDDED)?))))
    }

    /// A file in MaxMind's format, read again whenever it changes, until the process ends.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or knows no countries. Later, such a file changes nothing and the log says so.
    pub fn file(path: &Path, context: &Context) -> Result<Self, MmdbError> {
        let geo = Geo(Arc::new(Source::File(ArcSwap::from_pointee(MmdbFile::open(path)?))));
        let (reloaded, path) = (geo.clone(), path.to_path_buf());
        keep_fresh(context, "scan-geo", move || reloaded.reload(&path));
        Ok(geo)
    }

    /// The origin that an address has; the address itself goes no further.
    pub fn locate(&self, address: IpAddr) -> Origin {
        let address = address.to_canonical();
        let (country, region) = match &*self.0 {
            Source::Embedded(table) => (table.country(address), None),
            Source::File(file) => file.load().place(address),
        };
        Origin { network: Network::coarse(address), country, region }
    }

    /// Takes the file in force if it is another than before; answers whether it was.
    fn reload(&self, path: &Path) -> Result<bool, MmdbError> {
        let Source::File(in_force) = &*self.0 else {
            return Ok(false);
        };
        if in_force.load().is_still(path)? {
            return Ok(false);
        }
        in_force.store(Arc::new(MmdbFile::open(path)?));
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
