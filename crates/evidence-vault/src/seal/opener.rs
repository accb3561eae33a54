//! Decrypting.

use zeroize::Zeroizing;

use super::key::MessageKey;
use super::{CHUNK_LEN, HEADER_LEN, SEALED_CHUNK_LEN, SealError, TAG_LEN, Window};
use crate::provider::Dek;

/// What the chunks must come to.
enum Extent {
    /// A message whose length nobody said: it ends with a short chunk.
    Unknown,
    /// Chunks up to this number, of a message with this length.
    Window(Window),
}

/// Decrypts what comes in pieces of any size: a whole message, or the chunks of a window.
///
/// Plaintext is appended to a buffer of the caller's, chunk by chunk, after the chunk was authenticated in its place and
/// under this key and context; whatever is refused leaves nothing there and ends the message.
pub struct Opener {
    key: MessageKey,
    extent: Extent,
    chunk: u64,
    /// Ciphertext of a chunk that is not whole yet.
    rest: Vec<u8>,
    refused: bool,
}

impl Opener {
    /// Begins a message of unknown length: [`Opener::finish`] says whether it was whole.
    pub fn new(dek: &Dek, context: &[u8], header: &[u8; HEADER_LEN]) -> Result<Self, SealError> {
        Self::begin(dek, context, header, Extent::Unknown, 0)
    }

    /// Begins a window of a message.
    pub fn window(
        dek: &Dek,
        context: &[u8],
        header: &[u8; HEADER_LEN],
        window: Window,
    ) -> Result<Self, SealError> {
        let first = window.first;
        Self::begin(dek, context, header, Extent::Window(window), first)
    }

    fn begin(
        dek: &Dek,
        context: &[u8],
        header: &[u8; HEADER_LEN],
        extent: Extent,
        chunk: u64,
    ) -> Result<Self, SealError> {
        let key = MessageKey::of_header(dek, context, header)?;
        Ok(Opener { key, extent, chunk, rest: Vec::new(), refused: false })
    }

    /// Takes the next piece of ciphertext, and appends the plaintext of every chunk that it completes.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        if self.refused {
            return Err(SealError::Poisoned);
        }
        let taken = self.take(piece, out);
        self.refused = taken.is_err();
        taken
    }

    /// Says that nothing follows: refuses a message or window that is not whole.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), SealError> {
        if self.refused {
            return Err(SealError::Poisoned);
        }
        if let Extent::Window(window) = &self.extent {
            return if self.chunk == window.end { Ok(()) } else { Err(SealError::Length) };
        }
        // A full chunk would have been taken: what is left is the last one, or less than a tag.
        let last = std::mem::take(&mut self.rest);
        if last.len() < TAG_LEN {
            return Err(SealError::Length);
        }
        self.release(&last, out)
    }

    fn take(&mut self, mut piece: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        out.reserve(piece.len() + CHUNK_LEN);
        while !piece.is_empty() {
            let wanted = self.next_len()?;
            if self.rest.is_empty() && piece.len() >= wanted {
                let (chunk, tail) = piece.split_at(wanted);
                self.release(chunk, out)?;
                piece = tail;
                continue;
            }
            let (head, tail) = piece.split_at(piece.len().min(wanted - self.rest.len()));
            self.rest.extend_from_slice(head);
            piece = tail;
            if self.rest.len() == wanted {
                let mut chunk = std::mem::take(&mut self.rest);
                self.release(&chunk, out)?;
                chunk.clear();
                self.rest = chunk;
            }
        }
        Ok(())
    }

    /// Stored length of the chunk that is next.
    fn next_len(&self) -> Result<usize, SealError> {
        match &self.extent {
            Extent::Unknown => Ok(SEALED_CHUNK_LEN),
            Extent::Window(window) if self.chunk >= window.end => Err(SealError::Length),
            Extent::Window(window) if self.chunk + 1 == window.total => {
                // The remainder is below a chunk's length.
                Ok(usize::try_from(window.length % CHUNK_LEN as u64).unwrap_or(CHUNK_LEN) + TAG_LEN)
            }
            Extent::Window(_) => Ok(SEALED_CHUNK_LEN),
        }
    }

    /// Authenticates a chunk and releases what the window wants of it.
    fn release(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let begin = out.len();
        out.extend_from_slice(sealed);
        let opened = match out.get_mut(begin..) {
            Some(text) => self.key.open(self.chunk, text),
            None => Err(SealError::Chunk { chunk: self.chunk }),
        };
        let length = match opened {
            Ok(length) => length,
            Err(error) => {
                out.truncate(begin);
                return Err(error);
            }
        };
        let (skip, keep) = match &self.extent {
            Extent::Unknown => (0, length),
            Extent::Window(window) => wanted(window, self.chunk, length),
        };
        if skip > 0 {
            out.copy_within(begin + skip..begin + keep, begin);
        }
        wipe(out, begin + keep - skip);
        self.chunk += 1;
        Ok(())
    }
}

/// From and up to which byte a chunk of `length` lies in the window; the second is never less than the first.
fn wanted(window: &Window, chunk: u64, length: usize) -> (usize, usize) {
    let at = chunk * CHUNK_LEN as u64;
    let within = |byte: u64| usize::try_from(byte.saturating_sub(at)).unwrap_or(length).min(length);
    (within(window.plaintext.start), within(window.plaintext.end))
}

/// Cuts a buffer and leaves nothing behind the cut.
fn wipe(out: &mut Vec<u8>, kept: usize) {
    if let Some(tail) = out.get_mut(kept..) {
        tail.fill(0);
    }
    out.truncate(kept);
}

/// Decrypts a short message whole.
pub fn open(dek: &Dek, context: &[u8], message: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    super::lengths::plaintext_len(message.len() as u64)?;
    let (header, chunks) = message.split_first_chunk::<HEADER_LEN>().ok_or(SealError::Length)?;
    let mut out = Zeroizing::new(Vec::new());
    let mut opener = Opener::new(dek, context, header)?;
    opener.push(chunks, &mut out)?;
    opener.finish(&mut out)?;
    Ok(out)
}
