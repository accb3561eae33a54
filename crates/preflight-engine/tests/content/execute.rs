//! Forms, patterns, shadings, soft masks, annotations.

use super::*;
use mintmark_preflight_engine::facts::Family;

#[test]
fn form_has_its_matrix_clip_and_the_resources_of_the_page() {
    let mut doc = doc("q 2 0 0 2 0 0 cm /X Do Q");
    let form = doc.stream(
        "/Subtype /Form /BBox [0 0 20 20] /Matrix [1 0 0 1 10 10]",
        b"BT /F1 6 Tf (A) Tj ET 0.25 w 0 0 m 500 0 l S",
    );
    doc.page().xobjects = format!("/X {form} 0 R");
    let facts = read(&doc);
    assert_eq!((sizes(&facts), widths(&facts)), (vec![12.0], vec![0.5]));
    let line = &elements(&facts)[1];
    assert_eq!(line.places.first[0].bbox, [20.0, 20.0, 60.0, 20.25]);
    assert_eq!(line.places.first[0].object.unwrap().0, i32::try_from(form).unwrap());
}

#[test]
fn tiling_pattern_is_walked_once_at_its_own_size() {
    let mut doc = doc("/Pattern cs /P scn 100 100 200 200 re f 100 100 200 200 re f");
    let cell = doc.stream(
        "/PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 10 10] /XStep 10 /YStep 10 /Matrix [0.5 0 0 0.5 0 0] \
         /Resources << >>",
        b"0 0 1 0 K 1 w 0 5 m 10 5 l S",
    );
    doc.page().patterns = format!("/P {cell} 0 R");
    let facts = read(&doc);
    let lines: Vec<_> = elements(&facts).iter().filter(|element| element.within == ["pattern"]).collect();
    // The second area lies on the first, and so does its cell.
    assert_eq!(lines.iter().map(|line| line.overlapping).collect::<Vec<_>>(), [false, true]);
    assert_eq!(lines[0].kind, ElementKind::Line { width_pt: 0.5, filled: false });
    assert_eq!(lines[0].places.first[0].bbox, [100.0, 100.0, 300.0, 300.0]);
    assert_eq!(elements(&facts)[0].paint.pattern.as_deref(), Some("tiling"));
    assert!(page(&facts).inked);
}

#[test]
fn uncoloured_pattern_takes_the_colour_from_outside() {
    let mut doc = doc("/U cs 0 1 0 0 /P scn 100 100 200 200 re f");
    let cell = doc.stream(
        "/PatternType 1 /PaintType 2 /TilingType 1 /BBox [0 0 10 10] /XStep 10 /YStep 10 /Resources << >>",
        b"1 0 0 rg 0 0 5 5 re f",
    );
    doc.page().patterns = format!("/P {cell} 0 R");
    doc.page().color_spaces = "/U [/Pattern /DeviceCMYK]".to_owned();
    let facts = read(&doc);
    for element in elements(&facts) {
        assert_eq!(space(&facts, element).family, Family::DeviceCMYK);
        assert_eq!(element.paint.values.as_deref(), Some(&[0.0, 1.0, 0.0, 0.0][..]));
    }
    assert_eq!(elements(&facts).len(), 2);
}

#[test]
fn shadings_are_painted_by_operator_and_as_pattern() {
    let shading = "<< /ShadingType 2 /ColorSpace /DeviceRGB /Coords [0 0 1 1] /Function << /FunctionType 2 /Domain [0 1] \
                   /C0 [0 0 0] /C1 [1 1 1] /N 1 >> >>";
    let mut doc = doc("q 0 0 50 50 re W n /Sh sh Q /Pattern cs /P scn 100 100 50 50 re f");
    doc.page().shadings = format!("/Sh {shading}");
    doc.page().patterns = format!("/P << /PatternType 2 /Shading {shading} >>");
    let facts = read(&doc);
    let [operator, pattern] = elements(&facts) else { panic!("{:#?}", elements(&facts)) };
    assert_eq!(operator.kind, ElementKind::Shading { shading: 2 });
    assert_eq!(operator.places.first[0].bbox, [0.0, 0.0, 50.0, 50.0]);
    assert_eq!(
        (pattern.kind.clone(), pattern.paint.pattern.as_deref()),
        (operator.kind.clone(), Some("shading"))
    );
    assert_eq!(space(&facts, pattern).family, Family::DeviceRGB);
    assert_eq!(page(&facts).counts.shadings, 1);
}

