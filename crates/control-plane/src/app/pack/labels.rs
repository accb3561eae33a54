//! `labels.pdf`: sheets of labels on A4, for a desk printer and label paper with 3 × 7 labels of 63.5 × 38.1 mm (Avery
//! L7160 and the papers that are compatible with it).
//!
//! Unit after unit fills a row from the left and a sheet from the top. A label has the symbol at its left and, at its
//! right, the product's name, the GTIN and the code in groups of four. The symbol is one filled path; nothing on the
//! sheet is a picture.

use std::io::Write;

use mintmark_minting::symbol::Symbol;

use super::archive::{Archive, FileFacts};
use super::manifest::SymbolFacts;
use super::pdf::{Document, Page};
use super::{Gauge, PackError, PackSource, PartRange, Unit, lanes, latin};

/// The entry's name.
pub(super) const NAME: &str = "labels.pdf";

/// The sheet, in millimetres.
pub(super) const PAGE_MM: [f64; 2] = [210.0, 297.0];
pub(super) const LABEL_MM: [f64; 2] = [63.5, 38.1];
pub(super) const COLUMNS: u64 = 3;
pub(super) const ROWS: u64 = 7;
/// From the sheet's left and upper edge to the first label.
pub(super) const MARGIN_MM: [f64; 2] = [7.21, 15.15];
/// From a label's edge to the same edge of the next.
pub(super) const PITCH_MM: [f64; 2] = [66.04, 38.1];

const LABELS: u64 = COLUMNS * ROWS;

/// The side at which a symbol is printed where its least size allows, quiet zone included: for the usual versions 3
/// and 4 twice the least size, which any telephone reads from a hand's width away.
const SYMBOL_MM: f64 = 30.0;

/// The greatest side that leaves the code its place; symbols up to version 15 fit.
const MOST_SYMBOL_MM: f64 = 34.0;

/// From a label's left edge to the symbol's quiet zone, and from the text to the right edge.
const PADDING_MM: f64 = 1.5;

/// From the symbol's quiet zone to the text.
const GAP_MM: f64 = 0.5;

const POINTS_A_MM: f64 = 72.0 / 25.4;

const NAME_PT: f64 = 8.0;
const NAME_LINES: usize = 3;
const NAME_LEADING_PT: f64 = 9.5;
const GTIN_PT: f64 = 7.0;
const CODE_PT: f64 = 11.0;
const CODE_LEADING_PT: f64 = 13.0;
/// Two groups of four with the hyphen behind each.
const CODE_LINE: usize = 10;
/// From the label's upper edge to the first baseline, and from the last baseline to the lower edge.
const TEXT_MARGIN_PT: f64 = 18.0;

/// Sheets in a block: as with pictures, few dozen symbols between two looks at the gauge.
const BLOCK_SHEETS: u64 = 2;

/// How many sheets a part fills.
pub(super) fn sheets(range: &PartRange) -> u64 {
    range.units.div_ceil(LABELS)
}

/// The printed side of a symbol in millimetres, quiet zone included.
///
/// # Errors
/// [`PackError::Label`] when its least size is more than a label holds.
pub(super) fn side_mm(facts: &SymbolFacts) -> Result<f64, PackError> {
    let side = SYMBOL_MM.max(f64::from(facts.min_mm));
    if side > MOST_SYMBOL_MM { Err(PackError::Label) } else { Ok(side) }
}

/// The product's name as the labels show it; none where the font has not all of its characters.
pub(super) fn printable_name(source: &PackSource) -> Option<Vec<u8>> {
    latin::encode(&source.product_name)
}

/// What the sheets are, beside their bytes.
pub(super) struct Sheets {
    pub file: FileFacts,
    pub largest: Option<SymbolFacts>,
}

/// Writes the sheets as an entry of `archive`.
pub(super) fn write<W: Write>(
    source: &PackSource,
    range: &PartRange,
    gauge: &Gauge,
    archive: &mut Archive<W>,
) -> Result<Sheets, PackError> {
    let name = printable_name(source).unwrap_or_default();
    let make = |units: Vec<Unit>| {
        let sheets = units.chunks(LABELS as usize).map(|units| sheet(source, &name, units));
        Ok((units.len() as u64, sheets.collect::<Result<Vec<_>, PackError>>()?))
    };
    let mut largest: Option<SymbolFacts> = None;
    let file = archive.file(NAME, |out| {
        let title =
            format!("Labels for GTIN {}, part {} of {}", source.gtin.as_str(), range.part, source.parts);
        let size = (PAGE_MM[0] * POINTS_A_MM, PAGE_MM[1] * POINTS_A_MM);
        let mut document = Document::begin(out, &title, size, sheets(range) as usize)?;
        lanes::in_order(source, range, BLOCK_SHEETS * LABELS, make, |(units, sheets)| {
            for (page, facts) in sheets {
                largest = SymbolFacts::larger(largest, facts);
                document.page(&page)?;
            }
            gauge.advance(units)
        })?;
        document.finish()
    })?;
    Ok(Sheets { file, largest })
}

