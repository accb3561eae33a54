//! What is seen and what is not: where rules speak of page elements, visible and overlapping. Here the engine errs, always
//! towards more findings or `not evaluated`; `tests/disagreements.md` says why.

use super::{
    Case,
    Truth::{Bad, Good},
    blank,
};
use crate::pdf::Doc;

/// Small white text in front of the blank's box, behind or within what `before` and `after` do.
fn around(before: &str, after: &str) -> Doc {
    let mut doc = blank();
    doc.page().content.push_str(&format!("{before} 0 0 0 0 k BT /F1 5 Tf 60 60 Td (Text) Tj ET {after}"));
    doc
}

fn layered(off: bool) -> Doc {
    let mut doc = around("/OC /L BDC", "EMC");
    let number = doc.object("<< /Type /OCG /Name (Draft) >>");
    let off = if off { format!("/OFF [{number} 0 R]") } else { String::new() };
    doc.catalog = format!("/OCProperties << /OCGs [{number} 0 R] /D << /Order [{number} 0 R] {off} >> >>");
    doc.page().properties = format!("/L {number} 0 R");
    doc
}

fn white_text() -> Vec<Case> {
    let policy = "gwg-2022-sheetcmyk-cmyk";
    let mut clear = around("/G gs", "");
    clear.page().ext_gstates = "/G << /ca 0 >>".to_owned();
    vec![
        Case::new("R0016", "seen", Bad, &around("", "")).policy(policy),
        Case::new("R0016", "clipped-away", Good, &around("q 200 200 20 20 re W n", "Q")).policy(policy),
        Case::new("R0016", "half-clipped", Bad, &around("q 55 55 10 10 re W n", "Q")).policy(policy),
        Case::new("R0016", "layer-off", Good, &layered(true)).policy(policy).shows("layer Draft off"),
        Case::new("R0016", "layer-on", Bad, &layered(false)).policy(policy).shows("layer Draft on"),
        Case::new("R0016", "wholly-transparent", Good, &clear).policy(policy),
        Case::new(
            "R0016",
            "hidden-by-what-is-painted-later",
            Good,
            &around("", "0 0.2 0 0 k 50 50 60 40 re f"),
        )
        .policy(policy),
        Case::new("R0016", "only-its-box-meets-another", Good, &beside_a_diagonal()).policy(policy),
        Case::new("R0005", "black-that-white-covers", Bad, &covered()),
        Case::new("R0005", "white-image", Bad, &image(255)),
        Case::new("R0005", "gray-image", Good, &image(200)),
    ]
}

/// The text stands in the empty corner of a triangle's box.
fn beside_a_diagonal() -> Doc {
    let mut doc = Doc::x4();
    doc.page().content =
        "0 1 0 0 k 60 60 m 200 200 l 200 60 l h f 0 0 0 0 k BT /F1 5 Tf 70 180 Td (T) Tj ET".to_owned();
    doc
}

fn covered() -> Doc {
    let mut doc = Doc::x4();
    doc.page().content = "0 0 0 1 k 60 60 50 50 re f 0 0 0 0 k 50 50 70 70 re f".to_owned();
    doc
}

fn image(sample: u8) -> Doc {
    let mut doc = Doc::x4();
    let number = doc.stream(
        "/Type /XObject /Subtype /Image /Width 8 /Height 8 /BitsPerComponent 8 /ColorSpace /DeviceGray",
        &[sample; 64],
    );
    doc.page().xobjects = format!("/Im {number} 0 R");
    doc.page().content = "q 50 0 0 50 60 60 cm /Im Do Q".to_owned();
    doc
}

/// Text filled with a pattern: what it is inked with is not one colour.
fn patterned() -> Vec<Case> {
    let policy = "gwg-2022-sheetcmyk-cmyk";
    let text = "BT /F1 5 Tf 60 60 Td (Text) Tj ET";
    let mut shaded = blank();
    shaded.page().patterns = "/P << /PatternType 2 /Shading << /ShadingType 2 /ColorSpace /DeviceCMYK /Coords [60 60 90 60] \
                              /Function << /FunctionType 2 /Domain [0 1] /C0 [1 1 0 0] /C1 [0 1 1 0] /N 1 >> >> >>"
        .to_owned();
    shaded.page().content.push_str(&format!("/Pattern cs /P scn {text}"));
    let mut tiled = blank();
    let number = tiled.stream(
        "/Type /Pattern /PatternType 1 /PaintType 2 /TilingType 1 /BBox [0 0 9 9] /XStep 9 /YStep 9 /Resources << >>",
        b"0 0 5 5 re f",
    );
    tiled.page().patterns = format!("/P {number} 0 R");
    tiled.page().color_spaces = "/U [/Pattern /DeviceCMYK]".to_owned();
    tiled.page().content.push_str(&format!("/U cs 1 1 0 0 /P scn {text}"));
    vec![
        Case::new("R0017", "filled-with-a-shading", Bad, &shaded).policy(policy).shows("text size=5.000"),
        Case::new("R0017", "filled-with-uncoloured-tiles", Bad, &tiled)
            .policy(policy)
            .shows("text size=5.000"),
        Case::new("R0016", "filled-with-a-shading", Good, &shaded).policy(policy).shows("text size=5.000"),
    ]
}

/// An alternate image that is not for printing, which PDF/X allows.
fn alternate_image() -> Case {
    let mut doc = blank();
    let form =
        "/Type /XObject /Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray";
    let other = doc.stream(form, b"a");
    let image =
        doc.stream(&format!("{form} /Alternates [<< /Image {other} 0 R /DefaultForPrinting false >>]"), b"a");
    doc.page().xobjects = format!("/Im {image} 0 R");
    doc.page().content.push_str("q 9 0 0 9 60 60 cm /Im Do Q");
    Case::new("X0013", "alternate-image-not-for-printing", Good, &doc).policy("pdfx-4-listed")
}

pub fn cases() -> Vec<Case> {
    let mut cases = white_text();
    cases.extend(patterned());
    cases.push(alternate_image());
    cases
}
