//! Files of others: objects that somebody names by `s3://bucket/key`, read and never written.
//!
//! What may be named is configuration: buckets by name, and for each tenant the prefixes that it was given there. The name of
//! a bucket never becomes an address: it is looked up in the table, and where the table has none, nothing is asked.

mod grants;
mod target;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use mintmark_fault::{Fault, Kind, Result};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt};

use crate::failure::fault;

pub use grants::IntakeConfig;
pub use target::Target;

use grants::{Grant, Place};

/// The buckets that files are taken from. Cheap to clone.
#[derive(Clone)]
pub struct Intake(Arc<Vec<Bucket>>);

struct Bucket {
    name: String,
    store: Arc<dyn ObjectStore>,
    /// Of a bucket that is a folder of this machine.
    folder: Option<PathBuf>,
    grants: Vec<Grant>,
}

/// One version of an object, by what its store says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The ETag as the store writes it.
    pub etag: String,
    /// The version, where the store keeps several.
    pub version: Option<String>,
    /// Its length.
    pub bytes: u64,
}

/// The content of one version of an object, under way: exactly as many bytes as were pinned, or an error.
pub type Content = BoxStream<'static, Result<Bytes>>;

impl Intake {
    /// Opens the buckets. A folder is created where it is missing; other buckets are not reached before they are used.
    ///
    /// # Errors
    /// 503 with a sentence that names the folder that cannot be used.
    pub fn open(config: &IntakeConfig) -> Result<Self> {
        let buckets = config.buckets.iter().map(|bucket| {
            let (store, folder) = match &bucket.place {
                Place::Folder(folder) => (open_folder(folder)?, Some(folder.clone())),
                Place::Bucket(bucket) => (bucket.open()?.0, None),
            };
            Ok(Bucket { name: bucket.name.clone(), store, folder, grants: bucket.grants.clone() })
        });
        Ok(Self(Arc::new(buckets.collect::<Result<_>>()?)))
    }

    /// The present version of an object that `tenant` may name.
    ///
    /// # Errors
    /// 422 `TARGET_NOT_ALLOWED` where no bucket or prefix of the tenant has it, whatever exists there; 422 `TARGET_MISSING`;
    /// 503 when the store is away.
    pub async fn pin(&self, tenant: &str, target: &Target) -> Result<Pinned> {
        let bucket = self.bucket(tenant, target)?;
        let path = bucket.path(target).await?;
        match bucket.store.head(&path).await {
            Ok(meta) => pinned(&meta),
            Err(object_store::Error::NotFound { .. }) => Err(missing()),
            Err(error) => Err(fault(error)),
        }
    }

    /// The content of that very version.
    ///
    /// # Errors
    /// As [`Intake::pin`]; 422 `TARGET_CHANGED` when the object is another one by now. The content itself ends with that too
    /// where a file is changed while it is read.
    pub async fn fetch(&self, tenant: &str, target: &Target, pin: &Pinned) -> Result<Content> {
        let bucket = self.bucket(tenant, target)?;
        let path = bucket.path(target).await?;
        let options = GetOptions {
            if_match: Some(pin.etag.clone()),
            version: pin.version.clone(),
            ..GetOptions::default()
        };
        let found = match bucket.store.get_opts(&path, options).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. } | object_store::Error::Precondition { .. }) => {
                return Err(changed());
            }
            Err(error) => return Err(fault(error)),
        };
        if found.meta.size != pin.bytes {
            return Err(changed());
        }
        let content = found.into_stream().map(|piece| piece.map_err(fault)).boxed();
        // A file may be written to while it is read; a store hands out whole versions.
        let again = bucket.folder.is_some().then(|| (bucket.store.clone(), path, pin.etag.clone()));
        let end = stream::iter(again).then(|(store, path, etag)| async move {
            match store.head(&path).await {
                Ok(meta) if meta.e_tag.as_deref() == Some(&etag) => Ok(Bytes::new()),
                Ok(_) | Err(object_store::Error::NotFound { .. }) => Err(changed()),
                Err(error) => Err(fault(error)),
            }
        });
        Ok(exactly(pin.bytes, content).chain(end).boxed())
    }

    fn bucket(&self, tenant: &str, target: &Target) -> Result<&Bucket> {
        let granted = |bucket: &&Bucket| bucket.grants.iter().any(|grant| grant.covers(tenant, target.key()));
        let found = self.0.iter().filter(|bucket| bucket.name == target.bucket()).find(granted);
        found.ok_or_else(not_allowed)
    }
}

