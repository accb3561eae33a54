//! Metadata, claims, output intents, layers, actions, forms, attached files, encryption.

use mintmark_preflight_engine::facts::{Claim, FontKind, ProcessingStep};

use super::{
    facts,
    pdf::{Doc, icc},
};

#[test]
fn info_and_xmp_are_read_with_their_claims() {
    let mut doc = Doc::x4();
    doc.set_info("GTS_PDFXVersion", "(PDF/X-1:2001)");
    doc.set_info("GTS_PDFXConformance", "(PDF/X-1a:2001)");
    doc.set_info("Author", "(Somebody)");
    doc.set_info("Title", "<FEFF00DC0062>");
    let facts = facts(doc.build());
    let metadata = &facts.document.metadata;
    assert_eq!(metadata.info["Title"], "Üb");
    assert_eq!(metadata.info["Trapped"], "False");
    assert!(!metadata.info.contains_key("Author"));
    let xmp = metadata.xmp.as_ref().unwrap();
    assert!(xmp.well_formed);
    assert_eq!(xmp.properties["pdf:Trapped"], "False");
    assert_eq!(xmp.properties["dc:title"], "Fixture");
    assert_eq!(xmp.properties["xmpMM:RenditionClass"], "default");
    let claim = |standard: &str, source: &str| Claim { standard: standard.into(), source: source.into() };
    let expected = [claim("PDF/X-1:2001", "info"), claim("PDF/X-1a:2001", "info"), claim("PDF/X-4", "xmp")];
    assert_eq!(facts.document.claims, expected);
}

#[test]
fn malformed_xmp_is_said_to_be_so() {
    let mut doc = Doc::x4();
    doc.xmp_packet = Some("<x:xmpmeta xmlns:x='adobe:ns:meta/'>".to_owned());
    assert!(!facts(doc.build()).document.metadata.xmp.unwrap().well_formed);
    doc.xmp_packet = None;
    doc.xmp = None;
    assert_eq!(facts(doc.build()).document.metadata.xmp, None);
}

#[test]
fn output_intent_has_its_profile() {
    let facts_cmyk = facts(Doc::x4().build());
    let [intent] = facts_cmyk.output_intents.as_slice() else { panic!() };
    assert_eq!(intent.subtype, "GTS_PDFX");
    assert_eq!(intent.condition_identifier.as_deref(), Some("Mintmark test"));
    let profile = intent.profile.as_ref().unwrap();
    assert_eq!(
        (profile.class.as_str(), profile.space.as_str(), profile.components),
        ("prtr", "CMYK", Some(4))
    );
    assert_eq!(profile.bytes, icc::cmyk().len() as u64);
    assert_eq!(profile.sha256.len(), 64);

    let mut doc = Doc::x4();
    doc.profile = None;
    doc.intent = Some("/S /GTS_PDFX /DestOutputProfileRef << >> /RegistryName (http://www.color.org)".into());
    let facts = facts(doc.build());
    assert!(facts.output_intents[0].profile_reference && facts.output_intents[0].profile.is_none());
    assert_eq!(facts.output_intents[0].registry.as_deref(), Some("http://www.color.org"));
}

#[test]
fn layers_follow_the_default_configuration() {
    let mut doc = Doc::x4();
    let shown = doc.object("<< /Type /OCG /Name (Print) >>");
    let hidden = doc.object("<< /Type /OCG /Name (Notes) >>");
    let step = doc.object(
        "<< /Type /OCG /Name (Die) /GTS_Metadata << /GTS_ProcStepsGroup /Structural /GTS_ProcStepsType /Cutting >> >>",
    );
    let groups = format!("{shown} 0 R {hidden} 0 R {step} 0 R");
    doc.catalog = format!(
        "/OCProperties << /OCGs [{groups}] /D << /Name (D) /OFF [{hidden} 0 R] >> /Configs [<< >> << >>] >>"
    );
    let layers = facts(doc.build()).layers.unwrap();
    let states: Vec<_> = layers.groups.iter().map(|layer| (layer.name.as_str(), layer.on)).collect();
    assert_eq!(states, [("Print", true), ("Notes", false), ("Die", true)]);
    assert_eq!(
        layers.groups[2].step,
        Some(ProcessingStep { group: "Structural".into(), step: "Cutting".into() })
    );
    assert_eq!((layers.alternate_configurations, layers.base_state.as_str()), (Some(2), "ON"));
    assert_eq!(layers.default_keys, ["Name", "OFF"]);
    assert!(!layers.automatic_states);

    doc.catalog =
        format!("/OCProperties << /OCGs [{groups}] /D << /BaseState /OFF /ON [{step} 0 R] /AS [] >> >>");
    let layers = facts(doc.build()).layers.unwrap();
    assert_eq!(layers.groups.iter().map(|layer| layer.on).collect::<Vec<_>>(), [false, false, true]);
    assert!(layers.automatic_states);
    assert_eq!(layers.alternate_configurations, None);
}

