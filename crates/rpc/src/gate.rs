//! What every call passes before a byte of its message is decoded.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, Request, Response, header::AUTHORIZATION};
use mintmark_auth::{Principal, ServiceCaller, ServiceVerifier, TokenError};
use mintmark_fault::{Fault, Kind};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::Instrument;

use crate::observe::{Call, Durations};
use crate::row::{Rpc, Table, Target};
use crate::{deadline, status};

/// The verified caller of a request that came through a [`crate::GrpcEdge`].
///
/// # Errors
/// INTERNAL when no edge has put a caller there: without the edge nobody was authenticated.
pub fn caller<T>(request: &tonic::Request<T>) -> Result<Principal, Status> {
    match request.extensions().get::<ServiceCaller>() {
        Some(caller) => Ok(Principal::Service(caller.clone())),
        None => Err(status(Fault::internal("a method was reached without passing the gRPC edge"))),
    }
}

/// What all calls of an edge share.
pub(crate) struct Shared {
    pub(crate) name: &'static str,
    pub(crate) table: Table,
    /// Absent on an edge that serves only health and reflection.
    pub(crate) verifier: Option<ServiceVerifier>,
    /// Places for calls that run at once.
    pub(crate) places: Arc<Semaphore>,
    /// Cancelled once health says NOT_SERVING: ends the streams of health and reflection.
    pub(crate) closing: CancellationToken,
    pub(crate) durations: Durations,
}

impl Shared {
    /// Authenticates, authorises and leaves the caller in the extensions. The token never goes further than this.
    fn admit(&self, target: &Target, request: &mut Request<Body>, call: &mut Call) -> Result<(), Fault> {
        let presented = take_bearer(request.headers_mut());
        let rpc = match target {
            Target::Open(_) => return Ok(()),
            Target::Row(rpc) => Some(rpc),
            Target::Unknown => None,
        };
        let caller = self.authenticate(presented)?;
        let Some(rpc) = rpc else {
            return Err(Fault::new(
                Kind::MethodNotAllowed,
                "UNIMPLEMENTED",
                "this method is not served here",
            ));
        };
        check_scope(rpc, &caller)?;
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(Fault::unavailable(
                "OVERLOADED",
                "too many calls run at once; try again in a moment",
            )
            .retry_after(Duration::from_secs(1)));
        };
        call.hold(place);
        call.span().record("tenant.id", caller.tenant().as_str());
        request.extensions_mut().insert(caller);
        Ok(())
    }

    fn authenticate(&self, presented: Option<String>) -> Result<ServiceCaller, Fault> {
        let (Some(verifier), Some(token)) = (&self.verifier, presented) else {
            return Err(Fault::unauthenticated());
        };
        verifier.verify(&token).map_err(|error| {
            if matches!(error, TokenError::ControlToken) {
                tracing::error!(
                    service = self.name,
                    "somebody sent the control token here; it must not leave the control plane"
                );
            } else {
                tracing::debug!(error = %error, "service token refused");
            }
            Fault::unauthenticated().caused_by(error)
        })
    }
}

fn check_scope(rpc: &Rpc, caller: &ServiceCaller) -> Result<(), Fault> {
    if caller.scopes().iter().any(|scope| scope == rpc.scope) {
        return Ok(());
    }
    Err(Fault::forbidden("FORBIDDEN", format!("this needs a service token with the scope {}", rpc.scope))
        .with("requiredScope", rpc.scope)
        .with("grantedScopes", caller.scopes().to_vec()))
}

/// Removes every `authorization` header; gives back the bearer token if there was exactly one.
fn take_bearer(headers: &mut HeaderMap) -> Option<String> {
    let alone = headers.get_all(AUTHORIZATION).iter().count() == 1;
    let value = headers.remove(AUTHORIZATION)?;
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    (alone && scheme.eq_ignore_ascii_case("bearer")).then(|| token.trim_start().to_owned())
}

/// Puts a [`Gate`] before the routes.
#[derive(Clone)]
pub(crate) struct GateLayer(pub(crate) Arc<Shared>);

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate { inner, shared: Arc::clone(&self.0) }
    }
}

/// Observation, authentication, deadline; then the routes.
#[derive(Clone)]
pub(crate) struct Gate<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Service<Request<Body>> for Gate<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let spare = self.inner.clone();
        // The one that was polled ready is the one to call.
        let mut inner = std::mem::replace(&mut self.inner, spare);
        let shared = Arc::clone(&self.shared);
        let target = shared.table.target(request.uri().path());
        let mut call = Call::begin(&target, request.headers(), &shared.durations);
        let span = call.span();
        let answer = async move {
            let cut = matches!(target, Target::Open(_)).then(|| shared.closing.clone().cancelled_owned());
            let response = match shared.admit(&target, &mut request, &mut call) {
                Err(fault) => status(fault).into_http(),
                Ok(()) => within(deadline::of(request.headers()), inner.call(request)).await,
            };
            Ok(call.watch(response, cut))
        };
        Box::pin(answer.instrument(span))
    }
}

async fn within(
    limit: Duration,
    answer: impl Future<Output = Result<Response<Body>, Infallible>>,
) -> Response<Body> {
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(response)) => response,
        Err(_elapsed) => {
            let fault =
                Fault::new(Kind::Timeout, "DEADLINE_EXCEEDED", "the call took longer than its deadline");
            status(fault).into_http()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn take_bearer_takes_every_header_and_believes_exactly_one() {
        let table: [(&[&str], Option<&str>); 7] = [
            (&[], None),
            (&["Bearer abc"], Some("abc")),
            (&["bearer abc"], Some("abc")),
            (&["Basic abc"], None),
            (&["Bearer"], None),
            (&["abc"], None),
            (&["Bearer abc", "Bearer def"], None),
        ];
        for (values, expected) in table {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            assert_eq!(take_bearer(&mut headers).as_deref(), expected, "{values:?}");
            assert!(headers.is_empty(), "the token goes no further");
        }
    }

    #[test]
    fn caller_without_the_edge_fails_closed() {
        let error = caller(&tonic::Request::new(())).err().unwrap();
        assert_eq!(error.code(), tonic::Code::Internal);
    }
}
