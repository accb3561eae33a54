//! R0020 to R0024: names of spot colours.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization;

use crate::{
    facts::{Facts, Family, Space},
    policy::{
        Amount, RuleUse,
        colour::is_spot,
        scene::{Found, Outcome, Scene, Seen, named},
    },
};

use super::small::kind_phrase;

/// Suffixes that say nothing about the ink. They stand after a space, in capitals.
const SUFFIXES: [&str; 20] = [
    "C", "CP", "E", "K", "M", "N", "U", "UP", "Z", "CV", "CVU", "CVC", "HC", "PC", "TC", "TCX", "TP", "TPX",
    "XGC", "EC",
];

/// Spot names that page elements use, each with the first one.
fn spots<'a>(scene: &Scene<'a>, out: &mut Outcome) -> BTreeMap<&'a str, Seen<'a>> {
    let mut spots = BTreeMap::new();
    for seen in scene.elements() {
        match seen.colour.space {
            Some(space) if space.family == Family::Unknown => unknown(&seen, out),
            Some(space) => {
                for name in space.colorants.iter().filter(|name| is_spot(name)) {
                    spots.entry(name.as_str()).or_insert(seen);
                }
            }
            // The cell of a tiling pattern is made of elements of its own.
            None if seen.element.paint.pattern.as_deref() == Some("tiling") => {}
            None => unknown(&seen, out),
        }
    }
    spots
}

fn unknown(seen: &Seen<'_>, out: &mut Outcome) {
    let what = kind_phrase(&seen.element.kind);
    out.cannot(format!(
        "{what} on page {} has a colour space that could not be determined.",
        seen.page.number
    ));
}

pub(in crate::policy) fn number(scene: &Scene<'_>, item: &RuleUse, out: &mut Outcome) {
    let Some(most) = item.number("at_most") else { return };
    let spots = spots(scene, out);
    let count = f64::from(u32::try_from(spots.len()).unwrap_or(u32::MAX));
    if count > most {
        let names: Vec<String> = spots.keys().take(8).map(|name| named(name)).collect();
        let more = if spots.len() > 8 { format!(" and {} more", spots.len() - 8) } else { String::new() };
        let message = format!(
            "The file uses {} spot {}: {}{more}.",
            spots.len(),
            if spots.len() == 1 { "colour" } else { "colours" },
            names.join(", ")
        );
        out.push(Found::new(message).measured(Amount::number(count, "")).limit(Amount::number(most, "")));
    }
}

/// Pairs of different names for which `alike` holds.
fn pairs(scene: &Scene<'_>, out: &mut Outcome, alike: fn(&str, &str) -> bool, says: &str) {
    let spots = spots(scene, out);
    let names: Vec<&str> = spots.keys().copied().collect();
    // Names beyond this many make more pairs than anybody reads; what is left off is said.
    for (index, first) in names.iter().take(500).enumerate() {
        for second in names.iter().take(500).skip(index + 1).filter(|second| alike(first, second)) {
            let message = format!("The spot colours {} and {} {says}.", named(first), named(second));
            out.push(Found { count: 1, ..Found::element(&spots[second], message) });
        }
    }
    if names.len() > 500 {
        out.cannot(format!("Of {} spot names the first 500 were compared.", names.len()));
    }
}

fn stem(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(' ') {
        Some((stem, suffix)) if SUFFIXES.contains(&suffix) => (stem, Some(suffix)),
        _ => (name, None),
    }
}

fn differ_in_suffix(first: &str, second: &str) -> bool {
    let ((first_stem, first_suffix), (second_stem, second_suffix)) = (stem(first), stem(second));
    first_suffix != second_suffix && first_stem.to_lowercase() == second_stem.to_lowercase()
}

fn differ_in_spelling(first: &str, second: &str) -> bool {
    first.to_lowercase() == second.to_lowercase() || first.nfc().eq(second.nfc())
}

pub(in crate::policy) fn suffixes(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    pairs(scene, out, differ_in_suffix, "differ in their suffix alone");
}

pub(in crate::policy) fn spellings(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    pairs(scene, out, differ_in_spelling, "differ in case or Unicode normalisation alone");
}

