//! What is written once and stays: small objects that are never replaced, and finding them again.

use bytes::Bytes;
use futures::TryStreamExt;
use mintmark_fault::{Fault, Result};
use object_store::{ObjectStoreExt, PutMode, PutOptions};

use crate::failure::{fault, fault_of_write};
use crate::path::checked;
use crate::store::{Meta, Store};

/// Whether an object was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is there now, durable.
    New,
    /// One of that path was there and still is, as it was.
    Exists,
}

impl Store {
    /// Writes a small object unless there is one of that path, which is then left as it is. The store decides: of two
    /// writers at once one is told [`Created::Exists`].
    pub async fn create(&self, path: &str, bytes: Bytes) -> Result<Created> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.inner().put_opts(&checked(path)?, bytes.into(), options).await {
            Ok(_) => Ok(Created::New),
            // A store that supports conditional writes says one or the other when the object is there.
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(Created::Exists)
            }
            Err(error) => Err(fault_of_write(error)),
        }
    }

    /// Reads all of a small object.
    ///
    /// # Errors
    /// 404 when it does not exist; 500 when it is longer than `most`.
    pub async fn read(&self, path: &str, most: u64) -> Result<Bytes> {
        let path = checked(path)?;
        let found = self.inner().get(&path).await.map_err(fault)?;
        if found.meta.size > most {
            return Err(Fault::internal(format!("the object {path} is longer than {most} bytes")));
        }
        found.bytes().await.map_err(fault)
    }

    /// The objects under `prefix` (whole segments) whose path comes after `after`, in the order of their paths. For
    /// prefixes with few objects: all that it finds is in memory.
    pub async fn list_after(&self, prefix: &str, after: Option<&str>) -> Result<Vec<(String, Meta)>> {
        let prefix = checked(prefix)?;
        let found = match after {
            Some(after) => self.inner().list_with_offset(Some(&prefix), &checked(after)?),
            None => self.inner().list(Some(&prefix)),
        };
        let found: Vec<_> = found.try_collect().await.map_err(fault)?;
        let mut found: Vec<_> =
            found.into_iter().map(|meta| (meta.location.to_string(), Meta::of(&meta))).collect();
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(found)
    }
}
