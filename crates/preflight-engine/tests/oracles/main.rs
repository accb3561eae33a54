//! Our facts beside what other people's programs say of the same files: Poppler (`pdfinfo`, `pdffonts`) and qpdf. Every
//! disagreement stands with its reason in `tests/oracles/disagreements.md`; one that does not fails the test, and so does one that
//! stands there and is gone.
//!
//! `PREFLIGHT_ORACLE_FOLDER=/some/folder` compares the PDF files of that folder too, without the list: it prints what differs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../policies/cases/mod.rs"]
#[expect(dead_code, reason = "only the names and the files are compared here")]
mod cases;
#[path = "../support/pdf.rs"]
mod pdf;

mod poppler;
mod qpdf;
mod specimens;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use mintmark_preflight_engine::{Budgets, Facts, read};

/// A difference: which program, about what, and both sides.
#[derive(Debug)]
struct Difference {
    oracle: &'static str,
    about: String,
    ours: String,
    theirs: String,
}

/// Collects the differences of one file.
#[derive(Debug, Default)]
struct Comparison(Vec<Difference>);

impl Comparison {
    /// Compares one thing.
    fn check<T: PartialEq + std::fmt::Debug>(
        &mut self,
        oracle: &'static str,
        about: &str,
        ours: &T,
        theirs: &T,
    ) {
        if ours != theirs {
            self.0.push(Difference {
                oracle,
                about: about.to_owned(),
                ours: format!("{ours:?}"),
                theirs: format!("{theirs:?}"),
            });
        }
    }
}

/// Runs a program on a file, with time and output as they come.
fn run(program: &str, arguments: &[&str], file: &Path) -> Output {
    Command::new(program).args(arguments).arg(file).output().unwrap()
}

fn compare(bytes: Vec<u8>, file: &Path) -> Vec<Difference> {
    let facts = read(bytes, &Budgets::default());
    let mut comparison = Comparison::default();
    poppler::compare(&facts, file, &mut comparison);
    qpdf::compare(&facts, file, &mut comparison);
    comparison.0
}

/// The versions of a file that facts call it: the newer of header and catalog.
fn version(facts: &Facts) -> Option<String> {
    facts.file.header_version.clone().max(facts.document.catalog_version.clone())
}

/// Rules whose fixtures differ in structure; those of the others differ in what they paint.
const STRUCTURAL: [&str; 7] = ["R0002", "R0003", "R0004", "R0006", "R0014", "R0034", "R0036"];

/// Every difference, by file, program and subject.
type Found = BTreeMap<(String, String, String), String>;

/// Compares files one after another, all under one name in a folder of its own.
fn compare_all(files: &[(String, Vec<u8>)]) -> Found {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("specimen.pdf");
    let mut found = Found::new();
    for (name, bytes) in files {
        std::fs::write(&file, bytes).unwrap();
        for difference in compare(bytes.clone(), &file) {
            let text = format!("ours {}, theirs {}", difference.ours, difference.theirs);
            found.insert((name.clone(), difference.oracle.to_owned(), difference.about), text);
        }
    }
    found
}

#[test]
fn oracles_agree_but_for_what_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = specimens::all(folder.path());
    let structural = |rule: &str| !rule.starts_with('R') || STRUCTURAL.contains(&rule);
    let fixtures = cases::all().into_iter().filter(|case| structural(case.rule));
    files.extend(fixtures.map(|case| (case.name, case.file)));
    // Most of the time other programs work.
    let halves = files.split_at(files.len() / 2);
    let found = std::thread::scope(|scope| {
        let other = scope.spawn(|| compare_all(halves.1));
        let mut found = compare_all(halves.0);
        found.extend(other.join().unwrap());
        found
    });
    let explained = explained();
    let new: String = found
        .iter()
        .filter(|(key, _)| !explained.iter().any(|row| row.covers(key)))
        .map(|(key, text)| format!("{} | {} | {}: {text}\n", key.0, key.1, key.2))
        .collect();
    let gone: Vec<_> = explained.iter().filter(|row| !found.keys().any(|key| row.covers(key))).collect();
    assert!(new.is_empty(), "unexplained disagreements:\n{new}");
    assert!(gone.is_empty(), "explained in tests/oracles/disagreements.md, and gone: {gone:#?}");
}

#[test]
fn files_of_a_folder_are_compared_on_demand() {
    let Some(folder) = std::env::var_os("PREFLIGHT_ORACLE_FOLDER") else { return };
    for entry in std::fs::read_dir(PathBuf::from(folder)).unwrap() {
        let file = entry.unwrap().path();
        for difference in compare(std::fs::read(&file).unwrap(), &file) {
            println!("{}: {difference:?}", file.display());
        }
    }
}

/// A row of the table in `tests/oracles/disagreements.md`.
#[derive(Debug)]
struct Row {
    /// Its name, or what names begin with and a star.
    file: String,
    oracle: String,
    about: String,
}

impl Row {
    fn covers(&self, (file, oracle, about): &(String, String, String)) -> bool {
        let named = match self.file.strip_suffix('*') {
            Some(start) => file.starts_with(start),
            None => *file == self.file,
        };
        named && *oracle == self.oracle && *about == self.about
    }
}

fn explained() -> Vec<Row> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/disagreements.md");
    let text = std::fs::read_to_string(file).unwrap();
    let rows = text.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [file, oracle, about, reason] = cells.as_slice() else { panic!("not four cells: {row}") };
        assert!(reason.len() > 20, "no reason: {row}");
        Row { file: (*file).to_owned(), oracle: (*oracle).to_owned(), about: (*about).to_owned() }
    })
    .collect()
}
