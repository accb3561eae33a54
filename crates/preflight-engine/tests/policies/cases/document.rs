//! R0001, R0034 to R0036, R1001, R1002 and what concerns any document.

use mintmark_preflight_engine::policy::Intent;

use super::{
    Case, Truth,
    Truth::{Bad, Good},
    blank,
};
use crate::pdf::{Doc, icc};

/// Layers: name, whether it is on, and its processing step.
fn layers(doc: &mut Doc, list: &[(&str, bool, Option<&str>)], more: &str, in_default: &str) {
    let mut groups = Vec::new();
    let mut off = Vec::new();
    for (name, on, step) in list {
        let metadata = step.map_or_else(String::new, |step| {
            let (group, kind) = step.split_once('/').unwrap();
            format!("/GTS_Metadata << /GTS_ProcStepsGroup /{group} /GTS_ProcStepsType /{kind} >>")
        });
        let number = doc.object(&format!("<< /Type /OCG /Name ({name}) {metadata} >>"));
        groups.push(format!("{number} 0 R"));
        if !on {
            off.push(format!("{number} 0 R"));
        }
    }
    let list = groups.join(" ");
    let off = if off.is_empty() { String::new() } else { format!("/OFF [{}]", off.join(" ")) };
    doc.catalog = format!(
        "/OCProperties << /OCGs [{list}] /D << /Name (Default) /Order [{list}] {off} {in_default} >> {more} >>"
    );
}

fn layered() -> Vec<Case> {
    let make = |list: &[(&str, bool, Option<&str>)], more: &str, in_default: &str| {
        let mut doc = blank();
        layers(&mut doc, list, more, in_default);
        doc
    };
    let (on, off) = (("Art", true, None), ("Draft", false, None));
    let magazine = "gwg-2022-magazineads-cmyk";
    let large = "gwg-2022-large-format-print";
    vec![
        Case::new("R0034", "no-layers", Good, &blank()).policy(magazine),
        Case::new("R0034", "default-alone", Good, &make(&[on], "", ""))
            .policy(magazine)
            .shows("configs none"),
        Case::new("R0034", "configs", Bad, &make(&[on], "/Configs [<< /Name (Other) >>]", ""))
            .policy(magazine)
            .shows("configs 1"),
        Case::new("R0034", "configs-empty", Bad, &make(&[on], "/Configs []", ""))
            .policy(magazine)
            .shows("configs 0"),
        Case::new("R0036", "no-layers", Good, &blank()).policy(large),
        Case::new("R0036", "all-on", Good, &make(&[on], "", "")).policy(large).shows("layer Art on"),
        Case::new("R0036", "one-off", Bad, &make(&[on, off], "", "")).policy(large).shows("layer Draft off"),
        Case::new("R0036", "base-state-off", Bad, &make(&[on], "", "/BaseState /OFF"))
            .policy(large)
            .shows("layer Art off"),
    ]
}

fn steps() -> Vec<Case> {
    let cut = ("Cut", true, Some("Structural/Cutting"));
    let crease = ("Crease", true, Some("Structural/Creasing"));
    let reverse = ("Crease", true, Some("Structural/ReverseCreasing"));
    let fold = ("Fold", true, Some("Structural/Folding"));
    let art = ("Art", true, None);
    let product = |name: &str| Intent { product_type: Some(name.to_owned()), ..Intent::default() };
    let make = |list: &[(&str, bool, Option<&str>)]| {
        let mut doc = blank();
        layers(&mut doc, list, "", "");
        doc
    };
    let label = "gwg-2022-label-leaflet";
    let carton = "gwg-2022-folding-carton-corrugated-box";
    let flexo = "gwg-2022-packaging-flexo";
    vec![
        Case::new("R1001", "label-cut", Good, &make(&[art, cut]))
            .policy(label)
            .shows("step Structural/Cutting"),
        Case::new("R1001", "label-no-cut", Bad, &make(&[art])).policy(label),
        Case::new("R1001", "label-creased", Bad, &make(&[cut, crease])).policy(label),
        Case::new("R1001", "label-folded", Good, &make(&[cut, fold])).policy(label),
        Case::new("R1001", "carton-folded", Bad, &make(&[cut, fold])).policy(carton),
        Case::new("R1001", "carton-creased", Good, &make(&[cut, crease])).policy(carton),
        Case::new("R1001", "no-layers", Bad, &blank()).policy(label),
        Case::new("R1001", "flexo-flexible", Good, &make(&[cut, fold]))
            .policy(flexo)
            .intent(product("Flexible")),
        Case::new("R1001", "flexo-display", Bad, &make(&[cut, fold]))
            .policy(flexo)
            .intent(product("Corrugated Display")),
        Case::new("R1002", "creased", Good, &make(&[cut, crease]))
            .policy(carton)
            .shows("step Structural/Creasing"),
        Case::new("R1002", "reverse", Good, &make(&[cut, reverse])).policy(carton),
        Case::new("R1002", "none", Bad, &make(&[cut])).policy(carton),
        Case::new("R1002", "flexo-flexible", Good, &make(&[cut])).policy(flexo).intent(product("Flexible")),
        Case::new("R1002", "flexo-without-product", Bad, &make(&[cut])).policy(flexo),
        // What the steps paint is no page element.
        Case::new("R0020", "spot-of-a-step", Good, &step_spot(true)).policy("gwg-2022-sheetspot-cmyk"),
        Case::new("R0020", "spot-of-a-layer", Bad, &step_spot(false)).policy("gwg-2022-sheetspot-cmyk"),
    ]
}

