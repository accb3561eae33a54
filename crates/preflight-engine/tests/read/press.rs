//! What only a press may set, found wherever a page could use it.

use super::{facts, pdf::Doc};

/// Kind and detail of every use.
fn uses(doc: &Doc) -> Vec<(String, Option<String>)> {
    facts(doc.build()).document.prepress.into_iter().map(|item| (item.kind, item.detail)).collect()
}

fn only(doc: &Doc, kind: &str, detail: Option<&str>) {
    assert_eq!(uses(doc), [(kind.to_owned(), detail.map(str::to_owned))], "{kind}");
}

#[test]
fn undecorated_file_has_no_uses() {
    assert_eq!(uses(&Doc::x4()), []);
}

#[test]
fn graphics_states_are_searched() {
    for (entry, kind, detail) in [
        ("/TR /Identity", "transfer_function", Some("TR Identity")),
        ("/TR2 << /FunctionType 2 /N 1 /Domain [0 1] >>", "transfer_function", Some("TR2")),
        ("/HT << /HalftoneType 6 >>", "halftone", Some("6")),
        ("/HTP [0 0]", "halftone_phase", Some("HTP")),
        ("/BG2 << /FunctionType 2 /N 1 /Domain [0 1] >>", "black_generation", Some("BG2")),
        ("/UCR << /FunctionType 2 /N 1 /Domain [0 1] >>", "undercolor_removal", Some("UCR")),
    ] {
        let mut doc = Doc::x4();
        doc.page().ext_gstates = format!("/G << /Type /ExtGState {entry} >>");
        only(&doc, kind, detail);
    }
    let mut doc = Doc::x4();
    doc.page().ext_gstates = "/G << /TR2 /Default /HT /Default >>".to_owned();
    assert_eq!(uses(&doc), []);
    doc.page().ext_gstates =
        "/G << /HT << /HalftoneType 5 /Cyan << /HalftoneType 1 /HalftoneName (X) >> >> >>".to_owned();
    let kinds: Vec<_> = uses(&doc).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["halftone", "halftone_name"]);
}

#[test]
fn objects_that_no_content_executes_are_searched_too() {
    for (entries, kind, detail) in [
        ("/Subtype /Form /BBox [0 0 1 1] /OPI << /2.0 << >> >>", "opi", Some("2.0")),
        ("/Subtype /Form /BBox [0 0 1 1] /Subtype2 /PS", "postscript", None),
        ("/Subtype /PS", "postscript", None),
        ("/Subtype /Form /BBox [0 0 1 1] /Ref << >>", "reference_xobject", None),
        (
            "/Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray /Alternates []",
            "alternate_image",
            None,
        ),
        ("/Subtype /Form /BBox [0 0 1 1] /Filter /LZWDecode", "lzw", None),
        ("/Subtype /Image /Width 1 /Height 1 /Filter [/ASCIIHexDecode /JBIG2Decode]", "jbig2", None),
        ("/Subtype /Image /Width 1 /Height 1 /Filter /JPXDecode", "jpx", None),
        ("/Subtype /Image /Width 1 /Height 1 /F (other.bin)", "external_stream", None),
    ] {
        let mut doc = Doc::x4();
        let object = doc.stream(&format!("/Type /XObject {entries}"), b"");
        // Named by a form that nothing executes.
        let form = doc.stream(
            &format!("/Type /XObject /Subtype /Form /BBox [0 0 1 1] /Resources << /XObject << /X {object} 0 R >> >>"),
            b"",
        );
        doc.page().xobjects = format!("/Y {form} 0 R");
        only(&doc, kind, detail);
    }
}

#[test]
fn appearances_and_pages_are_searched() {
    let mut doc = Doc::x4();
    let state = doc.object("<< /TR /X >>");
    let form = doc.stream(
        &format!("/Subtype /Form /BBox [0 0 1 1] /Resources << /ExtGState << /G {state} 0 R >> >>"),
        b"",
    );
    doc.page().entries = format!(
        "/Annots [<< /Subtype /Stamp /Rect [0 0 1 1] /F 2 /AP << /N << /On {form} 0 R >> >> >>] \
         /SeparationInfo << /DeviceColorant /Gold >>"
    );
    let expected = [
        ("preseparated".to_owned(), Some("Gold".to_owned())),
        ("transfer_function".to_owned(), Some("TR X".to_owned())),
    ];
    assert_eq!(uses(&doc), expected);
}
