//! A ZIP written front to back to something that cannot seek, with fixed dates and fixed attributes.

use std::io::{self, BufWriter, Write};

use ring::digest::{Context, SHA256};
use zip::write::{PreparedZipFile, SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::PackError;

/// Gathers the small writes of the ZIP writer (headers of tens of bytes) before they reach the object store.
const BUFFER_BYTES: usize = 64 * 1024;

/// What is remembered of an entry: all that the manifest says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileFacts {
    /// Uncompressed size.
    pub bytes: u64,
    /// Of the uncompressed content.
    pub sha256: [u8; 32],
}

impl FileFacts {
    pub fn of(content: &[u8]) -> Self {
        Self { bytes: content.len() as u64, sha256: sha256(content) }
    }
}

/// The ZIP file under construction.
pub(super) struct Archive<W: Write> {
    zip: ZipWriter<StreamWriter<BufWriter<Valve<W>>>>,
}

impl<W: Write> Archive<W> {
    pub fn new(out: W) -> Self {
        let out = BufWriter::with_capacity(BUFFER_BYTES, Valve { out, shut: false });
        Self { zip: ZipWriter::new_stream(out) }
    }

    /// Adds an entry whose content `fill` writes.
    pub fn file(
        &mut self,
        name: &str,
        fill: impl FnOnce(&mut dyn Write) -> Result<(), PackError>,
    ) -> Result<FileFacts, PackError> {
        self.zip.start_file(name, options())?;
        let mut entry = BufWriter::with_capacity(
            BUFFER_BYTES,
            Entry { out: &mut self.zip, digest: Context::new(&SHA256), bytes: 0 },
        );
        fill(&mut entry)?;
        let entry = entry.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(FileFacts { bytes: entry.bytes, sha256: finished(entry.digest) })
    }

    /// Adds an entry that was compressed elsewhere by [`prepare`].
    pub fn add(&mut self, entry: PreparedZipFile) -> Result<(), PackError> {
        Ok(self.zip.add_prepared_file(entry)?)
    }

    /// Writes the central directory and gives the destination back.
    pub fn finish(self) -> Result<W, PackError> {
        let buffer = self.zip.finish()?.into_inner();
        let valve = buffer.into_inner().map_err(io::IntoInnerError::into_error)?;
        if valve.shut { Err(io::Error::other("an earlier write had failed").into()) } else { Ok(valve.out) }
    }
}

/// Compresses an entry on the calling thread, to be added later.
pub(super) fn prepare(name: &str, content: &[u8]) -> Result<PreparedZipFile, PackError> {
    Ok(PreparedZipFile::from_data(name, options(), content)?)
}

/// The same for every entry, whenever and wherever it is written.
fn options() -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        // For symbols 3 % more bytes than level 6, in four fifths of the time.
        .compression_level(Some(3))
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(0o644)
}

/// Shuts at the first failure and swallows the rest: a ZIP writer that is dropped unfinished still tries to write its
/// end, and says on the standard error when it cannot.
struct Valve<W> {
    out: W,
    shut: bool,
}

impl<W: Write> Write for Valve<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.shut {
            return Ok(buf.len());
        }
        let written = self.out.write(buf);
        self.shut = written.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.shut { Ok(()) } else { self.out.flush() }
    }
}

/// Counts and hashes what goes into an entry.
struct Entry<'z, W: Write> {
    out: &'z mut ZipWriter<StreamWriter<BufWriter<Valve<W>>>>,
    digest: Context,
    bytes: u64,
}

impl<W: Write> Write for Entry<'_, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let taken = self.out.write(buf)?;
        let (written, _) = buf.split_at(taken);
        self.digest.update(written);
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// SHA-256 of the whole content.
pub fn sha256(content: &[u8]) -> [u8; 32] {
    let mut digest = Context::new(&SHA256);
    digest.update(content);
    finished(digest)
}

fn finished(digest: Context) -> [u8; 32] {
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest.finish().as_ref());
    sha256
}
