//! What every call passes before a byte of its message is decoded.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderMap, Request, Response};
use mintmark_auth::{Principal, ServiceCaller, ServiceVerifier, audience, control};
use mintmark_fault::{Fault, Kind};
use mintmark_service::telemetry::{SecurityEvent, security_event};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::{Instrument, Span};

use crate::limits::Limits;
use crate::observe::{self, Call, Durations};
use crate::own::{OwnMethods, Presented};
use crate::row::{Rpc, Table, Target};
use crate::secure::{Connection, Peer};
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
    /// The methods with a credential of their own.
    pub(crate) own: OwnMethods,
    /// Further scopes of methods that have a row.
    pub(crate) also: Vec<Rpc>,
    /// Who counts calls, where they are counted.
    pub(crate) limits: Option<Limits>,
    /// Places for calls that run at once.
    pub(crate) places: Arc<Semaphore>,
    /// Cancelled once health says NOT_SERVING: ends the streams of health and reflection.
    pub(crate) closing: CancellationToken,
    pub(crate) durations: Durations,
    /// Methods that answer as late as they need to.
    pub(crate) long: Vec<&'static str>,
    /// Whether calls have spans.
    pub(crate) spans: bool,
}

impl Shared {
    /// Authenticates, counts, authorises and leaves the caller in the extensions. The token never goes further than this.
    async fn admit(
        &self,
        target: &Target,
        request: &mut Request<Body>,
        call: &mut Call,
    ) -> Result<(), Status> {
        let came_with_one = request.headers().contains_key(AUTHORIZATION);
        let presented = take_bearer(request.headers_mut());
        let rpc = match target {
            Target::Open(_) => return Ok(()),
            Target::Row(rpc) => rpc,
            Target::Own(path) => {
                // A credential that is none hides behind no certificate.
                let peer = Connection::of(request).and_then(|it| it.peer.clone()).filter(|_| !came_with_one);
                let presented = match (&presented, peer.as_ref().and_then(Peer::stranger)) {
                    (Some(bearer), _) => Some(Presented::Bearer(bearer)),
                    (None, Some(certificate)) => Some(Presented::Certificate(certificate)),
                    (None, None) => None,
                };
                let known = presented.is_some_and(|it| self.own.admits(path, it, request.extensions_mut()));
                let admitted = if known { self.take_place(call) } else { Err(Fault::unauthenticated()) };
                return admitted.map_err(status);
            }
            Target::Unknown => {
                self.judge(presented.as_deref(), request).map_err(status)?;
                let sentence = "this method is not served here";
                return Err(status(Fault::new(Kind::MethodNotAllowed, "UNIMPLEMENTED", sentence)));
            }
        };
        let judged = self.judge(presented.as_deref(), request);
        // The limiter is not asked for more calls at once than there are places.
        if judged.is_ok() {
            self.take_place(call).map_err(status)?;
        }
        if let Some(limits) = &self.limits {
            let charge = limits.charge(rpc.path, presented.as_deref(), request, &judged)?;
            if let Some(charge) = charge {
                limits.check(&charge).await?;
            }
        }
        let caller = judged.map_err(status)?;
        self.check_scope(rpc, &caller).map_err(status)?;
        call.span().record("tenant.id", caller.tenant().as_str());
        request.extensions_mut().insert(caller);
        Ok(())
    }

    /// Who calls, by a token that is good on this connection.
    fn judge(&self, presented: Option<&str>, request: &Request<Body>) -> Result<ServiceCaller, Fault> {
        let caller = self.authenticate(presented)?;
        self.check_connection(&caller, request)?;
        Ok(caller)
    }

    /// A service's own token is worth something only on a connection of that service: one that was stolen opens nothing
    /// without the certificate. PREFLIGHT_JWTs are given to clients, and those come by whichever connection.
    fn check_connection(&self, caller: &ServiceCaller, request: &Request<Body>) -> Result<(), Fault> {
        let Some(peer) = Connection::of(request).and_then(|connection| connection.peer.as_ref()) else {
            return Ok(());
        };
        if caller.audience() == audience::PREFLIGHT || peer.is(caller.service()) {
            return Ok(());
        }
        security_event(SecurityEvent::TokenOfAnotherService, self.name, "authorization");
        Err(Fault::unauthenticated())
    }

