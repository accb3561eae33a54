//! R0027 to R0029: colour spaces as they are used, and as alternates.

use super::{
    Case, Truth,
    Truth::{Bad, Good},
    blank,
};
use crate::pdf::{Doc, icc};

/// Spaces by name, with what is allowed: as space of an image, of something else, as alternate; for early, intermediate and
/// late binding.
const SPACES: [(&str, [[Truth; 3]; 3]); 10] = [
    ("DeviceGray", [[Good, Good, Good], [Good, Good, Good], [Good, Good, Good]]),
    ("DeviceCMYK", [[Good, Good, Good], [Good, Good, Good], [Good, Good, Good]]),
    ("DeviceRGB", [[Bad, Bad, Bad], [Bad, Bad, Bad], [Bad, Bad, Bad]]),
    ("CalRGB", [[Bad, Bad, Bad], [Good, Bad, Good], [Good, Bad, Good]]),
    ("CalGray", [[Bad, Bad, Bad], [Bad, Bad, Bad], [Bad, Bad, Bad]]),
    ("IccRgb", [[Bad, Bad, Bad], [Good, Bad, Good], [Good, Good, Good]]),
    ("IccGray", [[Bad, Bad, Bad], [Bad, Bad, Bad], [Bad, Bad, Bad]]),
    ("IccCmyk", [[Bad, Bad, Bad], [Bad, Bad, Bad], [Good, Bad, Good]]),
    ("Lab", [[Bad, Bad, Good], [Good, Bad, Good], [Good, Good, Good]]),
    ("Spot", [[Good, Good, Good], [Good, Good, Good], [Good, Good, Good]]),
];

/// A space as an object and its number of components.
fn space(doc: &mut Doc, name: &str) -> (String, usize) {
    let mut profile = |bytes: Vec<u8>, components: usize| {
        let stream = doc.stream(&format!("/N {components}"), &bytes);
        (format!("[/ICCBased {stream} 0 R]"), components)
    };
    match name {
        "DeviceGray" => ("/DeviceGray".to_owned(), 1),
        "DeviceCMYK" => ("/DeviceCMYK".to_owned(), 4),
        "DeviceRGB" => ("/DeviceRGB".to_owned(), 3),
        "CalRGB" => ("[/CalRGB << /WhitePoint [0.9505 1 1.089] /Gamma [2.2 2.2 2.2] >>]".to_owned(), 3),
        "CalGray" => ("[/CalGray << /WhitePoint [0.9505 1 1.089] /Gamma 2.2 >>]".to_owned(), 1),
        "Lab" => ("[/Lab << /WhitePoint [0.9642 1 0.8249] /Range [-128 127 -128 127] >>]".to_owned(), 3),
        "IccRgb" => profile(icc::rgb(), 3),
        "IccGray" => profile(icc::gray(), 1),
        "IccCmyk" => profile(icc::cmyk(), 4),
        _ => {
            let tint = "<< /FunctionType 2 /Domain [0 1] /C0 [0 0 0 0] /C1 [0 1 0 0] /N 1 >>";
            (format!("[/Separation /Gold /DeviceCMYK {tint}]"), 1)
        }
    }
}

/// What another reader calls it.
fn seen_as(name: &str) -> &str {
    match name {
        "IccRgb" => "ICCBased RGB",
        "IccGray" => "ICCBased GRAY",
        "IccCmyk" => "ICCBased CMYK",
        "Spot" => "Separation",
        _ => name,
    }
}

/// Paints something in a space of so many components.
type Make = fn(&mut Doc, &str, usize);

fn image(doc: &mut Doc, space: &str, components: usize) {
    let number = doc.stream(
        &format!("/Type /XObject /Subtype /Image /Width 8 /Height 8 /BitsPerComponent 8 /ColorSpace {space}"),
        &vec![100; 64 * components],
    );
    doc.page().xobjects = format!("/Im {number} 0 R");
    doc.page().content.push_str("q 50 0 0 50 60 60 cm /Im Do Q\n");
}

fn path(doc: &mut Doc, space: &str, components: usize) {
    doc.page().color_spaces = format!("/S {space}");
    let values = "0.4 ".repeat(components);
    doc.page().content.push_str(&format!("/S cs {values} scn 60 60 50 50 re f\n"));
}

fn alternate(doc: &mut Doc, space: &str, components: usize) {
    let (zero, one) = ("0 ".repeat(components), "0.4 ".repeat(components));
    let tint = format!("<< /FunctionType 2 /Domain [0 1] /C0 [{zero}] /C1 [{one}] /N 1 >>");
    path(doc, &format!("[/Separation /Silver {space} {tint}]"), 1);
}

