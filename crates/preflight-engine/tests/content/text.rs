//! Text.

use super::*;

#[test]
fn size_is_that_of_the_vertical_axis_after_every_matrix() {
    assert_eq!(sizes(&facts("BT /F1 12 Tf 50 50 Td (AB) Tj ET")), [12.0]);
    assert_eq!(sizes(&facts("BT /F1 1 Tf 9 0 0 12 50 50 Tm (AB) Tj ET")), [12.0]);
    assert_eq!(sizes(&facts("q 0.1 0 0 0.1 0 0 cm BT /F1 10 Tf 0 12 -12 0 500 500 Tm (A) Tj ET Q")), [12.0]);
    // Horizontal scaling changes no height.
    assert_eq!(sizes(&facts("BT /F1 8 Tf 50 Tz 50 50 Td (AB) Tj ET")), [8.0]);
}

#[test]
fn fill_stroke_and_both_are_elements_of_their_colours() {
    let facts = facts("1 0 0 0 k 0 0 1 0 K BT /F1 12 Tf 50 50 Td 2 Tr (A) Tj 1 Tr (B) Tj ET");
    let paints: Vec<_> = elements(&facts)
        .iter()
        .map(|element| (element.paint.operation, element.paint.values.clone().unwrap()))
        .collect();
    use mintmark_preflight_engine::facts::Operation::{Fill, Stroke};
    assert_eq!(
        paints,
        [
            (Fill, vec![1.0, 0.0, 0.0, 0.0]),
            (Stroke, vec![0.0, 0.0, 1.0, 0.0]),
            (Stroke, vec![0.0, 0.0, 1.0, 0.0])
        ]
    );
}

#[test]
fn invisible_text_is_kept_but_not_seen_and_uses_no_font() {
    let facts = facts("BT /F1 12 Tf 3 Tr 50 50 Td (hidden) Tj ET");
    assert!(!only(&facts).visible);
    assert_eq!((page(&facts).counts.text, page(&facts).counts.invisible_text), (0, 1));
    assert!(!facts.fonts[0].used && !page(&facts).inked);
    assert_eq!(facts.fonts[0].pages, [1]);
}

#[test]
fn spaces_alone_are_no_ink() {
    let facts = facts("BT /F1 12 Tf 50 50 Td (   ) Tj ET");
    assert!(!only(&facts).visible && !page(&facts).inked);
}

#[test]
fn box_follows_widths_and_adjustments() {
    let widths = facts("BT /F1 10 Tf 100 200 Td (AA) Tj ET");
    let bbox = only(&widths).places.first[0].bbox;
    let advance = (bbox[2] - bbox[0]) / 2.0;
    assert_eq!((bbox[0], bbox[1], bbox[3]), (100.0, 198.0, 208.0));
    // A shift of one em to the right between the two.
    let shifted = facts("BT /F1 10 Tf 100 200 Td [(A) -1000 (A)] TJ ET");
    let bbox = only(&shifted).places.first[0].bbox;
    assert!((bbox[2] - bbox[0] - 2.0 * advance - 10.0).abs() < 1e-9);
}

#[test]
fn next_line_operators_move_and_show() {
    let facts = facts("BT /F1 10 Tf 14 TL 100 500 Td (A) Tj (B) ' T* (C) Tj 0 -20 TD (D) Tj 1 2 (E) \" ET");
    let heights: Vec<f64> = only(&facts).places.first.iter().map(|place| place.bbox[1] + 2.0).collect();
    assert_eq!(heights, [500.0, 486.0, 472.0, 452.0, 432.0]);
}

#[test]
fn strings_with_escapes_and_in_hexadecimal_have_the_same_box() {
    let plain = facts("BT /F1 10 Tf 9 9 Td (A\\(B\\)) Tj ET");
    for content in ["BT /F1 10 Tf 9 9 Td <41284229> Tj ET", "BT /F1 10 Tf 9 9 Td (\\101\\050B\\051) Tj ET"] {
        assert_eq!(facts(content).pages[0].elements, plain.pages[0].elements);
    }
}

#[test]
fn glyphs_of_type_3_are_walked_within_their_font() {
    let mut doc = doc("1 0 0 rg BT /T3 10 Tf 100 100 Td (a) Tj ET");
    let glyph = doc.stream("", b"1000 0 0 0 1000 1000 d1 0 1 0 rg 20 w 0 0 m 1000 0 l S");
    doc.page().fonts = format!(
        "/T3 << /Type /Font /Subtype /Type3 /FontMatrix [0.001 0 0 0.001 0 0] /FontBBox [0 0 1000 1000] /FirstChar 97 \
         /LastChar 97 /Widths [1000] /Encoding << /Differences [97 /box] >> /CharProcs << /box {glyph} 0 R >> >>"
    );
    let facts = read(&doc);
    let [text, line] = elements(&facts) else { panic!("{:#?}", elements(&facts)) };
    assert!(matches!(text.kind, ElementKind::Text { size_pt: 10.0, .. }));
    assert_eq!(line.kind, ElementKind::Line { width_pt: 0.2, filled: false });
    assert_eq!(line.within, ["type3"]);
    // `d1` takes the colour from outside.
    assert_eq!(line.paint.values.as_deref(), Some(&[1.0, 0.0, 0.0][..]));
}

/// Width of the box of `(AB)` or what stands for it, in a composite font of size 10.
fn composite(encoding: &str, widths: &str, string: &str) -> f64 {
    let mut doc = doc(&format!("BT /C 10 Tf 100 100 Td {string} Tj ET"));
    let map = doc.stream("", b"1 begincodespacerange\n<00> <FF>\nendcodespacerange");
    let encoding = encoding.replace("MAP", &format!("{map} 0 R"));
    doc.page().fonts = format!(
        "/C << /Type /Font /Subtype /Type0 /BaseFont /Some /Encoding {encoding} /DescendantFonts [<< /Type /Font \
         /Subtype /CIDFontType2 /BaseFont /Some {widths} >>] >>"
    );
    let facts = read(&doc);
    let bbox = only(&facts).places.first[0].bbox;
    ((bbox[2] - bbox[0]) * 1e6).round() / 1e6
}

#[test]
fn composite_fonts_have_widths_by_code() {
    let widths = "/DW 400 /W [1 [100 200] 3 9 300]";
    assert_eq!(composite("/Identity-H", widths, "<00010002>"), 3.0);
    assert_eq!(composite("/Identity-H", widths, "<00030009>"), 6.0);
    assert_eq!(composite("/Identity-H", widths, "<0000000A>"), 8.0);
    // With a map of its own the default counts, for each code of one byte.
    assert_eq!(composite("MAP", widths, "<010203>"), 12.0);
}
