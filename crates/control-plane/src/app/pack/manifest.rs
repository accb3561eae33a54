//! `manifest.json`: what a part is, and size and SHA-256 of each of its files.
//!
//! It is the last entry of the ZIP, because only then is every hash known. Of a symbol 40 bytes are kept until then; its
//! name follows from its serial.

use std::io::Write;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::archive::FileFacts;
use super::{FORMAT_VERSION, PackError, PackSource, PartRange, svg_name, table};

/// The entry's name.
pub(super) const NAME: &str = "manifest.json";

/// The least printed width of a module in millimetres for a QR Code with a GS1 Digital Link URI
/// (GS1 General Specifications, symbol specification table 1: X-dimension 0.396 mm).
const X_DIMENSION_MM: f32 = 0.396;

/// Modules of white on each side (ISO/IEC 18004).
const QUIET_ZONE_MODULES: u32 = 4;

/// What a printer must know of the symbols' size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SymbolFacts {
    pub version: u8,
    pub modules: u32,
    pub min_mm: f32,
}

/// The manifest while its part is being written.
pub(super) struct Manifest<'a> {
    source: &'a PackSource,
    range: &'a PartRange,
    table: Option<FileFacts>,
    symbols: Vec<FileFacts>,
    largest: Option<SymbolFacts>,
}

impl<'a> Manifest<'a> {
    pub fn new(source: &'a PackSource, range: &'a PartRange) -> Self {
        Self { source, range, table: None, symbols: Vec::new(), largest: None }
    }

    pub fn table(&mut self, file: FileFacts) {
        self.table = Some(file);
    }

    /// Notes the next symbol; they come in serial order.
    pub fn symbol(&mut self, file: FileFacts, facts: SymbolFacts) {
        self.symbols.push(file);
        // All URIs of a batch are of one length, so this is one size in practice; the largest is right in any case.
        if self.largest.is_none_or(|largest| facts.modules > largest.modules) {
            self.largest = Some(facts);
        }
    }

    pub fn write(&self, out: &mut dyn Write) -> Result<(), PackError> {
        let view = ManifestView {
            format_version: FORMAT_VERSION,
            batch_id: self.source.batch_id.to_string(),
            product_id: self.source.product_id.to_string(),
            gtin: self.source.gtin.as_str(),
            part: self.range.part,
            parts: self.source.parts,
            first_serial: self.range.first_serial,
            last_serial: self.range.last_serial(),
            units: self.range.units,
            symbol: self.largest.map(SymbolView::from),
            files: Files(self),
        };
        serde_json::to_writer(&mut *out, &view)?;
        Ok(out.write_all(b"\n")?)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ManifestView<'a> {
    format_version: u32,
    batch_id: String,
    product_id: String,
    gtin: &'a str,
    part: u32,
    parts: u32,
    first_serial: u64,
    last_serial: u64,
    units: u64,
    /// Absent in a pack without symbols.
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<SymbolView>,
    files: Files<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SymbolView {
    symbology: &'static str,
    version: u8,
    modules: u32,
    quiet_zone_modules: u32,
    x_dimension_mm: f32,
    /// Width and height with the quiet zone.
    least_printed_mm: f32,
}

impl From<SymbolFacts> for SymbolView {
    fn from(facts: SymbolFacts) -> Self {
        Self {
            symbology: "QR Code",
            version: facts.version,
            modules: facts.modules,
            quiet_zone_modules: QUIET_ZONE_MODULES,
            x_dimension_mm: X_DIMENSION_MM,
            least_printed_mm: facts.min_mm,
        }
    }
}

/// The list of files, made while it is written.
struct Files<'a>(&'a Manifest<'a>);

#[derive(Serialize)]
struct FileView<'a> {
    name: &'a str,
    bytes: u64,
    sha256: String,
}

impl Serialize for Files<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Manifest { table, symbols, range, .. } = self.0;
        let mut list = serializer.serialize_seq(Some(symbols.len() + usize::from(table.is_some())))?;
        let mut write = |name: &str, file: &FileFacts| {
            list.serialize_element(&FileView { name, bytes: file.bytes, sha256: hex(&file.sha256) })
        };
        if let Some(file) = table {
            write(table::NAME, file)?;
        }
        for (serial, file) in range.serials().zip(symbols) {
            write(&svg_name(serial), file)?;
        }
        list.end()
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}
