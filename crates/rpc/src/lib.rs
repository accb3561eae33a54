#![doc = include_str!("../README.md")]

mod breaker;
mod callee;
pub mod client;
mod deadline;
mod edge;
mod gate;
mod health;
mod limits;
mod observe;
mod outgoing;
mod own;
mod propagation;
mod replicas;
mod row;
mod saturation;
mod secure;
mod status;

pub use edge::{GrpcEdge, Running};
pub use gate::caller;
pub use limits::Limits;
pub use outgoing::{OutgoingToken, authorized, connect_lazy};
pub use replicas::names::Names;
pub use row::Rpc;
pub use secure::Target;
pub use status::{DOMAIN, fault_of, over_limit, status, unreadable};
/// A connection to a service of ours that is opened at the first call and reopened when it breaks.
pub use tonic::transport::Channel;
