//! Optional content.

use super::*;

fn layered(properties: impl Fn(u32, u32) -> String, content: &str) -> Facts {
    let mut doc = doc(content);
    let on = doc.object("<< /Type /OCG /Name (On) >>");
    let off = doc.object("<< /Type /OCG /Name (Off) >>");
    doc.catalog = format!(
        "/OCProperties << /OCGs [{on} 0 R {off} 0 R] /D << /Name (Default) /Order [{on} 0 R {off} 0 R] /OFF [{off} 0 R] >> >>"
    );
    let entries = properties(on, off).replace("OCMD", "/Type /OCMD");
    let names = ["/L", "/M"];
    doc.page().properties = entries
        .split(';')
        .zip(names)
        .map(|(entry, name)| {
            let number = if entry.ends_with(" 0 R") {
                entry.to_owned()
            } else {
                format!("{} 0 R", doc.file.add(entry))
            };
            format!("{name} {number} ")
        })
        .collect();
    read(&doc)
}

const PAINT: &str = "/OC /L BDC 0 0 50 50 re f EMC";

#[test]
fn what_is_on_a_layer_that_is_off_is_not_visible() {
    let facts = layered(
        |on, off| format!("{on} 0 R;{off} 0 R"),
        "/OC /L BDC 0 0 50 50 re f /OC /M BDC 0 0 9 9 re f EMC EMC",
    );
    let [on, off] = elements(&facts) else { panic!() };
    assert!(on.visible && !off.visible);
    assert_eq!((on.layer, off.layer), (Some(0), Some(1)));
    assert_eq!(page(&facts).ink_box, Some([0.0, 0.0, 50.0, 50.0]));
}

#[test]
fn membership_follows_its_policy() {
    for (policy, visible) in
        [("", true), ("/P /AnyOn", true), ("/P /AllOn", false), ("/P /AnyOff", true), ("/P /AllOff", false)]
    {
        let facts = layered(|on, off| format!("<< OCMD /OCGs [{on} 0 R {off} 0 R] {policy} >>"), PAINT);
        assert_eq!(only(&facts).visible, visible, "{policy}");
    }
}

#[test]
fn visibility_expression_comes_before_the_policy() {
    for (expression, visible) in
        [("[/And 1 2]", false), ("[/Or 1 2]", true), ("[/Not 1]", false), ("[/And 1 [/Not 2]]", true)]
    {
        let facts = layered(
            |on, off| {
                let expression =
                    expression.replace('1', &format!("{on} 0 R")).replace('2', &format!("{off} 0 R"));
                format!("<< OCMD /OCGs {off} 0 R /VE {expression} >>")
            },
            PAINT,
        );
        // Numbers of objects hold the digits too; the expression is read as it came out.
        assert_eq!(only(&facts).visible, visible, "{expression}");
    }
}

#[test]
fn forms_and_images_have_layers_of_their_own() {
    let mut doc = doc("/X Do 0 0 9 9 re f");
    let off = doc.object("<< /Type /OCG /Name (Off) >>");
    doc.catalog = format!("/OCProperties << /OCGs [{off} 0 R] /D << /OFF [{off} 0 R] >> >>");
    let form = doc.stream(&format!("/Subtype /Form /BBox [0 0 9 9] /OC {off} 0 R"), b"0 0 9 9 re f");
    doc.page().xobjects = format!("/X {form} 0 R");
    let facts = read(&doc);
    let visible: Vec<bool> = elements(&facts).iter().map(|element| element.visible).collect();
    assert_eq!(visible, [false, true]);
}
