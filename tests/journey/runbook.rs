//! The commands of the operator's documents, run as they stand and in their order, on a platform of their own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use mintmark_tests::{Home, Platform};

/// The documents, in the order in which a person would work through them.
const DOCUMENTS: [&str; 2] = ["docs/operations.md", "docs/restore.md"];
/// All of it takes a fraction of this.
const WITHIN_SECS: &str = "240";
/// What stands before the output of a block.
const MARK: &str = "@@ block of ";

/// A fenced block of a document.
struct Block {
    place: String,
    marker: String,
    text: String,
}

fn blocks(document: &str) -> std::io::Result<Vec<Block>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(document);
    let text = fs::read_to_string(&path)?;
    let (mut found, mut open): (Vec<Block>, bool) = (Vec::new(), false);
    for (at, line) in text.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(marker) => {
                let place = format!("{document}:{}", at + 1);
                found.push(Block { place, marker: marker.to_owned(), text: String::new() });
                open = true;
            }
            None if open => {
                if let Some(block) = found.last_mut() {
                    block.text.push_str(&format!("{line}\n"));
                }
            }
            None => {}
        }
    }
    assert!(!open, "{document} has a block that does not end");
    Ok(found)
}

/// One shell for all of them, as a person has one terminal.
fn script(blocks: &[Block]) -> String {
    let mut script = String::new();
    for block in blocks {
        script.push_str(&format!("printf '\\n%s\\n' '{MARK}{}'\n{}\n", block.place, block.text));
    }
    script
}

/// The lines that a block says it prints: those that start with `#> `. An ellipsis stands for anything.
fn promised(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.trim_start().strip_prefix("#> "))
}

fn fits(line: &str, promise: &str) -> bool {
    let mut parts = promise.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut last = "";
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        (rest, last) = (&rest[at + part.len()..], part);
    }
    rest.is_empty() || (promise.contains('…') && last.is_empty())
}

#[test]
fn every_command_of_the_operators_documents_does_what_they_say() {
    let blocks: Vec<Block> = DOCUMENTS.into_iter().flat_map(|it| blocks(it).unwrap()).collect();
    for Block { place, marker, .. } in &blocks {
        let known = ["sh", "sh cluster", "text"].contains(&marker.as_str());
        assert!(known, "{place}: a block is sh (run here), sh cluster (never run) or text, not '{marker}'");
    }
    let blocks: Vec<Block> = blocks.into_iter().filter(|block| block.marker == "sh").collect();
    assert!(blocks.len() > 15, "only {} blocks were found", blocks.len());

    let home = Home::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    symlink(home.path(), folder.path().join(".mintmark")).unwrap();
    let platform = Platform::start_with(&home, &["--no-demo"], &[("MINTMARK_TLS", "1")]).unwrap();
    let output = Command::new("timeout")
        .args(["--kill-after=5", WITHIN_SECS, "bash", "-euo", "pipefail", "-c", &script(&blocks)])
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}, in the last block that is named here:\n{said}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );

    let mut wrong = Vec::new();
    for block in &blocks {
        let from = said.find(&format!("{MARK}{}\n", block.place)).unwrap();
        let rest = &said[from + MARK.len()..];
        let mut printed = rest[..rest.find(MARK).unwrap_or(rest.len())].lines().map(str::trim);
        for promise in promised(&block.text) {
            if !printed.by_ref().any(|line| fits(line, promise.trim())) {
                wrong.push(format!("{}: '{promise}' was not printed", block.place));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\nwhat was:\n{said}", wrong.join("\n"));
    assert!(platform.stop().unwrap().success(), "the platform goes on after all of this, and stops in order");
}

#[test]
fn fits_lets_an_ellipsis_stand_for_anything_and_nothing_else() {
    for (line, promise, expected) in [
        ("abc", "abc", true),
        ("abc", "ab", false),
        ("abc", "a…", true),
        ("abc", "…c", true),
        ("abc", "…b", false),
        ("a bc", "a…b…", true),
        ("abc", "x…", false),
    ] {
        assert_eq!(fits(line, promise), expected, "{line} {promise}");
    }
}
