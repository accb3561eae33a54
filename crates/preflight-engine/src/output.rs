//! Standard output with a cap, by bare `write` calls.

use std::io::{self, BufWriter, ErrorKind, Write};

use nix::errno::Errno;

/// Writes a value as JSON and a line break.
///
/// # Errors
/// `FileTooLarge` when it is longer than `limit` bytes; what the kernel says when it does not take it.
pub fn write<T: serde::Serialize>(value: &T, limit: u64) -> io::Result<()> {
    let mut buffered = BufWriter::with_capacity(64 << 10, Capped { left: limit });
    serde_json::to_writer(&mut buffered, value)?;
    buffered.write_all(b"\n")?;
    buffered.flush()
}

struct Capped {
    left: u64,
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.left {
            return Err(io::Error::new(
                ErrorKind::FileTooLarge,
                "the facts are longer than the output may be",
            ));
        }
        match nix::unistd::write(io::stdout(), bytes) {
            Ok(count) => {
                self.left -= count as u64;
                Ok(count)
            }
            Err(Errno::EINTR) => Err(ErrorKind::Interrupted.into()),
            Err(error) => Err(error.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
