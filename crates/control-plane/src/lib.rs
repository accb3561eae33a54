#![doc = include_str!("../README.md")]

pub mod app;
mod config;
pub mod grpc;
pub mod http;
pub mod job_kinds;
pub mod jobs;
mod keys;
pub mod migrate;
pub mod sequence;
mod service;
pub mod store;

pub use config::Config;
pub use service::{Service, build};

use std::process::ExitCode;

use mintmark_service::{Ask, Context, Launch, StartError, launch};

/// `control-plane serve`, until SIGTERM.
pub fn run(ask: Ask) -> ExitCode {
    let about = Launch { name: "control-plane", default_ops_addr: "127.0.0.1:9180", ask };
    launch(about, Config::read, serve)
}

/// Builds the service and runs it until shutdown.
pub async fn serve(config: Config, context: Context) -> Result<(), StartError> {
    build(config, &context).await?.run().await
}
