use std::fs;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use mintmark_fault::{Fault, Result};
use object_store::local::LocalFileSystem;
use object_store::{GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt};
use ring::digest;
use tokio::runtime::Handle;
use tokio_util::io::ReaderStream;

use crate::failure::{fault, fault_of_io};
use crate::leftovers::remove_leftovers;
use crate::path::checked;
use crate::{LocalSigner, ObjectWriter, SignedUrl, StoreConfig, Written};

/// A file is read in pieces of this size: few trips to the blocking pool, little memory for each download.
const PIECE: usize = 256 * 1024;

/// A store of objects. Cheap to clone.
///
/// A path is made of segments of `[A-Za-z0-9._-]` (at most 120 characters, not beginning with a dot) joined by `/`, at
/// most 512 characters; anything else is 400 `OBJECT_PATH_INVALID`. A full store is 503 `STORE_FULL`, one that fails
/// otherwise 503 `STORE_UNAVAILABLE`.
#[derive(Clone)]
pub struct Store {
    inner: Arc<dyn ObjectStore>,
    signer: LocalSigner,
    public_base: Arc<str>,
    home: Handle,
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
    /// Its length and age; the stream gives exactly that many bytes or an error.
    pub meta: Meta,
    /// Its content, in pieces.
    pub bytes: BoxStream<'static, Result<Bytes>>,
}

impl Store {
    /// Opens the store; creates the folder when it is missing, and removes what writers that were killed more than a
    /// day ago left in it. Uploads run on the runtime that this is called on.
    ///
    /// # Errors
    /// 503 with a sentence that names the folder when it cannot be created or used.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn open(config: &StoreConfig) -> Result<Self> {
        let unusable = || {
            let folder = config.folder.display();
            let sentence =
                format!("the folder {folder} cannot be used for objects: create it and give it to this user");
            Fault::unavailable("STORE_UNAVAILABLE", sentence)
        };
        fs::create_dir_all(&config.folder).map_err(|error| unusable().caused_by(error))?;
        let local = LocalFileSystem::new_with_prefix(&config.folder)
            .map_err(|error| unusable().caused_by(error))?
            // An export is called ready in the database: its files must then survive a power cut.
            .with_fsync(true)
            .with_automatic_cleanup(true);
        remove_leftovers(&config.folder);
        Ok(Self {
            inner: Arc::new(local),
            signer: config.signer.clone(),
            public_base: config.public_base.as_str().into(),
            home: Handle::current(),
        })
    }

    /// A writer for code on a blocking thread. Nothing is visible before [`ObjectWriter::finish`].
    pub fn writer(&self, path: &str) -> Result<ObjectWriter> {
        Ok(ObjectWriter::start(Arc::clone(&self.inner), checked(path)?, self.home.clone()))
    }

    /// Writes a small object at once, replacing one of that path.
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<Written> {
        let path = checked(path)?;
        let written = Written::of(bytes.len() as u64, digest::digest(&digest::SHA256, &bytes));
        self.inner.put(&path, bytes.into()).await.map_err(fault)?;
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
        let found = self.inner.get(&checked(path)?).await.map_err(fault)?;
        let meta = Meta::of(&found.meta);
        let bytes = match found.payload {
            GetResultPayload::File(file, _) => {
                let file = tokio::fs::File::from_std(file);
                ReaderStream::with_capacity(file, PIECE).map_err(fault_of_io).boxed()
            }
            GetResultPayload::Stream(bytes) => bytes.map_err(fault).boxed(),
        };
        Ok(Object { meta, bytes })
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

    /// A URL from which whoever has it can get the object as `file_name` until `ttl` has passed.
    ///
    /// Asynchronous because a remote store may have to renew its credentials first.
    pub async fn signed_get(&self, path: &str, ttl: Duration, file_name: &str) -> Result<SignedUrl> {
        self.signer.sign_get(&self.public_base, path, file_name, ttl, Utc::now())
    }

    /// What verifies the URLs of a local store, for the handler of `/objects/`; a store that serves its own URLs has
    /// none.
    pub fn signer(&self) -> Option<&LocalSigner> {
        Some(&self.signer)
    }
}

impl Meta {
    fn of(meta: &ObjectMeta) -> Self {
        Self { bytes: meta.size, modified: meta.last_modified }
    }
}
