//! `codes.csv`: the table of a part, for a printer's variable-data software.
//!
//! RFC 4180: comma, CRLF, a header, quotes where needed; UTF-8 without a mark. Columns:
//!
//! | column | example |
//! | --- | --- |
//! | `serial` | `1` (the unit's number within its product) |
//! | `gtin` | `09506000134352` (fourteen digits: import it as text) |
//! | `code` | `7Q…` (twenty characters: import it as text) |
//! | `code_grouped` | the code in groups of four, to print beside the symbol for people |
//! | `uri` | the GS1 Digital Link URI |
//! | `qr_uri` | the same URI upper-cased: what the symbol holds |
//! | `svg` | the symbol's entry in the same ZIP; empty when the pack has no SVG symbols |
//! | `png` | the same for its PNG picture; the column is there only when the pack has them |
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, tab or CR for a formula, so such a cell gets a
//! leading apostrophe (OWASP, "CSV Injection").

use std::borrow::Cow;
use std::io::Write;

use super::archive::{Archive, FileFacts};
use super::{Gauge, PackError, PackSource, PartRange, Unit, png_name, svg_name};

/// The entry's name.
pub(super) const NAME: &str = "codes.csv";

/// The header row.
const COLUMNS: [&str; 7] = ["serial", "gtin", "code", "code_grouped", "uri", "qr_uri", "svg"];

/// Rows between two looks at the gauge.
const ROWS_A_LOOK: u64 = 512;

/// Writes the table as an entry of `archive`.
pub(super) fn write<W: Write>(
    source: &PackSource,
    range: &PartRange,
    gauge: &Gauge,
    archive: &mut Archive<W>,
) -> Result<FileFacts, PackError> {
    archive.file(NAME, |out| {
        let mut rows = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        let png = source.formats.png.then_some("png");
        rows.write_record(COLUMNS.into_iter().chain(png))?;
        let deriver = source.secret.deriver(source.partition);
        for serial in range.serials() {
            write_row(&mut rows, source, &Unit::new(source, serial, deriver.derive(serial)))?;
            if (serial - range.first_serial).is_multiple_of(ROWS_A_LOOK) {
                gauge.advance(0)?;
            }
        }
        rows.flush()?;
        // Where symbols follow, a unit is done when they are.
        let drawn = source.formats.pictures() || source.formats.pdf;
        if drawn { Ok(()) } else { gauge.advance(range.units) }
    })
}

fn write_row<W: Write>(rows: &mut csv::Writer<W>, source: &PackSource, unit: &Unit) -> Result<(), PackError> {
    let svg = if source.formats.svg { svg_name(unit.serial) } else { String::new() };
    let cells: [&str; 7] = [
        &unit.serial.to_string(),
        source.gtin.as_str(),
        unit.code.as_str(),
        &unit.code.grouped(),
        &unit.uri,
        &unit.qr_uri,
        &svg,
    ];
    for cell in cells {
        rows.write_field(formula_safe(cell).as_ref())?;
    }
    if source.formats.png {
        rows.write_field(png_name(unit.serial))?;
    }
    Ok(rows.write_record(None::<&[u8]>)?)
}

/// The cell as a spreadsheet may see it.
fn formula_safe(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::formula_safe;

    #[test]
    fn cell_that_begins_like_a_formula_gets_an_apostrophe() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(formula_safe(cell), format!("'{cell}"));
        }
    }

    #[test]
    fn other_cells_stay_as_they_are() {
        for cell in ["", "7Q=", "https://id.example/01/0", "a-b", "'=1"] {
            assert_eq!(formula_safe(cell), cell);
        }
    }
}