pub(in crate::policy) fn twins(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    let mut spaces = BTreeMap::new();
    for seen in scene.elements() {
        let Some((index, space)) = seen.colour.index.zip(seen.colour.space) else {
            if seen.element.paint.pattern.as_deref() != Some("tiling") {
                unknown(&seen, out);
            }
            continue;
        };
        // A tint transform belongs to one spot where its space has one colorant.
        if matches!(space.family, Family::Separation | Family::DeviceN)
            && matches!(space.colorants.as_slice(), [name] if is_spot(name))
        {
            spaces.entry(index).or_insert((space, seen));
        }
    }
    let spaces: Vec<(&Space, Seen<'_>)> = spaces.into_values().collect();
    let mut told = BTreeSet::new();
    for (index, (first, _)) in spaces.iter().enumerate() {
        if first.tint_transform.is_none() || first.base.is_none() {
            let name = first.colorants.first().map_or("", String::as_str);
            out.cannot(format!("The alternate or tint transform of {} could not be read.", named(name)));
            continue;
        }
        for (second, seen) in spaces.iter().skip(index + 1) {
            let names = (&first.colorants[0], &second.colorants[0]);
            if names.0 != names.1
                && first.tint_transform == second.tint_transform
                && alternate_equal(scene.facts, first.base, second.base, 0)
                && told.insert(names)
            {
                let message = format!(
                    "The spot colours {} and {} have equal alternates and tint transforms.",
                    named(names.0),
                    named(names.1)
                );
                out.push(Found { count: 1, ..Found::element(seen, message) });
            }
        }
    }
}

/// Whether two entries of the table are equal as objects, wherever they are.
fn alternate_equal(facts: &Facts, first: Option<usize>, second: Option<usize>, depth: u8) -> bool {
    if first == second {
        return true;
    }
    let (Some(first), Some(second)) =
        (first.and_then(|index| facts.spaces.get(index)), second.and_then(|index| facts.spaces.get(index)))
    else {
        return false;
    };
    let profile = |space: &Space| space.profile.as_ref().map(|profile| profile.sha256.clone());
    // Calibrated spaces have parameters that the table does not hold: equal ones are one entry.
    let named = !matches!(first.family, Family::CalGray | Family::CalRGB | Family::Lab | Family::Unknown);
    depth < 4
        && named
        && first.family == second.family
        && first.components == second.components
        && first.colorants == second.colorants
        && first.tint_transform == second.tint_transform
        && profile(first) == profile(second)
        && alternate_equal(facts, first.base, second.base, depth + 1)
}

pub(in crate::policy) fn all(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    for seen in scene.elements() {
        match seen.colour.space {
            Some(space) if space.colorants.iter().any(|name| name == "All") => {
                let what = kind_phrase(&seen.element.kind);
                out.push(Found::element(&seen, format!("{what} is painted in the colorant All.")));
            }
            Some(space) if space.family == Family::Unknown => unknown(&seen, out),
            None if seen.element.paint.pattern.as_deref() != Some("tiling") => unknown(&seen, out),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffix_is_one_of_the_list_after_a_space() {
        assert!(differ_in_suffix("PANTONE 185 C", "PANTONE 185 U"));
        assert!(differ_in_suffix("PANTONE 185", "Pantone 185 CVC"));
        assert!(!differ_in_suffix("PANTONE 185 C", "pantone 185 C"), "that is R0022");
        assert!(!differ_in_suffix("PANTONE 185 C", "PANTONE 186 C"));
        assert!(!differ_in_suffix("PANTONE 185 C", "PANTONE 185 X"));
        assert!(!differ_in_suffix("PANTONE 185C", "PANTONE 185U"), "no space");
        assert!(!differ_in_suffix("PANTONE 185 c", "PANTONE 185"), "suffixes are capitals");
    }

    #[test]
    fn spelling_is_case_or_normalisation() {
        assert!(differ_in_spelling("Gold", "GOLD"));
        assert!(differ_in_spelling("Gr\u{fc}n", "Gru\u{308}n"));
        assert!(!differ_in_spelling("Gold", "Gold 2"));
    }
}
