//! R0007 to R0019: text and lines by colour, size and overprint.

use super::{
    Case, Truth,
    Truth::{Bad, Good},
    blank, limits_of,
};
use crate::pdf::Doc;

/// The graphics state `/G`, made of raw entries.
pub fn state(doc: &mut Doc, entries: &str) {
    doc.page().ext_gstates = format!("/G << {entries} >>");
    doc.page().content.push_str("/G gs\n");
}

/// Text in front of the blank's box.
pub fn text(doc: &mut Doc, colour: &str, size: f64) {
    doc.page().content.push_str(&format!("{colour} BT /F1 {size} Tf 60 60 Td (Text) Tj ET\n"));
}

/// A stroke in front of the blank's box.
pub fn line(doc: &mut Doc, colour: &str, width: f64) {
    doc.page().content.push_str(&format!("{colour} {width} w 60 60 m 160 90 l S\n"));
}

/// A filled rectangle in front of the blank's box, thin enough to be a line.
pub fn thin(doc: &mut Doc, colour: &str, width: f64) {
    doc.page().content.push_str(&format!("{colour} 60 60 100 {width} re f\n"));
}

type Paint = fn(&mut Doc, &str, f64);

/// Rules with one limit in points: below it is bad, at it and above it is not.
fn limits() -> Vec<Case> {
    let rows: [(&'static str, &str, Paint, &str, &str); 14] = [
        ("R0009", "text", text, "0 0 0 1 k", "text"),
        ("R0010", "line", line, "0 0 0 1 K", "line"),
        ("R0010", "rectangle", thin, "0 0 0 1 k", "fill"),
        ("R0011", "text", text, "0 g", "text"),
        ("R0012", "line", line, "0 G", "line"),
        ("R0012", "rectangle", thin, "0 g", "fill"),
        ("R0016", "text", text, "0 0 0 0 k", "text"),
        ("R0016", "gray", text, "1 g", "text"),
        ("R0017", "text", text, "0 1 1 0 k", "text"),
        ("R0018", "line", line, "0 0 0 0 K", "line"),
        ("R0018", "rectangle", thin, "0 0 0 0 k", "fill"),
        ("R0019", "line", line, "0.5 0 0 0.5 K", "line"),
        ("R0019", "rectangle", thin, "0.5 0 0 0.5 k", "fill"),
        ("R0019", "thousandth", line, "0.001 0 0 1 K", "line"),
    ];
    let mut cases = Vec::new();
    for (rule, what, paint, colour, shown) in rows {
        for (policy, [limit, _]) in limits_of(rule, ["pt", "-"]) {
            let step = if limit >= 5.0 { 0.01 } else { 0.002 };
            for (side, size, truth) in
                [("below", limit - step, Bad), ("at", limit, Good), ("above", limit + step, Good)]
            {
                let mut doc = blank();
                paint(&mut doc, colour, size);
                let case = Case::new(rule, &format!("{what}-{limit}pt-{side}"), truth, &doc).policy(policy);
                cases.push(case.shows(format!("{shown} size={size:.3}")));
            }
        }
    }
    cases
}

/// Sizes that come about by text matrix, transformation and UserUnit.
fn transformed() -> Vec<Case> {
    let mut cases = Vec::new();
    let rows: [(&str, &str, Truth, &str); 6] = [
        (
            "cm-halves",
            "q 0.5 0 0 0.5 0 0 cm 0 0 0 0 k BT /F1 15.98 Tf 120 120 Td (Text) Tj ET Q",
            Bad,
            "text size=7.990",
        ),
        ("tm-doubles", "0 0 0 0 k BT /F1 4 Tf 2 0 0 2 60 60 Tm (Text) Tj ET", Good, "text size=8.000"),
        ("rotated", "0 0 0 0 k BT /F1 1 Tf 0 7.99 -7.99 0 60 60 Tm (Text) Tj ET", Bad, "text size=7.990"),
        (
            "all-three",
            "q 2 0 0 2 0 0 cm 0 0 0 0 k BT /F1 8 Tf 0.5 0 0 0.5 30 30 Tm (Text) Tj ET Q",
            Good,
            "text size=8.000",
        ),
        ("narrow", "0 0 0 0 k BT /F1 1 Tf 4 0 0 9 60 60 Tm (Text) Tj ET", Good, "text size=9.000"),
        ("invisible", "0 0 0 0 k BT 3 Tr /F1 2 Tf 60 60 Td (Text) Tj ET", Good, "text size=2.000"),
    ];
    for (what, content, truth, shows) in rows {
        let mut doc = blank();
        doc.page().content.push_str(content);
        cases.push(Case::new("R0016", what, truth, &doc).policy("gwg-2022-sheetcmyk-cmyk").shows(shows));
    }
    let rows: [(&str, &str, Truth, &str); 5] = [
        (
            "cm-halves",
            "q 0.5 0 0 0.5 0 0 cm 0 0 0 0 K 0.498 w 120 120 m 200 200 l S Q",
            Bad,
            "line size=0.249",
        ),
        ("cm-doubles", "q 2 0 0 2 0 0 cm 0 0 0 0 K 0.125 w 30 30 m 80 80 l S Q", Good, "line size=0.250"),
        ("hairline", "0 0 0 0 K 0 w 60 60 m 160 160 l S", Bad, "line size=0.000"),
        ("thin-polygon", "0 0 0 0 k 60 60 m 160 60 l 160 60.24 l 60 60.24 l h f", Bad, "fill size=0.240"),
        ("thick-rectangle", "0 0 0 0 k 60 60 100 20 re f", Good, "fill size=20.000"),
    ];
    for (what, content, truth, shows) in rows {
        let mut doc = blank();
        doc.page().content.push_str(content);
        cases.push(Case::new("R0018", what, truth, &doc).policy("gwg-2022-sheetcmyk-cmyk").shows(shows));
    }
    cases
}

/// R0009 to R0012: what is black, and what overprints.
fn black() -> Vec<Case> {
    let rows: [(&str, &str, &str, Truth); 13] = [
        ("overprinting", "/op true /OP true /OPM 1", "0 0 0 1 k", Good),
        ("overprint-mode-0", "/op true /OP true /OPM 0", "0 0 0 1 k", Bad),
        ("only-OP", "/OP true /OPM 1", "0 0 0 1 k", Good),
        ("OP-true-op-false", "/OP true /op false /OPM 1", "0 0 0 1 k", Bad),
        ("gray", "/OPM 0", "0 g", Good),
        ("nearly-black", "/OPM 0", "0 0 0 0.99 k", Good),
        ("with-cyan", "/OPM 0", "0.2 0 0 1 k", Good),
        ("alpha", "/ca 0.99", "0 0 0 1 k", Good),
        ("stroke-alpha", "/CA 0.5", "0 0 0 1 k", Bad),
        ("multiply", "/BM /Multiply", "0 0 0 1 k", Good),
        ("separation", "/op true /OP true /OPM 0", "/Sep cs 1 scn", Good),
        ("separation-knocks-out", "/op false", "/Sep cs 1 scn", Bad),
        ("spot", "/op false", "/Spot cs 1 scn", Good),
    ];
    let mut cases = Vec::new();
    for (what, entries, colour, truth) in rows {
        let mut doc = blank();
        doc.page().color_spaces = spaces();
        state(&mut doc, entries);
        text(&mut doc, colour, 8.0);
        cases.push(
            Case::new("R0009", what, truth, &doc).policy("gwg-2022-sheetspot-cmyk").shows("text size=8.000"),
        );
        let mut doc = blank();
        doc.page().color_spaces = spaces();
        state(&mut doc, entries);
        thin(&mut doc, colour, 1.0);
        cases.push(
            Case::new("R0010", what, truth, &doc).policy("gwg-2022-sheetspot-cmyk").shows("fill size=1.000"),
        );
    }
    let mut alone = Doc::x4();
    alone.page().content.clear();
    text(&mut alone, "0 0 0 1 k", 8.0);
    cases.push(Case::new("R0009", "nothing-behind", Good, &alone));
    cases.push(Case::new("R0011", "nothing-behind", Good, &alone));
    let mut stroked = blank();
    state(&mut stroked, "/op true /OP false /OPM 1");
    stroked.page().content.push_str("0 0 0 1 k 0 0 0 1 K BT 2 Tr /F1 8 Tf 60 60 Td (Text) Tj ET");
    cases.push(Case::new("R0009", "stroke-knocks-out", Bad, &stroked));
    let mut gray = blank();
    state(&mut gray, "/op true /OP true /OPM 1");
    text(&mut gray, "0.5 g", 8.0);
    cases.push(Case::new("R0011", "overprinting", Bad, &gray));
    let mut cmyk = blank();
    text(&mut cmyk, "0 0 0 1 k", 8.0);
    cases.push(Case::new("R0011", "cmyk", Good, &cmyk));
    let mut cmyk = blank();
    line(&mut cmyk, "0 0 0 1 K", 1.0);
    cases.push(Case::new("R0012", "cmyk", Good, &cmyk));
    cases
}

/// Colour spaces `Sep` (Separation Black), `Spot` (Gold), `All`, `Nothing` (None) and `One` (a DeviceN of Black).
pub fn spaces() -> String {
    let single = "<< /FunctionType 2 /Domain [0 1] /C0 [0 0 0 0] /C1 [0 0 0 1] /N 1 >>";
    format!(
        "/Sep [/Separation /Black /DeviceCMYK {single}] /Spot [/Separation /Gold /DeviceCMYK {single}] \
         /All [/Separation /All /DeviceCMYK {single}] /Nothing [/Separation /None /DeviceCMYK {single}] \
         /One [/DeviceN [/Black] /DeviceCMYK {single}]"
    )
}

/// Adds a DeviceN space as `/N` with a tint transform that gives nothing but its first component as black.
pub fn device_n(doc: &mut Doc, colorants: &[&str], attributes: &str) {
    let count = colorants.len();
    let body = format!("{{ {} 0 0 0 4 3 roll }}", "pop ".repeat(count - 1));
    let function = doc.stream(
        &format!("/FunctionType 4 /Domain [{}] /Range [0 1 0 1 0 1 0 1]", "0 1 ".repeat(count)),
        body.as_bytes(),
    );
    let names: Vec<String> = colorants.iter().map(|name| format!("/{name}")).collect();
    doc.page().color_spaces =
        format!("/N [/DeviceN [{}] /DeviceCMYK {function} 0 R {attributes}]", names.join(" "));
}

/// R0007, R0008, R0013: white and gray that overprint.
fn overprint() -> Vec<Case> {
    let rows: [(&'static str, &str, &str, &str, Truth); 22] = [
        ("R0007", "text", "/op true /OP true", "0 0 0 0 k TEXT", Bad),
        ("R0007", "knocks-out", "/op false /OP false", "0 0 0 0 k TEXT", Good),
        ("R0007", "only-OP", "/OP true", "0 0 0 0 k TEXT", Bad),
        ("R0007", "op-false", "/OP true /op false", "0 0 0 0 k TEXT", Good),
        ("R0007", "gray", "/op true /OP true", "1 g TEXT", Bad),
        ("R0007", "spot-0", "/op true /OP true", "/Spot cs 0 scn TEXT", Bad),
        ("R0007", "none", "/op true /OP true", "/Nothing cs 0 scn TEXT", Good),
        ("R0007", "not-white", "/op true /OP true", "0 0 0 0.01 k TEXT", Good),
        (
            "R0007",
            "stroke",
            "/OP true /op false",
            "0 0 0 0 K 0 0 0 1 k BT 1 Tr /F1 20 Tf 60 60 Td (Text) Tj ET",
            Bad,
        ),
        (
            "R0007",
            "stroke-op",
            "/OP false /op true",
            "0 0 0 0 K 0 0 0 1 k BT 1 Tr /F1 20 Tf 60 60 Td (Text) Tj ET",
            Good,
        ),
        ("R0007", "path", "/op true /OP true", "0 0 0 0 k 60 60 50 50 re f", Good),
        ("R0008", "path", "/op true /OP true", "0 0 0 0 k 60 60 50 50 re f", Bad),
        ("R0008", "line", "/op true /OP true", "0 0 0 0 K 2 w 60 60 m 100 100 l S", Bad),
        ("R0008", "knocks-out", "/op false", "0 0 0 0 k 60 60 50 50 re f", Good),
        ("R0008", "text", "/op true /OP true", "0 0 0 0 k TEXT", Good),
        ("R0008", "white-device-n", "/op true /OP true", "/One cs 0 scn 60 60 50 50 re f", Bad),
        ("R0013", "path", "/op true /OP true", "0.5 g 60 60 50 50 re f", Bad),
        ("R0013", "text", "/op true /OP true", "0 g TEXT", Bad),
        ("R0013", "line", "/op false /OP true", "0 G 2 w 60 60 m 100 100 l S", Bad),
        ("R0013", "line-op", "/op true /OP false", "0 G 2 w 60 60 m 100 100 l S", Good),
        ("R0013", "knocks-out", "/op false", "0.5 g 60 60 50 50 re f", Good),
        ("R0013", "cmyk", "/op true /OP true", "0 0 0 0.5 k 60 60 50 50 re f", Good),
    ];
    rows.into_iter()
        .map(|(rule, what, entries, content, truth)| {
            let mut doc = blank();
            doc.page().color_spaces = spaces();
            state(&mut doc, entries);
            doc.page().content.push_str(&content.replace("TEXT", "BT /F1 20 Tf 60 60 Td (Text) Tj ET"));
            Case::new(rule, what, truth, &doc).policy("gwg-2022-sheetspot-cmyk")
        })
        .collect()
}

/// R0015 to R0019: four-colour black, and what counts as several components.
fn inks() -> Vec<Case> {
    let mut cases = Vec::new();
    for (policy, [_, sum]) in limits_of("R0015", ["black", "sum"]) {
        let rest = (sum - 0.85) / 3.0;
        let rows = [
            ("at-sum", [rest, rest, rest, 0.85], Good),
            ("above-sum", [rest + 0.001, rest, rest, 0.85], Bad),
            ("below-sum", [rest - 0.001, rest, rest, 0.85], Good),
            ("below-black", [1.0, 1.0, 1.0, 0.849], Good),
            ("at-black", [1.0, 1.0, 1.0, 0.85], Bad),
        ];
        for (what, [c, m, y, k], truth) in rows {
            let mut doc = blank();
            text(&mut doc, &format!("{c:.5} {m:.5} {y:.5} {k:.5} k"), 20.0);
            cases.push(Case::new("R0015", &format!("{what}-{}", sum * 100.0), truth, &doc).policy(policy));
        }
    }
    let rows: [(&str, &[&str], &str, &str, Truth); 4] = [
        ("device-n", &["Cyan", "Magenta", "Yellow", "Black"], "", "1 1 1 1", Bad),
        ("device-n-spots-do-not-count", &["Cyan", "Black", "Gold"], "", "0.9 0.9 1", Good),
        ("device-n-one-process", &["Black", "Gold", "Silver", "Pink"], "", "1 1 1 1", Good),
        ("device-n-no-black", &["Cyan", "Magenta", "Yellow", "Gold"], "", "1 1 1 1", Good),
    ];
    for (what, colorants, attributes, values, truth) in rows {
        let mut doc = blank();
        device_n(&mut doc, colorants, attributes);
        text(&mut doc, &format!("/N cs {values} scn"), 20.0);
        cases.push(Case::new("R0015", what, truth, &doc).policy("gwg-2022-sheetspot-cmyk"));
    }
    let mut stroked = blank();
    stroked.page().content.push_str("1 1 1 1 K BT 1 Tr /F1 20 Tf 60 60 Td (Text) Tj ET");
    cases.push(Case::new("R0015", "stroke-only", Good, &stroked));
    let rows: [(&str, &[&str], &str, Truth); 4] = [
        ("device-n-two", &["Black", "Gold"], "0.5 0.5", Bad),
        ("device-n-one-above", &["Black", "Gold"], "0 1", Good),
        ("device-n-none", &["Gold", "None"], "1 1", Good),
        ("device-n-two-spots", &["Gold", "Silver"], "0.1 1", Bad),
    ];
    for (what, colorants, values, truth) in rows {
        let mut doc = blank();
        device_n(&mut doc, colorants, "");
        text(&mut doc, &format!("/N cs {values} scn"), 6.0);
        cases.push(Case::new("R0017", what, truth, &doc).policy("gwg-2022-sheetspot-cmyk"));
    }
    let mut outside = blank();
    outside.page().media = Some([-100.0, -100.0, 400.0, 400.0]);
    outside.page().content.push_str("0 1 1 0 k BT /F1 5 Tf -90 -90 Td (Mark) Tj ET");
    cases.push(Case::new("R0017", "outside-the-bleed", Good, &outside).shows("text size=5.000"));
    let mut single = blank();
    text(&mut single, "0 0 0 1 k", 5.0);
    cases.push(Case::new("R0017", "one-ink", Good, &single));
    for (rule, size) in [("R0016", 5.0), ("R0018", 0.1)] {
        let mut alone = Doc::x4();
        alone.page().content = "0 0 0 1 k 200 200 20 20 re f\n".to_owned();
        let paint: Paint = if rule == "R0016" { text } else { line };
        paint(&mut alone, if rule == "R0016" { "0 0 0 0 k" } else { "0 0 0 0 K" }, size);
        cases.push(Case::new(rule, "nothing-behind", Good, &alone));
    }
    cases
}

/// R0014.
fn courier() -> Vec<Case> {
    let rows = [
        ("courier", "Courier", Bad),
        ("subset", "ABCDEF+Courier", Bad),
        ("courier-new", "CourierNew", Good),
        ("courier-new-spaced", "ABCDEF+Courier#20New", Good),
        ("courier-bold", "Courier-Bold", Good),
    ];
    let mut cases: Vec<Case> = rows
        .into_iter()
        .map(|(what, name, truth)| {
            let mut doc = blank();
            doc.font_name = name.to_owned();
            text(&mut doc, "0 0 0 1 k", 20.0);
            Case::new("R0014", what, truth, &doc).shows(format!("font {}", name.replace("#20", " ")))
        })
        .collect();
    let mut unused = blank();
    unused.font_name = "Courier".to_owned();
    cases.push(Case::new("R0014", "not-used", Good, &unused));
    cases
}

pub fn cases() -> Vec<Case> {
    [limits(), transformed(), black(), overprint(), inks(), courier()].into_iter().flatten().collect()
}
