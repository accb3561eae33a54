//! A colour, and what can be read on it.

use std::fmt;
use std::str::FromStr;

/// A colour of sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour([u8; 3]);

/// Not a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a colour is written as # and six hexadecimal digits, like #0b7a4b")]
pub struct ColourError;

impl Colour {
    const WHITE: Colour = Colour([255; 3]);
    const BLACK: Colour = Colour([0; 3]);

    /// Black or white, whichever is read better on this colour.
    ///
    /// Black needs a luminance of at least 0.175 for 4.5 to 1, and white one of at most 0.183: one always does.
    #[must_use]
    pub fn text(self) -> Colour {
        if self.contrast(Self::WHITE) >= self.contrast(Self::BLACK) { Self::WHITE } else { Self::BLACK }
    }

    /// The contrast ratio of WCAG 2.2, from 1 to 21.
    #[must_use]
    pub fn contrast(self, other: Colour) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// Relative luminance of WCAG 2.2, from 0 to 1.
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl FromStr for Colour {
    type Err = ColourError;

    fn from_str(text: &str) -> Result<Self, ColourError> {
        let digits = text.strip_prefix('#').ok_or(ColourError)?;
        if digits.len() != 6 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(ColourError);
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).map_err(|_| ColourError)?.to_be_bytes();
        Ok(Colour([red, green, blue]))
    }
}

/// `#rrggbb` in lower case.
impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_takes_six_digits_and_nothing_else() {
        assert_eq!("#0B7a4b".parse::<Colour>().unwrap().to_string(), "#0b7a4b");
        for wrong in ["", "#", "0b7a4b", "#0b7a4", "#0b7a4b0", "#0b7a4g", "#+b7a4b", "red", "#é7a4b"] {
            assert_eq!(wrong.parse::<Colour>(), Err(ColourError), "{wrong}");
        }
    }

    #[test]
    fn contrast_of_black_on_white_is_21() {
        assert!((Colour::BLACK.contrast(Colour::WHITE) - 21.0).abs() < 1e-9);
        let grey: Colour = "#767676".parse().unwrap();
        assert!((grey.contrast(Colour::WHITE) - 4.54).abs() < 0.01);
    }

    #[test]
    fn text_is_readable_on_every_colour() {
        let steps = || (0..=255_u8).step_by(5);
        for red in steps() {
            for green in steps() {
                for blue in steps() {
                    let colour = Colour([red, green, blue]);
                    assert!(colour.contrast(colour.text()) >= 4.5, "{colour}");
                }
            }
        }
    }
}
