#![doc = include_str!("../README.md")]

pub mod app;
pub mod config;
pub mod directory;
pub mod grpc;
pub mod http;
pub mod migrate;
pub mod scan;
pub mod store;