#[test]
fn soft_mask_is_a_group_whose_contents_are_not_seen() {
    let mut doc = doc("/G gs 0 0 50 50 re f /N gs 100 0 50 50 re f");
    let mask = doc.stream(
        "/Subtype /Form /BBox [0 0 600 600] /Group << /S /Transparency /CS /DeviceGray >> /Resources << >>",
        b"0.5 g 0 0 600 600 re f",
    );
    doc.page().ext_gstates =
        format!("/G << /SMask << /S /Luminosity /G {mask} 0 R >> >> /N << /SMask /None >>");
    let facts = read(&doc);
    let [inside, masked, bare] = elements(&facts) else { panic!() };
    assert!(!inside.visible && inside.within == ["soft_mask"]);
    assert!(masked.paint.soft_mask && !bare.paint.soft_mask && page(&facts).transparency);
    let [group] = page(&facts).groups.as_slice() else { panic!() };
    assert_eq!(group.soft_mask.as_deref(), Some("luminosity"));
}

#[test]
fn appearance_of_a_printing_annotation_lies_on_its_rectangle() {
    let appearance = |flags: u32| {
        let mut doc = doc("");
        let form = doc.stream("/Subtype /Form /BBox [0 0 10 10]", b"1 w 0 5 m 10 5 l S");
        doc.page().entries = format!(
            "/Annots [<< /Type /Annot /Subtype /Stamp /F {flags} /Rect [100 100 120 120] /AP << /N {form} 0 R >> >>]"
        );
        read(&doc)
    };
    let printing = appearance(4);
    assert_eq!(only(&printing).within, ["annotation"]);
    assert_eq!(only(&printing).kind, ElementKind::Line { width_pt: 2.0, filled: false });
    assert_eq!(only(&printing).places.first[0].bbox, [100.0, 109.0, 120.0, 111.0]);
    assert!(elements(&appearance(0)).is_empty() && elements(&appearance(6)).is_empty());
}

#[test]
fn postscript_is_reserved_for_the_press() {
    let mut doc = doc("/X Do");
    let form = doc.stream("/Subtype /PS", b"showpage");
    doc.page().xobjects = format!("/X {form} 0 R");
    let facts = read(&doc);
    assert!(facts.document.prepress.iter().any(|found| found.kind == "postscript"));
    assert!(elements(&facts).is_empty());
}

#[test]
fn form_that_shares_the_resources_of_its_page_finds_them() {
    // The resources lead to the forms, and the inner form back to the resources; in between they are others.
    let mut file = pdf::Pdf::new("1.6");
    file.add("<< /Type /Catalog /Pages 2 0 R >>");
    file.add("<< /Type /Pages /Kids [3 0 R] /Count 1 >>");
    file.add("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 600] /Contents 4 0 R /Resources 5 0 R >>");
    file.stream("", b"/X Do");
    file.add("<< /XObject << /X 6 0 R >> /ColorSpace << /C /DeviceCMYK >> >>");
    file.stream(
        "/Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /Y 7 0 R >> /ColorSpace << /C /DeviceRGB >> >>",
        b"/Y Do",
    );
    file.stream("/Subtype /Form /BBox [0 0 9 9] /Resources 5 0 R", b"/C cs 0 0 9 9 re f");
    file.trailer = "/Root 1 0 R".to_owned();
    let facts = mintmark_preflight_engine::read(file.build(), &Budgets::default());
    assert_eq!(space(&facts, only(&facts)).family, Family::DeviceCMYK);
}

#[test]
fn cell_that_paints_with_its_own_pattern_stops() {
    let mut doc = doc("/Pattern cs /P scn 0 0 99 99 re f");
    let cell = doc.file.reserve();
    let body = "/Pattern cs /P scn 0 0 9 9 re f";
    doc.file.set(
        cell,
        format!(
            "<< /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 9 9] /XStep 9 /YStep 9 /Resources << /Pattern << /P \
             {cell} 0 R >> >> /Length {} >>\nstream\n{body}\nendstream",
            body.len()
        ),
    );
    doc.page().patterns = format!("/P {cell} 0 R");
    let facts = read(&doc);
    assert_eq!(damage(&facts), ["form_recursion"]);
    assert_eq!(elements(&facts).len(), 2);
}
