//! Whom the calls of a client go to.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::body::Body;
use tonic::codegen::StdError;
use tonic::transport::Channel;
use tower::Service;

use crate::replicas::Replicas;

/// A service of ours. Cheap to clone; the clones share their connections.
#[derive(Clone)]
pub(crate) enum Callee {
    /// At one address, which is connected to at the first call.
    One(Channel),
    /// At every address that its names stand for.
    Many(Replicas),
}

impl Service<Request<Body>> for Callee {
    type Response = Response<Body>;
    type Error = StdError;
    type Future = BoxFuture<'static, Result<Response<Body>, StdError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StdError>> {
        match self {
            Callee::One(channel) => channel.poll_ready(cx).map_err(Into::into),
            Callee::Many(_) => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self {
            Callee::One(channel) => {
                let answer = channel.call(request);
                Box::pin(async move { Ok(answer.await?) })
            }
            Callee::Many(replicas) => Box::pin(replicas.call(request)),
        }
    }
}
