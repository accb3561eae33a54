//! R0031 to R0033 and R0037: resolution.

use mintmark_preflight_engine::policy::Intent;

use super::{
    Case, Truth,
    Truth::{Bad, Good, Warn},
    blank, limits_of,
};
use crate::pdf::Doc;

/// Adds an image as `/Im` of some pixels a side.
fn image(doc: &mut Doc, pixels: [usize; 2], bits: usize) {
    let row = (pixels[0] * bits).div_ceil(8);
    let number = doc.file.flate(
        &format!(
            "/Type /XObject /Subtype /Image /Width {} /Height {} /BitsPerComponent {bits} /ColorSpace /DeviceGray",
            pixels[0], pixels[1]
        ),
        &vec![0b0101_0101; row * pixels[1]],
    );
    doc.page().xobjects = format!("/Im {number} 0 R");
}

/// Paints it so that it has a resolution on each axis, in front of the blank's box.
fn paint(doc: &mut Doc, pixels: [usize; 2], ppi: [f64; 2]) {
    #[expect(clippy::cast_precision_loss, reason = "a few hundred pixels")]
    let [width, height] = [pixels[0] as f64 * 72.0 / ppi[0], pixels[1] as f64 * 72.0 / ppi[1]];
    doc.page().content.push_str(&format!("q {width:.6} 0 0 {height:.6} 60 60 cm /Im Do Q\n"));
}

/// Each variant's limits: at or below the one for errors, at or below the one for warnings, above both.
fn limits() -> Vec<Case> {
    let mut cases = Vec::new();
    for (rule, bits, pixels) in [("R0031", 8, [100, 100]), ("R0032", 1, [200, 200])] {
        for (policy, [error, warning]) in limits_of(rule, ["error_ppi", "warning_ppi"]) {
            let rows = [
                ("below-error", error - 0.1, Bad),
                ("at-error", error, Bad),
                ("above-error", error + 0.1, Warn),
                ("below-warning", warning - 0.1, Warn),
                ("at-warning", warning, Warn),
                ("above-warning", warning + 0.1, Good),
            ];
            for (what, ppi, truth) in rows {
                let mut doc = blank();
                image(&mut doc, pixels, bits);
                paint(&mut doc, pixels, [ppi, ppi]);
                let name = format!("{what}-{error}-{warning}");
                cases.push(
                    Case::new(rule, &name, truth, &doc).policy(policy).shows(format!("image ppi={ppi:.2}")),
                );
            }
        }
    }
    for (policy, [error, warning]) in limits_of("R0033", ["error_ppi", "warning_ppi"]) {
        let rows =
            [("at-error", error, Bad), ("at-warning", warning, Warn), ("above-warning", warning + 0.1, Good)];
        for (what, ppi, truth) in rows {
            // A small page, so that one image of few pixels covers it.
            let mut doc = whole_page(ppi);
            doc.page().compress = true;
            let name = format!("{what}-{error}-{warning}");
            cases.push(
                Case::new("R0033", &name, truth, &doc).policy(policy).shows(format!("image ppi={ppi:.2}")),
            );
        }
    }
    cases
}

/// A page that is one image of 300 pixels a side.
fn whole_page(ppi: f64) -> Doc {
    let mut doc = Doc::x4();
    let side = 300.0 * 72.0 / ppi;
    let page = doc.page();
    page.media = Some([0.0, 0.0, side, side]);
    page.bleed = page.media;
    page.trim = Some([side * 0.05, side * 0.05, side * 0.95, side * 0.95]);
    page.content = format!("q {side:.6} 0 0 {side:.6} 0 0 cm /Im Do Q\n");
    image(&mut doc, [300, 300], 8);
    doc
}

fn special() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |rule, what: &str, truth: Truth, pixels: [usize; 2], ppi: [f64; 2], bits| {
        let mut doc = blank();
        image(&mut doc, pixels, bits);
        paint(&mut doc, pixels, ppi);
        cases.push(Case::new(rule, what, truth, &doc).policy("gwg-2022-sheetcmyk-cmyk"));
    };
    add("R0031", "smaller-axis", Bad, [100, 100], [400.0, 100.0], 8);
    add("R0031", "smaller-axis-other", Bad, [100, 100], [100.0, 400.0], 8);
    add("R0031", "16-pixels", Good, [16, 16], [50.0, 50.0], 8);
    add("R0031", "17-pixels-wide", Bad, [17, 16], [50.0, 50.0], 8);
    add("R0031", "17-pixels-high", Bad, [16, 17], [50.0, 50.0], 8);
    add("R0031", "one-bit", Good, [100, 100], [50.0, 50.0], 1);
    add("R0031", "two-bits", Bad, [100, 100], [50.0, 50.0], 2);
    add("R0032", "contone", Good, [100, 100], [50.0, 50.0], 8);
    add("R0032", "16-pixels", Good, [16, 16], [50.0, 50.0], 1);
    let mut rotated = blank();
    image(&mut rotated, [100, 100], 8);
    rotated.page().content.push_str("q 0 50 -50 0 150 60 cm /Im Do Q\n");
    cases.push(
        Case::new("R0031", "rotated-144", Bad, &rotated)
            .policy("gwg-2022-sheetcmyk-cmyk")
            .shows("image ppi=144.00"),
    );
    let mut mask = blank();
    let number = mask.stream(
        "/Type /XObject /Subtype /Image /Width 40 /Height 40 /ImageMask true /BitsPerComponent 1",
        &[0b0101_0101; 200],
    );
    mask.page().xobjects = format!("/Im {number} 0 R");
    mask.page().content.push_str("0 0 0 1 k q 20 0 0 20 60 60 cm /Im Do Q\n");
    cases.push(
        Case::new("R0032", "mask-144", Bad, &mask)
            .policy("gwg-2022-sheetcmyk-cmyk")
            .shows("image ppi=144.00"),
    );
    let mut soft = blank();
    let number = soft.stream(
        "/Type /XObject /Subtype /Image /Width 20 /Height 20 /BitsPerComponent 8 /ColorSpace /DeviceGray",
        &[100; 400],
    );
    let masked = soft.stream(
        &format!(
            "/Type /XObject /Subtype /Image /Width 100 /Height 100 /BitsPerComponent 8 /ColorSpace /DeviceGray /SMask \
             {number} 0 R"
        ),
        &[100; 10_000],
    );
    soft.page().xobjects = format!("/Im {masked} 0 R");
    soft.page().content.push_str("q 24 0 0 24 60 60 cm /Im Do Q\n");
    cases.push(Case::new("R0031", "soft-mask-is-exempt", Good, &soft).policy("gwg-2022-sheetcmyk-cmyk"));
    let mut inline = blank();
    let data = "z".repeat(17 * 17);
    inline
        .page()
        .content
        .push_str(&format!("q 50 0 0 50 60 60 cm BI /W 17 /H 17 /BPC 8 /CS /G ID {data} EI Q"));
    cases.push(Case::new("R0031", "inline", Bad, &inline).policy("gwg-2022-sheetcmyk-cmyk"));
    cases
}

