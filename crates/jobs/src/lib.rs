#![doc = include_str!("../README.md")]

mod admin;
mod claimed;
mod context;
mod crew;
mod enqueue;
mod failure;
mod hook;
mod kind;
mod lease;
mod metrics;
mod permit;
mod run;
mod settle;
mod status;
mod store;
mod supervise;
mod wake;
mod worker;

pub use admin::{Cancel, DeadLetter, dead_letters, dead_letters_of, replay, replay_of, request_cancel};
pub use context::JobContext;
pub use enqueue::{enqueue, enqueue_at};
pub use failure::JobFailure;
pub use hook::EndHook;
pub use kind::JobKind;
pub use permit::JobPermit;
pub use status::{JobState, JobStatus, status, statuses};
pub use worker::{Worker, WorkerConfig};
