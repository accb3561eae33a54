//! The table of metrics in `docs/observability.md` against what the services export: nothing more, nothing less.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What stands around the table, which `UPDATE_GOLDEN=1` writes anew.
const BEGIN: &str = "<!-- metrics: written by tests/deployment with UPDATE_GOLDEN=1 -->\n";
const END: &str = "<!-- end of metrics -->";

/// What is known of one metric.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Family {
    pub kind: String,
    pub about: String,
    pub labels: BTreeSet<String>,
}

/// By name, without the endings of a histogram's series.
pub type Families = BTreeMap<String, Family>;

/// Adds what one service exports.
pub fn add(families: &mut Families, text: &str) {
    let mut name = String::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (of, about) = help.split_once(' ').unwrap_or((help, ""));
            name = of.to_owned();
            families.entry(name.clone()).or_default().about = about.trim_end_matches('.').to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (of, kind) = kind.split_once(' ').unwrap();
            name = of.to_owned();
            families.entry(name.clone()).or_default().kind = kind.to_owned();
        } else if line.starts_with(&name) && !line.is_empty() {
            families.entry(name.clone()).or_default().labels.extend(labels(line));
        }
    }
}

/// The names of a series' labels. Nothing else in it is followed by `="`.
pub fn labels(line: &str) -> Vec<String> {
    let Some(open) = line.find('{') else { return Vec::new() };
    let named = line[open + 1..].split("=\"").map(|it| it.rsplit([',', '{']).next().unwrap());
    let named = named.filter(|it| !it.is_empty() && it.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
    named.filter(|label| *label != "le").map(str::to_owned).collect()
}

/// The table for what is exported.
fn table(families: &Families) -> String {
    let mut out = String::from("| metric | kind | labels | what it says |\n| --- | --- | --- | --- |\n");
    for (name, Family { kind, about, labels }) in families {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let mut letters = about.chars();
        let about: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
        let _ = writeln!(out, "| `{name}` | {kind} | {} | {about} |", labels.join(", "));
    }
    out
}

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/observability.md")
}

/// What the document's table says otherwise.
pub fn complaints(families: &Families) -> Vec<String> {
    let document = std::fs::read_to_string(document()).unwrap();
    let written = between(&document).1;
    let (exported, written): (BTreeSet<String>, BTreeSet<String>) = (lines(&table(families)), lines(written));
    let missing = exported.difference(&written).map(|line| format!("exported, and not in the table: {line}"));
    missing.chain(written.difference(&exported).map(|line| format!("in the table alone: {line}"))).collect()
}

fn lines(table: &str) -> BTreeSet<String> {
    table.lines().map(str::to_owned).collect()
}

fn between(document: &str) -> (&str, &str, &str) {
    let begin = document.find(BEGIN).unwrap() + BEGIN.len();
    let end = document.find(END).unwrap();
    (&document[..begin], &document[begin..end], &document[end..])
}

/// Writes the table.
pub fn update(families: &Families) {
    let text = std::fs::read_to_string(document()).unwrap();
    let (before, _, after) = between(&text);
    std::fs::write(document(), format!("{before}{}{after}", table(families))).unwrap();
}

#[test]
fn add_reads_kinds_labels_and_words() {
    let mut families = Families::new();
    add(
        &mut families,
        "# HELP a_seconds How long.\n# TYPE a_seconds histogram\na_seconds_bucket{route=\"/x/{id}\",le=\"1\"} 2\n\
         a_seconds_count{route=\"/x\"} 2\n# HELP b_total Things\n# TYPE b_total counter\nb_total 1\n",
    );
    add(&mut families, "# HELP b_total Things\n# TYPE b_total counter\nb_total{of=\"x\"} 1\n");
    assert_eq!(
        table(&families).lines().skip(2).collect::<Vec<_>>(),
        ["| `a_seconds` | histogram | `route` | how long |", "| `b_total` | counter | `of` | things |"]
    );
}

/// Instruments that services make, wherever they show up: one that is in no table was forgotten.
#[test]
fn every_instrument_of_the_sources_is_in_the_table() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let document = std::fs::read_to_string(document()).unwrap();
    let mut found = 0;
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(crates).unwrap().map(|it| it.unwrap().path().join("src")).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let source = std::fs::read_to_string(entry.path()).unwrap();
            for ending in ["_counter(\"", "_gauge(\"", "_histogram(\"", "durations_by(\""] {
                for rest in source.split(ending).skip(1) {
                    let name = rest.split('"').next().unwrap().replace('.', "_");
                    if !name.starts_with("test_") {
                        found += 1;
                        assert!(
                            between(&document).1.contains(&format!("| `{name}")),
                            "{name} is in no table"
                        );
                    }
                }
            }
        }
    }
    assert!(found > 35, "only {found} instruments were found");
}