/// A spot painted on a layer, which is a processing step or not.
fn step_spot(step: bool) -> Doc {
    let mut doc = blank();
    layers(&mut doc, &[("Cut", true, step.then_some("Structural/Cutting"))], "", "");
    let page = doc.page();
    page.color_spaces =
        "/S [/Separation /CutContour /DeviceCMYK << /FunctionType 2 /Domain [0 1] /C0 [0 0 0 0] /C1 \
                         [0 1 0 0] /N 1 >>]"
            .to_owned();
    page.properties = "/L 1 0 R".to_owned();
    page.content.push_str("/OC /L BDC /S CS 1 SCN 1 w 60 60 m 90 90 l S EMC");
    doc
}

fn intents() -> Vec<Case> {
    let with = |alter: &dyn Fn(&mut Doc)| {
        let mut doc = blank();
        alter(&mut doc);
        doc
    };
    let rgb = with(&|doc| {
        doc.profile = Some(icc::relabelled(icc::rgb(), b"prtr"));
        doc.profile_components = 3;
    });
    let gray = with(&|doc| {
        doc.profile = Some(icc::relabelled(icc::gray(), b"prtr"));
        doc.profile_components = 1;
    });
    vec![
        Case::new("R0035", "cmyk", Good, &blank()).shows("intent GTS_PDFX CMYK"),
        Case::new("R0035", "rgb", Bad, &rgb).shows("intent GTS_PDFX RGB"),
        Case::new("R0035", "gray", Bad, &gray).shows("intent GTS_PDFX GRAY"),
        Case::new("R0035", "no-profile", Bad, &with(&|doc| doc.profile = None)).shows("intent GTS_PDFX none"),
        Case::new("R0035", "no-intent", Bad, &with(&|doc| doc.intent = None)),
        Case::new(
            "R0035",
            "another-subtype",
            Bad,
            &with(&|doc| {
                doc.intent = doc.intent.as_ref().map(|intent| intent.replace("GTS_PDFX", "GTS_PDFA1"));
            }),
        ),
    ]
}

fn general() -> Vec<Case> {
    let digital = "digital-print";
    let case = |rule, what: &str, truth: Truth, alter: &dyn Fn(&mut Doc)| {
        let mut doc = blank();
        alter(&mut doc);
        Case::new(rule, what, truth, &doc).policy(digital)
    };
    let mut cut = case("D0001", "cut-in-half", Bad, &|_| {});
    cut.file.truncate(300);
    let mut words = case("D0001", "no-PDF", Bad, &|_| {});
    words.file = b"These are words.".to_vec();
    let mut shifted = case("D0002", "xref-wrong", Bad, &|_| {});
    let at = shifted.file.windows(9).rposition(|window| window == b"startxref").unwrap();
    shifted.file.truncate(at);
    shifted.file.extend_from_slice(b"startxref\n7\n%%EOF\n");
    vec![
        case("D0001", "sound", Good, &|_| {}),
        cut,
        words,
        case("D0002", "sound", Good, &|_| {}),
        shifted,
        case("D0003", "X-4", Good, &|_| {}),
        case("D0003", "no-claim", Good, &|doc| {
            doc.set_xmp("pdfxid:GTS_PDFXVersion", "");
            doc.id = false;
        }),
        case("D0003", "X-4-without-ID", Bad, &|doc| doc.id = false),
        case("D0004", "none", Good, &|_| {}),
        case("D0004", "open-action", Bad, &|doc| {
            doc.catalog = "/OpenAction << /S /JavaScript /JS (app.beep\\(\\)) >>".into();
        }),
        case("D0004", "page-action", Bad, &|doc| {
            doc.page().entries = "/AA << /O << /S /JavaScript /JS (1) >> >>".into();
        }),
        case("D0005", "none", Good, &|_| {}),
        case("D0005", "attached", Bad, &|doc| {
            let file = doc.stream("/Type /EmbeddedFile", b"words");
            let specification =
                doc.object(&format!("<< /Type /Filespec /F (a.txt) /EF << /F {file} 0 R >> >>"));
            doc.catalog = format!("/Names << /EmbeddedFiles << /Names [(a) {specification} 0 R] >> >>");
        }),
    ]
}

pub fn cases() -> Vec<Case> {
    [layered(), steps(), intents(), general()].into_iter().flatten().collect()
}
