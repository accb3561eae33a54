#![doc = include_str!("../README.md")]

pub mod app;
pub mod config;
pub mod engine;
pub mod gateway;
pub mod grpc;
pub mod http;
pub mod jobs;
pub mod migrate;
pub mod store;
pub mod worker;
