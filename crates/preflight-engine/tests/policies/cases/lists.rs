//! The listed checks of PDF/X, and R0001, which makes those of PDF/X-4.

use super::{
    Case, Truth,
    Truth::{Bad, Good},
    blank,
};
use crate::pdf::{Doc, icc};

const LISTED: [&str; 3] = ["pdfx-1a-2003-listed", "pdfx-3-2003-listed", "pdfx-4-listed"];

/// A file that meets the listed checks of a policy.
fn base(policy: &str) -> Doc {
    let mut doc = blank();
    if policy != "pdfx-4-listed" {
        doc.version = "1.4".to_owned();
        doc.set_xmp("pdfxid:GTS_PDFXVersion", "");
        let standard = if policy.contains("-1a-") { "PDF/X-1a:2003" } else { "PDF/X-3:2003" };
        doc.set_info("GTS_PDFXVersion", &format!("({standard})"));
    }
    doc.page().content.push_str("0 0 0 1 k BT /F1 20 Tf 60 60 Td (Text) Tj ET\n");
    doc
}

type Alter = fn(&mut Doc);

/// What is done to the base file, and in which standards it is bad.
fn rows() -> Vec<(&'static str, &'static str, [Truth; 3], Alter)> {
    let all = [Bad, Bad, Bad];
    let old = [Bad, Bad, Good];
    vec![
        ("X0001", "another-claim", all, |doc| {
            doc.set_info("GTS_PDFXVersion", "(PDF/X-5g)");
            doc.set_xmp("pdfxid:GTS_PDFXVersion", "PDF/X-5g");
        }),
        ("X0001", "no-claim", all, |doc| {
            doc.set_info("GTS_PDFXVersion", "");
            doc.set_xmp("pdfxid:GTS_PDFXVersion", "");
        }),
        ("X0002", "version-1.7", all, |doc| doc.version = "1.7".into()),
        ("X0002", "version-1.5", old, |doc| doc.version = "1.5".into()),
        ("X0003", "none", all, |doc| doc.intent = None),
        ("X0003", "not-PDF/X", all, |doc| {
            doc.intent = doc.intent.as_ref().map(|intent| intent.replace("GTS_PDFX", "GTS_PDFA1"));
        }),
        ("X0004", "no-identifier", all, |doc| doc.intent = Some("/S /GTS_PDFX".into())),
        ("X0004", "display-profile", all, |doc| {
            doc.profile = Some(icc::relabelled(icc::cmyk(), b"mntr"));
        }),
        ("X0004", "registry-instead-of-profile", [Good, Good, Bad], |doc| {
            doc.profile = None;
            doc.intent = Some(
                "/S /GTS_PDFX /OutputConditionIdentifier (FOGRA39) /RegistryName (http://www.color.org)"
                    .into(),
            );
        }),
        ("X0005", "no-title", all, |doc| {
            doc.set_info("Title", "");
            doc.set_xmp("dc:title", "");
        }),
        ("X0005", "no-modification-date", all, |doc| {
            doc.set_info("ModDate", "");
            doc.set_xmp("xmp:ModifyDate", "");
        }),
        ("X0005", "no-XMP", [Good, Good, Bad], |doc| doc.xmp = None),
        ("X0006", "unknown", all, |doc| {
            doc.set_info("Trapped", "/Unknown");
            doc.set_xmp("pdf:Trapped", "Unknown");
        }),
        ("X0006", "missing", all, |doc| {
            doc.set_info("Trapped", "");
            doc.set_xmp("pdf:Trapped", "");
        }),
        ("X0006", "true", [Good; 3], |doc| {
            doc.set_info("Trapped", "/True");
            doc.set_xmp("pdf:Trapped", "True");
        }),
        ("X0007", "no-ID", all, |doc| doc.id = false),
        ("X0008", "no-trim", all, |doc| doc.page().trim = None),
        ("X0008", "art-instead", [Good; 3], |doc| {
            doc.page().art = doc.page().trim;
            doc.page().trim = None;
        }),
        ("X0008", "art-and-trim", all, |doc| doc.page().art = doc.page().trim),
        ("X0008", "trim-beyond-bleed", all, |doc| {
            doc.page().bleed = doc.page().trim.map(|trim| [trim[0] + 1.0, trim[1], trim[2], trim[3]]);
        }),
        ("X0008", "bleed-beyond-media", all, |doc| {
            doc.page().bleed = doc.page().media.map(|media| [media[0] - 1.0, media[1], media[2], media[3]]);
        }),
        ("X0009", "not-embedded", all, |doc| doc.embed_font = false),
        ("X0009", "not-embedded-and-not-used", [Good; 3], |doc| {
            doc.embed_font = false;
            doc.page().content = "0 0 0 1 k 60 60 10 10 re f".into();
        }),
        ("X0011", "JavaScript", all, |doc| doc.catalog = "/OpenAction << /S /JavaScript /JS (1) >>".into()),
        ("X0011", "named-action", all, |doc| doc.catalog = "/OpenAction << /S /Named /N /Print >>".into()),
        ("X0012", "note", all, |doc| annotation(doc, "Text", "60 60 90 90")),
        ("X0012", "note-outside", [Good; 3], |doc| {
            doc.page().media = Some([0.0, 0.0, 500.0, 500.0]);
            annotation(doc, "Text", "400 400 420 420");
        }),
        ("X0012", "printers-mark", [Good; 3], |doc| annotation(doc, "PrinterMark", "60 60 90 90")),
        ("X0012", "form-field", all, |doc| {
            doc.catalog = "/AcroForm << /Fields [<< /FT /Tx /T (Name) >>] >>".into();
        }),
        ("X0013", "transfer-function", all, |doc| state(doc, "/TR << /FunctionType 2 /Domain [0 1] /N 1 >>")),
        ("X0013", "transfer-default", [Good; 3], |doc| state(doc, "/TR2 /Default")),
        ("X0013", "halftone-type-6", all, |doc| {
            let number = doc.stream("/Type /Halftone /HalftoneType 6 /Width 1 /Height 1", b"a");
            state(doc, &format!("/HT {number} 0 R"));
        }),
        ("X0013", "halftone-type-1", [Good; 3], |doc| {
            state(
                doc,
                "/HT << /Type /Halftone /HalftoneType 1 /Frequency 60 /Angle 45 /SpotFunction /Round >>",
            );
        }),
        ("X0013", "halftone-name", all, |doc| {
            state(
                doc,
                "/HT << /Type /Halftone /HalftoneType 1 /Frequency 60 /Angle 45 /SpotFunction /Round /HalftoneName (A) >>",
            );
        }),
        ("X0013", "PostScript", all, |doc| x_object(doc, "/Type /XObject /Subtype /PS", b"showpage")),
        ("X0013", "OPI", all, |doc| {
            x_object(
                doc,
                "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /OPI << /2.0 << /F (a.tif) >> >>",
                b"",
            );
        }),
        ("X0014", "LZW", old, |doc| {
            let image = "/Type /XObject /Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray";
            x_object(doc, &format!("{image} /Filter /LZWDecode"), &[0x80, 0x0B, 0x60, 0x10]);
        }),
        ("X0015", "alpha", old, |doc| state(doc, "/ca 0.5")),
        ("X0015", "alpha-1", [Good; 3], |doc| state(doc, "/ca 1 /CA 1 /BM /Normal /SMask /None")),
        ("X0015", "multiply", old, |doc| state(doc, "/BM /Multiply")),
        ("X0015", "group", old, |doc| {
            doc.page().group = Some("<< /S /Transparency /CS /DeviceCMYK >>".into());
        }),
        ("X0016", "DeviceRGB", all, |doc| doc.page().content.push_str("1 0 0 rg 60 60 5 5 re f")),
        ("X0016", "DeviceGray", [Good; 3], |doc| doc.page().content.push_str("0.5 g 60 60 5 5 re f")),
        ("X0016", "ICC", [Bad, Good, Good], |doc| {
            let stream = doc.stream("/N 3", &icc::rgb());
            doc.page().color_spaces = format!("/S [/ICCBased {stream} 0 R]");
            doc.page().content.push_str("/S cs 1 0 0 scn 60 60 5 5 re f");
        }),
        ("X0016", "Lab", [Bad, Good, Good], |doc| {
            doc.page().color_spaces = "/S [/Lab << /WhitePoint [0.9642 1 0.8249] >>]".into();
            doc.page().content.push_str("/S cs 50 0 0 scn 60 60 5 5 re f");
        }),
        ("X0016", "RGB-under-an-RGB-intent", [Bad, Good, Good], |doc| {
            doc.profile = Some(icc::relabelled(icc::rgb(), b"prtr"));
            doc.profile_components = 3;
            doc.page().content = "1 0 0 rg 60 60 5 5 re f".into();
        }),
        ("X0017", "layers", old, |doc| {
            let number = doc.object("<< /Type /OCG /Name (Art) >>");
            doc.catalog =
                format!("/OCProperties << /OCGs [{number} 0 R] /D << /Name (D) /Order [{number} 0 R] >> >>");
        }),
        ("X0017", "automatic-states", all, |doc| {
            let number = doc.object("<< /Type /OCG /Name (Art) >>");
            doc.catalog = format!(
                "/OCProperties << /OCGs [{number} 0 R] /D << /Name (D) /AS [<< /Event /Print /Category [/Print] /OCGs \
                 [{number} 0 R] >>] >> >>"
            );
        }),
    ]
}

