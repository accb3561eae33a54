//! Images.

use super::*;
use mintmark_preflight_engine::facts::Family;

fn image(entries: &str, data: &[u8], content: &str) -> Facts {
    let mut doc = doc(content);
    let image = doc.stream(&format!("/Type /XObject /Subtype /Image {entries}"), data);
    doc.page().xobjects = format!("/Im {image} 0 R");
    read(&doc)
}

const GRAY: &str = "/Width 300 /Height 150 /ColorSpace /DeviceGray /BitsPerComponent 8";

fn ppi(facts: &Facts) -> (f64, f64) {
    match only(facts).kind {
        ElementKind::Image { ppi_x, ppi_y, .. } => (ppi_x, ppi_y),
        _ => panic!(),
    }
}

#[test]
fn resolution_follows_each_axis_of_the_matrix() {
    assert_eq!(ppi(&image(GRAY, &[], "q 72 0 0 72 0 0 cm /Im Do Q")), (300.0, 150.0));
    assert_eq!(ppi(&image(GRAY, &[], "q 0 144 -72 0 200 0 cm /Im Do Q")), (150.0, 150.0));
    assert_eq!(ppi(&image(GRAY, &[], "q 0.24 0 0 0.24 0 0 cm 300 0 0 300 0 0 cm /Im Do Q")), (300.0, 150.0));
}

#[test]
fn user_unit_makes_pixels_larger() {
    let mut doc = doc("q 72 0 0 72 0 0 cm /Im Do Q");
    let image = doc.stream(&format!("/Subtype /Image {GRAY}"), &[]);
    doc.page().xobjects = format!("/Im {image} 0 R");
    doc.page().user_unit = Some(2.0);
    assert_eq!(ppi(&read(&doc)), (150.0, 75.0));
}

#[test]
fn image_covers_the_trim_box_or_not() {
    for (matrix, wanted) in [
        ("560 0 0 560 20 20", true),
        ("559 0 0 560 20 20", false),
        ("0 -560 560 0 20 580", true),
        ("396 396 -396 396 300 -96", false),
        ("1200 1200 -1200 1200 300 -900", true),
    ] {
        let facts = image(GRAY, &[], &format!("q {matrix} cm /Im Do Q"));
        let ElementKind::Image { covers_trim, .. } = only(&facts).kind else { panic!() };
        assert_eq!(covers_trim, wanted, "{matrix}");
    }
    // The clip takes some of it away.
    let facts = image(GRAY, &[], "q 0 0 300 600 re W n 560 0 0 560 20 20 cm /Im Do Q");
    assert!(matches!(only(&facts).kind, ElementKind::Image { covers_trim: false, .. }));
}

#[test]
fn stencil_mask_is_painted_in_the_colour() {
    let facts = image("/Width 9 /Height 9 /ImageMask true", &[0; 18], "0 1 0 0 k q 9 0 0 9 0 0 cm /Im Do Q");
    let element = only(&facts);
    assert!(matches!(element.kind, ElementKind::Image { mask: true, bits: 1, .. }));
    assert_eq!(element.paint.values.as_deref(), Some(&[0.0, 1.0, 0.0, 0.0][..]));
}

#[test]
fn page_with_nothing_but_a_white_image_is_not_inked() {
    let small = |entries: &str| format!("/Width 4 /Height 2 /BitsPerComponent 8 {entries}");
    let content = "q 99 0 0 99 0 0 cm /Im Do Q";
    let gray = small("/ColorSpace /DeviceGray");
    assert!(!page(&image(&gray, &[255; 8], content)).inked);
    assert!(page(&image(&gray, &[255, 255, 255, 255, 255, 255, 254, 255], content)).inked);
    assert!(page(&image(&gray, &[255; 7], content)).inked, "what is not there is not white");
    assert!(!page(&image(&small("/ColorSpace /DeviceCMYK"), &[0; 32], content)).inked);
    assert!(!page(&image(&small("/ColorSpace /DeviceGray /Decode [1 0]"), &[0; 8], content)).inked);
    // Rows of 9 bits: what is behind the last is not looked at.
    let bits = "/Width 9 /Height 2 /BitsPerComponent 1 /ColorSpace /DeviceGray";
    assert!(!page(&image(bits, &[0xff, 0x80, 0xff, 0x80], content)).inked);
    assert!(page(&image(bits, &[0xff, 0x00, 0xff, 0x80], content)).inked);
}

