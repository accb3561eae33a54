//! Colours and colour spaces, overprint, transparency.

use super::*;
use mintmark_preflight_engine::facts::Family;

const TINT: &str = "<< /FunctionType 2 /Domain [0 1] /C0 [0 0 0 0] /C1 [0 1 1 0] /N 1 >>";

fn painted(spaces: &str, content: &str) -> Facts {
    let mut doc = doc(content);
    doc.page().color_spaces = spaces.to_owned();
    read(&doc)
}

#[test]
fn separation_has_colorant_alternate_and_tint() {
    let facts =
        painted(&format!("/S [/Separation /Spot#201 /DeviceCMYK {TINT}]"), "/S cs 0.5 scn 0 0 50 50 re f");
    let element = only(&facts);
    let entry = space(&facts, element);
    assert_eq!((entry.family, entry.colorants.as_slice()), (Family::Separation, &["Spot 1".to_owned()][..]));
    assert_eq!(facts.spaces[entry.base.unwrap()].family, Family::DeviceCMYK);
    assert!(entry.used && !facts.spaces[entry.base.unwrap()].used);
    assert_eq!(element.paint.values.as_deref(), Some(&[0.5][..]));
}

#[test]
fn setting_a_spot_sets_its_full_tint() {
    let facts = painted(&format!("/S [/Separation /Spot /DeviceCMYK {TINT}]"), "/S cs 0 0 50 50 re f");
    assert_eq!(only(&facts).paint.values.as_deref(), Some(&[1.0][..]));
}

#[test]
fn tint_transforms_are_equal_direct_and_indirect_and_differ_by_a_number() {
    let mut doc = doc("/A cs 1 scn 0 0 50 50 re f /B cs 1 scn 0 0 50 50 re f /C cs 1 scn 0 0 50 50 re f");
    let indirect = doc.object(&TINT.replace("[0 1 1 0]", "[0.0 1.0 1 0]"));
    doc.page().color_spaces = format!(
        "/A [/Separation /One /DeviceCMYK {TINT}] /B [/Separation /Two /DeviceCMYK {indirect} 0 R] \
         /C [/Separation /Three /DeviceCMYK {}]",
        TINT.replace("[0 1 1 0]", "[0 1 0.9 0]")
    );
    let facts = read(&doc);
    let tints: Vec<_> = elements(&facts)
        .iter()
        .map(|element| space(&facts, element).tint_transform.clone().unwrap())
        .collect();
    assert_eq!(tints[0], tints[1]);
    assert_ne!(tints[0], tints[2]);
}

#[test]
fn compressed_and_plain_tint_functions_are_equal() {
    let program = b"{ dup 0 exch 0.5 mul 0 }";
    let mut doc = doc("/A cs 1 scn 0 0 50 50 re f /B cs 1 scn 0 0 50 50 re f");
    let entries = "/FunctionType 4 /Domain [0 1] /Range [0 1 0 1 0 1 0 1]";
    let (plain, packed) = (doc.stream(entries, program), doc.file.flate(entries, program));
    doc.page().color_spaces = format!(
        "/A [/Separation /One /DeviceCMYK {plain} 0 R] /B [/Separation /Two /DeviceCMYK {packed} 0 R]"
    );
    let facts = read(&doc);
    let [one, two] = elements(&facts) else { panic!() };
    assert_eq!(space(&facts, one).tint_transform, space(&facts, two).tint_transform);
}

#[test]
fn indexed_colour_is_given_in_its_base() {
    let facts = painted("/I [/Indexed /DeviceCMYK 1 <00000000 00FF00FF>]", "/I cs 1 scn 0 0 50 50 re f");
    let element = only(&facts);
    assert_eq!(space(&facts, element).family, Family::DeviceCMYK);
    assert_eq!(element.paint.values.as_deref(), Some(&[0.0, 1.0, 0.0, 1.0][..]));
    assert!(facts.spaces.iter().filter(|space| space.family == Family::Indexed).all(|space| space.used));
}

#[test]
fn device_n_has_colorants_and_process() {
    let facts = painted(
        &format!(
            "/N [/DeviceN [/Cyan /Black /Spot] /DeviceCMYK {TINT} << /Subtype /NChannel /Process << /ColorSpace \
             /DeviceCMYK /Components [/Cyan /Magenta /Yellow /Black] >> >>]"
        ),
        "/N cs 0 1 0 scn 0 0 50 50 re f",
    );
    let entry = space(&facts, only(&facts));
    assert_eq!(entry.colorants, ["Cyan", "Black", "Spot"]);
    assert_eq!(entry.subtype.as_deref(), Some("NChannel"));
    assert_eq!(entry.process.len(), 4);
}

