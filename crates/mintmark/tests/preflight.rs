//! `mintmark preflight`: what it prints, and how it ends. The engine's program must be built beside it, as `make test` does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

#[path = "../../preflight-engine/tests/support/pdf.rs"]
mod pdf;

use pdf::Doc;

fn run(file: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mintmark")).arg("preflight").arg(file).args(more).output().unwrap()
}

fn written(doc: &Doc) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), doc.build()).unwrap();
    file
}

#[test]
fn good_file_passes_and_exits_0() {
    let file = written(&Doc::x4());
    let output = run(file.path(), &["--trim", "100x100", "--bleed", "3", "--pages", "1"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Verdict  PASS\n") && said.contains("digital-print, version 1"), "{said}");
    assert!(!said.contains('\u{1b}'), "colours are for terminals");
}

#[test]
fn bad_file_fails_and_exits_1() {
    let mut doc = Doc::x4();
    doc.embed_font = false;
    doc.page().content.push_str(" BT /F1 12 Tf 60 200 Td (Text) Tj ET");
    let file = written(&doc);
    let output = run(file.path(), &["--trim", "148x210"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in ["Verdict  FAIL", "X0009", "is not embedded", "Embed the font.", "P0001", "100 by 100 mm"] {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
}

#[test]
fn undecided_exits_2() {
    let file = written(&Doc::x4());
    let ink = run(file.path(), &["--policy", "gwg-2022-sheetcmyk-cmyk", "--json"]);
    assert_eq!(ink.status.code(), Some(2));
    let report: serde_json::Value = serde_json::from_slice(&ink.stdout).unwrap();
    assert_eq!(report["verdict"], "incomplete");
    let absent = run(Path::new("/nonexistent/file.pdf"), &[]);
    assert_eq!(absent.status.code(), Some(2));
    let unknown = run(file.path(), &["--policy", "none-such"]);
    let complaint = String::from_utf8(unknown.stderr).unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        complaint.contains("there is no policy 'none-such'") && complaint.contains("pdfx-4-listed"),
        "{complaint}"
    );
}

#[test]
fn own_policy_is_read_from_a_file_or_refused_with_reasons() {
    let file = written(&Doc::x4());
    let policy = tempfile::NamedTempFile::new().unwrap();
    let own =
        r#"{"schema":1,"id":"own","version":2,"title":"Own","rules":[{"rule":"R0002","severity":"error"}]}"#;
    std::fs::write(policy.path(), own).unwrap();
    let passed = run(file.path(), &["--policy", policy.path().to_str().unwrap()]);
    assert_eq!(passed.status.code(), Some(0));
    std::fs::write(policy.path(), own.replace("R0002", "R2")).unwrap();
    let refused = run(file.path(), &["--policy", policy.path().to_str().unwrap()]);
    let complaint = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(complaint.contains("/rules/0/rule R2 is no rule of the catalogue"), "{complaint}");
}