#[test]
fn actions_are_found_wherever_they_hang() {
    let mut doc = Doc::x4();
    let script = |doc: &mut Doc| doc.object("<< /S /JavaScript /JS (1) >>");
    let [open, page, named, widget] = [0; 4].map(|_| script(&mut doc));
    let chain = doc.object(&format!("<< /S /URI /URI (x) /Next [{open} 0 R << /S /Launch >>] >>"));
    let child = doc.object("<< /Title (b) /A << /S /GoToR >> >>");
    let outline = doc.object(&format!("<< /Title (a) /First {child} 0 R /A << /S /Named >> >>"));
    let field = doc.object(&format!("<< /FT /Tx /T (f) /AA << /K {widget} 0 R >> >>"));
    let names = doc.object(&format!("<< /Kids [<< /Names [(a) {named} 0 R] >>] >>"));
    doc.catalog = format!(
        "/OpenAction {open} 0 R /AA << /WC {chain} 0 R >> /Names << /JavaScript {names} 0 R >> \
         /AcroForm << /Fields [{field} 0 R] /XFA [] >> /Outlines << /First {outline} 0 R >>"
    );
    doc.page().entries =
        format!("/AA << /O {page} 0 R >> /Annots [<< /Subtype /Link /A << /S /SubmitForm >> >> {field} 0 R]");
    let facts = facts(doc.build());
    let found: Vec<_> = facts
        .document
        .actions
        .iter()
        .map(|action| (action.kind.as_str(), action.place.as_str(), action.page))
        .collect();
    assert_eq!(
        found,
        [
            ("JavaScript", "open", None),
            ("URI", "document", None),
            ("Launch", "document", None),
            ("JavaScript", "names", None),
            ("JavaScript", "field", None),
            ("Named", "outline", None),
            ("GoToR", "outline", None),
            ("JavaScript", "page", Some(1)),
            ("SubmitForm", "annotation", Some(1)),
        ]
    );
    assert_eq!(facts.document.form_fields, 1);
    assert!(facts.document.xfa);
}

#[test]
fn attached_files_are_listed_once() {
    let mut doc = Doc::x4();
    let data = doc.stream("/Type /EmbeddedFile /Subtype /text#2Fplain /Params << /Size 3 >>", b"abc");
    let file = doc.object(&format!("<< /Type /Filespec /F (a) /EF << /F {data} 0 R >> >>"));
    let remote = doc.object("<< /Type /Filespec /F (elsewhere) >>");
    doc.catalog = format!(
        "/Names << /EmbeddedFiles << /Names [(a) {file} 0 R (b) {remote} 0 R] >> >> /AF [{file} 0 R]"
    );
    doc.page().entries = format!("/Annots [<< /Subtype /FileAttachment /FS {file} 0 R >>]");
    let facts = facts(doc.build());
    let [embedded] = facts.document.embedded_files.as_slice() else { panic!() };
    assert_eq!((embedded.mime.as_deref(), embedded.bytes), (Some("text/plain"), Some(3)));
}

#[test]
fn fonts_are_described() {
    let mut doc = Doc::x4();
    let type3 = doc.object(
        "<< /Type /Font /Subtype /Type3 /FontBBox [0 0 1 1] /FontMatrix [1 0 0 1 0 0] /CharProcs << >> /Name /T3 >>",
    );
    let plain =
        doc.object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>");
    let descendant = doc.object("<< /Type /Font /Subtype /CIDFontType0 /BaseFont /Ryumin >>");
    let composite = doc.object(&format!(
        "<< /Type /Font /Subtype /Type0 /BaseFont /Ryumin /Encoding /Identity-H /DescendantFonts [{descendant} 0 R] >>"
    ));
    doc.page().fonts = format!("/F2 {type3} 0 R /F3 {plain} 0 R /F4 {composite} 0 R");
    let facts = facts(doc.build());
    let font = |name: &str| facts.fonts.iter().find(|font| font.name == name).unwrap();
    let own = font("MintmarkBox");
    assert_eq!(
        (own.subset_tag.as_deref(), own.kind, own.embedded),
        (Some("ABCDEF"), FontKind::TrueType, true)
    );
    assert_eq!((own.program.as_deref(), own.pages.as_slice()), (Some("FontFile2"), [1].as_slice()));
    assert!(font("T3").embedded && font("T3").kind == FontKind::Type3);
    assert_eq!(
        (font("Helvetica").embedded, font("Helvetica").encoding.as_deref()),
        (false, Some("WinAnsiEncoding"))
    );
    let composite = font("Ryumin");
    assert_eq!((composite.kind, composite.descendant), (FontKind::Type0, Some(FontKind::CidType0)));
    assert_eq!((composite.embedded, composite.encoding.as_deref()), (false, Some("Identity-H")));
}
