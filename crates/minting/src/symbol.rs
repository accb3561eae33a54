//! QR symbols as SVG, ready to be printed.
//!
//! The drawing is one path of horizontal runs on a white ground that includes the quiet zone. The same text gives the
//! same bytes each time, so that an export can be made again and compared.

use fast_qr::{ECL, QRBuilder, QRCode};

/// Light modules on each side of a symbol (ISO/IEC 18004, 6.3.8).
const QUIET_ZONE: u32 = 4;

/// Least size of a module in micrometres: the X-dimension that GS1 allows a QR code with a Digital Link URI at the
/// point of sale (GS1 General Specifications, symbol specification table 1).
const MODULE_UM: u32 = 396;

/// Longest text, in bytes: the digits that version 40 holds at level M, more than in any other mode.
const MAX_TEXT: usize = 5596;

/// A drawn symbol.
#[derive(Clone, Debug, PartialEq)]
pub struct Symbol {
    /// A whole SVG document without a line end, its size that of [`min_mm`](Self::min_mm).
    pub svg: String,
    /// Modules along one side, without the quiet zone: 21 to 177.
    pub modules: u32,
    /// QR version, 1 to 40.
    pub version: u8,
    /// Least printed size of one side in millimetres, quiet zone included.
    pub min_mm: f32,
}

/// Why a symbol could not be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    /// Nothing to encode.
    #[error("a symbol needs a text of at least one character")]
    Empty,
    /// More than the largest symbol holds.
    #[error("this text does not fit the largest QR symbol; give it fewer characters")]
    TooLong,
}

/// Draws a text as a QR symbol with error correction level M, in the smallest version and the densest mode that hold
/// it: alphanumeric for what [`unit_uri_qr`](mintmark_codes::link::unit_uri_qr) writes.
///
/// # Errors
/// [`SymbolError`] when the text is empty or does not fit version 40.
pub fn qr_svg(text: &str) -> Result<Symbol, SymbolError> {
    if text.is_empty() {
        return Err(SymbolError::Empty);
    }
    if text.len() > MAX_TEXT {
        return Err(SymbolError::TooLong);
    }
    let matrix = QRBuilder::new(text).ecl(ECL::M).build().map_err(|_| SymbolError::TooLong)?;
    let modules = matrix.size as u32;
    let min_um = (modules + 2 * QUIET_ZONE) * MODULE_UM;
    Ok(Symbol {
        svg: draw(&matrix, modules, min_um),
        modules,
        version: ((modules - 17) / 4) as u8,
        min_mm: min_um as f32 / 1000.0,
    })
}

fn draw(matrix: &QRCode, modules: u32, size_um: u32) -> String {
    let side = modules + 2 * QUIET_ZONE;
    let size_mm = format!("{}.{:03}", size_um / 1000, size_um % 1000);
    // Dark runs average about three modules with as much light between, and take some 14 bytes each.
    let mut svg = String::with_capacity(300 + (modules * modules * 3) as usize);
    svg.push_str(&format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{size_mm}mm\" height=\"{size_mm}mm\" \
         viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path fill=\"#000\" d=\""
    ));
    for row in 0..modules {
        draw_row(&mut svg, matrix, modules, row);
    }
    svg.push_str("\"/></svg>");
    svg
}

/// Appends a rectangle for each run of dark modules: `M{x} {y}h{n}v1h-{n}z`.
fn draw_row(svg: &mut String, matrix: &QRCode, modules: u32, row: u32) {
    let cells = &matrix[row as usize];
    let is_dark = |column: u32| cells[column as usize].value();
    let mut column = 0;
    while column < modules {
        if !is_dark(column) {
            column += 1;
            continue;
        }
        let start = column;
        while column < modules && is_dark(column) {
            column += 1;
        }
        svg.push('M');
        push_number(svg, start + QUIET_ZONE);
        svg.push(' ');
        push_number(svg, row + QUIET_ZONE);
        svg.push('h');
        push_number(svg, column - start);
        svg.push_str("v1h-");
        push_number(svg, column - start);
        svg.push('z');
    }
}

/// Appends a number of at most three digits: a pack draws some fifty million of them, which `format!` would dominate.
fn push_number(out: &mut String, number: u32) {
    debug_assert!(number < 1000, "a symbol is at most 185 modules wide");
    let digit = |number: u32| char::from(b'0' + (number % 10) as u8);
    if number >= 100 {
        out.push(digit(number / 100));
    }
    if number >= 10 {
        out.push(digit(number / 10));
    }
    out.push(digit(number));
}
