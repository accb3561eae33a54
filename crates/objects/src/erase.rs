//! What must not only be unlisted but gone.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use mintmark_fault::{Fault, Result};
use object_store::ObjectStoreExt;

use crate::config::Place;
use crate::failure::{fault, fault_of_io};
use crate::path::checked;
use crate::store::Store;

/// Zeros are written in pieces of this size.
const PIECE: usize = 256 * 1024;

impl Store {
    /// Removes an object for good, and looks that it is gone; one that is not there is gone already. In a folder its bytes
    /// are overwritten with zeros first, as far as the file system overwrites in place (copy-on-write ones, journals and
    /// the disk itself may keep older copies).
    ///
    /// # Errors
    /// 503; and when it is still there, as where the bucket refuses to delete.
    pub async fn erase(&self, path: &str) -> Result<()> {
        let parsed = checked(path)?;
        if let Place::Folder(_) | Place::Closed(_) = self.place() {
            let file = self.folder().map(|folder| folder.join(parsed.as_ref()));
            let zeroed = tokio::task::spawn_blocking(move || file.map_or(Ok(()), |file| zero(&file))).await;
            zeroed.map_err(Fault::internal)?.map_err(fault_of_io)?;
        }
        match self.inner().delete(&parsed).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(fault(error)),
        }
        match self.inner().head(&parsed).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            Ok(_) => {
                let sentence =
                    "the object store keeps an object that was deleted: look for object locks, and lift them";
                Err(Fault::unavailable("STORE_REFUSED", sentence))
            }
            Err(error) => Err(fault(error)),
        }
    }

    /// Demands that the store keeps no older versions of what is deleted. A folder never does.
    ///
    /// # Errors
    /// 503 `STORE_VERSIONED` with a sentence when it does, or did once; 503 `STORE_REFUSED` when we may not ask; 503 when
    /// it is away.
    pub async fn refuse_versions(&self) -> Result<()> {
        let Place::Bucket(bucket) = self.place() else { return Ok(()) };
        let (status, answer) = bucket.ask(&[("versioning", "")]).await?;
        match status {
            200 if answer.contains("<Status>") => {
                let sentence = format!(
                    "the bucket {} keeps versions of deleted objects (or kept them once): what is erased must be gone, so \
                     name a bucket that was never versioned",
                    bucket.bucket
                );
                Err(Fault::unavailable("STORE_VERSIONED", sentence))
            }
            // A store that does not know the question keeps no versions.
            200 | 501 => Ok(()),
            404 => {
                let sentence =
                    "the bucket for objects does not exist: create it, or correct the URL of the store";
                Err(Fault::unavailable("STORE_MISSING", sentence))
            }
            401 | 403 => {
                let sentence = "the object store does not say whether the bucket keeps versions: allow the access key \
                                s3:GetBucketVersioning";
                Err(Fault::unavailable("STORE_REFUSED", sentence))
            }
            other => {
                let cause = format!("asked for its versioning the bucket answered {other}");
                Err(crate::failure::away().caused_by(cause))
            }
        }
    }

    fn folder(&self) -> Option<&Path> {
        match self.place() {
            Place::Folder(config) => Some(&config.folder),
            Place::Closed(folder) => Some(folder),
            Place::Bucket(_) => None,
        }
    }
}

/// Overwrites a file with zeros, on the disk when it returns.
fn zero(file: &Path) -> std::io::Result<()> {
    let mut file = match OpenOptions::new().write(true).open(file) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut left = file.metadata()?.len();
    let zeros = vec![0; PIECE];
    while left > 0 {
        let piece = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        file.write_all(&zeros[..piece])?;
        left -= piece as u64;
    }
    file.sync_all()
}
