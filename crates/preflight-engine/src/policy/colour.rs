//! White, black and ink, as the terms of GWG 2022 define them. The colorant `None` is ignored everywhere.

use crate::facts::{Element, Facts, Family, Paint, Space};

/// What an element is painted in, Indexed and Pattern spaces resolved to their base.
#[derive(Debug, Clone, Copy)]
pub(super) struct Colour<'a> {
    /// The space; absent where it could not be known.
    pub(super) space: Option<&'a Space>,
    /// Its index.
    pub(super) index: Option<usize>,
    /// Components, where the colour is a single one.
    pub(super) values: Option<&'a [f64]>,
    /// Painted with a pattern.
    pub(super) pattern: bool,
}

/// Process colorants; no spots.
const PROCESS: [&str; 4] = ["Cyan", "Magenta", "Yellow", "Black"];

/// Whether a colorant is the name of a spot.
pub(super) fn is_spot(colorant: &str) -> bool {
    !PROCESS.contains(&colorant) && colorant != "All" && colorant != "None"
}

/// The space that an index names, Indexed and Pattern ones resolved.
pub(super) fn resolve(facts: &Facts, index: Option<usize>) -> Option<(usize, &Space)> {
    let mut index = index?;
    for _ in 0..8 {
        let space = facts.spaces.get(index)?;
        match (space.family, space.base) {
            (Family::Indexed | Family::Pattern, Some(base)) => index = base,
            _ => return Some((index, space)),
        }
    }
    None
}

impl<'a> Colour<'a> {
    pub(super) fn of(facts: &'a Facts, paint: &'a Paint) -> Self {
        let resolved = resolve(facts, paint.space);
        Self {
            space: resolved.map(|(_, space)| space),
            index: resolved.map(|(index, _)| index),
            values: paint.values.as_deref(),
            pattern: paint.pattern.is_some(),
        }
    }

    /// The family that the content names: a device space stays one where a `Default…` space of the resources takes its
    /// place, for overprint and ink are about what the content asked for.
    pub(super) fn family(&self) -> Family {
        self.space.map_or(Family::Unknown, |space| space.default_for.unwrap_or(space.family))
    }

    /// Components with the names of their colorants, `None` left out.
    fn named(&self) -> impl Iterator<Item = (&'a str, f64)> {
        let names = self.space.map_or(&[][..], |space| &space.colorants);
        let values = self.values.unwrap_or_default();
        names.iter().map(String::as_str).zip(values.iter().copied()).filter(|(name, _)| *name != "None")
    }

    /// Whether nothing can be said of its components: neither values nor a pattern (which is neither black nor white).
    fn unknown(&self) -> bool {
        !self.pattern && (self.values.is_none() || self.family() == Family::Unknown)
    }

    /// White; `None` where that cannot be known.
    pub(super) fn white(&self) -> Option<bool> {
        if self.unknown() {
            return None;
        }
        let Some(values) = self.values else { return Some(false) };
        Some(match self.family() {
            Family::DeviceCMYK => is(values, &[0.0, 0.0, 0.0, 0.0]),
            Family::DeviceGray => is(values, &[1.0]),
            // A separation or DeviceN of nothing but `None` paints nothing, and so no white either.
            Family::Separation | Family::DeviceN => {
                self.named().next().is_some() && self.named().all(|(_, value)| rounded(value) == 0.0)
            }
            _ => false,
        })
    }

    /// Black by its components; `None` where that cannot be known.
    pub(super) fn black(&self) -> Option<bool> {
        if self.unknown() {
            return None;
        }
        let Some(values) = self.values else { return Some(false) };
        Some(match self.family() {
            Family::DeviceCMYK => is(values, &[0.0, 0.0, 0.0, 1.0]),
            Family::DeviceGray => is(values, &[0.0]),
            Family::Separation | Family::DeviceN => {
                self.named().any(|(name, _)| name == "Black")
                    && self
                        .named()
                        .all(|(name, value)| rounded(value) == if name == "Black" { 1.0 } else { 0.0 })
            }
            _ => false,
        })
    }

    /// How many components are above nought; `None` where that cannot be known, which patterns of shadings are among. The
    /// components of Lab are no amounts of anything: such a colour is not counted.
    pub(super) fn components_above_nought(&self, element: &Element) -> Option<usize> {
        let Some(values) = self.values else {
            // The cells of a tiling pattern are elements of their own.
            return (element.paint.pattern.as_deref() == Some("tiling")).then_some(0);
        };
        match self.family() {
            Family::Unknown | Family::Pattern | Family::Indexed => None,
            Family::Lab => Some(0),
            Family::Separation | Family::DeviceN => {
                Some(self.named().filter(|(_, value)| rounded(*value) > 0.0).count())
            }
            _ => Some(values.iter().filter(|value| rounded(**value) > 0.0).count()),
        }
    }

