//! Predictors of Flate and LZW: TIFF's horizontal differencing and PNG's row filters.

use hayro_syntax::object::Dict;

/// A predictor and the shape of its rows.
pub(super) struct Predictor {
    png: bool,
    colors: usize,
    bits: usize,
    columns: usize,
}

impl Predictor {
    /// The predictor that the parameters name; `None` for none, or one of impossible shape.
    pub(super) fn read(parameters: &Dict<'_>) -> Option<Self> {
        let kind = parameters.get::<i32>("Predictor").unwrap_or(1);
        let number = |key: &str, default: usize| {
            parameters.get::<i32>(key).map_or(default, |value| usize::try_from(value).unwrap_or(0))
        };
        let (colors, bits, columns) =
            (number("Colors", 1), number("BitsPerComponent", 8), number("Columns", 1));
        let possible = (1..=64).contains(&colors) && matches!(bits, 1 | 2 | 4 | 8 | 16) && columns > 0;
        ((kind == 2 || kind >= 10) && possible).then_some(Self { png: kind >= 10, colors, bits, columns })
    }

    /// Bytes of a row.
    fn row(&self) -> usize {
        self.columns.saturating_mul(self.colors * self.bits).div_ceil(8)
    }

    /// Undoes it. Never longer than what it is given.
    pub(super) fn undo(&self, data: Vec<u8>) -> Vec<u8> {
        if self.png { self.undo_png(&data) } else { self.undo_tiff(data) }
    }

    fn undo_png(&self, data: &[u8]) -> Vec<u8> {
        let (row, step) = (self.row(), (self.colors * self.bits).div_ceil(8));
        let mut out: Vec<u8> = Vec::with_capacity(data.len());
        for line in data.chunks(row.saturating_add(1)) {
            let Some((filter, line)) = line.split_first() else { break };
            let start = out.len();
            for (column, &byte) in line.iter().enumerate() {
                let left = if column >= step { out[start + column - step] } else { 0 };
                let (above, corner) = if start >= row {
                    let above = out[start - row + column];
                    (above, if column >= step { out[start - row + column - step] } else { 0 })
                } else {
                    (0, 0)
                };
                out.push(byte.wrapping_add(match filter {
                    1 => left,
                    2 => above,
                    3 => left.midpoint(above),
                    4 => paeth(left, above, corner),
                    _ => 0,
                }));
            }
        }
        out
    }

    fn undo_tiff(&self, mut data: Vec<u8>) -> Vec<u8> {
        let colors = self.colors;
        for line in data.chunks_mut(self.row()) {
            match self.bits {
                8 => {
                    for column in colors..line.len() {
                        line[column] = line[column].wrapping_add(line[column - colors]);
                    }
                }
                16 => {
                    for column in (2 * colors..line.len().saturating_sub(1)).step_by(2) {
                        let before =
                            u16::from_be_bytes([line[column - 2 * colors], line[column - 2 * colors + 1]]);
                        let here = u16::from_be_bytes([line[column], line[column + 1]]);
                        line[column..column + 2].copy_from_slice(&here.wrapping_add(before).to_be_bytes());
                    }
                }
                bits => undo_packed(line, bits, colors),
            }
        }
        data
    }
}

/// Horizontal differencing of components below a byte.
fn undo_packed(line: &mut [u8], bits: usize, colors: usize) {
    let per_byte = 8 / bits;
    let mask = (1_u8 << bits) - 1;
    let mut before = vec![0_u8; colors];
    for index in 0..line.len() * per_byte {
        let shift = 8 - bits * (index % per_byte + 1);
        let byte = &mut line[index / per_byte];
        let sum = ((*byte >> shift) & mask).wrapping_add(before[index % colors]) & mask;
        *byte = *byte & !(mask << shift) | sum << shift;
        before[index % colors] = sum;
    }
}

/// The predictor of Paeth: whichever neighbour is nearest to left + above - corner.
fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let (a, b, c) = (i16::from(left), i16::from(above), i16::from(corner));
    let estimate = a + b - c;
    let (da, db, dc) = ((estimate - a).abs(), (estimate - b).abs(), (estimate - c).abs());
    if da <= db && da <= dc {
        left
    } else if db <= dc {
        above
    } else {
        corner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undo_png_follows_each_row_filter() {
        let png = Predictor { png: true, colors: 1, bits: 8, columns: 3 };
        let rows = [0, 1, 2, 3, 1, 1, 1, 1, 2, 1, 1, 1, 3, 1, 1, 1, 4, 1, 1, 1];
        assert_eq!(png.undo(rows.to_vec()), [1, 2, 3, 1, 2, 3, 2, 3, 4, 2, 3, 4, 3, 4, 5]);
        assert_eq!(png.undo(vec![2, 7]), [7]);
    }

    #[test]
    fn undo_tiff_adds_along_the_row() {
        let tiff = |colors, bits, columns| Predictor { png: false, colors, bits, columns };
        assert_eq!(tiff(1, 8, 3).undo(vec![1, 1, 1, 5, 1, 255]), [1, 2, 3, 5, 6, 5]);
        assert_eq!(tiff(2, 8, 2).undo(vec![1, 10, 1, 1]), [1, 10, 2, 11]);
        assert_eq!(tiff(1, 16, 2).undo(vec![0, 255, 0, 1]), [0, 255, 1, 0]);
        assert_eq!(tiff(1, 4, 4).undo(vec![0x11, 0x1f]), [0x12, 0x32]);
    }
}
