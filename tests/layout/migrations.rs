//! Programs of the version before go on under the new schema while an upgrade is under way: migrations expand, and a later
//! version contracts (`docs/upgrade.md`).

use std::path::{Path, PathBuf};

/// What takes something away from a program that does not know of the change, or holds tables up that are in use.
const FORBIDDEN: [(&str, &str); 12] = [
    ("DROP TABLE", "programs of the version before read it"),
    ("DROP COLUMN", "programs of the version before name it"),
    ("DROP FUNCTION", "programs of the version before call it"),
    ("DROP VIEW", "programs of the version before read it"),
    ("DROP TYPE", "programs of the version before use it"),
    ("RENAME ", "programs of the version before know the old name"),
    ("SET NOT NULL", "programs of the version before may write NULL; and every row is read under the lock"),
    ("ALTER COLUMN", "another type writes the table anew under its lock"),
    ("ADD CONSTRAINT", "what the version before writes may be refused; and every row is read under the lock"),
    ("TRUNCATE", "the rows are gone"),
    ("LOCK TABLE", "everybody waits"),
    ("REVOKE ", "programs of the version before have the right because they use it"),
];

/// What stands in migrations that were made before there was a version to upgrade from. Each is a migration and
/// a word of the list. **Nothing is added here after the first release**, unless the sentence beside it
/// says why the version before does not notice.
const KNOWN: [(&str, &str); 12] = [
    // Before the first release.
    ("control-plane/2026-11-22-000008_batch_operations", "ALTER COLUMN"),
    ("control-plane/2026-11-22-000008_batch_operations", "ADD CONSTRAINT"),
    ("control-plane/2026-11-22-000009_scans", "CREATE INDEX"),
    ("control-plane/2026-11-22-000012_export_cancel", "ADD CONSTRAINT"),
    ("control-plane/2026-11-23-000025_membership_of_user", "CREATE INDEX"),
    ("resolver/2026-11-22-000003_revocation", "ADD CONSTRAINT"),
    ("resolver/2026-11-22-000003_revocation", "DROP FUNCTION"),
    ("resolver/2026-11-22-000004_telemetry", "RENAME "),
    ("resolver/2026-11-22-000004_telemetry", "DROP TABLE"),
    ("resolver/2026-11-22-000005_summaries", "CREATE INDEX"),
    ("resolver/2026-11-22-000006_images", "CREATE INDEX"),
    ("resolver/2026-11-22-000006_images", "DROP FUNCTION"),
];

#[test]
fn every_migration_lets_the_version_before_go_on() {
    let mut found = Vec::new();
    let mut seen = 0;
    for (name, sql) in migrations() {
        seen += 1;
        for wrong in wrong(&sql) {
            found.push((name.clone(), wrong));
        }
    }
    assert!(seen > 30, "the walk itself is broken: it saw {seen} migrations");
    let unknown: Vec<String> = found
        .iter()
        .filter(|(name, (word, _))| !KNOWN.contains(&(name.as_str(), word)))
        .map(|(name, (word, why))| format!("{name}: {}: {why}", word.trim()))
        .collect();
    assert!(unknown.is_empty(), "expand first, contract a version later (docs/upgrade.md): {unknown:#?}");
    for (name, word) in KNOWN {
        let still = found.iter().any(|(of, (what, _))| of == name && *what == word);
        assert!(still, "{name} has no '{}' any more: take it off the list", word.trim());
    }
}

#[test]
fn what_breaks_the_version_before_is_seen() {
    for (sql, expected) in [
        ("CREATE TABLE a (b int NOT NULL);", None),
        ("ALTER TABLE a ADD COLUMN b int;", None),
        ("ALTER TABLE a ADD COLUMN b int NOT NULL DEFAULT 0;", None),
        ("ALTER TABLE a ADD COLUMN b int NOT NULL;", Some("NOT NULL without DEFAULT")),
        ("ALTER TABLE a\n    DROP COLUMN b;", Some("DROP COLUMN")),
        ("-- DROP TABLE a\nCREATE TABLE b (c int); CREATE INDEX d ON b (c);", None),
        ("CREATE INDEX d ON used (c);", Some("CREATE INDEX")),
        ("CREATE UNIQUE INDEX d ON used (c);", Some("CREATE INDEX")),
        ("CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DROP TABLE a; END $$;", None),
        (
            "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'x'; REVOKE ALL ON FUNCTION f() FROM PUBLIC;",
            None,
        ),
        ("REVOKE SELECT ON a FROM control_app;", Some("REVOKE ")),
    ] {
        let words: Vec<&str> = wrong(sql).into_iter().map(|(word, _)| word).collect();
        assert_eq!(words.first().copied(), expected, "{sql}");
    }
}

/// The words of a migration that the version before would notice, and why.
fn wrong(sql: &str) -> Vec<(&'static str, &'static str)> {
    let statements = statements(sql);
    let made: Vec<String> = statements.iter().filter_map(|it| after(it, "CREATE TABLE ")).collect();
    let mut found = Vec::new();
    for statement in &statements {
        for (word, why) in FORBIDDEN {
            // What the same migration made, nobody knows yet; and a function is everybody's until that is taken back.
            let own = made.iter().any(|table| after(statement, "ALTER TABLE ").as_ref() == Some(table));
            let public = statement.starts_with("REVOKE ") && statement.ends_with(" FROM PUBLIC");
            if statement.contains(word) && !own && !public && !found.contains(&(word, why)) {
                found.push((word, why));
            }
        }
        let added = statement.split("ADD COLUMN ").skip(1).map(|column| column.replace("IS NOT NULL", ""));
        let added = added.map(|column| column.split("ADD CONSTRAINT").next().unwrap_or("").to_owned());
        if added.into_iter().any(|column| column.contains("NOT NULL") && !column.contains("DEFAULT")) {
            found.push(("NOT NULL without DEFAULT", "programs of the version before do not write it"));
        }
        let index = statement.starts_with("CREATE INDEX ") || statement.starts_with("CREATE UNIQUE INDEX ");
        let on = after(statement, " ON ");
        if index && on.is_none_or(|table| !made.contains(&table)) {
            found.push((
                "CREATE INDEX",
                "writes wait until it is built: build it CONCURRENTLY, outside a transaction",
            ));
        }
    }
    found
}

/// The name that follows a word.
fn after(statement: &str, word: &str) -> Option<String> {
    let rest = &statement[statement.find(word)? + word.len()..];
    rest.split([' ', '(']).next().map(str::to_owned)
}

/// The statements without comments and bodies of functions, on one line each, in capitals where the words are.
fn statements(sql: &str) -> Vec<String> {
    let bare: String =
        sql.lines().map(|line| line.split("--").next().unwrap_or("")).collect::<Vec<_>>().join("\n");
    // Every second piece lies between dollar signs.
    let outside: String = bare.split("$$").step_by(2).collect::<Vec<_>>().join(" ");
    let words = |statement: &str| statement.split_whitespace().collect::<Vec<_>>().join(" ");
    outside.split(';').map(words).filter(|statement| !statement.is_empty()).collect()
}

fn migrations() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let mut found = Vec::new();
    for service in folders(&root) {
        for folder in folders(&service) {
            let sql = std::fs::read_to_string(folder.join("up.sql")).expect("an up.sql");
            found.push((format!("{}/{}", last(&service), last(&folder)), sql));
        }
    }
    found.sort();
    found
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(of).expect("a folder").flatten().map(|entry| entry.path());
    entries.filter(|path| path.is_dir()).collect()
}

fn last(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}
