//! `manifest.json`: what a part is, and size and SHA-256 of each of its files.
//!
//! It is the last entry of the ZIP, because only then is every hash known. Of a picture 40 bytes are kept until then; its
//! name follows from its serial.

use std::io::Write;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use mintmark_minting::symbol::{MODULE_UM, PIXELS_PER_METRE, PIXELS_PER_MODULE, QUIET_ZONE, Symbol};

use super::archive::FileFacts;
use super::labels::{self, Sheets};
use super::{FORMAT_VERSION, PackError, PackSource, PartRange, png_name, svg_name, table};

/// The entry's name.
pub(super) const NAME: &str = "manifest.json";

/// What a printer must know of the symbols' size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SymbolFacts {
    pub version: u8,
    pub modules: u32,
    pub min_mm: f32,
}

impl SymbolFacts {
    pub fn of(symbol: &Symbol) -> Self {
        Self { version: symbol.version(), modules: symbol.modules(), min_mm: symbol.min_mm() }
    }

    /// All URIs of a batch are of one length, so there is one size in practice; the largest is right in any case.
    pub fn larger(known: Option<Self>, next: Self) -> Option<Self> {
        Some(known.filter(|known| known.modules >= next.modules).unwrap_or(next))
    }
}

/// The manifest while its part is being written.
pub(super) struct Manifest<'a> {
    source: &'a PackSource,
    range: &'a PartRange,
    table: Option<FileFacts>,
    svg: Vec<FileFacts>,
    png: Vec<FileFacts>,
    sheets: Option<FileFacts>,
    largest: Option<SymbolFacts>,
}

impl<'a> Manifest<'a> {
    pub fn new(source: &'a PackSource, range: &'a PartRange) -> Self {
        Self { source, range, table: None, svg: Vec::new(), png: Vec::new(), sheets: None, largest: None }
    }

    pub fn table(&mut self, file: FileFacts) {
        self.table = Some(file);
    }

    /// Notes what the next symbol is.
    pub fn symbol(&mut self, facts: SymbolFacts) {
        self.largest = SymbolFacts::larger(self.largest, facts);
    }

    /// Notes the next SVG; they come in serial order.
    pub fn svg(&mut self, file: FileFacts) {
        self.svg.push(file);
    }

    /// Notes the next PNG; they come in serial order.
    pub fn png(&mut self, file: FileFacts) {
        self.png.push(file);
    }

    pub fn sheets(&mut self, Sheets { file, largest }: Sheets) {
        self.sheets = Some(file);
        if let Some(facts) = largest {
            self.symbol(facts);
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
            png: self.largest.filter(|_| self.source.formats.png).map(PngView::from),
            labels: match self.largest {
                Some(facts) if self.sheets.is_some() => {
                    Some(LabelsView::of(self.source, self.range, &facts)?)
                }
                _ => None,
            },
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
    /// Only where the pack has PNG pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    png: Option<PngView>,
    /// Only where the pack has sheets of labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<LabelsView>,
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
            quiet_zone_modules: QUIET_ZONE,
            x_dimension_mm: MODULE_UM as f32 / 1000.0,
            least_printed_mm: facts.min_mm,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PngView {
    /// Width and height of each picture, quiet zone included.
    pixels: u32,
    pixels_per_module: u32,
    pixels_per_metre: u32,
    /// The same resolution in dots an inch, to a tenth: at it the picture is `leastPrintedMm` wide.
    dpi: f64,
}

impl From<SymbolFacts> for PngView {
    fn from(facts: SymbolFacts) -> Self {
        Self {
            pixels: (facts.modules + 2 * QUIET_ZONE) * PIXELS_PER_MODULE,
            pixels_per_module: PIXELS_PER_MODULE,
            pixels_per_metre: PIXELS_PER_METRE,
            dpi: (f64::from(PIXELS_PER_METRE) * 0.254).round() / 10.0,
        }
    }
}

/// Where things are on the sheets of labels. Pairs are width and height, or left and top.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LabelsView {
    file: &'static str,
    sheets: u64,
    sheet_mm: [f64; 2],
    labels_per_sheet: u64,
    columns: u64,
    rows: u64,
    label_mm: [f64; 2],
    margin_mm: [f64; 2],
    pitch_mm: [f64; 2],
    /// Printed width and height of a symbol, quiet zone included.
    symbol_mm: f64,
    /// Whether the product's name stands on the labels: the font must have all its characters.
    name_printed: bool,
}

impl LabelsView {
    fn of(source: &PackSource, range: &PartRange, facts: &SymbolFacts) -> Result<Self, PackError> {
        Ok(Self {
            file: labels::NAME,
            sheets: labels::sheets(range),
            sheet_mm: labels::PAGE_MM,
            labels_per_sheet: labels::COLUMNS * labels::ROWS,
            columns: labels::COLUMNS,
            rows: labels::ROWS,
            label_mm: labels::LABEL_MM,
            margin_mm: labels::MARGIN_MM,
            pitch_mm: labels::PITCH_MM,
            symbol_mm: (labels::side_mm(facts)? * 1000.0).round() / 1000.0,
            name_printed: labels::printable_name(source).is_some(),
        })
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
        let Manifest { table, svg, png, sheets, range, .. } = self.0;
        let single = usize::from(table.is_some()) + usize::from(sheets.is_some());
        let mut list = serializer.serialize_seq(Some(single + svg.len() + png.len()))?;
        let mut write = |name: &str, file: &FileFacts| {
            list.serialize_element(&FileView { name, bytes: file.bytes, sha256: hex(&file.sha256) })
        };
        if let Some(file) = table {
            write(table::NAME, file)?;
        }
        for (index, serial) in range.serials().enumerate() {
            if let Some(file) = svg.get(index) {
                write(&svg_name(serial), file)?;
            }
            if let Some(file) = png.get(index) {
                write(&png_name(serial), file)?;
            }
        }
        if let Some(file) = sheets {
            write(labels::NAME, file)?;
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
