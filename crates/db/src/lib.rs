#![doc = include_str!("../README.md")]

mod config;
mod connect;
mod fault;
mod listen;
mod meaning;
mod migrate;
mod pool;
mod raw;
mod role;
mod saturation;
mod tls;
mod transaction;
mod url;

pub use config::DbConfig;
pub use fault::{fault, is_contention, raw_fault};
pub use listen::{Listener, Notification};
pub use meaning::Meaning;
pub use migrate::migrate;
pub use pool::{Conn, Pool};
pub use raw::{RawClient, RawConn, RawManager, RawPool, connect_raw};
pub use role::MigrateRole;
pub use transaction::{TransactionBody, TransactionBodyOnce, transaction, transaction_once};
