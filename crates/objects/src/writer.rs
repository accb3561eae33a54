use std::io::{self, Write};
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use mintmark_fault::{Fault, Result};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt};
use ring::digest;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::failure::{fault_of_write, io_of_fault};

/// The smallest part that S3 accepts. One is being filled, one waits, one is on its way: 15 MiB a writer.
const PART: usize = 5 * 1024 * 1024;

/// What a finished writer wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of all of it.
    pub sha256: [u8; 32],
}

impl Written {
    pub(crate) fn of(bytes: u64, digest: digest::Digest) -> Self {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest.as_ref());
        Self { bytes, sha256 }
    }
}

/// Writes one object from a blocking thread, in constant memory.
///
/// Only for threads that may block (`spawn_blocking`): writing waits for the store, and doing so on an async thread
/// panics. Dropping it aborts. A failure is an `io::Error` that carries the fault ([`crate::fault_of_io`]).
pub struct ObjectWriter {
    part: Vec<u8>,
    digest: digest::Context,
    bytes: u64,
    /// Absent once the upload has failed.
    upload: Option<Upload>,
    home: Handle,
}

struct Upload {
    parts: mpsc::Sender<Part>,
    task: JoinHandle<object_store::Result<()>>,
}

enum Part {
    More(Bytes),
    /// The end was meant: a channel that closes without it is an abort.
    Last(Bytes),
}

impl ObjectWriter {
    pub(crate) fn start(store: Arc<dyn ObjectStore>, path: Path, home: Handle) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        let task = home.spawn(upload(store, path, receiver));
        Self {
            part: Vec::with_capacity(PART),
            digest: digest::Context::new(&digest::SHA256),
            bytes: 0,
            upload: Some(Upload { parts: sender, task }),
            home,
        }
    }

    /// Writes what is left and makes the object visible, whole; it replaces one of the same path. Blocks.
    ///
    /// # Errors
    /// 503 `STORE_FULL` or `STORE_UNAVAILABLE`; then nothing is visible and nothing is left behind.
    ///
    /// # Panics
    /// On an async thread.
    pub fn finish(mut self) -> Result<Written> {
        let last = Part::Last(mem::take(&mut self.part).into());
        let Some(upload) = self.upload.take() else { return Err(failed_before()) };
        // A send that fails means that the task has ended with the reason.
        let _reason_follows = upload.parts.blocking_send(last);
        outcome(&self.home, upload)?;
        let digest = mem::replace(&mut self.digest, digest::Context::new(&digest::SHA256)).finish();
        Ok(Written::of(self.bytes, digest))
    }

    /// Gives up and waits until nothing is left behind. Blocks.
    ///
    /// # Panics
    /// On an async thread.
    pub fn abort(mut self) {
        if let Some(Upload { parts, task }) = self.upload.take() {
            drop(parts);
            // Whatever it ended with, the object was not wanted.
            let _unwanted = self.home.block_on(task);
        }
    }

    fn send_part(&mut self) -> io::Result<()> {
        let part = mem::replace(&mut self.part, Vec::with_capacity(PART));
        let Some(upload) = self.upload.take() else { return Err(io_of_fault(failed_before())) };
        match upload.parts.blocking_send(Part::More(part.into())) {
            Ok(()) => {
                self.upload = Some(upload);
                Ok(())
            }
            Err(_ended) => {
                let fault = outcome(&self.home, upload).err().unwrap_or_else(failed_before);
                Err(io_of_fault(fault))
            }
        }
    }
}

impl Write for ObjectWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.part.len() == PART {
            self.send_part()?;
        }
        let taken = &bytes[..bytes.len().min(PART - self.part.len())];
        self.part.extend_from_slice(taken);
        self.digest.update(taken);
        self.bytes += taken.len() as u64;
        Ok(taken.len())
    }

    /// Does nothing: a part goes when it is full, and nothing is durable before [`ObjectWriter::finish`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn outcome(home: &Handle, upload: Upload) -> Result<()> {
    let Upload { parts, task } = upload;
    drop(parts);
    match home.block_on(task) {
        Ok(result) => result.map_err(fault_of_write),
        Err(stopped) => Err(Fault::internal(stopped)),
    }
}

fn failed_before() -> Fault {
    Fault::internal("an object writer was used after it had failed")
}

/// Receives parts until the last one, and commits; or until the writer is gone, and removes everything.
async fn upload(
    store: Arc<dyn ObjectStore>,
    path: Path,
    mut parts: mpsc::Receiver<Part>,
) -> object_store::Result<()> {
    let mut multipart: Option<Box<dyn MultipartUpload>> = None;
    let result = receive(store.as_ref(), &path, &mut parts, &mut multipart).await;
    match (&result, multipart) {
        (Ok(Outcome::Committed), _) | (_, None) => {}
        (_, Some(mut unfinished)) => {
            if let Err(error) = unfinished.abort().await {
                tracing::warn!(error = %error, "parts of an unfinished object could not be removed");
            }
        }
    }
    result.map(drop)
}

enum Outcome {
    Committed,
    Abandoned,
}

async fn receive(
    store: &dyn ObjectStore,
    path: &Path,
    parts: &mut mpsc::Receiver<Part>,
    multipart: &mut Option<Box<dyn MultipartUpload>>,
) -> object_store::Result<Outcome> {
    while let Some(part) = parts.recv().await {
        match (part, multipart.as_mut()) {
            // What fits one part needs no multipart upload.
            (Part::Last(bytes), None) => {
                store.put(path, bytes.into()).await?;
                return Ok(Outcome::Committed);
            }
            (Part::Last(bytes), Some(upload)) => {
                upload.put_part(bytes.into()).await?;
                upload.complete().await?;
                return Ok(Outcome::Committed);
            }
            (Part::More(bytes), Some(upload)) => upload.put_part(bytes.into()).await?,
            (Part::More(bytes), None) => {
                let upload = multipart.insert(store.put_multipart(path).await?);
                upload.put_part(bytes.into()).await?;
            }
        }
    }
    Ok(Outcome::Abandoned)
}
