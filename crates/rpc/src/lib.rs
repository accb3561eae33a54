#![doc = include_str!("../README.md")]

mod breaker;
pub mod client;
mod deadline;
mod edge;
mod gate;
mod health;
mod observe;
mod outgoing;
mod own;
mod propagation;
mod row;
mod secure;
mod status;

pub use edge::{GrpcEdge, Running};
pub use gate::caller;
pub use outgoing::{OutgoingToken, authorized, connect, connect_lazy};
pub use row::Rpc;
pub use secure::Target;
pub use status::{DOMAIN, fault_of, over_limit, status, unreadable};
/// A connection to a service of ours that is opened at the first call and reopened when it breaks.
pub use tonic::transport::Channel;
