//! Content streams: the input is what a page draws, with resources of every kind at hand.

use super::documents::{base, holds};

/// A little of everything, for the pages of the target `documents` too.
pub const SAMPLE: &str = "q /Gs gs 1 0 0 1 5 5 cm 0 0 0 1 k 10 10 50 50 re f Q\n\
    /Sp cs 0.5 scn 5 5 m 40 5 40 40 5 40 c h B*\nBT /F1 9 Tf 11 TL 20 60 Td (TEXT) Tj [(A) -20 (B)] TJ (C) ' ET\n\
    q 30 0 0 30 60 60 cm /Im Do Q\n/Fm Do\nBI /W 1 /H 1 /CS /G /BPC 8 ID x EI\n[2 1] 0 d 0.1 w 0 0 m 90 90 l S";

/// Reads the input as a page's content, and as a form's and a glyph's.
pub fn run(data: &[u8]) {
    let mut doc = base(0);
    let form = doc.stream(
        "/Type /XObject /Subtype /Form /BBox [0 0 90 90] /Group << /S /Transparency /I true >>",
        data,
    );
    let glyph = doc.stream("", data);
    let type3 = doc.object(&format!(
        "<< /Type /Font /Subtype /Type3 /FontBBox [0 0 9 9] /FontMatrix [0.1 0 0 0.1 0 0] /FirstChar 65 /LastChar 65 \
         /Widths [9] /Encoding << /Differences [65 /a] >> /CharProcs << /a {glyph} 0 R >> >>"
    ));
    let tiles =
        doc.stream("/PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 9 9] /XStep 9 /YStep 9", data);
    let page = doc.page();
    page.xobjects.push_str(&format!(" /Own {form} 0 R"));
    page.fonts = format!("/T3 {type3} 0 R");
    page.patterns = format!("/Tiles {tiles} 0 R");
    page.content = format!(
        "q {} Q /Own Do BT /T3 9 Tf (A) Tj ET /Pattern cs /Tiles scn 0 0 50 50 re f",
        data.iter().map(|byte| char::from(*byte)).filter(char::is_ascii).collect::<String>()
    );
    holds(&doc.build());
}
