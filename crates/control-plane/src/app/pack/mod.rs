//! What a printer downloads: the ZIP parts of a batch, and the index over them.
//!
//! A part holds up to `EXPORT_PART_UNITS` consecutive units and, in this order:
//!
//! | entry | what it is |
//! | --- | --- |
//! | `codes.csv` | one row a unit (module `table` names the columns) |
//! | `svg/{serial:010}.svg` | one QR symbol a unit, of the upper-cased Digital Link URI |
//! | `png/{serial:010}.png` | the same symbol in black and white pixels; a unit's two pictures stand side by side |
//! | `labels.pdf` | the same symbols on sheets of labels (module `labels`) |
//! | `manifest.json` | what the part is, and size and SHA-256 of every other entry (module `manifest`) |
//!
//! Two packs of one batch are the same bytes: entries come in serial order, carry the date 1980-01-01, and nothing in them
//! knows when, by whom or for which export they were made. Whoever changes a byte of the format raises [`FORMAT_VERSION`].
//! (The bytes also depend on `CODE_BASE_URL`, which stands in each code's URI, and those of the labels on the product's
//! name as it was when the export was asked for.)
//!
//! Memory is constant: units are drawn in small blocks, and of a unit that is written only hashes and sizes remain. The
//! table, the pictures and the sheets each go through all units; codes are derived anew in each pass.

mod archive;
mod index;
mod labels;
mod lanes;
mod latin;
mod manifest;
mod pdf;
mod symbols;
mod table;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mintmark_codes::link::{self, Base};
use mintmark_codes::{Code, Gtin, Partition};
use mintmark_ids::{BatchId, ProductId};
use mintmark_minting::BatchSecret;
use mintmark_minting::symbol::{Symbol, SymbolError};
use zip::result::ZipError;

pub use archive::sha256;
pub use index::{INDEX_NAME, IndexedPart, write_index};
pub use manifest::hex;

use archive::Archive;
use manifest::Manifest;

/// The version of everything that this module writes.
pub const FORMAT_VERSION: u32 = 1;

/// Which entries a pack has beside its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formats {
    /// `codes.csv`.
    pub csv: bool,
    /// A folder of SVG symbols.
    pub svg: bool,
    /// A folder of PNG symbols.
    pub png: bool,
    /// Sheets of labels.
    pub pdf: bool,
}

impl Formats {
    /// Every name, in the order in which a pack has them.
    pub const NAMES: [&str; 4] = ["csv", "svg", "png", "pdf"];

    /// What a request without a wish gets.
    pub const USUAL: Self = Self { csv: true, svg: true, ..Self::NONE };

    const NONE: Self = Self { csv: false, svg: false, png: false, pdf: false };

    /// The formats of these names; none if there is no name, or one that we do not know.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut formats = Self::NONE;
        for name in names {
            match name {
                "csv" => formats.csv = true,
                "svg" => formats.svg = true,
                "png" => formats.png = true,
                "pdf" => formats.pdf = true,
                _ => return None,
            }
        }
        (formats != Self::NONE).then_some(formats)
    }

    /// Their names, always in one order.
    pub fn names(self) -> Vec<&'static str> {
        Self::NAMES
            .into_iter()
            .zip([self.csv, self.svg, self.png, self.pdf])
            .filter_map(|(name, wanted)| wanted.then_some(name))
            .collect()
    }

    /// Whether a pack has a file for each symbol.
    fn pictures(self) -> bool {
        self.svg || self.png
    }

    /// How often drawing goes through all units; a pack without drawings goes through them once for the table.
    fn passes(self) -> u64 {
        (u64::from(self.pictures()) + u64::from(self.pdf)).max(1)
    }
}

/// Everything that makes the units of one batch again.
pub struct PackSource {
    /// The batch.
    pub batch_id: BatchId,
    /// Its product.
    pub product_id: ProductId,
    /// What people call the product: printed on labels.
    pub product_name: String,
    /// The number in each code's URI.
    pub gtin: Gtin,
    /// Where codes lead (`CODE_BASE_URL`).
    pub base: Base,
    /// The directory partition that the batch was published to.
    pub partition: Partition,
    /// What codes are derived from.
    pub secret: BatchSecret,
    /// What to write.
    pub formats: Formats,
    /// How many parts the whole export has.
    pub parts: u32,
}

/// The units of one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartRange {
    /// Counted from 1.
    pub part: u32,
    /// The first serial.
    pub first_serial: u64,
    /// How many serials.
    pub units: u64,
}

impl PartRange {
    /// Cuts `units` serials from `first_serial` on into parts of `part_units`, the last one perhaps shorter.
    pub fn cut(first_serial: u64, units: u64, part_units: u64) -> Vec<Self> {
        let part_units = part_units.max(1);
        let parts = u32::try_from(units.div_ceil(part_units)).unwrap_or(u32::MAX);
        (0..parts)
            .map(|n| {
                let skipped = u64::from(n) * part_units;
                Self {
                    part: n + 1,
                    first_serial: first_serial + skipped,
                    units: part_units.min(units - skipped),
                }
            })
            .collect()
    }

    /// The last serial (inclusive).
    pub fn last_serial(&self) -> u64 {
        self.first_serial + self.units.saturating_sub(1)
    }

