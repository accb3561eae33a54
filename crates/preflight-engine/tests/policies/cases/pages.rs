//! R0002 to R0006, R0030, P0001 to P0004: pages, their boxes and groups.

use mintmark_preflight_engine::policy::Intent;

use super::{
    Case, Truth,
    Truth::{Bad, Good},
    blank,
};
use crate::pdf::{Doc, PageSpec};

fn with(rule: &'static str, what: &str, truth: Truth, alter: impl Fn(&mut Doc)) -> Case {
    let mut doc = Doc::x4();
    alter(&mut doc);
    Case::new(rule, what, truth, &doc)
}

/// Two pages, the second one altered.
fn second(rule: &'static str, what: &str, truth: Truth, alter: impl Fn(&mut PageSpec)) -> Case {
    with(rule, what, truth, |doc| {
        let mut page = PageSpec::default();
        alter(&mut page);
        doc.pages.push(page);
    })
    .policy("gwg-2022-sheetcmyk-cmyk")
}

fn boxes() -> Vec<Case> {
    let media = PageSpec::default().media.unwrap();
    let grown = |by: f64| [media[0], media[1], media[2] + by, media[3]];
    vec![
        with("R0002", "absent", Good, |_| {}),
        with("R0002", "two", Bad, |doc| doc.page().user_unit = Some(2.0)).shows("page 1 UserUnit=2.000"),
        with("R0002", "one", Bad, |doc| doc.page().user_unit = Some(1.0)).shows("page 1 UserUnit=1.000"),
        with("R0003", "absent", Good, |_| {}),
        with("R0003", "equal", Good, |doc| doc.page().crop = doc.page().media),
        with("R0003", "smaller", Bad, |doc| doc.page().crop = doc.page().trim),
        with("R0003", "smaller-by-a-hundredth", Bad, |doc| doc.page().crop = Some(grown(-0.01))),
        with("R0003", "inherited-media", Good, |doc| doc.page().crop = None),
        second("R0004", "equal", Good, |_| {}),
        second("R0004", "moved", Good, |page| {
            page.trim = page.trim.map(|trim| trim.map(|side| side + 1.0));
        }),
        second("R0004", "larger", Bad, |page| {
            page.trim = page.trim.map(|trim| [trim[0], trim[1], trim[2] + 1.0, trim[3]]);
        }),
        second("R0004", "larger-by-a-hundredth", Bad, |page| {
            page.trim = page.trim.map(|trim| [trim[0], trim[1], trim[2] + 0.01, trim[3]]);
        }),
        second("R0004", "rotated", Bad, |page| page.rotate = Some(90)).shows("page 2 Rotate=90"),
        second("R0004", "rotate-0", Good, |page| page.rotate = Some(0)),
        second("R0004", "rotate-180", Bad, |page| page.rotate = Some(180)).shows("page 2 Rotate=180"),
        with("R0006", "one", Good, |_| {}).shows("pages=1"),
        with("R0006", "two", Bad, |doc| doc.pages.push(PageSpec::default())).shows("pages=2"),
    ]
}

fn empty() -> Vec<Case> {
    let image = "q 50 0 0 50 60 60 cm BI /W 2 /H 2 /BPC 8 /CS /G ID \u{0}\u{0}\u{0}\u{0} EI Q";
    let rows: [(&str, &str, Truth); 10] = [
        ("nothing", "", Bad),
        ("white-cmyk", "0 0 0 0 k 60 60 50 50 re f", Bad),
        ("white-gray", "1 g 60 60 50 50 re f", Bad),
        ("clip-only", "60 60 50 50 re W n", Bad),
        ("invisible-text", "0 0 0 1 k BT 3 Tr /F1 20 Tf 60 60 Td (Text) Tj ET", Bad),
        ("outside-the-media", "0 0 0 1 k 1000 1000 50 50 re f", Bad),
        ("faint", "0 0 0 0.01 k 60 60 50 50 re f", Good),
        ("text", "0 0 0 1 k BT /F1 20 Tf 60 60 Td (Text) Tj ET", Good),
        ("image", image, Good),
        ("stroke", "0 0 0 1 K 1 w 60 60 m 90 90 l S", Good),
    ];
    rows.into_iter()
        .map(|(what, content, truth)| {
            with("R0005", what, truth, |doc| doc.page().content = content.to_owned())
        })
        .collect()
}

