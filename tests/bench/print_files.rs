//! Print files as customers send them, made on the spot: the same bytes every time.

use std::fmt::Write as _;

use crate::pdf::{Doc, PageSpec, deflate};

/// A4 with 3 mm of bleed, in points.
const WIDTH: f64 = 612.3;
const HEIGHT: f64 = 858.9;
const BLEED: f64 = 8.5;

/// A file and what it is like.
pub struct PrintFile {
    /// What it is like.
    pub name: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Eight files of one to eight pages.
pub fn typical() -> Vec<PrintFile> {
    let file =
        |name, pages, images, runs, paths| PrintFile { name, bytes: print_file(pages, images, runs, paths) };
    vec![
        file("flyer, one page with a large image", 1, 1, 80, 60),
        file("poster, one page of shapes", 1, 0, 20, 1_500),
        file("business card, two sides", 2, 1, 25, 20),
        file("letter, two pages of text", 2, 0, 450, 10),
        file("leaflet, four pages", 4, 2, 250, 120),
        file("price list, four pages", 4, 0, 900, 300),
        file("brochure, eight pages", 8, 3, 300, 150),
        file("catalogue, eight pages of products", 8, 12, 400, 200),
    ]
}

/// A file of so many pages, each like that of a catalogue.
pub fn many_pages(pages: usize) -> Vec<u8> {
    print_file(pages, 2, 300, 100)
}

fn print_file(pages: usize, images: usize, runs: usize, paths: usize) -> Vec<u8> {
    let mut doc = Doc::x4();
    let tint = doc.object("<< /FunctionType 2 /Domain [0 1] /C0 [0 0 0 0] /C1 [0 0.6 0.9 0] /N 1 >>");
    let multiply =
        "/Multiply << /Type /ExtGState /BM /Multiply /ca 0.8 /CA 0.8 >> /Over << /OP true /op true /OPM 1 >>";
    // Images are shared by the pages, as logos are, up to a dozen different ones.
    let pictures: Vec<u32> = (0..images).map(|seed| image(&mut doc, seed)).collect();
    let logo = doc.stream(
        "/Type /XObject /Subtype /Form /BBox [0 0 100 40] /Group << /S /Transparency /CS /DeviceCMYK >>",
        b"0 0.9 0.8 0 k 0 0 40 40 re f 0 0 0 1 k 50 5 m 90 5 90 35 50 35 c h f*",
    );
    let mut xobjects = format!("/Logo {logo} 0 R ");
    for (at, picture) in pictures.iter().enumerate() {
        let _ = write!(xobjects, "/Im{at} {picture} 0 R ");
    }
    doc.pages = (0..pages)
        .map(|page| PageSpec {
            media: Some([0.0, 0.0, WIDTH, HEIGHT]),
            bleed: Some([0.0, 0.0, WIDTH, HEIGHT]),
            trim: Some([BLEED, BLEED, WIDTH - BLEED, HEIGHT - BLEED]),
            group: Some("<< /S /Transparency /CS /DeviceCMYK >>".to_owned()),
            color_spaces: format!("/Spot [/Separation /Orange /DeviceCMYK {tint} 0 R]"),
            ext_gstates: multiply.to_owned(),
            xobjects: xobjects.clone(),
            content: content(page, pictures.len(), runs, paths),
            compress: true,
            ..PageSpec::default()
        })
        .collect();
    doc.build()
}

/// A CMYK picture of 720 by 540 pixels whose neighbours differ a little, as in a photograph.
fn image(doc: &mut Doc, seed: usize) -> u32 {
    let (width, height) = (720_usize, 540_usize);
    let mut samples = Vec::with_capacity(width * height * 4);
    let mut state = 0x9E37_79B9_u32.wrapping_add(u32::try_from(seed).unwrap_or_default());
    for at in 0..width * height * 4 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (state >> 29) as u8;
        samples.push(((at / width / 4) as u8).wrapping_add(noise));
    }
    let entries = format!(
        "/Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceCMYK /BitsPerComponent 8 /Filter /FlateDecode"
    );
    doc.stream(&entries, &deflate(&samples))
}

fn content(page: usize, pictures: usize, runs: usize, paths: usize) -> String {
    let mut out = format!("q 0.05 0 0.1 0 k 0 0 {WIDTH} {HEIGHT} re f Q\n");
    for at in 0..pictures {
        let (x, y) = (40 + 180 * (at % 3), 80 + 170 * (at / 3 % 4));
        let _ = writeln!(out, "q 170 0 0 128 {x} {y} cm /Im{at} Do Q");
    }
    for at in 0..paths {
        let (x, y) = (30 + at * 37 % 520, 30 + at * 53 % 780);
        let tint = (at % 10) as f64 / 10.0;
        match at % 4 {
            0 => writeln!(out, "{tint} 0.2 0 0.1 k {x} {y} 24 12 re f"),
            1 => writeln!(out, "q 0 0 0 1 K 0.5 w {x} {y} m 60 {y} l S Q"),
            2 => writeln!(out, "q /Spot cs {tint} scn {x} {y} m {x} 90 40 {y} 80 80 c h f Q"),
            _ => writeln!(out, "q /Over gs 0 0 0 1 k {x} {y} 3 30 re f Q"),
        }
        .unwrap_or_default();
    }
    let _ = writeln!(out, "q /Multiply gs 0.6 0 0 0.6 400 760 cm /Logo Do Q");
    out.push_str("BT 0 0 0 1 k /F1 9 Tf 11 TL 40 820 Td\n");
    for at in 0..runs {
        match at % 25 {
            0 => writeln!(out, "/F1 {} Tf (HEADING {page} {at}) '", 12 + at % 7),
            7 => writeln!(out, "/F1 9 Tf [(KERNED) -20 (TEXT) 15 (RUN {at})] TJ T*"),
            _ => writeln!(out, "/F1 9 Tf (A LINE OF TEXT NUMBER {at} ON PAGE {page}) '"),
        }
        .unwrap_or_default();
    }
    out.push_str("ET\n");
    out
}
