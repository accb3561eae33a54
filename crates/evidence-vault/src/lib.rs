#![doc = include_str!("../README.md")]

pub mod app;
pub mod blob;
pub mod config;
pub mod failpoint;
pub mod grpc;
pub mod jobs;
pub mod migrate;
pub mod proof;
pub mod provider;
pub mod seal;
pub mod sequencer;
pub mod store;
pub mod vault;