fn groups() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        ("none", None, Good),
        ("no-space", Some("<< /S /Transparency >>"), Good),
        ("DeviceCMYK", Some("<< /S /Transparency /CS /DeviceCMYK >>"), Good),
        ("DeviceRGB", Some("<< /S /Transparency /CS /DeviceRGB >>"), Bad),
        ("DeviceGray", Some("<< /S /Transparency /CS /DeviceGray >>"), Bad),
    ]
    .into_iter()
    .map(|(what, group, truth)| {
        let case = with("R0030", what, truth, |doc| doc.page().group = group.map(str::to_owned));
        if what.starts_with("Device") { case.shows(format!("group page {what}")) } else { case }
    })
    .collect();
    let form = |group: &str, doc: &mut Doc| {
        doc.stream(
            &format!(
                "/Type /XObject /Subtype /Form /BBox [0 0 300 300] /Group << /S /Transparency {group} >>"
            ),
            b"0 0 0 1 k 60 60 50 50 re f",
        )
    };
    for (what, space, truth) in
        [("form-DeviceRGB", "/CS /DeviceRGB", Bad), ("form-DeviceCMYK", "/CS /DeviceCMYK", Good)]
    {
        let mut doc = blank();
        let number = form(space, &mut doc);
        doc.page().xobjects = format!("/Fm {number} 0 R");
        doc.page().content.push_str("/Fm Do");
        let shows = format!("group form {}", space.trim_start_matches("/CS /"));
        cases.push(Case::new("R0030", what, truth, &doc).shows(shows));
    }
    let masks = [
        ("luminosity-gray", "Luminosity", "/CS /DeviceGray", Good),
        ("luminosity-cmyk", "Luminosity", "/CS /DeviceCMYK", Good),
        ("luminosity-rgb", "Luminosity", "/CS /DeviceRGB", Bad),
        ("alpha-gray", "Alpha", "/CS /DeviceGray", Bad),
    ];
    for (what, kind, space, truth) in masks {
        let mut doc = blank();
        let number = form(space, &mut doc);
        doc.page().ext_gstates = format!("/G << /SMask << /S /{kind} /G {number} 0 R >> >>");
        doc.page().content.push_str("/G gs 0 0 0 1 k 60 60 50 50 re f");
        let shows = format!("group {kind} {}", space.trim_start_matches("/CS /"));
        cases.push(Case::new("R0030", what, truth, &doc).shows(shows));
    }
    cases
}

/// What the job states of its product. Every policy judges it.
fn product() -> Vec<Case> {
    let trim = |width, height| Intent { trim_mm: Some([width, height]), ..Intent::default() };
    let bleed = |bleed| Intent { bleed_mm: Some(bleed), ..Intent::default() };
    let pages = |pages| Intent { pages: Some(pages), ..Intent::default() };
    let rows: [(&'static str, &str, Intent, Truth); 10] = [
        ("P0001", "equal", trim(100.0, 100.0), Good),
        ("P0001", "within-tolerance", trim(100.1, 100.0), Good),
        ("P0001", "beyond-tolerance", trim(100.2, 100.0), Bad),
        ("P0001", "too-high", trim(100.0, 99.0), Bad),
        ("P0002", "equal", bleed(3.0), Good),
        ("P0002", "less-is-asked", bleed(2.0), Good),
        ("P0002", "more-is-asked", bleed(3.01), Bad),
        ("P0003", "equal", pages(1), Good),
        ("P0003", "more-is-asked", pages(2), Bad),
        ("P0002", "none-is-asked", bleed(0.0), Good),
    ];
    let mut cases: Vec<Case> = rows
        .into_iter()
        .map(|(rule, what, intent, truth)| {
            with(rule, what, truth, |_| {}).intent(intent).policy("digital-print")
        })
        .collect();
    let turned = |doc: &mut Doc| {
        let page = doc.page();
        page.media = page.media.map(|media| [media[0], media[1], media[2] + 50.0, media[3]]);
        page.bleed = page.media;
        page.trim = page.trim.map(|trim| [trim[0], trim[1], trim[2] + 50.0, trim[3]]);
        page.rotate = Some(90);
    };
    let side = 100.0 + 50.0 * 25.4 / 72.0;
    cases.push(with("P0001", "turned", Good, turned).intent(trim(100.0, side)).policy("digital-print"));
    cases
        .push(with("P0001", "turned-wrongly", Bad, turned).intent(trim(side, 100.0)).policy("digital-print"));
    let no_bleed = |doc: &mut Doc| {
        doc.page().bleed = None;
        doc.page().trim = doc.page().media;
    };
    cases.push(with("P0002", "no-bleed-box", Bad, no_bleed).intent(bleed(3.0)).policy("digital-print"));
    let fill = |content: &'static str| move |doc: &mut Doc| doc.page().content = content.to_owned();
    let rows = [
        ("inside", "0 0 0 1 k 50 50 100 100 re f", Good),
        ("to-the-bleed", "0 0 0 1 k 0 0 301 301 re f", Good),
        ("to-the-trim", "0 0 0 1 k 8.504 50 100 100 re f", Bad),
        ("into-the-bleed", "0 0 0 1 k 4 50 100 100 re f", Bad),
    ];
    cases.extend(
        rows.map(|(what, content, truth)| with("P0004", what, truth, fill(content)).policy("digital-print")),
    );
    cases
}

pub fn cases() -> Vec<Case> {
    [boxes(), empty(), groups(), product()].into_iter().flatten().collect()
}