/// Draws up to a sheet of labels; also what the largest symbol on it is.
fn sheet(source: &PackSource, name: &[u8], units: &[Unit]) -> Result<(Page, SymbolFacts), PackError> {
    // Some 5 kB a symbol: 300 runs of 16 bytes.
    let mut drawing = Vec::with_capacity(units.len() * 6 * 1024);
    let mut largest = None;
    for (place, unit) in (0..).zip(units) {
        let symbol = unit.symbol()?;
        let facts = SymbolFacts::of(&symbol);
        let side = side_mm(&facts)?;
        let label = Label::at(place);
        label.draw_symbol(&mut drawing, &symbol, side)?;
        label.draw_text(&mut drawing, source, name, unit, side)?;
        largest = SymbolFacts::larger(largest, facts);
    }
    Ok((Page::of(&drawing)?, largest.ok_or(PackError::Drawing)?))
}

/// The upper left corner of a label in points, measured as PDF does: from the lower left corner of the sheet.
struct Label {
    left: f64,
    top: f64,
}

impl Label {
    /// The label at this place of the sheet, counted from 0 row by row.
    fn at(place: u32) -> Self {
        let place = u64::from(place);
        let (column, row) = ((place % COLUMNS) as f64, (place / COLUMNS) as f64);
        Self {
            left: (MARGIN_MM[0] + column * PITCH_MM[0]) * POINTS_A_MM,
            top: (PAGE_MM[1] - MARGIN_MM[1] - row * PITCH_MM[1]) * POINTS_A_MM,
        }
    }

    /// One path in the symbol's own grid: a unit is a module, and y points down as it does in the symbol.
    fn draw_symbol(&self, out: &mut Vec<u8>, symbol: &Symbol, side_mm: f64) -> Result<(), PackError> {
        let module = side_mm * POINTS_A_MM / f64::from(symbol.side());
        let left = self.left + PADDING_MM * POINTS_A_MM;
        let top = self.top - (LABEL_MM[1] - side_mm) / 2.0 * POINTS_A_MM;
        writeln!(out, "q {module:.5} 0 0 -{module:.5} {left:.3} {top:.3} cm")?;
        for run in symbol.runs() {
            writeln!(out, "{} {} {} 1 re", run.x, run.y, run.width)?;
        }
        Ok(out.write_all(b"f Q\n")?)
    }

    fn draw_text(
        &self,
        out: &mut Vec<u8>,
        source: &PackSource,
        name: &[u8],
        unit: &Unit,
        side_mm: f64,
    ) -> Result<(), PackError> {
        let left = self.left + (PADDING_MM + side_mm + GAP_MM) * POINTS_A_MM;
        let room = (LABEL_MM[0] - 2.0 * PADDING_MM - GAP_MM - side_mm) * POINTS_A_MM;
        let mut text = TextAt { out, left, baseline: self.top - TEXT_MARGIN_PT };
        let limit = (room / NAME_PT * 1000.0) as u32;
        for line in latin::wrap(name, limit, NAME_LINES) {
            text.line("F1", NAME_PT, NAME_LEADING_PT, &line)?;
        }
        text.line("F1", GTIN_PT, 0.0, format!("GTIN {}", source.gtin.as_str()).as_bytes())?;
        let grouped = unit.code.grouped();
        let lines: Vec<&[u8]> = grouped.as_bytes().chunks(CODE_LINE).collect();
        let above_last = lines.len().saturating_sub(1) as f64 * CODE_LEADING_PT;
        text.baseline = self.top - LABEL_MM[1] * POINTS_A_MM + TEXT_MARGIN_PT + above_last;
        for line in lines {
            text.line("F2", CODE_PT, CODE_LEADING_PT, line)?;
        }
        Ok(())
    }
}

/// Lines of text below each other.
struct TextAt<'a> {
    out: &'a mut Vec<u8>,
    left: f64,
    baseline: f64,
}

impl TextAt<'_> {
    fn line(&mut self, font: &str, size: f64, leading: f64, text: &[u8]) -> Result<(), PackError> {
        let Self { left, baseline, .. } = *self;
        // In hexadecimal no character needs an escape.
        let hex = super::hex(text);
        writeln!(self.out, "BT /{font} {size:.1} Tf {left:.3} {baseline:.3} Td <{hex}> Tj ET")?;
        self.baseline -= leading;
        Ok(())
    }
}
