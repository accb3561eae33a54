//! The store on a real folder.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod store;
mod writer;

use std::path::{Path, PathBuf};

use mintmark_objects::{Store, StoreConfig};
use mintmark_service::config::Reader;
use tempfile::TempDir;

/// A store in a folder of its own.
struct Fixture {
    folder: TempDir,
    store: Store,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        Self { folder, store }
    }

    /// Every file in the folder, whatever its name.
    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found
    }
}

fn open(folder: &Path) -> Store {
    // Base64 of 32 zero bytes.
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned();
    let url = format!("file://{}/objects", folder.display());
    let mut reader = Reader::from_pairs([("EXPORT_STORE_URL", url), ("EXPORT_URL_SIGNING_KEY", key)]);
    let config = StoreConfig::read(&mut reader, "EXPORT", "http://127.0.0.1:8080");
    Store::open(&reader.finish(config).unwrap()).unwrap()
}
