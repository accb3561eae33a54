//! `pdfinfo` and `pdffonts`.

use std::{collections::BTreeMap, path::Path};

use mintmark_preflight_engine::{
    Facts,
    facts::{Font, FontKind, Rect},
};

use super::{Comparison, run, version};

pub fn compare(facts: &Facts, file: &Path, comparison: &mut Comparison) {
    let output = run("pdfinfo", &["-box", "-f", "1", "-l", "50"], file);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    comparison.check("pdfinfo", "opens", &facts.file.readable, &output.status.success());
    if !facts.file.readable || !output.status.success() {
        return;
    }
    let info = Info(&said);
    let scripts = facts.document.actions.iter().any(|action| action.kind == "JavaScript");
    comparison.check("pdfinfo", "pages", &Some(facts.pages.len().to_string()), &info.line("Pages"));
    comparison.check("pdfinfo", "version", &version(facts), &info.line("PDF version"));
    comparison.check("pdfinfo", "encrypted", &facts.file.encryption.is_some(), &info.yes("Encrypted"));
    comparison.check("pdfinfo", "scripts", &scripts, &info.yes("JavaScript"));
    let form = match (facts.document.xfa, facts.document.form_fields) {
        (true, _) => "XFA",
        (false, 0) => "none",
        _ => "AcroForm",
    };
    comparison.check("pdfinfo", "form", &Some(form.to_owned()), &info.line("Form"));
    boxes(facts, &info, comparison);
    fonts(facts, file, comparison);
}

/// What `pdfinfo` printed.
struct Info<'a>(&'a str);

impl Info<'_> {
    fn line(&self, label: &str) -> Option<String> {
        let line = self.0.lines().find(|line| line.starts_with(&format!("{label}:")))?;
        Some(line.split_once(':').unwrap().1.trim().to_owned())
    }

    fn yes(&self, label: &str) -> bool {
        self.line(label).is_some_and(|value| value.starts_with("yes"))
    }

    /// The numbers behind `Page    N LABEL:`.
    fn page(&self, number: u32, label: &str) -> Option<Vec<f64>> {
        let start = format!("Page {number:>4} {label}:");
        let line = self.0.lines().find(|line| line.starts_with(&start))?;
        line[start.len()..].split_whitespace().map(|word| word.parse().ok()).collect()
    }
}

/// The boxes as Poppler sees them: defaults applied, cut by the media box, two decimals.
fn boxes(facts: &Facts, info: &Info<'_>, comparison: &mut Comparison) {
    for page in facts.pages.iter().take(50) {
        let Some(media) = page.boxes.media else { continue };
        let cut = |rect: Rect| -> Rect {
            [rect[0].max(media[0]), rect[1].max(media[1]), rect[2].min(media[2]), rect[3].min(media[3])]
        };
        let crop = cut(page.boxes.crop.unwrap_or(media));
        for (label, ours) in [
            ("MediaBox", media),
            ("CropBox", crop),
            ("BleedBox", page.boxes.bleed.map_or(crop, cut)),
            ("TrimBox", page.boxes.trim.map_or(crop, cut)),
            ("ArtBox", page.boxes.art.map_or(crop, cut)),
        ] {
            let theirs = info.page(page.number, label).unwrap_or_default();
            let near = theirs.len() == 4 && ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 0.0051);
            if !near {
                comparison.check(
                    "pdfinfo",
                    &format!("{label} of page {}", page.number),
                    &ours.to_vec(),
                    &theirs,
                );
            }
        }
        let rotated = info.page(page.number, "rot").unwrap_or_default();
        let ours = page.rotate.rem_euclid(360) as f64;
        comparison.check("pdfinfo", &format!("rotation of page {}", page.number), &vec![ours], &rotated);
    }
}

/// A font as `pdffonts` shows it: kind, embedded, subset, ToUnicode.
type Row = (String, bool, bool, bool);

fn fonts(facts: &Facts, file: &Path, comparison: &mut Comparison) {
    let said = String::from_utf8_lossy(&run("pdffonts", &[], file).stdout).into_owned();
    let rows = said.lines().skip(2).filter_map(|line| {
        // The name may hold spaces, the columns behind it do not, but for the kind.
        let words: Vec<&str> = line.split_whitespace().collect();
        let [.., embedded, subset, unicode, number, _generation] = words.as_slice() else { return None };
        let kind = [
            "CID TrueType",
            "CID Type 0C (OT)",
            "CID Type 0C",
            "CID Type 0",
            "TrueType (OT)",
            "TrueType",
            "Type 1C (OT)",
            "Type 1C",
            "Type 1",
            "Type 3",
        ]
        .into_iter()
        .find(|kind| line.contains(&format!(" {kind} ")))
        .unwrap_or("unknown");
        let number: i32 = number.parse().ok()?;
        Some((number, (kind.to_owned(), *embedded == "yes", *subset == "yes", *unicode == "yes")))
    });
    let theirs: BTreeMap<i32, Row> = rows.collect();
    let ours: BTreeMap<i32, Row> =
        facts.fonts.iter().filter_map(|font| Some((font.object?.0, row(font)))).collect();
    for number in ours.keys().chain(theirs.keys()).collect::<std::collections::BTreeSet<_>>() {
        comparison.check("pdffonts", &format!("font {number}"), &ours.get(number), &theirs.get(number));
    }
}

fn row(font: &Font) -> Row {
    let program = font.program.as_deref();
    let kind = match (font.kind, font.descendant, program) {
        (FontKind::Type3, ..) => "Type 3",
        (FontKind::Type0, Some(FontKind::CidType2), _) => "CID TrueType",
        (FontKind::Type0, _, Some("CIDFontType0C")) => "CID Type 0C",
        (FontKind::Type0, _, Some("OpenType")) => "CID Type 0C (OT)",
        (FontKind::Type0, ..) => "CID Type 0",
        (FontKind::TrueType, _, Some("OpenType")) => "TrueType (OT)",
        (FontKind::TrueType, ..) => "TrueType",
        (_, _, Some("Type1C")) => "Type 1C",
        (_, _, Some("OpenType")) => "Type 1C (OT)",
        (FontKind::Type1 | FontKind::MmType1, ..) => "Type 1",
        _ => "unknown",
    };
    // Poppler knows no other sign of a subset than the tag either.
    (kind.to_owned(), font.embedded, font.subset_tag.is_some(), font.to_unicode)
}
