//! Boxes, inheritance, the page tree.

use mintmark_preflight_engine::facts::ObjectRef;

use super::{facts, kinds, pdf::Pdf};

/// A file whose page tree is the given objects from 2 on.
fn tree(objects: &[&str]) -> Vec<u8> {
    let mut file = Pdf::new("1.4");
    file.add("<< /Type /Catalog /Pages 2 0 R >>");
    for object in objects {
        file.add(*object);
    }
    file.trailer = "/Root 1 0 R".to_owned();
    file.build()
}

#[test]
fn boxes_are_inherited_and_normalised() {
    let facts = facts(tree(&[
        "<< /Type /Pages /Kids [3 0 R 5 0 R] /Count 2 /MediaBox [0 0 100 200] /Rotate 90 /CropBox [1 1 99 199] >>",
        "<< /Type /Pages /Parent 2 0 R /Kids [4 0 R] /Count 1 /MediaBox [300 400 0 0] >>",
        "<< /Type /Page /Parent 3 0 R /TrimBox [10.123456789 20 30 40] /UserUnit 2.5 /Rotate -90 >>",
        "<< /Type /Page /Parent 2 0 R /BleedBox [0 0 1 1] /ArtBox [0 0 2 2] /CropBox [5 5 6 6] >>",
    ]));
    assert_eq!(kinds(&facts), [""; 0]);
    let [first, second] = facts.pages.as_slice() else { panic!("{}", facts.pages.len()) };
    assert_eq!(first.boxes.media, Some([0.0, 0.0, 300.0, 400.0]));
    assert_eq!(first.boxes.crop, Some([1.0, 1.0, 99.0, 199.0]));
    assert_eq!(first.boxes.trim, Some([10.123_456_789, 20.0, 30.0, 40.0]));
    assert_eq!((first.rotate, first.user_unit, first.number), (-90, Some(2.5), 1));
    assert_eq!(first.object, Some(ObjectRef(4, 0)));
    assert_eq!(second.boxes.media, Some([0.0, 0.0, 100.0, 200.0]));
    assert_eq!(second.boxes.crop, Some([5.0, 5.0, 6.0, 6.0]));
    assert_eq!((second.boxes.bleed, second.boxes.trim), (Some([0.0, 0.0, 1.0, 1.0]), None));
    assert_eq!((second.rotate, second.user_unit), (90, None));
}

#[test]
fn missing_media_box_is_absent() {
    let facts =
        facts(tree(&["<< /Type /Pages /Kids [3 0 R] /Count 1 >>", "<< /Type /Page /Parent 2 0 R >>"]));
    assert_eq!(facts.pages[0].boxes.media, None);
}

#[test]
fn loops_repeats_and_gaps_of_the_tree_are_damage() {
    let facts = facts(tree(&[
        "<< /Type /Pages /Kids [3 0 R 3 0 R 9 0 R 4 0 R] /Count 7 /MediaBox [0 0 9 9] >>",
        "<< /Type /Page /Parent 2 0 R >>",
        "<< /Type /Pages /Kids [2 0 R] /Count 1 >>",
    ]));
    assert_eq!(kinds(&facts), ["page_repeated", "page_missing", "page_tree_loop", "page_count_wrong"]);
    assert_eq!(facts.pages.iter().map(|page| page.object.unwrap().0).collect::<Vec<_>>(), [3, 3]);
    assert_eq!(facts.file.damage[1].object, Some(ObjectRef(9, 0)));
}

#[test]
fn annotations_are_listed_with_their_rectangles() {
    let facts = facts(tree(&[
        "<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 9 9] >>",
        "<< /Type /Page /Parent 2 0 R /Annots [4 0 R << /Subtype /Square /AP << /N 5 0 R >> >> 99 0 R 7] >>",
        "<< /Type /Annot /Subtype /Link /Rect [5 5 1 1] /F 4 >>",
        "<< /Type /XObject /Subtype /Form /BBox [0 0 1 1] /Length 0 >>\nstream\n\nendstream",
    ]));
    let [link, square] = facts.pages[0].annotations.as_slice() else { panic!() };
    assert_eq!((link.kind.as_str(), link.rect, link.flags), ("Link", Some([1.0, 1.0, 5.0, 5.0]), 4));
    assert_eq!((link.appearance, link.object), (false, Some(ObjectRef(4, 0))));
    assert_eq!((square.kind.as_str(), square.appearance, square.object), ("Square", true, None));
}
