use std::fs;
use std::io::SeekFrom;
use std::ops::Range;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use mintmark_fault::{Fault, Result};
use object_store::local::LocalFileSystem;
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt};
use ring::digest;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::runtime::Handle;
use tokio_util::io::ReaderStream;

use crate::config::Place;
use crate::failure::{fault, fault_of_io, fault_of_write};
use crate::leftovers::remove_leftovers;
use crate::path::checked;
use crate::presign::BucketSigner;
use crate::{LocalSigner, ObjectWriter, SignedUrl, StoreConfig, Written};

/// A file is read in pieces of this size: few trips to the blocking pool, little memory for each download.
const PIECE: usize = 256 * 1024;

/// A store of objects. Cheap to clone.
///
/// A path is made of segments of `[A-Za-z0-9._-]` (at most 120 characters, not beginning with a dot) joined by `/`, at
/// most 512 characters; anything else is 400 `OBJECT_PATH_INVALID`. A full store is 503 `STORE_FULL`, one that refuses our
/// key 503 `STORE_REFUSED`, a bucket that does not exist 503 `STORE_MISSING`, one that fails otherwise 503
/// `STORE_UNAVAILABLE`.
#[derive(Clone)]
pub struct Store {
    inner: Arc<dyn ObjectStore>,
    links: Links,
    home: Handle,
    place: Arc<Place>,
}

/// Who answers signed URLs.
#[derive(Clone)]
enum Links {
    /// We do.
    Ours { signer: LocalSigner, public_base: Arc<str> },
    /// The store does.
    Theirs(BucketSigner),
    /// Nobody: nothing of this folder is for others.
    Nobody,
}

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Its length.
    pub bytes: u64,
    /// When it became visible.
    pub modified: DateTime<Utc>,
}

/// An object under way to its reader.
pub struct Object {
    /// Length and age of all of it.
    pub meta: Meta,
    /// What is under way: all of it, or the part that was asked for.
    pub range: Range<u64>,
    /// That content, in pieces: exactly as many bytes, or an error.
    pub bytes: BoxStream<'static, Result<Bytes>>,
}

