//! A store of its own for each test, of either kind, and what can be seen of it from outside.

use std::path::{Path, PathBuf};

use chrono::Utc;
use mintmark_devstack::s3::{self, S3Bucket};
use mintmark_objects::{LinkProof, Store, StoreConfig};
use mintmark_service::config::Reader;
use tempfile::TempDir;
use url::Url;

/// Base64 of 32 zero bytes.
pub const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
/// Objects of a bucket lie under this, so that the prefix is part of every test.
pub const PREFIX: &str = "of/tests";

pub struct Fixture {
    pub store: Store,
    pub place: Place,
}

pub enum Place {
    Folder(TempDir),
    Bucket(S3Bucket),
}

impl Fixture {
    pub fn folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: open_folder(folder.path(), KEY), place: Place::Folder(folder) }
    }

    pub async fn bucket() -> Self {
        let bucket = s3::bucket().await;
        Self { store: open_bucket(&bucket, &[]), place: Place::Bucket(bucket) }
    }

    /// One of each kind: what is asserted of both is the contract.
    pub async fn both() -> [Self; 2] {
        [Self::folder(), Self::bucket().await]
    }

    pub fn name(&self) -> &'static str {
        match self.place {
            Place::Folder(_) => "folder",
            Place::Bucket(_) => "bucket",
        }
    }

    /// The same place, opened with another signing key or secret.
    pub fn with_wrong_secret(&self) -> Store {
        match &self.place {
            Place::Folder(folder) => open_folder(folder.path(), &KEY.replacen('A', "B", 1)),
            Place::Bucket(bucket) => {
                open_bucket(bucket, &[("S3_SECRET_ACCESS_KEY", "0123456789012345678901234567890123456789")])
            }
        }
    }

    pub fn path(&self) -> &Path {
        match &self.place {
            Place::Folder(folder) => folder.path(),
            Place::Bucket(_) => panic!("a bucket is not a folder"),
        }
    }

    /// Every file of the folder or object of the bucket, finished or not, sorted.
    pub fn files(&self) -> Vec<String> {
        match &self.place {
            Place::Folder(folder) => {
                let root = folder.path().join("objects");
                let mut names: Vec<String> = files_in(&root)
                    .iter()
                    .map(|file| file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned())
                    .collect();
                names.sort();
                names
            }
            Place::Bucket(bucket) => {
                let start = format!("{PREFIX}/");
                let objects = bucket.objects();
                objects.iter().map(|path| path.strip_prefix(&start).unwrap().to_owned()).collect()
            }
        }
    }

    /// How many files lie on the disk for an object of this path that is not finished.
    pub fn unfinished(&self, path: &str) -> usize {
        match &self.place {
            Place::Folder(_) => {
                self.files().iter().filter(|file| file.starts_with(&format!("{path}#"))).count()
            }
            Place::Bucket(bucket) => {
                // So MinIO calls the folder of an object's uploads.
                let key = format!("{}/{PREFIX}/{path}", bucket.name());
                let digest = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
                let name: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
                files_in(&bucket.data().join(".minio.sys/multipart").join(name)).len()
            }
        }
    }

    /// The status that a stranger gets for a URL. For the folder this is what the handler of `/objects/` does.
    pub async fn fetch(&self, method: &str, url: &str) -> u16 {
        match &self.place {
            Place::Folder(_) => self.fetch_from_folder(method, url).await,
            Place::Bucket(_) => request(method, url).await.status().as_u16(),
        }
    }

    async fn fetch_from_folder(&self, method: &str, url: &str) -> u16 {
        let url = Url::parse(url).unwrap();
        let query = |name: &str| {
            url.query_pairs().find(|(key, _)| key == name).map(|pair| pair.1.into_owned()).unwrap_or_default()
        };
        let path = url.path().strip_prefix("/objects/").unwrap();
        let expires = query("expires").parse().unwrap_or_default();
        let signer = self.store.signer().unwrap();
        let (name, sha256, signature) = (query("name"), query("sha256"), query("signature"));
        let proof = LinkProof { expires, file_name: &name, sha256: &sha256, signature: &signature };
        match signer.verify(method, path, &proof, Utc::now()) {
            Ok(()) => self.store.stream(path).await.map_or(404, |_| 200),
            Err(fault) => {
                assert!(["SIGNATURE_INVALID", "SIGNATURE_EXPIRED"].contains(&fault.code()));
                403
            }
        }
    }
}

pub async fn request(method: &str, url: &str) -> reqwest::Response {
    mintmark_service::install_crypto();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.request(method.parse().unwrap(), url).send().await.unwrap()
}

pub fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    // What goes away meanwhile is not there.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files_in(&path)) } else { found.push(path) }
    }
    found
}

pub fn open_folder(folder: &Path, key: &str) -> Store {
    let url = format!("file://{}/objects", folder.display());
    open(vec![("EXPORT_STORE_URL", url), ("EXPORT_URL_SIGNING_KEY", key.to_owned())])
}

pub fn open_bucket(bucket: &S3Bucket, changes: &[(&'static str, &str)]) -> Store {
    let mut variables = vec![("EXPORT_STORE_URL", format!("s3://{}/{PREFIX}", bucket.name()))];
    variables.extend(bucket.variables());
    variables.extend(changes.iter().map(|(name, value)| (*name, (*value).to_owned())));
    open(variables)
}

fn open(variables: Vec<(&'static str, String)>) -> Store {
    let mut reader = Reader::from_pairs(variables);
    let config = StoreConfig::read(&mut reader, "EXPORT", "http://127.0.0.1:8080");
    Store::open(&reader.finish(config).unwrap()).unwrap()
}