fn annotation(doc: &mut Doc, kind: &str, rect: &str) {
    doc.page().entries = format!("/Annots [<< /Type /Annot /Subtype /{kind} /Rect [{rect}] /F 4 >>]");
}

fn state(doc: &mut Doc, entries: &str) {
    doc.page().ext_gstates = format!("/G << {entries} >>");
    doc.page().content.push_str("/G gs 0 0 0 1 k 60 60 5 5 re f");
}

fn x_object(doc: &mut Doc, entries: &str, data: &[u8]) {
    let number = doc.stream(entries, data);
    doc.page().xobjects = format!("/X {number} 0 R");
    doc.page().content.push_str("q 9 0 0 9 60 60 cm /X Do Q");
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (index, policy) in LISTED.into_iter().enumerate() {
        // The base file meets every check of its list.
        let rules = &mintmark_preflight_engine::policy::find(policy).unwrap().rules;
        for item in rules.iter().filter(|item| item.rule.starts_with('X')) {
            let rule = mintmark_preflight_engine::policy::rules::find(&item.rule).unwrap().id;
            cases.push(Case::new(rule, &format!("base-{policy}"), Good, &base(policy)).policy(policy));
        }
        for (rule, what, truths, alter) in rows() {
            let is_listed = index < 2 || !matches!(rule, "X0014" | "X0015");
            let mut doc = base(policy);
            alter(&mut doc);
            if is_listed {
                cases.push(Case::new(rule, &format!("{what}-{policy}"), truths[index], &doc).policy(policy));
            }
            if index == 2 {
                let what = format!("{rule}-{}", what.to_lowercase());
                cases.push(Case::new("R0001", &what, truths[index], &doc).policy("gwg-2022-digital-print"));
            }
        }
    }
    cases.push(Case::new("R0001", "base", Good, &base("pdfx-4-listed")).policy("gwg-2022-digital-print"));
    cases
}
