//! Resolutions, sizes and spaces of images as `pdfimages -list` says them.

use std::{io::Write, process::Command};

use super::*;

/// Width, height, bits, resolutions, of each image that the tool lists.
fn listed(file: &[u8]) -> Vec<(u64, u64, u8, f64, f64)> {
    let mut input = tempfile::NamedTempFile::new().unwrap();
    input.write_all(file).unwrap();
    let output = Command::new("pdfimages").arg("-list").arg(input.path()).output();
    let output = output.unwrap_or_else(|error| {
        panic!("pdfimages (poppler-utils, which deploy/setup/setup.sh installs): {error}")
    });
    let table = String::from_utf8(output.stdout).unwrap();
    table
        .lines()
        .skip(2)
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            // page num type width height color comp bpc enc interp object ID x-ppi y-ppi size ratio
            let number = |place: usize| words[place].parse::<f64>().unwrap();
            let whole = |place: usize| words[place].parse::<u64>().unwrap();
            let end = words.len();
            (whole(3), whole(4), words[7].parse().unwrap(), number(end - 4), number(end - 3))
        })
        .collect()
}

#[test]
fn images_agree_with_pdfimages() {
    let mut doc = doc("");
    let kinds = [
        ("/Width 300 /Height 200 /ColorSpace /DeviceGray /BitsPerComponent 8", 60_000),
        ("/Width 64 /Height 64 /ColorSpace /DeviceRGB /BitsPerComponent 8", 12_288),
        ("/Width 50 /Height 80 /ColorSpace /DeviceCMYK /BitsPerComponent 8", 16_000),
        ("/Width 800 /Height 800 /ColorSpace /DeviceGray /BitsPerComponent 1", 80_000),
    ];
    let matrices = [
        "144 0 0 144 10 10",
        "0 100 -50 0 300 300",
        "35 35 -35 35 200 200",
        "0.5 0 0 99.5 5 5",
        "-72 0 0 -36 400 400",
    ];
    let mut content = String::new();
    for (place, (entries, bytes)) in kinds.iter().enumerate() {
        let image = doc.file.flate(&format!("/Type /XObject /Subtype /Image {entries}"), &vec![0; *bytes]);
        doc.page().xobjects += &format!("/I{place} {image} 0 R ");
        for matrix in matrices {
            content += &format!("q 0.9 0 0 1.1 0 0 cm {matrix} cm /I{place} Do Q\n");
        }
    }
    doc.page().content = content;
    let facts = read(&doc);
    let found: Vec<_> = elements(&facts)
        .iter()
        .map(|element| match &element.kind {
            ElementKind::Image { width, height, bits, ppi_x, ppi_y, .. } => {
                (*width, *height, *bits, *ppi_x, *ppi_y)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let listed = listed(&doc.build());
    assert_eq!((found.len(), listed.len()), (20, 20));
    for (ours, theirs) in found.iter().zip(&listed) {
        assert_eq!((ours.0, ours.1, ours.2), (theirs.0, theirs.1, theirs.2));
        // The tool rounds to whole pixels, and large ones to a few digits.
        let near = |ours: f64, theirs: f64| (ours - theirs).abs() <= 0.51_f64.max(ours * 0.005);
        assert!(near(ours.3, theirs.3) && near(ours.4, theirs.4), "{ours:?} {theirs:?}");
    }
}
