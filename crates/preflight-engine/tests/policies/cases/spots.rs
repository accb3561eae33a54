//! R0020 to R0024: names of spot colours.

use super::{
    Case, Truth,
    Truth::{Bad, Good},
    blank,
};
use crate::pdf::Doc;

const TINT: &str = "<< /FunctionType 2 /Domain [0 1] /C0 [0 0 0 0] /C1 [0 1 0 0] /N 1 >>";

/// A name object.
fn name(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("#{byte:02X}")
                }
            },
        )
        .collect()
}

/// Paints a box in each of some spots; each has a tint transform of its own.
fn painted(spots: &[&str]) -> Doc {
    let mut doc = blank();
    for (index, spot) in spots.iter().enumerate() {
        let tint = TINT.replace("/C1 [0 1 0 0]", &format!("/C1 [0.{} 1 0 0]", index + 1));
        let page = doc.page();
        page.color_spaces.push_str(&format!("/S{index} [/Separation /{} /DeviceCMYK {tint}] ", name(spot)));
        page.content.push_str(&format!("/S{index} cs 1 scn {} 60 10 10 re f\n", 60 + 12 * index));
    }
    doc
}

fn names() -> Vec<Case> {
    let rows: [(&'static str, &str, &[&str], Truth); 18] = [
        ("R0020", "none", &[], Good),
        ("R0020", "one", &["Gold"], Bad),
        ("R0020", "process-names", &["Cyan", "Magenta", "Yellow", "Black"], Good),
        ("R0020", "All", &["All"], Good),
        ("R0020", "None", &["None"], Good),
        ("R0021", "C-and-U", &["PANTONE 185 C", "PANTONE 185 U"], Bad),
        ("R0021", "none-and-CVC", &["PANTONE 185", "PANTONE 185 CVC"], Bad),
        ("R0021", "stem-in-another-case", &["Pantone 185 C", "PANTONE 185 EC"], Bad),
        ("R0021", "another-stem", &["PANTONE 185 C", "PANTONE 186 U"], Good),
        ("R0021", "no-suffix-of-the-list", &["PANTONE 185 C", "PANTONE 185 X"], Good),
        ("R0021", "no-space", &["PANTONE 185C", "PANTONE 185U"], Good),
        ("R0021", "case-alone", &["PANTONE 185 C", "Pantone 185 C"], Good),
        ("R0022", "case", &["Gold", "GOLD"], Bad),
        ("R0022", "normalisation", &["Gr\u{fc}n", "Gru\u{308}n"], Bad),
        ("R0022", "different", &["Gold", "Silver"], Good),
        ("R0022", "one", &["Gold"], Good),
        ("R0024", "spot", &["Gold"], Good),
        ("R0024", "All", &["All"], Bad),
    ];
    rows.into_iter()
        .map(|(rule, what, spots, truth)| {
            let mut case = Case::new(rule, what, truth, &painted(spots)).policy("gwg-2022-sheetspot-cmyk");
            for spot in spots {
                case = case.shows(format!("colorant {spot}"));
            }
            case
        })
        .collect()
}

fn other() -> Vec<Case> {
    let mut unused = blank();
    unused.page().color_spaces = format!("/S [/Separation /Gold /DeviceCMYK {TINT}]");
    let mut in_device_n = blank();
    super::sizes::device_n(&mut in_device_n, &["Cyan", "Gold"], "");
    in_device_n.page().content.push_str("/N cs 1 1 scn 60 60 10 10 re f");
    let mut outside = painted(&["Gold"]);
    outside.page().media = Some([-200.0, -200.0, 400.0, 400.0]);
    outside.page().content = outside.page().content.replace("60 60 10 10 re", "-100 -100 10 10 re");
    let mut all_outside = painted(&["All"]);
    all_outside.page().media = Some([-200.0, -200.0, 400.0, 400.0]);
    all_outside.page().content = all_outside.page().content.replace("60 60 10 10 re", "-100 -100 10 10 re");
    vec![
        Case::new("R0020", "unused", Good, &unused).policy("gwg-2022-sheetspot-cmyk"),
        Case::new("R0020", "device-n", Bad, &in_device_n)
            .policy("gwg-2022-sheetspot-cmyk")
            .shows("colorant Gold"),
        Case::new("R0020", "outside-the-bleed", Good, &outside).policy("gwg-2022-sheetspot-cmyk"),
        Case::new("R0024", "outside-the-bleed", Good, &all_outside).policy("gwg-2022-sheetspot-cmyk"),
    ]
}

/// R0023: alternates and tint transforms that are equal, direct or indirect.
fn twins() -> Vec<Case> {
    let other = TINT.replace("0 1 0 0", "0 0.9 0 0");
    let rows: [(&str, &str, &str, bool, Truth); 6] = [
        ("equal", "Gold", "Silver", false, Bad),
        ("equal-indirect", "Gold", "Silver", true, Bad),
        ("one-name", "Gold", "Gold", false, Good),
        ("process", "Gold", "Black", false, Good),
        ("all", "Gold", "All", false, Good),
        ("different", "Gold", "Silver", false, Good),
    ];
    let mut cases: Vec<Case> = rows
        .into_iter()
        .map(|(what, first, second, indirect, truth)| {
            let mut doc = blank();
            let tint = if indirect { format!("{} 0 R", doc.object(TINT)) } else { TINT.to_owned() };
            let second_tint = if what == "different" { &other } else { TINT };
            doc.page().color_spaces = format!(
                "/A [/Separation /{first} /DeviceCMYK {tint}] /B [/Separation /{second} /DeviceCMYK {second_tint}]"
            );
            doc.page().content.push_str("/A cs 1 scn 60 60 10 10 re f /B cs 1 scn 80 60 10 10 re f");
            Case::new("R0023", what, truth, &doc).policy("gwg-2022-sheetspot-cmyk").shows(format!("colorant {first}"))
        })
        .collect();
    let mut doc = blank();
    let gray = "<< /FunctionType 2 /Domain [0 1] /C0 [1] /C1 [0] /N 1 >>";
    let (first, second) =
        (doc.stream("/N 1", &crate::pdf::icc::gray()), doc.stream("/N 1", &crate::pdf::icc::gray()));
    doc.page().color_spaces = format!(
        "/A [/Separation /Gold [/ICCBased {first} 0 R] {gray}] /B [/Separation /Silver [/ICCBased {second} 0 R] {gray}]"
    );
    doc.page().content.push_str("/A cs 1 scn 60 60 10 10 re f /B cs 1 scn 80 60 10 10 re f");
    cases.push(Case::new("R0023", "equal-profiles", Bad, &doc).policy("gwg-2022-sheetspot-cmyk"));
    cases
}

pub fn cases() -> Vec<Case> {
    [names(), other(), twins()].into_iter().flatten().collect()
}
