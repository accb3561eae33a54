//! What is fuzzed. A target takes any bytes and panics when one of its properties does not hold.
//!
//! Compiled twice: into the test `fuzzing`, which runs the committed corpus and some thousand mutations of it, and into
//! `tests/fuzz`, where libFuzzer looks for inputs as long as it is told to (`make fuzz`).

pub mod bundles;
pub mod codes;
#[expect(clippy::expect_used, reason = "a property that does not hold is a panic")]
pub mod documents;
#[path = "../../../crates/preflight-engine/tests/support/pdf.rs"]
#[expect(clippy::unwrap_used, reason = "the builder of test files fails by panicking")]
mod pdf;
#[expect(clippy::expect_used, reason = "a property that does not hold is a panic")]
pub mod policies;
pub mod streams;
pub mod tokens;

#[cfg(feature = "services")]
pub mod console;
#[cfg(feature = "services")]
pub mod control;
#[cfg(feature = "services")]
pub mod gateway;
#[cfg(feature = "services")]
pub mod grpc;
#[cfg(feature = "services")]
mod http;
#[cfg(feature = "services")]
pub mod scan;
#[cfg(feature = "services")]
#[path = "../../attack/stage/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the stage of tests/attack has more than is fuzzed")]
mod stage;

/// Input as text, as far as it is.
fn text(data: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(data)
}
