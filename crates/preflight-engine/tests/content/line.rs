//! Lines and areas.

use super::*;

#[test]
fn stroke_has_the_width_of_the_smaller_axis() {
    assert_eq!(widths(&facts("0.5 w 10 10 m 100 10 l S")), [0.5]);
    assert_eq!(widths(&facts("q 2 0 0 0.5 0 0 cm 1 w 10 10 m 100 10 l S Q")), [0.5]);
    // Turned by 90 degrees.
    assert_eq!(widths(&facts("q 0 3 -3 0 300 0 cm 0.1 w 10 10 m 50 10 l S Q")), [0.3]);
    assert_eq!(widths(&facts("0 w 10 10 m 100 10 l S")), [0.0]);
}

#[test]
fn width_is_multiplied_by_user_unit() {
    let mut doc = doc("0.5 w 10 10 m 100 10 l S 0 0 100 0.2 re f");
    doc.page().user_unit = Some(2.0);
    let facts = read(&doc);
    assert_eq!(widths(&facts), [1.0, 0.4]);
    // Rectangles stay in user space.
    assert_eq!(elements(&facts)[1].places.first[0].bbox, [0.0, 0.0, 100.0, 0.2]);
}

#[test]
fn thin_filled_rectangle_is_a_line_of_exactly_its_small_side() {
    for content in [
        "10.1 10.1 200 0.25 re f",
        "10.1 10.1 m 210.1 10.1 l 210.1 10.35 l 10.1 10.35 l h f",
        "10.1 10.1 m 210.1 10.1 l 210.1 10.35 l 10.1 10.35 l 10.1 10.1 l f*",
        "q 0.1 0 0 0.1 0 0 cm 101 101 2000 2.5 re f Q",
        "q 0.7071067811865476 0.7071067811865475 -0.7071067811865475 0.7071067811865476 300 9 cm 0 0 99 0.25 re f Q",
    ] {
        let facts = facts(content);
        let element = only(&facts);
        assert_eq!(element.kind, ElementKind::Line { width_pt: 0.25, filled: true }, "{content}");
    }
}

#[test]
fn filled_area_and_curve_are_paths() {
    for content in
        ["10 10 100 100 re f", "10 10 2 2 re f", "10 10 m 100 10 100 11 10 11 c f", "0 0 m 50 0 l 20 30 l f"]
    {
        assert_eq!(only(&facts(content)).kind, ElementKind::Path {}, "{content}");
    }
}

#[test]
fn bars_of_one_path_are_lines_one_by_one() {
    let facts = facts("10 10 1 50 re 12 10 0.5 50 re 14 10 1 50 re 20 10 50 50 re f");
    let kinds: Vec<_> =
        elements(&facts).iter().map(|element| (element.kind.clone(), element.places.count)).collect();
    let line = |width_pt| ElementKind::Line { width_pt, filled: true };
    assert_eq!(kinds, [(ElementKind::Path {}, 1), (line(1.0), 2), (line(0.5), 1)]);
    assert_eq!(page(&facts).counts.fills, 1);
}

#[test]
fn fill_and_stroke_are_two_elements_that_do_not_overlap_each_other() {
    let facts = facts("1 0 0 rg 0 0 1 RG 2 w 100 100 50 50 re B");
    let [fill, stroke] = elements(&facts) else { panic!() };
    assert_eq!(fill.kind, ElementKind::Path {});
    assert_eq!(fill.paint.values.as_deref(), Some(&[1.0, 0.0, 0.0][..]));
    assert_eq!(stroke.kind, ElementKind::Line { width_pt: 2.0, filled: false });
    assert_eq!(stroke.paint.values.as_deref(), Some(&[0.0, 0.0, 1.0][..]));
    assert_eq!(stroke.places.first[0].bbox, [99.0, 99.0, 151.0, 151.0]);
    assert!(!fill.overlapping && !stroke.overlapping);
}

#[test]
fn what_is_painted_over_something_overlaps() {
    let facts = facts("0.9 g 0 0 300 300 re f 0 g 1 w 10 10 m 100 10 l S 400 400 m 500 400 l S");
    let overlapping: Vec<bool> = elements(&facts).iter().map(|element| element.overlapping).collect();
    assert_eq!(overlapping, [false, true, false]);
}

#[test]
fn alike_elements_are_one_with_eight_places() {
    let facts = facts(&"0.5 w 10 10 m 100 10 l S\n".repeat(20));
    // The first lies on nothing, the others on it.
    let counts: Vec<u64> = elements(&facts).iter().map(|element| element.places.count).collect();
    assert_eq!(counts, [1, 19]);
    let second = &elements(&facts)[1].places;
    assert_eq!(second.first.len(), 8);
    assert_eq!(second.first[0].operator, 7);
}

#[test]
fn what_is_clipped_away_or_off_the_media_is_not_visible() {
    for content in [
        "q 0 0 50 50 re W n 100 100 50 50 re f Q",
        "700 700 50 50 re f",
        "q 0 0 50 50 re W n 60 60 50 50 re W n 0 0 600 600 re f Q",
    ] {
        let facts = facts(content);
        assert!(!only(&facts).visible, "{content}");
        assert!(!page(&facts).inked);
        assert_eq!(page(&facts).ink_box, None);
    }
    let clipped = facts("q 0 0 50 50 re W n 40 40 50 50 re f Q");
    assert!(only(&clipped).visible);
    assert_eq!(page(&clipped).ink_box, Some([40.0, 40.0, 50.0, 50.0]));
}
