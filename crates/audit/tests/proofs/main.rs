//! What the pure side promises: trees, notes, bundles and proofs, held against independent readers and against forgers.

#![expect(clippy::unwrap_used, reason = "tests panic where a step fails")]

mod bundle;
mod erasure;
mod forged;
mod note;
mod tree;
mod world;
