//! The writer of test files writes what it says: other people's tools read its base file without complaint.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{path::Path, process::Command};

#[path = "support/pdf.rs"]
mod pdf;

use pdf::Doc;

fn run(tool: &str, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(tool).args(arguments).arg(file).output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{tool}: {said}");
    said
}

#[test]
fn build_twice_gives_the_same_bytes() {
    assert_eq!(Doc::x4().build(), Doc::x4().build());
}

#[test]
fn base_file_is_accepted_by_other_tools() {
    let mut doc = Doc::x4();
    doc.page().content.push_str(" BT /F1 12 Tf 60 200 Td (Text) Tj ET");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("base.pdf");
    std::fs::write(&file, doc.build()).unwrap();
    let checked = run("qpdf", &["--check"], &file);
    assert!(checked.contains("No syntax or stream encoding errors found"), "{checked}");
    let info = run("pdfinfo", &["-box"], &file);
    for line in ["PDF version:     1.6", "Pages:           1"] {
        assert!(info.contains(line), "{line} is missing in\n{info}");
    }
    assert!(info.contains("TrimBox:             8.50     8.50   291.97   291.97"), "{info}");
    let fonts = run("pdffonts", &[], &file);
    assert!(
        fonts.contains("MintmarkBox") && fonts.contains("TrueType") && fonts.contains("yes yes"),
        "{fonts}"
    );
}
