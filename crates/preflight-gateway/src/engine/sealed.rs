//! A file in memory that nobody can change any more: what was fetched, hashed and judged is the same bytes.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Why a file is not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// It is longer than allowed.
    #[error("the file is longer than {0} bytes, which is all that is read")]
    TooLong(u64),
    /// Memory or its source failed.
    #[error("the file cannot be held in memory: {0}")]
    Io(#[from] io::Error),
}

/// Memory that is being filled.
#[derive(Debug)]
pub struct Filling {
    file: File,
    length: u64,
    limit: u64,
}

impl Filling {
    /// Nothing yet, and at most `limit` bytes.
    ///
    /// # Errors
    /// When the kernel gives no memory file.
    pub fn new(limit: u64) -> Result<Self, SealError> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let file = File::from(memfd_create(c"preflight", flags).map_err(io::Error::from)?);
        Ok(Self { file, length: 0, limit })
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// When they are too many.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), SealError> {
        self.length += bytes.len() as u64;
        if self.length > self.limit {
            return Err(SealError::TooLong(self.limit));
        }
        Ok(self.file.write_all(bytes)?)
    }

    /// Closes it for ever: no writing, growing, shrinking or unsealing.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn seal(self) -> Result<Sealed, SealError> {
        let seals =
            SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
        fcntl(&self.file, FcntlArg::F_ADD_SEALS(seals)).map_err(io::Error::from)?;
        Ok(Sealed { file: self.file, length: self.length })
    }
}

/// A file in sealed memory.
#[derive(Debug)]
pub struct Sealed {
    file: File,
    length: u64,
}

impl Sealed {
    /// Seals bytes.
    ///
    /// # Errors
    /// When the kernel gives no memory file.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        let mut filling = Filling::new(bytes.len() as u64)?;
        filling.push(bytes)?;
        filling.seal()
    }

    /// Seals what a reader yields.
    ///
    /// # Errors
    /// When it yields more than `limit` bytes, or fails.
    pub async fn of_reader(mut reader: impl AsyncRead + Unpin, limit: u64) -> Result<Self, SealError> {
        let mut filling = Filling::new(limit)?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            match reader.read(&mut buffer).await? {
                0 => return filling.seal(),
                count => filling.push(&buffer[..count])?,
            }
        }
    }

    /// Its length in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// A reader from the start, with a position of its own and no right to write.
    ///
    /// # Errors
    /// When `/proc` is not mounted.
    pub fn open(&self) -> io::Result<File> {
        File::open(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }
}