    /// Of DeviceCMYK, and of a DeviceN with at least two process components of which one is Black: the black component and
    /// the sum of all process components. `None` for everything else.
    pub(super) fn rich_black(&self) -> Option<(f64, f64)> {
        let values = self.values?;
        match (self.family(), values) {
            (Family::DeviceCMYK, [_, _, _, black]) => Some((*black, values.iter().sum())),
            (Family::DeviceN, _) => {
                let declared = &self.space?.process;
                let process: Vec<(&str, f64)> = self
                    .named()
                    .filter(|(name, _)| PROCESS.contains(name) || declared.iter().any(|each| each == name))
                    .collect();
                let black = process.iter().find(|(name, _)| *name == "Black")?.1;
                (process.len() >= 2).then(|| (black, process.iter().map(|(_, value)| value).sum()))
            }
            _ => None,
        }
    }
}

/// What is compared: the value without the noise that single and double precision leave behind the third decimal.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

fn is(values: &[f64], wanted: &[f64]) -> bool {
    values.len() == wanted.len()
        && values.iter().zip(wanted).all(|(value, wanted)| rounded(*value) == *wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(family: Family, colorants: &[&str]) -> Space {
        Space {
            family,
            components: u8::try_from(colorants.len()).unwrap(),
            colorants: colorants.iter().map(|&name| name.to_owned()).collect(),
            base: None,
            default_for: None,
            tint_transform: None,
            profile: None,
            subtype: None,
            process: Vec::new(),
            object: None,
            used: true,
        }
    }

    fn colour<'a>(space: &'a Space, values: &'a [f64]) -> Colour<'a> {
        Colour { space: Some(space), index: Some(0), values: Some(values), pattern: false }
    }

    #[test]
    fn none_is_ignored() {
        let named = space(Family::DeviceN, &["Black", "None"]);
        assert_eq!(colour(&named, &[1.0, 0.5]).black(), Some(true));
        assert_eq!(colour(&named, &[0.0, 0.5]).white(), Some(true));
        let nothing = space(Family::Separation, &["None"]);
        assert_eq!(colour(&nothing, &[0.0]).white(), Some(false));
    }

    #[test]
    fn white_and_black_follow_the_terms() {
        let cmyk = space(Family::DeviceCMYK, &[]);
        let gray = space(Family::DeviceGray, &[]);
        let spot = space(Family::Separation, &["PANTONE 185 C"]);
        let black = space(Family::Separation, &["Black"]);
        let rgb = space(Family::DeviceRGB, &[]);
        assert_eq!(colour(&cmyk, &[0.0; 4]).white(), Some(true));
        assert_eq!(colour(&cmyk, &[0.0, 0.0, 0.0, 0.001]).white(), Some(false));
        assert_eq!(colour(&gray, &[1.0]).white(), Some(true));
        assert_eq!(colour(&spot, &[0.0]).white(), Some(true));
        assert_eq!(colour(&rgb, &[1.0; 3]).white(), Some(false), "RGB is not among the terms' whites");
        assert_eq!(colour(&cmyk, &[0.0, 0.0, 0.0, 1.0]).black(), Some(true));
        assert_eq!(colour(&cmyk, &[0.1, 0.0, 0.0, 1.0]).black(), Some(false));
        assert_eq!(colour(&black, &[1.0]).black(), Some(true));
        assert_eq!(colour(&spot, &[1.0]).black(), Some(false));
    }

    #[test]
    fn rich_black_needs_two_process_components_of_which_one_is_black() {
        let two = space(Family::DeviceN, &["Cyan", "Black", "Gold"]);
        assert_eq!(colour(&two, &[1.0, 0.9, 1.0]).rich_black(), Some((0.9, 1.9)));
        let one = space(Family::DeviceN, &["Black", "Gold"]);
        assert_eq!(colour(&one, &[0.9, 1.0]).rich_black(), None);
        let no_black = space(Family::DeviceN, &["Cyan", "Magenta"]);
        assert_eq!(colour(&no_black, &[1.0, 1.0]).rich_black(), None);
    }
}
