//! The signatures of the control plane's store: a function that takes a permit reads the tenant from it.

use std::path::{Path, PathBuf};

/// Creating a tenant is done to the platform, whose permit has no tenant: the new one's id is what is created.
const OF_THE_PLATFORM: [&str; 1] = ["tenants::insert"];

#[test]
fn no_store_function_takes_a_tenant_beside_its_permit() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/control-plane/src/store")) {
        let source = std::fs::read_to_string(&file).expect("a source file");
        let module = file.file_stem().expect("a name").to_string_lossy().into_owned();
        for (name, parameters) in functions(&source) {
            if !["Permit<", "impl Mandate", "impl OnExports", "impl OfMinting"]
                .iter()
                .any(|p| parameters.contains(p))
            {
                continue;
            }
            seen += 1;
            let function = format!("{module}::{name}");
            if parameters.contains("TenantId") && !OF_THE_PLATFORM.contains(&function.as_str()) {
                wrong.push(function);
            }
        }
    }
    assert!(seen > 50, "the walk itself is broken: it saw {seen} functions with a permit");
    assert!(wrong.is_empty(), "these name a tenant beside their permit, which has one: {wrong:?}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of sources").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Name, and the text between generics and return type, of each function.
fn functions(source: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for (at, _) in source.match_indices("fn ") {
        let rest = &source[at + 3..];
        let Some(name) = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next() else {
            continue;
        };
        let end = rest.find(['{', ';']).unwrap_or(rest.len());
        let signature = &rest[..end];
        let parameters = signature.split(") ->").next().unwrap_or(signature);
        if !name.is_empty() && signature.contains('(') {
            found.push((name, parameters));
        }
    }
    found
}
