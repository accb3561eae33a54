//! Damaged contents: noted, and read as far as they go.

use super::*;

#[test]
fn damage_of_contents_has_its_kind_and_the_rest_is_read() {
    for (content, kind) in [
        ("nonsense 0 0 50 50 re f", "operator_unknown"),
        ("1 2 re 0 0 50 50 re f", "operand_error"),
        ("50 50 l 0 0 50 50 re f", "operand_error"),
        ("q q Q 0 0 50 50 re f", "unbalanced_q"),
        ("Q 0 0 50 50 re f", "unbalanced_q"),
        ("EMC 0 0 50 50 re f", "unbalanced_marked_content"),
        ("/Nowhere gs /Gone Do /No cs 0 0 50 50 re f", "resource_missing"),
        ("] 0 0 50 50 re f", "syntax"),
    ] {
        let facts = facts(content);
        assert_eq!(damage(&facts), [kind], "{content}");
        assert_eq!(only(&facts).kind, ElementKind::Path {}, "{content}");
    }
}

#[test]
fn unknown_operator_between_bx_and_ex_is_none() {
    assert_eq!(damage(&facts("BX nonsense EX 0 0 50 50 re f")), [""; 0]);
}

#[test]
fn text_without_a_font_is_text() {
    let facts = facts("BT /Gone 9 Tf 10 10 Td (abc) Tj ET");
    assert!(matches!(only(&facts).kind, ElementKind::Text { font: None, size_pt: 9.0, .. }));
    assert!(damage(&facts).contains(&"resource_missing"));
}

#[test]
fn unclosed_strings_and_arrays_end_the_stream() {
    for content in
        ["0 0 50 50 re f (abc", "0 0 50 50 re f [1 2 (", "0 0 50 50 re f <<", "0 0 50 50 re f BI /W 9"]
    {
        let facts = facts(content);
        assert_eq!(only(&facts).kind, ElementKind::Path {}, "{content}");
        assert!(!damage(&facts).is_empty(), "{content}");
    }
}

#[test]
fn damage_names_the_form_that_it_is_in() {
    let mut doc = doc("/X Do");
    let form = doc.stream("/Subtype /Form /BBox [0 0 9 9]", b"nonsense");
    doc.page().xobjects = format!("/X {form} 0 R");
    let facts = read(&doc);
    assert_eq!(facts.file.damage[0].object.unwrap().0, i32::try_from(form).unwrap());
    assert_eq!(facts.file.damage[0].page, Some(1));
}
