#![doc = include_str!("../README.md")]

mod account;
pub mod authority;
mod backup;
mod binaries;
mod error;
mod folder;
mod keeper;
mod lockfile;
pub mod logs;
mod port;
mod postgres;
mod process;
mod provision;
pub mod redis;
pub mod s3;
pub mod testdb;
pub mod tools;
mod url;

pub use backup::BaseBackup;
pub use error::DevstackError;
pub use folder::private_folder;
pub use port::free_port;
pub use postgres::{PostgresOptions, PostgresServer};
pub use process::{Process, ensure_free};
pub use provision::Provision;
pub use url::unix_url;
