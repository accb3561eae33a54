#![doc = include_str!("../README.md")]

pub mod bundle;
pub mod checkpoint;
mod config;
pub mod entry;
pub mod erasure;
pub mod export;
mod failpoint;
pub mod flaw;
mod gate;
pub mod hex;
pub mod leaf;
pub mod log;
mod nodes;
pub mod note;
mod operator;
mod outside;
pub mod proof;
mod record;
mod resume;
pub mod schema;
pub mod sequencer;
mod standing;
pub mod token;
pub mod tree;
pub mod verify;

pub use config::{OutsideConfig, SequencerConfig};
pub use failpoint::STEPS;
pub use gate::Gate;
pub use operator::ResumeConfig;
pub use outside::{Kept, Outside};
pub use record::{AuditEvent, Outcome, record};
pub use resume::{Resumed, resume};