impl Bucket {
    async fn path(&self, target: &Target) -> Result<Path> {
        let path = Path::parse(target.key()).map_err(|error| target::invalid("its key").caused_by(error))?;
        let Some(folder) = &self.folder else { return Ok(path) };
        // A link may lead out of the folder, and out of what the tenant was given.
        let file = folder.join(target.key());
        match (tokio::fs::canonicalize(&file).await, tokio::fs::canonicalize(folder).await) {
            (Ok(file), Ok(folder)) if file == folder.join(target.key()) => {
                let kind = tokio::fs::metadata(&file).await.map_err(crate::fault_of_io)?;
                if kind.is_file() { Ok(path) } else { Err(missing()) }
            }
            (Ok(_), Ok(_)) => Err(not_allowed()),
            // Asked all the same: a store that does not have it says what is true at that moment.
            (Err(error), _) if error.kind() == ErrorKind::NotFound => Ok(path),
            (Err(error), _) if error.kind() == ErrorKind::NotADirectory => Err(missing()),
            (Err(error), _) | (_, Err(error)) => Err(crate::fault_of_io(error)),
        }
    }
}

fn open_folder(folder: &PathBuf) -> Result<Arc<dyn ObjectStore>> {
    let unusable = || {
        let sentence = format!(
            "the folder {} cannot be used as a bucket: create it and give it to this user",
            folder.display()
        );
        Fault::unavailable("STORE_UNAVAILABLE", sentence)
    };
    std::fs::create_dir_all(folder).map_err(|error| unusable().caused_by(error))?;
    let local = LocalFileSystem::new_with_prefix(folder).map_err(|error| unusable().caused_by(error))?;
    Ok(Arc::new(local))
}

fn pinned(meta: &ObjectMeta) -> Result<Pinned> {
    let etag = meta.e_tag.clone().ok_or_else(|| {
        let sentence =
            "the object store names no version (ETag) of this object, so that it could change unnoticed";
        Fault::unavailable("STORE_UNAVAILABLE", sentence)
    })?;
    Ok(Pinned { etag, version: meta.version.clone(), bytes: meta.size })
}

/// The same content, and an error where it is longer or shorter.
fn exactly(bytes: u64, content: Content) -> Content {
    stream::unfold(Some((bytes, content)), |state| async move {
        let (left, mut content) = state?;
        match content.next().await {
            Some(Ok(piece)) => match left.checked_sub(piece.len() as u64) {
                Some(left) => Some((Ok(piece), Some((left, content)))),
                None => Some((Err(changed()), None)),
            },
            Some(Err(error)) => Some((Err(error), None)),
            None if left > 0 => Some((Err(changed()), None)),
            None => None,
        }
    })
    .boxed()
}

fn not_allowed() -> Fault {
    let sentence =
        "the tenant has no bucket or prefix that covers this file: name a file below one that it was given";
    Fault::new(Kind::Unprocessable, "TARGET_NOT_ALLOWED", sentence).field("targetFile")
}

fn missing() -> Fault {
    let sentence = "there is no such file in the bucket: upload it before the job is created";
    Fault::new(Kind::Unprocessable, "TARGET_MISSING", sentence).field("targetFile")
}

fn changed() -> Fault {
    let sentence = "the file was changed or removed after the job was accepted: create another job for what is there now";
    Fault::new(Kind::Unprocessable, "TARGET_CHANGED", sentence).field("targetFile")
}
