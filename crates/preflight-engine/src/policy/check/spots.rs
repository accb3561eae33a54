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

/// Different alternates of one tint transform that are told from one another.
const ALTERNATES: usize = 100;

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

/// Names by a key that alike ones share. Long lists of long names are somebody's attack: each is looked at once.
fn grouped<'a>(names: &[&'a str], key: impl Fn(&str) -> String) -> Vec<Vec<&'a str>> {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in names {
        groups.entry(key(name)).or_default().push(name);
    }
    groups.into_values().filter(|group| group.len() > 1).collect()
}

/// A name's stem, and its suffix where it has one.
fn stem(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(' ') {
        Some((stem, suffix)) if SUFFIXES.contains(&suffix) => (stem, Some(suffix)),
        _ => (name, None),
    }
}

/// Pairs that differ in their suffix alone: of a group the first name and each with another suffix than its.
fn differ_in_suffix<'a>(names: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    let groups = grouped(names, |name| stem(name).0.to_lowercase());
    let pairs = groups.iter().flat_map(|group| {
        let others = group.iter().skip(1).filter(|other| stem(other).1 != stem(group[0]).1);
        others.map(|other| (group[0], *other))
    });
    pairs.collect()
}

/// Pairs that differ in case alone, or in normalisation alone: of a group the first name and each other.
fn differ_in_spelling<'a>(names: &[&'a str]) -> BTreeSet<(&'a str, &'a str)> {
    let by_case = grouped(names, str::to_lowercase);
    let by_form = grouped(names, |name| name.nfc().collect());
    let pairs = by_case.iter().chain(&by_form);
    pairs.flat_map(|group| group.iter().skip(1).map(|other| (group[0], *other))).collect()
}

fn report<'a>(
    spots: &BTreeMap<&'a str, Seen<'a>>,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    says: &str,
    out: &mut Outcome,
) {
    for (first, second) in pairs {
        let message = format!("The spot colours {} and {} {says}.", named(first), named(second));
        out.push(Found { count: 1, ..Found::element(&spots[second], message) });
    }
}

pub(in crate::policy) fn suffixes(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    let spots = spots(scene, out);
    let names: Vec<&str> = spots.keys().copied().collect();
    report(&spots, differ_in_suffix(&names), "differ in their suffix alone", out);
}

pub(in crate::policy) fn spellings(scene: &Scene<'_>, _: &RuleUse, out: &mut Outcome) {
    let spots = spots(scene, out);
    let names: Vec<&str> = spots.keys().copied().collect();
    report(&spots, differ_in_spelling(&names), "differ in case or Unicode normalisation alone", out);
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
    // By tint transform: the first space of each alternate, with which later ones are compared.
    let mut known: BTreeMap<&str, Vec<&Space>> = BTreeMap::new();
    let mut told = BTreeSet::new();
    for (space, seen) in spaces.into_values() {
        let name = space.colorants.first().map_or("", String::as_str);
        let (Some(tint), Some(_)) = (&space.tint_transform, space.base) else {
            out.cannot(format!("The alternate or tint transform of {} could not be read.", named(name)));
            continue;
        };
        let alike = known.entry(tint).or_default();
        match alike.iter().find(|first| alternate_equal(scene.facts, first.base, space.base, 0)) {
            Some(first) if first.colorants != space.colorants => {
                if told.insert((&first.colorants[0], name)) {
                    let message = format!(
                        "The spot colours {} and {} have equal alternates and tint transforms.",
                        named(&first.colorants[0]),
                        named(name)
                    );
                    out.push(Found { count: 1, ..Found::element(&seen, message) });
                }
            }
            Some(_) => {}
            None if alike.len() < ALTERNATES => alike.push(space),
            None => out.cannot("One tint transform has more alternates than are compared."),
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

    fn suffix(first: &str, second: &str) -> bool {
        !differ_in_suffix(&[first, second]).is_empty()
    }

    fn spelling(first: &str, second: &str) -> bool {
        !differ_in_spelling(&[first, second]).is_empty()
    }

    #[test]
    fn suffix_is_one_of_the_list_after_a_space() {
        assert!(suffix("PANTONE 185 C", "PANTONE 185 U"));
        assert!(suffix("PANTONE 185", "Pantone 185 CVC"));
        assert!(!suffix("PANTONE 185 C", "pantone 185 C"), "that is R0022");
        assert!(!suffix("PANTONE 185 C", "PANTONE 186 C"));
        assert!(!suffix("PANTONE 185 C", "PANTONE 185 X"));
        assert!(!suffix("PANTONE 185C", "PANTONE 185U"), "no space");
        assert!(!suffix("PANTONE 185 c", "PANTONE 185"), "suffixes are capitals");
        let three = ["PANTONE 1 C", "Pantone 1 C", "pantone 1 U"];
        assert_eq!(differ_in_suffix(&three), [("PANTONE 1 C", "pantone 1 U")]);
    }

    #[test]
    fn spelling_is_case_or_normalisation() {
        assert!(spelling("Gold", "GOLD"));
        assert!(spelling("Gr\u{fc}n", "Gru\u{308}n"));
        assert!(!spelling("Gold", "Gold 2"));
    }
}
