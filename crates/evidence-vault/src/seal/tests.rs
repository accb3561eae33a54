//! The format against its public vectors, and what must never be released.

mod gcm;
mod properties;
mod vectors;

use zeroize::Zeroizing;

use crate::provider::{DEK_LEN, Dek};

fn dek(byte: u8) -> Dek {
    Dek::new(Zeroizing::new([byte; DEK_LEN]))
}

/// Bytes that do not repeat within a chunk.
fn text(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from((at * 31 + at / 251) % 256).unwrap()).collect()
}