    fn take_place(&self, call: &mut Call) -> Result<(), Fault> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(Fault::unavailable(
                "OVERLOADED",
                "too many calls run at once; try again in a moment",
            )
            .retry_after(Duration::from_secs(1)));
        };
        call.hold(place);
        Ok(())
    }

    fn check_scope(&self, rpc: &Rpc, caller: &ServiceCaller) -> Result<(), Fault> {
        let also = self.also.iter().filter(|row| row.path == rpc.path).map(|row| row.scope);
        if std::iter::once(rpc.scope).chain(also).any(|scope| caller.has_scope(scope)) {
            return Ok(());
        }
        Err(Fault::forbidden("FORBIDDEN", format!("this needs a service token with the scope {}", rpc.scope))
            .with("requiredScope", rpc.scope)
            .with("grantedScopes", caller.scopes().to_vec()))
    }

    fn authenticate(&self, presented: Option<&str>) -> Result<ServiceCaller, Fault> {
        let (Some(verifier), Some(token)) = (&self.verifier, presented) else {
            return Err(Fault::unauthenticated());
        };
        verifier.verify(token).map_err(|error| {
            tracing::debug!(error = %error, "service token refused");
            Fault::unauthenticated().caused_by(error)
        })
    }
}

/// Says so when something like the control token came: no method takes one. Metadata that carries one is taken away
/// before anything reads it; `authorization` stays, for the verifier to refuse.
fn drop_control_tokens(service: &'static str, headers: &mut HeaderMap) {
    let carrying =
        headers.iter().filter(|(name, value)| control::is_carried_by(name.as_str(), value.as_bytes()));
    let found: Vec<HeaderName> = carrying.map(|(name, _)| name.clone()).collect();
    for name in found {
        let place = if name == AUTHORIZATION { "authorization" } else { "metadata" };
        security_event(SecurityEvent::StrayControlToken, service, place);
        if name != AUTHORIZATION {
            headers.remove(name);
        }
    }
}

/// Removes every `authorization` header; gives back the bearer token if there was exactly one.
fn take_bearer(headers: &mut HeaderMap) -> Option<String> {
    let alone = headers.get_all(AUTHORIZATION).iter().count() == 1;
    let value = headers.remove(AUTHORIZATION)?;
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    (alone && scheme.eq_ignore_ascii_case("bearer")).then(|| token.to_owned())
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
        drop_control_tokens(shared.name, request.headers_mut());
        let span = if shared.spans { observe::span(&target, request.headers()) } else { Span::none() };
        let mut call = Call::begin(&target, span, &shared.durations);
        let span = call.span();
        let answer = async move {
            let cut = matches!(target, Target::Open(_)).then(|| shared.closing.clone().cancelled_owned());
            let long = shared.long.contains(&request.uri().path());
            let response = match shared.admit(&target, &mut request, &mut call).await {
                Err(refusal) => refusal.into_http(),
                // Its own time-outs bound it.
                Ok(()) if long => {
                    let Ok(response) = inner.call(request).await;
                    response
                }
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
        let table: [(&[&str], Option<&str>); 8] = [
            (&[], None),
            (&["Bearer abc"], Some("abc")),
            (&["bearer abc"], Some("abc")),
            (&["Basic abc"], None),
            // Left as it is, for the verifier to refuse: our tokens begin with no space.
            (&["Bearer  abc"], Some(" abc")),
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
    fn drop_control_tokens_takes_them_out_of_any_metadata() {
        let token = format!("mmct_{}", "A".repeat(43));
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", format!("Bearer {token}")),
            ("x-api-key", token.clone()),
            ("tracestate", format!("a={token}")),
            // "mmct_AAA" in base64.
            ("x-token-bin", "bW1jdF9BQUE".to_owned()),
            ("x-kept", "eyJhbGciOiJFZERTQSJ9".to_owned()),
        ] {
            headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        drop_control_tokens("gate-test", &mut headers);
        let left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["authorization", "x-kept"]);
        let metrics = mintmark_service::telemetry::metrics_text();
        for (place, times) in [("authorization", 1), ("metadata", 3)] {
            let line = format!(
                r#"security_events_total{{event="stray_control_token",place="{place}",service="gate-test"}} {times}"#
            );
            assert!(metrics.contains(&line), "{line} not in {metrics}");
        }
    }

    #[test]
    fn caller_without_the_edge_fails_closed() {
        let error = caller(&tonic::Request::new(())).err().unwrap();
        assert_eq!(error.code(), tonic::Code::Internal);
    }
}
