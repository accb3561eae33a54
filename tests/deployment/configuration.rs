//! `docs/configuration.md` against the programs. Its tables are what `--describe-config` says; the words around them are
//! written by hand. `UPDATE_GOLDEN=1` writes the tables anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::description::{Needed, ROLES, Secret, Variable, describe};

/// Which document of the specification names a variable; the tables say it.
const SPECIFIED: [(&str, &str); 9] = [
    ("PPOS_CONTROL_TOKEN", "preflight-auth-contract.md"),
    ("EVIDENCE_ENCRYPTION_KEY", "platform-security.md"),
    ("RETENTION_TTL_EVIDENCE_DAYS", "platform-security.md"),
    ("RATE_LIMIT_ENABLED", "platform-security.md"),
    ("RATE_LIMIT_WINDOW_SEC", "platform-security.md"),
    ("RATE_LIMIT_MAX_FREE", "platform-security.md"),
    ("RATE_LIMIT_MAX_PRO", "platform-security.md"),
    ("RATE_LIMIT_MAX_ENTERPRISE", "platform-security.md"),
    ("RATE_LIMIT_FAIL_OPEN", "platform-security.md"),
];
/// Crates whose sources may ask the environment past the reader of `crates/service`: the launcher, what tests start servers
/// with, and the engine, which looks that its environment is empty.
const PAST_THE_READER: [&str; 3] = ["mintmark", "devstack", "preflight-engine"];

/// Everything that is known of a variable: what it is, and who reads it with which default.
struct Entry {
    variable: Variable,
    readers: Vec<(&'static str, Option<&'static str>)>,
    defaults: Vec<Option<String>>,
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every variable once, in the order in which the roles ask for them. One name means one thing, whoever reads it.
fn entries() -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (program, role) in ROLES {
        for variable in describe(program, role) {
            let default = variable.default.clone();
            let Some(known) = entries.iter_mut().find(|known| known.variable.name == variable.name) else {
                let readers = vec![(program, role)];
                entries.push(Entry { variable, readers, defaults: vec![default] });
                continue;
            };
            let same = |one: &Variable| (one.about.clone(), one.form.clone(), one.secret, one.needed.clone());
            assert_eq!(
                same(&known.variable),
                same(&variable),
                "{}: {program} reads another thing",
                variable.name
            );
            known.readers.push((program, role));
            known.defaults.push(default);
        }
    }
    // What is required first; the rest stays in the order of the sources.
    entries.sort_by_key(|entry| match entry.variable.needed {
        Needed::Always => 0,
        Needed::When(_) => 1,
        Needed::Never => 2,
    });
    entries
}

fn roles_of(program: &str) -> Vec<&'static str> {
    ROLES.iter().filter(|(of, _)| *of == program).filter_map(|(_, role)| *role).collect()
}

/// `control-plane (serve, sequencer), console`.
fn read_by(entry: &Entry) -> String {
    let mut programs: Vec<(&str, Vec<&str>)> = Vec::new();
    for (program, role) in &entry.readers {
        match programs.last_mut().filter(|(last, _)| last == program) {
            Some((_, roles)) => roles.extend(role),
            None => programs.push((program, role.iter().copied().collect())),
        }
    }
    let named = programs.into_iter().map(|(program, roles)| {
        if roles.len() == roles_of(program).len() {
            program.to_owned()
        } else {
            format!("{program} ({})", roles.join(", "))
        }
    });
    named.collect::<Vec<_>>().join(", ")
}

fn default(entry: &Entry) -> String {
    let mut defaults: Vec<&Option<String>> = entry.defaults.iter().collect();
    defaults.dedup();
    match (defaults.as_slice(), &entry.variable.needed) {
        (_, Needed::Always) => "**required**".to_owned(),
        (_, Needed::When(condition)) => format!("required when {}", marked(condition)),
        ([Some(default)], Needed::Never) => format!("`{default}`"),
        ([_], Needed::Never) => "none".to_owned(),
        (_, Needed::Never) if entry.variable.name == "OPS_ADDR" => "by role, below".to_owned(),
        (_, Needed::Never) => {
            let each = entry.readers.iter().zip(&entry.defaults);
            let mut each: Vec<String> = each
                .map(|((program, _), default)| {
                    format!("`{}` ({program})", default.as_deref().unwrap_or_default())
                })
                .collect();
            each.dedup();
            each.join(", ")
        }
    }
}