#[test]
fn default_space_takes_the_place_of_the_device_space() {
    let facts = painted(
        "/DefaultRGB [/CalRGB << /WhitePoint [0.95 1 1.08] >>] /Own [/CalRGB << /WhitePoint [0.95 1 1.08] >>]",
        "1 0 0 rg 0 0 50 50 re f /Own cs 0 0 1 sc 100 0 50 50 re f",
    );
    let [stood_in, own] = elements(&facts) else { panic!() };
    assert_eq!(space(&facts, stood_in).family, Family::CalRGB);
    assert_eq!(space(&facts, stood_in).default_for, Some(Family::DeviceRGB));
    assert_eq!(space(&facts, own).default_for, None);
}

#[test]
fn equal_spaces_of_two_pages_are_one_entry() {
    let mut doc = doc("/S cs 1 scn 0 0 50 50 re f");
    doc.page().color_spaces = format!("/S [/Separation /Spot /DeviceCMYK {TINT}]");
    let second = doc.pages[0].clone();
    doc.pages.push(second);
    let facts = read(&doc);
    let spots = facts.spaces.iter().filter(|space| space.family == Family::Separation).count();
    assert_eq!((facts.pages.len(), spots), (2, 1));
}

#[test]
fn op_alone_in_a_dictionary_sets_both() {
    let overprints = |dictionary: &str| {
        let mut doc = doc("/G gs 100 100 50 50 re B");
        doc.page().ext_gstates = format!("/G << {dictionary} >>");
        let facts = read(&doc);
        let [fill, stroke] = elements(&facts) else { panic!() };
        (fill.paint.overprint, stroke.paint.overprint, fill.paint.overprint_mode)
    };
    assert_eq!(overprints("/OP true /OPM 1"), (true, true, 1));
    assert_eq!(overprints("/OP true /op false"), (false, true, 0));
    assert_eq!(overprints("/op true"), (true, false, 0));
}

#[test]
fn alpha_blend_and_groups_multiply() {
    let mut doc = doc("/G gs /X Do");
    let form = doc.stream(
        "/Type /XObject /Subtype /Form /BBox [0 0 600 600] /Group << /S /Transparency /CS /DeviceRGB /I true >> \
         /Resources << /ExtGState << /H << /ca 0.5 >> >> >>",
        b"/H gs 0 0 50 50 re f",
    );
    doc.page().ext_gstates = "/G << /ca 0.5 /CA 0.9 /BM [/Unheard /Multiply] >>".to_owned();
    doc.page().xobjects = format!("/X {form} 0 R");
    let facts = read(&doc);
    let element = only(&facts);
    assert_eq!((element.paint.alpha, element.paint.blend.as_str()), (0.25, "Multiply"));
    assert_eq!(element.within, ["form"]);
    assert!(page(&facts).transparency);
    let [group] = page(&facts).groups.as_slice() else { panic!() };
    assert!(group.isolated && !group.knockout);
    assert_eq!(facts.spaces[group.space.unwrap()].family, Family::DeviceRGB);
}

#[test]
fn white_is_no_ink_in_any_space() {
    let spaces = format!(
        "/S [/Separation /Spot /DeviceCMYK {TINT}] /L [/Lab << /WhitePoint [0.9 1 1] >>] \
         /I [/Indexed /DeviceRGB 1 <000000 FFFFFF>]"
    );
    for (content, ink) in [
        ("1 g", false),
        ("0.99 g", true),
        ("0 0 0 0 k", false),
        ("0 0 0 0.01 k", true),
        ("1 1 1 rg", false),
        ("/S cs 0 scn", false),
        ("/S cs 0.1 scn", true),
        ("/L cs 100 0 0 sc", false),
        ("/L cs 90 0 0 sc", true),
        ("/I cs 1 sc", false),
        ("/I cs 0 sc", true),
    ] {
        let facts = painted(&spaces, &format!("{content} 0 0 50 50 re f"));
        assert_eq!(page(&facts).inked, ink, "{content}");
        assert!(page(&facts).ink_box.is_some());
    }
}