    /// The serials, in order.
    fn serials(&self) -> std::ops::Range<u64> {
        self.first_serial..self.first_serial + self.units
    }

    /// The name of the part's ZIP file.
    pub fn file_name(&self) -> String {
        format!("part-{:04}.zip", self.part)
    }
}

/// How the maker of a part and the one who waits for it talk.
#[derive(Debug, Default)]
pub struct Gauge {
    /// Units, counted once in each pass.
    steps: AtomicU64,
    /// How many passes make a unit done; 0 until the maker knows.
    passes: AtomicU64,
    stop: AtomicBool,
}

impl Gauge {
    /// Units finished in this part so far; while several passes are needed, each counts its share.
    pub fn done(&self) -> u64 {
        self.steps.load(Ordering::Relaxed) / self.passes.load(Ordering::Relaxed).max(1)
    }

    /// Asks the maker to stop within a few dozen units.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked for a stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn expect(&self, passes: u64) {
        self.passes.store(passes, Ordering::Relaxed);
    }

    fn advance(&self, units: u64) -> Result<(), PackError> {
        self.steps.fetch_add(units, Ordering::Relaxed);
        if self.stopped() { Err(PackError::Stopped) } else { Ok(()) }
    }
}

/// Why a part was not made.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Somebody called [`Gauge::stop`].
    #[error("making the part was stopped")]
    Stopped,
    /// A symbol could not be drawn: the URI does not fit any QR version.
    #[error("a symbol could not be drawn; CODE_BASE_URL may be too long for a QR code")]
    Symbol(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The least size of a symbol is more than a label of the PDF holds.
    #[error(
        "the symbols are too large for a label of the PDF; ask for other formats, or shorten CODE_BASE_URL"
    )]
    Label,
    /// The destination did not take the bytes.
    #[error("the part could not be written")]
    Io(#[from] io::Error),
    /// The ZIP writer refused an entry.
    #[error("the ZIP file could not be written")]
    Zip(#[source] ZipError),
    /// The CSV writer refused a row.
    #[error("the table could not be written")]
    Csv(#[source] csv::Error),
    /// The manifest could not be written.
    #[error("the manifest could not be written")]
    Json(#[source] serde_json::Error),
    /// A drawing thread ended early.
    #[error("a drawing thread ended early")]
    Drawing,
}

impl PackError {
    fn symbol(error: SymbolError) -> Self {
        Self::Symbol(Box::new(error))
    }
}

// What the destination refused is told apart from what a format refused, through whichever writer it came.

impl From<ZipError> for PackError {
    fn from(error: ZipError) -> Self {
        match error {
            ZipError::Io(error) => Self::Io(error),
            other => Self::Zip(other),
        }
    }
}

impl From<csv::Error> for PackError {
    fn from(error: csv::Error) -> Self {
        if !error.is_io_error() {
            return Self::Csv(error);
        }
        match error.into_kind() {
            csv::ErrorKind::Io(error) => Self::Io(error),
            other => Self::Io(io::Error::other(format!("{other:?}"))),
        }
    }
}

impl From<serde_json::Error> for PackError {
    fn from(error: serde_json::Error) -> Self {
        if error.is_io() { Self::Io(error.into()) } else { Self::Json(error) }
    }
}

/// Writes one part to `out` and gives `out` back.
///
/// Blocking and heavy: call it on a blocking thread. `gauge` advances by the part's units, once.
///
/// # Errors
/// [`PackError`]; `out` then holds a torn ZIP and must be thrown away.
pub fn write_part<W: Write>(
    source: &PackSource,
    range: &PartRange,
    gauge: &Gauge,
    out: W,
) -> Result<W, PackError> {
    let mut archive = Archive::new(out);
    let mut manifest = Manifest::new(source, range);
    let formats = source.formats;
    gauge.expect(formats.passes());
    if formats.csv {
        let file = table::write(source, range, gauge, &mut archive)?;
        manifest.table(file);
    }
    if formats.pictures() {
        symbols::write(source, range, gauge, &mut archive, &mut manifest)?;
    }
    if formats.pdf {
        let sheets = labels::write(source, range, gauge, &mut archive)?;
        manifest.sheets(sheets);
    }
    archive.file(manifest::NAME, |out| manifest.write(out))?;
    archive.finish()
}

/// One printed thing, in every form a pack shows it.
struct Unit {
    serial: u64,
    code: Code,
    uri: String,
    qr_uri: String,
}

impl Unit {
    fn new(source: &PackSource, serial: u64, code: Code) -> Self {
        let uri = link::unit_uri(&source.base, &source.gtin, &code);
        let qr_uri = link::unit_uri_qr(&source.base, &source.gtin, &code);
        Self { serial, code, uri, qr_uri }
    }

    fn symbol(&self) -> Result<Symbol, PackError> {
        Symbol::of(&self.qr_uri).map_err(PackError::symbol)
    }
}

/// The name of a unit's symbol inside the ZIP: ten digits, so that files sort as serials do.
fn svg_name(serial: u64) -> String {
    format!("svg/{serial:010}.svg")
}

/// The same for its PNG picture.
fn png_name(serial: u64) -> String {
    format!("png/{serial:010}.png")
}