impl Store {
    /// Opens the store. Of a folder: creates it when it is missing, and removes what writers that were killed more than a
    /// day ago left in it. A bucket is not reached before it is used. Uploads run on the runtime that this is called on.
    ///
    /// # Errors
    /// 503 with a sentence that names the folder when it cannot be created or used.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn open(config: &StoreConfig) -> Result<Self> {
        let (home, place) = (Handle::current(), Arc::new(config.0.clone()));
        match &config.0 {
            Place::Folder(config) => {
                let links = Links::Ours {
                    signer: config.signer.clone(),
                    public_base: config.public_base.as_str().into(),
                };
                Ok(Self { inner: open_folder(&config.folder)?, links, home, place })
            }
            Place::Closed(folder) => {
                Ok(Self { inner: open_folder(folder)?, links: Links::Nobody, home, place })
            }
            Place::Bucket(config) => {
                let (inner, signer) = config.open()?;
                Ok(Self { inner, links: Links::Theirs(signer), home, place })
            }
        }
    }

    /// A writer for code on a blocking thread. Nothing is visible before [`ObjectWriter::finish`].
    pub fn writer(&self, path: &str) -> Result<ObjectWriter> {
        Ok(ObjectWriter::start(Arc::clone(&self.inner), checked(path)?, self.home.clone()))
    }

    /// Writes a small object at once, replacing one of that path.
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<Written> {
        let path = checked(path)?;
        let written = Written::of(bytes.len() as u64, digest::digest(&digest::SHA256, &bytes));
        self.inner.put(&path, bytes.into()).await.map_err(fault_of_write)?;
        Ok(written)
    }

    /// Reads part of an object.
    ///
    /// # Errors
    /// 404 when it does not exist.
    pub async fn get_range(&self, path: &str, range: Range<u64>) -> Result<Bytes> {
        self.inner.get_range(&checked(path)?, range).await.map_err(fault)
    }

    /// Reads an object in constant memory.
    ///
    /// # Errors
    /// 404 when it does not exist.
    pub async fn stream(&self, path: &str) -> Result<Object> {
        self.open_object(path, None).await
    }

    /// Reads part of an object in constant memory: `range` must not be empty and must lie within it.
    ///
    /// # Errors
    /// 404 when it does not exist.
    pub async fn stream_range(&self, path: &str, range: Range<u64>) -> Result<Object> {
        self.open_object(path, Some(GetRange::Bounded(range))).await
    }

    async fn open_object(&self, path: &str, range: Option<GetRange>) -> Result<Object> {
        let options = GetOptions { range, ..GetOptions::default() };
        let found = self.inner.get_opts(&checked(path)?, options).await.map_err(fault)?;
        let (meta, range) = (Meta::of(&found.meta), found.range.clone());
        let bytes = match found.payload {
            GetResultPayload::File(file, _) => {
                let mut file = tokio::fs::File::from_std(file);
                file.seek(SeekFrom::Start(range.start)).await.map_err(fault_of_io)?;
                let part = file.take(range.end - range.start);
                ReaderStream::with_capacity(part, PIECE).map_err(fault_of_io).boxed()
            }
            GetResultPayload::Stream(bytes) => bytes.map_err(fault).boxed(),
        };
        Ok(Object { meta, range, bytes })
    }

    /// Removes an object; one that is not there is removed already.
    pub async fn delete(&self, path: &str) -> Result<()> {
        match self.inner.delete(&checked(path)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(fault(error)),
        }
    }

    /// Length and age of an object, if it exists.
    pub async fn head(&self, path: &str) -> Result<Option<Meta>> {
        match self.inner.head(&checked(path)?).await {
            Ok(meta) => Ok(Some(Meta::of(&meta))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    /// A URL from which whoever has it can get the object as `file_name` until `ttl` has passed. `sha256` is that of its
    /// content; a folder has it from here, by which a broken download can go on where it stopped.
    ///
    /// Asynchronous because a remote store may have to renew its credentials first.
    pub async fn signed_get(
        &self,
        path: &str,
        ttl: Duration,
        file_name: &str,
        sha256: &[u8; 32],
    ) -> Result<SignedUrl> {
        self.signed_get_at(path, ttl, file_name, sha256, Utc::now())
    }

    /// The same as of another moment: `ttl` counts from `now`.
    pub fn signed_get_at(
        &self,
        path: &str,
        ttl: Duration,
        file_name: &str,
        sha256: &[u8; 32],
        now: DateTime<Utc>,
    ) -> Result<SignedUrl> {
        match &self.links {
            Links::Ours { signer, public_base } => {
                signer.sign_get(public_base, path, file_name, sha256, ttl, now)
            }
            // The store has a tag of its own.
            Links::Theirs(signer) => signer.sign_get(path, file_name, ttl, now),
            Links::Nobody => Err(Fault::internal("a store without links was asked for one")),
        }
    }

    /// What verifies the URLs of a local store, for the handler of `/objects/`; a store that serves its own URLs has
    /// none.
    pub fn signer(&self) -> Option<&LocalSigner> {
        match &self.links {
            Links::Ours { signer, .. } => Some(signer),
            Links::Theirs(_) | Links::Nobody => None,
        }
    }

    pub(crate) fn inner(&self) -> &dyn ObjectStore {
        self.inner.as_ref()
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }
}

fn open_folder(folder: &FilePath) -> Result<Arc<dyn ObjectStore>> {
    let unusable = || {
        let folder = folder.display();
        let sentence =
            format!("the folder {folder} cannot be used for objects: create it and give it to this user");
        Fault::unavailable("STORE_UNAVAILABLE", sentence)
    };
    fs::create_dir_all(folder).map_err(|error| unusable().caused_by(error))?;
    let local = LocalFileSystem::new_with_prefix(folder)
        .map_err(|error| unusable().caused_by(error))?
        // An export is called ready in the database: its files must then survive a power cut.
        .with_fsync(true)
        .with_automatic_cleanup(true);
    remove_leftovers(folder);
    Ok(Arc::new(local))
}

impl Meta {
    pub(crate) fn of(meta: &ObjectMeta) -> Self {
        Self { bytes: meta.size, modified: meta.last_modified }
    }
}
