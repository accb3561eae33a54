//! Contents with every feature, spoiled at random: read without a failure, into facts that can be written and read back.

use super::*;

/// Files of the ordinary run.
const ROUNDS: u64 = 300;

const CONTENT: &str = "/G gs q 1 0 0 1 10 10 cm 0.5 w [3 1] 0 d 1 J 0 0 1 RG /S cs 0.5 scn 10 10 m 100 10 l 100 11 l 10 11 l h B Q \
    q 0 0 300 300 re W* n /Sh sh Q /Pattern cs /P scn 100 100 50 50 re f /OC /L BDC BT /F1 12 Tf 3 Tr 90 Tz 2 Ts 1 0 0 1 50 50 \
    Tm [(AB) -120 <4142> 20] TJ 7 Tr (C\\)\\101) ' 1 2 (x) \" T* /T3 9 Tf (a) Tj ET EMC q 72 0 0 72 0 0 cm /Im Do Q q 9 0 0 9 0 0 cm \
    BI /W 4 /H 2 /BPC 8 /CS [/I /RGB 1 <000000FFFFFF>] /F /AHx ID 0001000100010001> EI Q /X Do 0.1 0.2 0.3 0.4 k 10 20 30 40 v \
    50 50 m 60 60 70 70 80 80 c 90 90 100 100 y b* BX foo EX /Nm MP 0 0 600 600 re S";

fn rich() -> Doc {
    let mut doc = doc(CONTENT);
    let tint = "<< /FunctionType 2 /Domain [0 1] /C0 [0 0 0 0] /C1 [0 1 1 0] /N 1 >>";
    let mask =
        doc.stream("/Subtype /Form /BBox [0 0 600 600] /Group << /S /Transparency >>", b"0.5 g 0 0 9 9 re f");
    let cell = doc.stream(
        "/PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 10 10] /XStep 10 /YStep 10",
        b"1 w 0 5 m 10 5 l S",
    );
    let glyph = doc.stream("", b"1000 0 0 0 1000 1000 d1 20 w 0 0 m 1000 0 l S");
    let image = doc
        .stream("/Subtype /Image /Width 4 /Height 2 /ColorSpace /DeviceGray /BitsPerComponent 8", &[255; 8]);
    let layer = doc.object("<< /Type /OCG /Name (Layer) >>");
    let form = doc.stream(
        &format!("/Subtype /Form /BBox [0 0 99 99] /Matrix [2 0 0 2 0 0] /OC {layer} 0 R /Group << /S /Transparency /CS /DeviceCMYK >>"),
        b"q q 0 0 9 9 re f Q 1 0 0 RG 0 0 m 9 9 l S Q",
    );
    doc.catalog = format!("/OCProperties << /OCGs [{layer} 0 R] /D << /OFF [{layer} 0 R] >> >>");
    let page = doc.page();
    page.ext_gstates =
        format!("/G << /ca 0.5 /BM /Multiply /OP true /OPM 1 /SMask << /S /Alpha /G {mask} 0 R >> >>");
    page.color_spaces =
        format!("/S [/Separation /Spot /DeviceCMYK {tint}] /DefaultRGB [/CalRGB << /WhitePoint [1 1 1] >>]");
    page.patterns = format!("/P {cell} 0 R");
    page.shadings =
        format!("/Sh << /ShadingType 2 /ColorSpace /DeviceRGB /Coords [0 0 1 1] /Function {tint} >>");
    page.properties = format!("/L {layer} 0 R");
    page.xobjects = format!("/Im {image} 0 R /X {form} 0 R");
    page.fonts = format!(
        "/T3 << /Type /Font /Subtype /Type3 /FontMatrix [0.001 0 0 0.001 0 0] /FontBBox [0 0 1000 1000] /FirstChar 97 \
         /LastChar 97 /Widths [1000] /Encoding << /Differences [97 /box] >> /CharProcs << /box {glyph} 0 R >> >>"
    );
    page.entries = format!(
        "/Annots [<< /Type /Annot /Subtype /Stamp /F 4 /Rect [9 9 99 99] /AP << /N {form} 0 R >> >>]"
    );
    doc
}

#[test]
fn everything_at_once_has_no_damage() {
    let facts = read(&rich());
    assert_eq!(damage(&facts), ["operand_error"], "`v` before `m` is the only one");
    let within: std::collections::BTreeSet<String> =
        elements(&facts).iter().flat_map(|element| element.within.clone()).collect();
    assert_eq!(
        within.into_iter().collect::<Vec<_>>(),
        ["annotation", "form", "pattern", "soft_mask", "type3"]
    );
}

#[test]
fn spoiled_files_are_read_without_failure() {
    let whole = rich().build();
    let mut seed = 42u64;
    let mut random = |limit: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % limit
    };
    let tokens: [&[u8]; 12] =
        [b" q ", b"-", b"1e9 ", b"[", b"<<", b"(", b" Do ", b"99999999999 ", b">>", b"/X ", b" BI ", b"]"];
    for round in 0..ROUNDS {
        let mut file = whole.clone();
        for _ in 0..=random(6) {
            let at = random(file.len());
            match random(3) {
                0 => file[at] = u8::try_from(random(256)).unwrap(),
                1 => {
                    let token = tokens[random(tokens.len())];
                    let end = (at + token.len()).min(file.len());
                    file[at..end].copy_from_slice(&token[..end - at]);
                }
                _ => {
                    let (from, length) = (random(file.len()), random(40));
                    let piece: Vec<u8> = file[from..].iter().copied().take(length).collect();
                    let end = (at + piece.len()).min(file.len());
                    file[at..end].copy_from_slice(&piece[..end - at]);
                }
            }
        }
        let facts = mintmark_preflight_engine::read(
            file,
            &Budgets { total_operators: 100_000, ..Budgets::default() },
        );
        assert!(!damage(&facts).contains(&"reader_failed"), "round {round}: {:?}", facts.file.damage);
        let json = serde_json::to_string(&facts).unwrap();
        serde_json::from_str::<Facts>(&json).unwrap_or_else(|error| panic!("round {round}: {error}"));
    }
}
