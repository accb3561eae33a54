//! The part of a lock file that ships, so that `cargo audit` does not judge development dependencies: they are in the
//! lock file, but in nothing that runs in production.

use std::collections::BTreeSet;

use toml::{Table, Value};

/// Why there is no reduced lock file.
#[derive(Debug, thiserror::Error)]
pub enum ShippedError {
    /// The lock file is not one.
    #[error("the lock file is not TOML")]
    NotToml(#[from] Box<toml::de::Error>),
    /// It has no packages.
    #[error("the lock file has no [[package]] with name and version")]
    NoPackages,
    /// A line of the tree is not a package.
    #[error("'{0}' is no line of cargo tree --prefix none --format '{{p}}'")]
    NotTree(String),
    /// The tree has nothing that the lock file has.
    #[error("cargo tree named no package: what ships is unknown")]
    EmptyTree,
    /// The tree and the lock file are of different moments.
    #[error("{0} ships and is not in the lock file: run cargo update --workspace")]
    NotLocked(String),
    /// The result could not be written as TOML.
    #[error("the reduced lock file cannot be written")]
    NotWritten(#[from] toml::ser::Error),
}

/// The lock file with only the packages that `tree` names: the output of
/// `cargo tree --edges normal,build --prefix none --format '{p}'`.
///
/// # Errors
/// Either text is not what it should be, or something ships that is not locked.
pub fn reduce(lock: &str, tree: &str) -> Result<String, ShippedError> {
    let ships = ships(tree)?;
    let mut lock: Table = toml::from_str(lock).map_err(Box::new)?;
    let Some(Value::Array(packages)) = lock.get_mut("package") else { return Err(ShippedError::NoPackages) };
    let locked: BTreeSet<(String, String)> = packages.iter().filter_map(name_and_version).collect();
    if let Some((name, version)) = ships.iter().find(|package| !locked.contains(*package)) {
        return Err(ShippedError::NotLocked(format!("{name} {version}")));
    }
    packages.retain(|package| name_and_version(package).is_some_and(|package| ships.contains(&package)));
    for package in packages.iter_mut() {
        // "name", "name version" or "name version (source)": the shorter where it is the only one in the whole lock.
        if let Some(Value::Array(dependencies)) = package.get_mut("dependencies") {
            dependencies.retain(|dependency| {
                let mut words = dependency.as_str().unwrap_or_default().split(' ');
                let (name, version) = (words.next().unwrap_or_default(), words.next());
                ships.iter().any(|(ours, own)| ours == name && version.is_none_or(|version| version == own))
            });
        }
    }
    Ok(toml::to_string(&lock)?)
}

fn ships(tree: &str) -> Result<BTreeSet<(String, String)>, ShippedError> {
    let mut ships = BTreeSet::new();
    for line in tree.lines().filter(|line| !line.trim().is_empty()) {
        let mut words = line.split_whitespace();
        let package = words.next().zip(words.next().and_then(|version| version.strip_prefix('v')));
        let (name, version) = package.ok_or_else(|| ShippedError::NotTree(line.to_owned()))?;
        ships.insert((name.to_owned(), version.to_owned()));
    }
    if ships.is_empty() {
        return Err(ShippedError::EmptyTree);
    }
    Ok(ships)
}

fn name_and_version(package: &Value) -> Option<(String, String)> {
    let text = |field: &str| package.get(field).and_then(Value::as_str).map(str::to_owned);
    text("name").zip(text("version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
        version = 4
        [[package]]
        name = "ours"
        version = "0.1.0"
        dependencies = ["needed 1.0.0", "needed 2.0.0", "only-in-tests"]
        [[package]]
        name = "needed"
        version = "1.0.0"
        [[package]]
        name = "needed"
        version = "2.0.0"
        [[package]]
        name = "only-in-tests"
        version = "3.0.0"
    "#;
    const TREE: &str = "ours v0.1.0 (/somewhere/ours)\nneeded v2.0.0\nneeded v2.0.0 (*)\n\n";

    #[test]
    fn reduce_keeps_what_ships_in_the_version_that_ships() {
        let reduced: Table = toml::from_str(&reduce(LOCK, TREE).unwrap()).unwrap();
        let packages: Vec<_> =
            reduced["package"].as_array().unwrap().iter().filter_map(name_and_version).collect();
        let pair = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(packages, [pair("ours", "0.1.0"), pair("needed", "2.0.0")]);
        assert_eq!(reduced["package"][0]["dependencies"].as_array().unwrap(), &["needed 2.0.0".into()]);
        assert_eq!(reduced["version"].as_integer(), Some(4));
    }

    #[test]
    fn reduce_without_a_tree_or_with_another_lock_is_an_error() {
        assert!(matches!(reduce(LOCK, ""), Err(ShippedError::EmptyTree)));
        assert!(matches!(reduce(LOCK, "ours\n"), Err(ShippedError::NotTree(_))));
        assert!(matches!(reduce(LOCK, "new v1.0.0\n"), Err(ShippedError::NotLocked(_))));
        assert!(matches!(reduce("version = 4", TREE), Err(ShippedError::NoPackages)));
        assert!(matches!(reduce("<html>", TREE), Err(ShippedError::NotToml(_))));
    }
}
