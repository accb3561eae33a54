//! A file as the body of a request.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::stream;
use indicatif::ProgressBar;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, Take};

use super::Digest;
use crate::failure::{Doing, Failure, describe_io};

/// How much of a file is in memory at a time.
const PIECE: usize = 256 << 10;

/// A file that can be sent more than once: each body reads it from its beginning.
pub struct Source {
    path: PathBuf,
    /// Its length when it was looked at; exactly so much is sent.
    pub bytes: u64,
    /// Of what the newest body sent so far.
    digest: Arc<Mutex<Digest>>,
}

struct Reading {
    file: Take<File>,
    digest: Arc<Mutex<Digest>>,
    bar: ProgressBar,
}

impl Source {
    /// Looks at a file.
    pub async fn open(path: &Path) -> Result<Self, Failure> {
        let about = tokio::fs::metadata(path).await.map_err(|error| {
            Failure::usage(format!("{} cannot be read: {}", path.display(), describe_io(&error)))
        })?;
        if !about.is_file() {
            return Err(Failure::usage(format!("{} is not a file: give the file to send", path.display())));
        }
        let digest = Arc::new(Mutex::new(Digest::new()));
        Ok(Self { path: path.to_owned(), bytes: about.len(), digest })
    }

    /// A body of the whole file. The bar shows how much of it is read.
    pub async fn body(&self, bar: &ProgressBar) -> Result<reqwest::Body, Failure> {
        let file = File::open(&self.path).await.doing(format_args!("read {}", self.path.display()))?;
        *self.digest.lock().unwrap_or_else(PoisonError::into_inner) = Digest::new();
        bar.set_position(0);
        let reading =
            Reading { file: file.take(self.bytes), digest: Arc::clone(&self.digest), bar: bar.clone() };
        Ok(reqwest::Body::wrap_stream(stream::try_unfold(reading, next)))
    }

    /// SHA-256 of what the newest body sent, in hexadecimal.
    pub fn sha256(&self) -> String {
        self.digest.lock().unwrap_or_else(PoisonError::into_inner).hex()
    }
}

async fn next(mut from: Reading) -> std::io::Result<Option<(Bytes, Reading)>> {
    let mut piece = Vec::with_capacity(PIECE);
    // One read fills what the file has at hand; a file that became shorter ends the body early, and the server refuses it.
    while piece.len() < PIECE && from.file.read_buf(&mut piece).await? > 0 {}
    if piece.is_empty() {
        return Ok(None);
    }
    from.digest.lock().unwrap_or_else(PoisonError::into_inner).update(&piece);
    from.bar.inc(piece.len() as u64);
    Ok(Some((Bytes::from(piece), from)))
}

/// What kind of file it is, by the end of its name. What is not known is bytes.
pub fn media_type(path: &Path) -> &'static str {
    let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default().to_ascii_lowercase();
    match end.as_str() {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "tif" | "tiff" => "image/tiff",
        "pdf" => "application/pdf",
        "txt" | "log" => "text/plain",
        "csv" => "text/csv",
        "json" => "application/json",
        "eml" => "message/rfc822",
        "zip" => "application/zip",
        "mp3" => "audio/mpeg",
        "m4a" => "audio/mp4",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        "mov" => "video/quicktime",
        "webm" => "video/webm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_type_goes_by_the_end_of_the_name() {
        for (name, kind) in [
            ("photo.JPG", "image/jpeg"),
            ("a/letter.pdf", "application/pdf"),
            ("noend", "application/octet-stream"),
            ("x.unknown", "application/octet-stream"),
        ] {
            assert_eq!(media_type(Path::new(name)), kind);
        }
    }
}