/// The text with names (of variables, logins, metrics) as code, fit for a table.
fn marked(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
        let name = word.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        if name.contains('_') && !word.ends_with('=') {
            // Writing to a String cannot fail.
            let _infallible = write!(out, "`{name}`{}", &word[name.len()..]);
        } else {
            out.push_str(word);
        }
    }
    out.replace('|', "\\|")
}

fn secret(variable: &Variable) -> &'static str {
    match variable.secret {
        Secret::No => "no",
        Secret::Value => "**yes**",
        Secret::File => "**the file**",
    }
}

fn row(entry: &Entry, who: Option<String>) -> String {
    let variable = &entry.variable;
    let who = who.map(|who| format!(" {who} |")).unwrap_or_default();
    let specified = SPECIFIED.iter().find(|(name, _)| *name == variable.name);
    let specified = specified.map(|(_, document)| format!(" (specified: `{document}`)")).unwrap_or_default();
    let form = if variable.form.is_empty() { "text" } else { &variable.form };
    format!(
        "| `{}` |{who} {} | {} | {} | {}{specified} |\n",
        variable.name,
        default(entry),
        marked(form),
        secret(variable),
        marked(&variable.about)
    )
}

fn table(who: Option<&str>, rows: impl Iterator<Item = String>) -> String {
    let named = who.map(|who| format!(" {who} |")).unwrap_or_default();
    let line = who.map(|_| " --- |").unwrap_or_default();
    let head = format!(
        "| variable |{named} default | value | secret | what it is |\n| --- |{line} --- | --- | --- | --- |\n"
    );
    rows.fold(head, |table, row| table + &row)
}

fn of_service(entries: &[Entry], program: &'static str) -> String {
    let own = || entries.iter().filter(|entry| entry.readers.iter().all(|(of, _)| *of == program));
    let roles = roles_of(program);
    let mut text = String::new();
    let ops = entries.iter().find(|entry| entry.variable.name == "OPS_ADDR").unwrap();
    for ((of, role), default) in ops.readers.iter().zip(&ops.defaults) {
        if *of == program {
            let command = role.map_or_else(|| program.to_owned(), |role| format!("{program} {role}"));
            let default = default.as_deref().unwrap();
            let at =
                if default.ends_with(":0") { "any free port".to_owned() } else { format!("`{default}`") };
            let _infallible = writeln!(text, "- `{command}`: `OPS_ADDR` is {at} when unset");
        }
    }
    text.push('\n');
    text.push_str(&match roles.as_slice() {
        [] => table(None, own().map(|entry| row(entry, None))),
        _ => table(
            Some("role"),
            own().map(|entry| {
                let all = entry.readers.len() == roles.len();
                let of: Vec<&str> = entry.readers.iter().filter_map(|(_, role)| *role).collect();
                row(entry, Some(if all { "all".to_owned() } else { of.join(", ") }))
            }),
        ),
    });
    text
}

fn secrets(entries: &[Entry]) -> String {
    let mut text = "| secret | read by | how it is given |\n| --- | --- | --- |\n".to_owned();
    for entry in entries.iter().filter(|entry| entry.variable.secret != Secret::No) {
        let how = match entry.variable.secret {
            Secret::File => "as a file, whose path is the value",
            _ => "as the value; there is no file for it",
        };
        let _infallible = writeln!(text, "| `{}` | {} | {how} |", entry.variable.name, read_by(entry));
    }
    text
}

