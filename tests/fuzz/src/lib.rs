//! The targets, which the test `fuzzing` of the platform's own workspace runs in short.

#[path = "../../fuzzing/targets/mod.rs"]
pub mod targets;
