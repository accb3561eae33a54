#![doc = include_str!("../README.md")]

pub mod app;
mod config;
pub mod grpc;
pub mod http;
pub mod job_kinds;
pub mod jobs;
mod keys;
pub mod migrate;
mod service;
pub mod store;

pub use config::{Config, MigrateConfig};
pub use service::{Service, build};

use mintmark_service::{Context, StartError};

/// Builds the service and runs it until shutdown.
pub async fn serve(config: Config, context: Context) -> Result<(), StartError> {
    build(config, &context).await?.run().await
}
