//! QR symbols, ready to be printed: as SVG, as PNG, or as rectangles for whoever draws them elsewhere.
//!
//! Every form is drawn from the one matrix that [`Symbol`] holds and includes the quiet zone. The same text gives the same
//! bytes each time, so that an export can be made again and compared.

mod png;
mod svg;

use fast_qr::{ECL, QRBuilder, QRCode};

pub use png::{PIXELS_PER_METRE, PIXELS_PER_MODULE};

/// Light modules on each side of a symbol (ISO/IEC 18004, 6.3.8).
pub const QUIET_ZONE: u32 = 4;

/// Least size of a module in micrometres: the X-dimension that GS1 allows a QR code with a Digital Link URI at the
/// point of sale (GS1 General Specifications, symbol specification table 1).
pub const MODULE_UM: u32 = 396;

/// Longest text, in bytes: the digits that version 40 holds at level M, more than in any other mode.
const MAX_TEXT: usize = 5596;

/// A QR symbol: which of its modules are dark.
pub struct Symbol {
    matrix: QRCode,
    modules: u32,
}

/// Dark modules side by side in one row, in modules from the upper left corner of the quiet zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first column.
    pub x: u32,
    /// The row, counted downwards.
    pub y: u32,
    /// How many modules; at least 1.
    pub width: u32,
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
    /// The PNG encoder refused what it was given.
    #[error("the symbol could not be written as a PNG picture")]
    Picture,
}

impl Symbol {
    /// Encodes a text with error correction level M, in the smallest version and the densest mode that hold it:
    /// alphanumeric for what [`unit_uri_qr`](mintmark_codes::link::unit_uri_qr) writes.
    ///
    /// # Errors
    /// [`SymbolError`] when the text is empty or does not fit version 40.
    pub fn of(text: &str) -> Result<Self, SymbolError> {
        if text.is_empty() {
            return Err(SymbolError::Empty);
        }
        if text.len() > MAX_TEXT {
            return Err(SymbolError::TooLong);
        }
        let matrix = QRBuilder::new(text).ecl(ECL::M).build().map_err(|_| SymbolError::TooLong)?;
        let modules = matrix.size as u32;
        Ok(Self { matrix, modules })
    }

    /// Modules along one side, without the quiet zone: 21 to 177.
    pub fn modules(&self) -> u32 {
        self.modules
    }

    /// Modules along one side, with the quiet zone.
    pub fn side(&self) -> u32 {
        self.modules + 2 * QUIET_ZONE
    }

    /// QR version, 1 to 40.
    pub fn version(&self) -> u8 {
        ((self.modules - 17) / 4) as u8
    }

    /// Least printed size of one side in millimetres, quiet zone included.
    pub fn min_mm(&self) -> f32 {
        self.min_um() as f32 / 1000.0
    }

    /// A whole SVG document without a line end: one path of horizontal runs on a white ground, its size that of
    /// [`min_mm`](Self::min_mm).
    pub fn svg(&self) -> String {
        svg::draw(self)
    }

    /// A PNG picture of black and white pixels, [`PIXELS_PER_MODULE`] a module, that states the resolution at which it
    /// prints at [`min_mm`](Self::min_mm).
    ///
    /// # Errors
    /// [`SymbolError::Picture`], which no symbol is known to cause.
    pub fn png(&self) -> Result<Vec<u8>, SymbolError> {
        png::draw(self).map_err(|_| SymbolError::Picture)
    }

    /// The dark runs of every row, from the top.
    pub fn runs(&self) -> impl Iterator<Item = Run> {
        (0..self.modules).flat_map(|row| self.runs_of(row))
    }

    fn min_um(&self) -> u32 {
        self.side() * MODULE_UM
    }

    fn runs_of(&self, row: u32) -> impl Iterator<Item = Run> {
        let mut column = 0;
        std::iter::from_fn(move || {
            let cells = self.matrix[row as usize].get(..self.modules as usize)?;
            let rest = cells.get(column..)?;
            let start = column + rest.iter().position(|cell| cell.value())?;
            let width = cells[start..].iter().take_while(|cell| cell.value()).count();
            column = start + width;
            Some(Run { x: start as u32 + QUIET_ZONE, y: row + QUIET_ZONE, width: width as u32 })
        })
    }
}
