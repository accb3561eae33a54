//! What is published is what the code says. `UPDATE_GOLDEN=1` writes it anew.

use std::path::{Path, PathBuf};

use mintmark_preflight_engine::{
    facts::Facts,
    policy::{Intent, Policy, Report, rules_by_variant, variants},
};
use schemars::{JsonSchema, generate::SchemaSettings};

/// Compares a committed file, or writes it.
pub fn compare(path: &Path, wanted: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, wanted).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == wanted, "{} is not what the code says: run with UPDATE_GOLDEN=1", path.display());
}

pub fn crate_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn schema<T: JsonSchema>(name: &str) {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    compare(&crate_file(&format!("schema/{name}.schema.json")), &text);
}

#[test]
fn schemas_are_published() {
    schema::<Facts>("facts-1");
    schema::<Report>("report-1");
    schema::<Policy>("policy-1");
    schema::<Intent>("intent-1");
}

#[test]
fn table_of_rules_is_published_and_counts() {
    let table = rules_by_variant();
    compare(&crate_file("../../docs/preflight-rules.md"), &table);
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| R")).collect();
    assert_eq!(rows.len(), 39);
    // Two columns of words and one for each variant.
    assert!(rows.iter().all(|row| row.trim_matches('|').split('|').count() == 2 + 23));
    let cells: Vec<&str> =
        rows.iter().flat_map(|row| row.trim_matches('|').split('|').skip(2)).map(str::trim).collect();
    let absent = cells.iter().filter(|cell| **cell == "–").count();
    let not_evaluated = cells.iter().filter(|cell| cell.starts_with('*')).count();
    let asked: usize = variants().iter().map(|variant| variant.policy.rules.len()).sum();
    assert_eq!((cells.len(), cells.len() - absent, not_evaluated), (897, asked, 21));
    let stopped = |line: &&str| line.ends_with("| incomplete |");
    assert_eq!(
        table.lines().filter(stopped).count(),
        21,
        "Digital Print and Large Format ask no rendered ink"
    );
}
