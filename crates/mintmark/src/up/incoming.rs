//! The bucket of the contract's commands, as a folder: `s3://ppos-storage/incoming/…` belongs to the production tenant.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::failure::{Doing, Failure};
use crate::home::Home;

/// The bucket and the prefix that the contract's command B names.
const BUCKET: &str = "ppos-storage";
const PREFIX: &str = "incoming/";
/// Whose files those are.
const TENANT: &str = "ppos-production-worker";

/// Files that lie there from the beginning; the contract's is the first.
const FILES: &[(&str, &[u8])] = &[
    ("validate.pdf", include_bytes!("../../demo/flyer-good.pdf")),
    ("flyer-bad.pdf", include_bytes!("../../demo/flyer-bad.pdf")),
];

/// Where a file of the demonstration lies for the preflight service.
pub fn target(name: &str) -> String {
    format!("s3://{BUCKET}/{PREFIX}{name}")
}

/// The value of `PREFLIGHT_BUCKETS`.
pub fn buckets(home: &Home) -> Result<String, Failure> {
    let store = url::Url::from_directory_path(folder(home))
        .map_err(|()| Failure::new("the folder of the launcher has no absolute path"))?;
    let store = store.as_str().trim_end_matches('/');
    Ok(json!({ BUCKET: { "store": store, "tenants": { TENANT: [PREFIX] } } }).to_string())
}

/// Puts the files there that are missing. What somebody has put in their place stays.
pub fn lay_out(home: &Home) -> Result<(), Failure> {
    let folder = folder(home).join(PREFIX);
    fs::create_dir_all(&folder).doing(format_args!("make {}", folder.display()))?;
    for (name, bytes) in FILES {
        let path = folder.join(name);
        if !path.exists() {
            fs::write(&path, bytes).doing(format_args!("write {}", path.display()))?;
        }
    }
    Ok(())
}

fn folder(home: &Home) -> PathBuf {
    home.path("objects").join(BUCKET)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_give_the_contracts_prefix_to_the_contracts_tenant() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let buckets: serde_json::Value = serde_json::from_str(&buckets(&home).unwrap()).unwrap();
        let bucket = &buckets["ppos-storage"];
        assert_eq!(bucket["tenants"], json!({ "ppos-production-worker": ["incoming/"] }));
        assert!(bucket["store"].as_str().unwrap().ends_with("/objects/ppos-storage"), "{bucket}");
        assert_eq!(target("validate.pdf"), "s3://ppos-storage/incoming/validate.pdf");
    }

    #[test]
    fn lay_out_leaves_what_somebody_put_there() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        lay_out(&home).unwrap();
        let file = home.path("objects/ppos-storage/incoming/validate.pdf");
        assert!(fs::read(&file).unwrap().starts_with(b"%PDF-"));
        fs::write(&file, "mine").unwrap();
        lay_out(&home).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    }
}
