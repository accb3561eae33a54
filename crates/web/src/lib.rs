#![doc = include_str!("../README.md")]

mod access;
mod answer;
mod body;
pub mod check;
mod decode;
mod edge;
mod extract;
mod later;
mod limit;
pub mod openapi;
mod page;
mod pipeline;
mod problem;
mod route;
mod running;
mod upstream;

pub use access::{Access, Authenticate, Credentials};
pub use actix_web::http::StatusCode;
pub use answer::{accepted, created, json, no_content, ok};
pub use body::{Body, FileBody, OptionalBody, StreamBody};
pub use edge::Edge;
pub use extract::{Caller, PathOf, QueryOf};
pub use futures::future::BoxFuture;
pub use later::Later;
pub use limit::{Budget, Charge, Key, Limit, Limiter, Limits, Owner, SignedFor, Verdict};
pub use page::{Cursor, CursorKey, List, Page};
pub use pipeline::RequestId;
pub use problem::{Answer, Problem, ProblemDocument};
pub use route::Route;
pub use running::Running;
pub use upstream::UpstreamToken;