/// The tables, each under the name that its place in the document has.
fn tables(entries: &[Entry]) -> BTreeMap<&'static str, String> {
    let programs = |entry: &Entry| entry.readers.iter().map(|(program, _)| *program).collect::<BTreeSet<_>>();
    let everywhere = |entry: &&Entry| entry.readers.len() == ROLES.len();
    let shared = |entry: &&Entry| !everywhere(entry) && programs(entry).len() > 1;
    let mut tables = BTreeMap::from([
        ("every role", table(None, entries.iter().filter(everywhere).map(|entry| row(entry, None)))),
        (
            "several services",
            table(
                Some("read by"),
                entries.iter().filter(shared).map(|entry| row(entry, Some(read_by(entry)))),
            ),
        ),
        ("secrets", secrets(entries)),
    ]);
    for (program, _) in ROLES {
        tables.entry(program).or_insert_with(|| of_service(entries, program));
    }
    tables
}

/// The document with these tables in their places.
fn with_tables(document: &str, tables: &BTreeMap<&str, String>) -> String {
    let mut text = document.to_owned();
    for (name, table) in tables {
        let begin = format!("<!-- generated: {name} -->\n");
        let start = text.find(&begin).unwrap_or_else(|| panic!("no place for {name}: {begin}")) + begin.len();
        let end = start + text[start..].find("<!-- end -->").unwrap();
        text.replace_range(start..end, table);
    }
    assert_eq!(text.matches("<!-- generated: ").count(), tables.len(), "a place has no table");
    text
}

#[test]
fn the_document_says_what_the_programs_read() {
    let path = workspace().join("docs/configuration.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let entries = entries();
    for (name, _) in SPECIFIED {
        assert!(entries.iter().any(|entry| entry.variable.name == name), "nobody reads {name}");
    }
    let wanted = with_tables(&document, &tables(&entries));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, wanted).unwrap();
        return;
    }
    let differing = document.lines().zip(wanted.lines()).find(|(is, should)| is != should);
    assert!(
        document == wanted,
        "run `UPDATE_GOLDEN=1 cargo test -p mintmark-tests --test deployment the_document`: {differing:?}"
    );
}

/// The names in quotes after this beginning.
fn quoted<'a>(text: &'a str, beginning: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(beginning).filter_map(move |(at, _)| text[at + beginning.len()..].split('"').next())
}

#[test]
fn the_environment_is_read_where_it_is_described() {
    let document = std::fs::read_to_string(workspace().join("docs/configuration.md")).unwrap();
    let (mut wrong, mut found) = (Vec::new(), 0);
    for source in sources() {
        let text = std::fs::read_to_string(&source).unwrap();
        let place = source.strip_prefix(workspace().join("crates")).unwrap();
        let of = place.components().next().unwrap().as_os_str().to_str().unwrap();
        if of == "mintmark" {
            let names = ["env::var(\"", "env::var_os(\"", "env = \""].into_iter();
            for name in names.flat_map(|beginning| quoted(&text, beginning)) {
                found += 1;
                if !document.contains(&format!("`{name}`")) {
                    wrong.push(format!(
                        "docs/configuration.md does not say what {name} is, which {} reads",
                        place.display()
                    ));
                }
            }
        }
        let reader = place == Path::new("service/src/config/reader.rs");
        if text.contains("env::var") && !reader && !PAST_THE_READER.contains(&of) {
            wrong.push(format!("{} reads the environment itself: take it from the Reader", place.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(found >= 3, "only {found} variables of the launcher were found");
}

/// Every source of a program or library.
fn sources() -> Vec<PathBuf> {
    let crates = std::fs::read_dir(workspace().join("crates")).unwrap().map(|entry| entry.unwrap().path());
    let (mut found, mut folders): (Vec<PathBuf>, Vec<PathBuf>) =
        (Vec::new(), crates.map(|it| it.join("src")).collect());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|it| it == "rs") {
                found.push(entry);
            }
        }
    }
    assert!(found.len() > 300, "only {} sources were found", found.len());
    found
}