fn pages() -> Vec<Case> {
    let magazine = "gwg-2022-magazineads-cmyk";
    let mut with_text = whole_page(100.0);
    with_text.page().content.push_str("0 0 0 1 k 60 60 5 5 re f\n");
    let mut twice = whole_page(100.0);
    let again = twice.page().content.clone();
    twice.page().content.push_str(&again);
    vec![
        Case::new("R0031", "whole-page-is-R0033s", Good, &whole_page(100.0)).policy(magazine),
        Case::new("R0033", "with-a-path", Good, &with_text).policy(magazine),
        Case::new("R0031", "with-a-path", Bad, &with_text).policy(magazine),
        Case::new("R0033", "twice", Good, &twice).policy(magazine),
        Case::new("R0033", "one", Bad, &whole_page(100.0)).policy(magazine),
    ]
}

/// R0037: the same image, line and text under factors.
fn scaled() -> Vec<Case> {
    let policy = "gwg-2022-large-format-print";
    let intent = |factor: f64, distance: f64| Intent {
        scaling_factor: Some(factor),
        viewing_distance_m: Some(distance),
        ..Intent::default()
    };
    let mut cases = Vec::new();
    // The error's limit is 239 ppi, divided by the distance, multiplied by the factor.
    let rows = [
        ("distance-2-above", 120.0, intent(1.0, 2.0), Warn),
        ("distance-2-at", 119.5, intent(1.0, 2.0), Bad),
        ("factor-2-at", 478.0, intent(2.0, 1.0), Bad),
        ("factor-2-above", 598.1, intent(2.0, 1.0), Good),
        ("both", 299.1, intent(2.0, 2.0), Good),
    ];
    for (what, ppi, intent, truth) in rows {
        let mut doc = blank();
        image(&mut doc, [100, 100], 8);
        paint(&mut doc, [100, 100], [ppi, ppi]);
        cases.push(Case::new("R0031", &format!("scaled-{what}"), truth, &doc).policy(policy).intent(intent));
    }
    // White text from 5 pt, divided by the factor.
    for (what, size, truth) in [("below", 0.49, Bad), ("at", 0.5, Good)] {
        let mut doc = blank();
        super::sizes::text(&mut doc, "0 0 0 0 k", size);
        cases.push(
            Case::new("R0016", &format!("scaled-10-{what}"), truth, &doc)
                .policy(policy)
                .intent(intent(10.0, 1.0)),
        );
    }
    // UserUnit goes before what was agreed: the text is 10 times as large as its operators say.
    for (what, size, truth) in [("below", 0.49, Bad), ("at", 0.5, Good)] {
        let mut doc = blank();
        doc.page().user_unit = Some(10.0);
        super::sizes::text(&mut doc, "0 0 0 0 k", size);
        cases.push(
            Case::new("R0016", &format!("user-unit-10-{what}"), truth, &doc)
                .policy(policy)
                .intent(intent(2.0, 1.0)),
        );
    }
    for (what, ppi, truth) in [("at", 2990.0, Warn), ("above", 2991.0, Good)] {
        let mut doc = blank();
        doc.page().user_unit = Some(10.0);
        image(&mut doc, [100, 100], 8);
        paint(&mut doc, [100, 100], [ppi, ppi]);
        cases.push(Case::new("R0031", &format!("user-unit-10-{what}"), truth, &doc).policy(policy));
    }
    // Without the rule the factors change nothing.
    let mut doc = blank();
    super::sizes::text(&mut doc, "0 0 0 0 k", 7.9);
    let unscaled = Case::new("R0016", "no-R0037-no-factor", Bad, &doc).policy("gwg-2022-sheetcmyk-cmyk");
    cases.push(unscaled.intent(intent(10.0, 1.0)));
    cases.push(Case::new("R0037", "no-check", Good, &blank()).policy(policy));
    cases
}

pub fn cases() -> Vec<Case> {
    [limits(), special(), pages(), scaled()].into_iter().flatten().collect()
}