#[test]
fn compressed_image_with_predictor_is_looked_at() {
    let mut doc = doc("q 99 0 0 99 0 0 cm /Im Do Q");
    // Row 1: first sample 255, then none more (Sub); row 2: as above (Up).
    let rows = [1, 255, 0, 0, 0, 2, 0, 0, 0, 0];
    let image = doc.file.flate(
        "/Subtype /Image /Width 4 /Height 2 /BitsPerComponent 8 /ColorSpace /DeviceGray /DecodeParms << /Predictor 15 \
         /Columns 4 >>",
        &rows,
    );
    doc.page().xobjects = format!("/Im {image} 0 R");
    assert!(!page(&read(&doc)).inked);
}

#[test]
fn inline_images_end_where_they_end() {
    // The data hold `EI` with white space on both sides.
    let facts = facts("q 72 0 0 72 0 0 cm BI /W 4 /H 1 /BPC 8 /CS /G ID  EI  EI Q 0 0 9 9 re f");
    let [image, path] = elements(&facts) else { panic!("{:#?}", elements(&facts)) };
    assert!(matches!(image.kind, ElementKind::Image { inline: true, width: 4, height: 1, ppi_x: 4.0, .. }));
    assert_eq!(path.kind, ElementKind::Path {});
    assert_eq!(damage(&facts), [""; 0]);
}

#[test]
fn inline_indexed_image_has_its_base() {
    let facts = facts(
        "q 9 0 0 9 0 0 cm BI /W 2 /H 1 /BPC 8 /CS [/I /CMYK 1 <0000000000FF0000>] /F /AHx ID 0001> EI Q",
    );
    let entry = space(&facts, only(&facts));
    assert_eq!(entry.family, Family::Indexed);
    assert_eq!(facts.spaces[entry.base.unwrap()].family, Family::DeviceCMYK);
    assert!(
        matches!(&only(&facts).kind, ElementKind::Image { filters, .. } if filters[..] == ["ASCIIHexDecode"])
    );
}

#[test]
fn jpeg_2000_without_a_space_has_that_of_its_header() {
    let header: Vec<u8> = [
        &[0, 0, 0, 12][..],
        b"jP  ",
        &[13, 10, 135, 10, 0, 0, 0, 45],
        b"jp2h",
        &[0, 0, 0, 22],
        b"ihdr",
        &[0, 0, 0, 9, 0, 0, 0, 9, 0, 3, 7, 7, 0, 0, 0, 0, 0, 15],
        b"colr",
        &[1, 0, 0, 0, 0, 0, 16],
    ]
    .concat();
    let facts = image("/Width 9 /Height 9 /Filter /JPXDecode", &header, "q 9 0 0 9 0 0 cm /Im Do Q");
    assert_eq!(space(&facts, only(&facts)).family, Family::DeviceRGB);
}

#[test]
fn alike_images_of_two_objects_are_one_element() {
    let mut doc = doc("q 72 0 0 72 0 0 cm /A Do Q q 72 0 0 72 200 0 cm /B Do Q");
    let (one, two) = (
        doc.stream(&format!("/Subtype /Image {GRAY}"), &[1]),
        doc.stream(&format!("/Subtype /Image {GRAY}"), &[2]),
    );
    doc.page().xobjects = format!("/A {one} 0 R /B {two} 0 R");
    let facts = read(&doc);
    let places = &only(&facts).places;
    assert_eq!(places.count, 2);
    let numbers: Vec<i32> = places.first.iter().map(|place| place.object.unwrap().0).collect();
    assert_eq!(numbers, [i32::try_from(one).unwrap(), i32::try_from(two).unwrap()]);
}