pub fn cases() -> Vec<Case> {
    let rules = [
        ("R0027", "gwg-2022-sheetspot-cmyk"),
        ("R0028", "gwg-2022-sheetspot-cmyk-rgb"),
        ("R0029", "gwg-2022-large-format-print"),
    ];
    let mut cases = Vec::new();
    for (index, (rule, policy)) in rules.into_iter().enumerate() {
        for (name, allowed) in SPACES {
            let [of_image, of_path, of_alternate] = allowed[index];
            let used: [(&str, Make, Truth); 3] =
                [("image", image, of_image), ("path", path, of_path), ("alternate", alternate, of_alternate)];
            for (what, make, truth) in used {
                // An alternate is no special space.
                if what == "alternate" && name == "Spot" {
                    continue;
                }
                let mut doc = blank();
                let (object, components) = space(&mut doc, name);
                make(&mut doc, &object, components);
                let case = Case::new(rule, &format!("{what}-{name}"), truth, &doc).policy(policy);
                let kind = if what == "alternate" { "alternate" } else { "space" };
                cases.push(case.shows(format!("{kind} {}", seen_as(name))));
            }
        }
        cases.extend(special(rule, policy));
    }
    cases
}

/// Masks, Indexed, patterns, shadings, and what is not used.
fn special(rule: &'static str, policy: &'static str) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |what: &str, truth: Truth, make: &dyn Fn(&mut Doc)| {
        let mut doc = blank();
        make(&mut doc);
        let case = Case::new(rule, what, truth, &doc).policy(policy);
        let used = !what.starts_with("unused");
        let space = if what.ends_with("RGB") || what == "operator-rg" {
            "space DeviceRGB"
        } else {
            "space DeviceCMYK"
        };
        cases.push(if used { case.shows(space) } else { case });
    };
    add("unused-DeviceRGB", Good, &|doc| doc.page().color_spaces = "/S /DeviceRGB".to_owned());
    add("operator-rg", Bad, &|doc| doc.page().content.push_str("1 0 0 rg 60 60 50 50 re f"));
    add("indexed-DeviceRGB", Bad, &|doc| path(doc, "[/Indexed /DeviceRGB 1 <000000FF0000>]", 1));
    add("indexed-DeviceCMYK", Good, &|doc| path(doc, "[/Indexed /DeviceCMYK 1 <00000000FF000000>]", 1));
    add("image-indexed-DeviceRGB", Bad, &|doc| image(doc, "[/Indexed /DeviceRGB 255 <000000FF0000>]", 1));
    let mask = |colour: &'static str| {
        move |doc: &mut Doc| {
            let number = doc.stream(
                "/Type /XObject /Subtype /Image /Width 8 /Height 8 /ImageMask true /BitsPerComponent 1",
                &[0b1010_1010; 8],
            );
            doc.page().xobjects = format!("/Im {number} 0 R");
            doc.page().content.push_str(&format!("{colour} q 50 0 0 50 60 60 cm /Im Do Q\n"));
        }
    };
    add("mask-DeviceRGB", Bad, &mask("1 0 0 rg"));
    add("mask-DeviceCMYK", Good, &mask("0 1 0 0 k"));
    let shading = |space: &'static str, zero: &'static str| {
        move |doc: &mut Doc| {
            doc.page().shadings = format!(
                "/Sh << /ShadingType 2 /ColorSpace /{space} /Coords [60 60 110 60] /Function << /FunctionType 2 /Domain \
                 [0 1] /C0 [{zero}] /C1 [{zero}] /N 1 >> >>"
            );
            doc.page().content.push_str("q 60 60 50 50 re W n /Sh sh Q");
        }
    };
    add("shading-DeviceRGB", Bad, &shading("DeviceRGB", "1 0 0"));
    add("shading-DeviceCMYK", Good, &shading("DeviceCMYK", "1 0 0 0"));
    let tiling = |colour: &'static str| {
        move |doc: &mut Doc| {
            let number = doc.stream(
                "/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 10 10] /XStep 10 /YStep 10 /Resources \
                 << >>",
                format!("{colour} 0 0 5 5 re f").as_bytes(),
            );
            doc.page().patterns = format!("/P {number} 0 R");
            doc.page().content.push_str("/Pattern cs /P scn 60 60 50 50 re f");
        }
    };
    add("tiling-DeviceRGB", Bad, &tiling("1 0 0 rg"));
    add("tiling-DeviceCMYK", Good, &tiling("0 1 0 0 k"));
    cases
}
