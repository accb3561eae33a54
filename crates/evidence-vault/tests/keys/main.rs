//! Key providers: what each must do, told once and run against all of them; what only a folder or only a token can do.
//!
//! A binary of its own: a PKCS#11 library is one a process, and reads where its token lies from the environment.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod contract;
mod given;
mod inside;
mod local;
mod process;
mod proofs;
mod token;
mod tokens;
mod wycheproofs;
