//! The gate: who comes is judged before anything else of the request is read.

use std::sync::Arc;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use mintmark_auth::control;
use mintmark_fault::Fault;
use mintmark_service::config::Secret;
use mintmark_service::limit::Stranger;
use mintmark_service::telemetry::{SecurityEvent, security_event};

use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tracing::{Instrument, Span};

use super::limit::{Brought, Charged, Judged, name_of_url};
use super::{Row, Shared};
use crate::{Access, Credentials, Limit};

/// Longest bearer value, in bytes: a token of ours has under one thousand.
const MAX_BEARER: usize = 8192;

/// Says so when something like the control token came anywhere but in the `Authorization` of a route that takes it, and
/// takes the other headers that carry one away before anything reads them: an id, a trace or a log line could keep it.
pub(super) fn drop_stray_control_tokens(
    service: &'static str,
    access: Option<Access>,
    request: &mut ServiceRequest,
) {
    let report = |place| security_event(SecurityEvent::StrayControlToken, service, place);
    if control::is_carried_by("", request.uri().path_and_query().map_or("", |path| path.as_str()).as_bytes())
    {
        report("path");
    }
    let carries = |(name, value): (&HeaderName, &HeaderValue)| {
        control::is_carried_by(name.as_str(), value.as_bytes()).then(|| name.clone())
    };
    let found: Vec<HeaderName> = request.headers().iter().filter_map(carries).collect();
    for name in found {
        if name != AUTHORIZATION {
            request.headers_mut().remove(name);
            report("header");
        } else if access != Some(Access::ControlToken) {
            // It stays: whoever judges credentials refuses it, as it would any other.
            report("authorization");
        }
    }
}

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a request brought, as far as it could be read.
pub(super) struct Taken {
    bearer: Result<Option<Secret>, Fault>,
    api_key: Result<Option<Secret>, Fault>,
}

impl Taken {
    /// The name of what was brought for a route of this access, before anybody has judged it; none for what nobody could read.
    fn name(&self, access: Access) -> Option<Stranger> {
        let of = |taken: &Result<Option<Secret>, Fault>| {
            let secret = taken.as_ref().ok().and_then(Option::as_ref);
            secret.map(|secret| Stranger::of_credential(secret.expose()))
        };
        match access {
            Access::Public | Access::Signed => None,
            Access::ControlToken | Access::Session | Access::Preflight => of(&self.bearer),
            Access::SessionOrKey => of(&self.bearer).or_else(|| of(&self.api_key)),
        }
    }

    /// What a route may see of it: a key only where keys are taken.
    fn for_access(self, access: Access) -> Result<Credentials, Fault> {
        if access != Access::SessionOrKey {
            return Ok(Credentials { bearer: self.bearer?, api_key: None });
        }
        let (bearer, api_key) = (self.bearer?, self.api_key?);
        match (bearer, api_key) {
            (Some(bearer), Some(key)) if bearer.expose() != key.expose() => Err(Fault::invalid(
                "CREDENTIALS_CONFLICT",
                "X-API-Key",
                "Authorization and X-API-Key are both there and differ: send one of them",
            )),
            (Some(bearer), _) => Ok(Credentials { bearer: Some(bearer), api_key: None }),
            (None, api_key) => Ok(Credentials { bearer: None, api_key }),
        }
    }
}

/// Takes the credentials out of the request, so that no handler can read them or pass them on.
pub(super) fn take_credentials(request: &mut ServiceRequest) -> Taken {
    Taken { bearer: take_bearer(request), api_key: take_api_key(request) }
}

fn take_api_key(request: &mut ServiceRequest) -> Result<Option<Secret>, Fault> {
    let mut values = request.headers_mut().remove(X_API_KEY);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text = value.to_str().ok().map(str::trim).filter(|text| is_token(text));
            text.map(|text| Some(Secret::new(text.to_owned()))).ok_or_else(Fault::unauthenticated)
        }
        (Some(_), Some(_)) => Err(Fault::unauthenticated()),
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_BEARER && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Takes the `Authorization` header out of the request, so that no handler can read it or pass it on.
/// Several of them, or another scheme than `Bearer`, is a fault that a route without credentials does not care about.
fn take_bearer(request: &mut ServiceRequest) -> Result<Option<Secret>, Fault> {
    let mut values = request.headers_mut().remove(AUTHORIZATION);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => bearer(&value).map(Some).ok_or_else(Fault::unauthenticated),
        (Some(_), Some(_)) => Err(Fault::unauthenticated()),
    }
}

pub(crate) fn bearer(value: &HeaderValue) -> Option<Secret> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && is_token(token)).then(|| Secret::new(token.to_owned()))
}

/// Lets the request in, with its principal where the route asks for one. It is counted first, whoever sent it.
///
/// Where credentials are judged, that happens on the home runtime, where the connections are that it asks: on the worker
/// each question would put a thread to sleep and wake it.
pub(super) async fn admit(
    shared: &Arc<Shared>,
    row: &Row,
    credentials: Taken,
    request: &ServiceRequest,
) -> Result<(), Fault> {
    let (access, limit) = (row.access, row.limit);
    let counting = shared.counting.as_ref().filter(|_| limit != Limit::Exempt);
    let brought = counting.map(|counting| {
        let signed_for = shared.signed_for.as_ref().filter(|_| access == Access::Signed);
        let signed_for = signed_for.and_then(|verify| verify(request.request()));
        Brought {
            credential: credentials.name(access),
            signed_for: signed_for.map(|tenant| (tenant, name_of_url(request))),
            address: counting.address(request),
        }
    });
    let deciding = decide(Arc::clone(shared), access, limit, credentials, brought);
    let (judged, charged) =
        if access.needs_credentials() { at_home(&shared.home, deciding).await? } else { deciding.await };
    if let Some(charged) = charged {
        charged.noted(request)?;
    }
    if let Some(principal) = judged? {
        request.extensions_mut().insert(principal);
    }
    Ok(())
}

/// Who it is, and what became of the charge where there is one.
async fn decide(
    shared: Arc<Shared>,
    access: Access,
    limit: Limit,
    credentials: Taken,
    brought: Option<Brought>,
) -> (Judged, Option<Charged>) {
    let judged = judge(&shared, access, credentials).await;
    let charged = match (&shared.counting, brought) {
        (Some(counting), Some(brought)) => Some(counting.charge(limit, brought, &judged).await),
        _ => None,
    };
    (judged, charged)
}

/// Runs it on the home runtime; when the request goes away, so does that.
async fn at_home<T: Send + 'static>(
    home: &Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Fault> {
    struct Abort(AbortHandle);
    impl Drop for Abort {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    let task = home.spawn(work.instrument(Span::current()));
    let _abort = Abort(task.abort_handle());
    task.await.map_err(Fault::internal)
}

async fn judge(shared: &Shared, access: Access, credentials: Taken) -> Judged {
    if !access.needs_credentials() {
        return Ok(None);
    }
    let credentials = credentials.for_access(access)?;
    // `Edge::bind` refuses a table that needs what it does not have; should it be missing all the same, nobody gets in.
    let authenticate = shared.authenticate.as_ref().ok_or_else(Fault::unauthenticated)?;
    authenticate.authenticate(access, credentials).await.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn take(values: &[&'static str]) -> Result<Option<Secret>, Fault> {
        let mut request = TestRequest::default();
        for value in values {
            request = request.append_header((AUTHORIZATION, *value));
        }
        let mut request = request.to_srv_request();
        let taken = take_bearer(&mut request);
        assert!(!request.headers().contains_key(AUTHORIZATION), "the header is gone, whatever it was");
        taken
    }

    #[test]
    fn drop_stray_control_tokens_leaves_only_the_one_that_is_wanted() {
        let token = format!("mmct_{}", "A".repeat(43));
        let strays = ["x-request-id", "cookie", "x-upstream-token", "tracestate"];
        for access in [None, Some(Access::Public), Some(Access::Session), Some(Access::ControlToken)] {
            let mut request = TestRequest::default()
                .append_header((AUTHORIZATION, format!("Bearer {token}")))
                .append_header(("accept", "text/html"));
            for name in strays {
                request = request.append_header((name, format!("a={token}")));
            }
            let mut request = request.to_srv_request();
            drop_stray_control_tokens("gate-test", access, &mut request);
            assert!(strays.iter().all(|name| !request.headers().contains_key(*name)));
            assert!(request.headers().contains_key("accept"));
            assert!(request.headers().contains_key(AUTHORIZATION), "left for whoever judges it");
        }
        let metrics = mintmark_service::telemetry::metrics_text();
        for (place, times) in [("authorization", 3), ("header", 16)] {
            let line = format!(
                r#"security_events_total{{event="stray_control_token",place="{place}",service="gate-test"}} {times}"#
            );
            assert!(metrics.contains(&line), "{line} not in {metrics}");
        }
    }

    #[test]
    fn for_access_takes_a_key_only_where_keys_are_taken() {
        let taken = |bearer: Option<&str>, key: Option<&str>| {
            let mut request = TestRequest::default();
            if let Some(bearer) = bearer {
                request = request.append_header((AUTHORIZATION, format!("Bearer {bearer}")));
            }
            if let Some(key) = key {
                request = request.append_header((X_API_KEY, key.to_owned()));
            }
            let mut request = request.to_srv_request();
            let taken = take_credentials(&mut request);
            assert!(
                !request.headers().contains_key(X_API_KEY) && !request.headers().contains_key(AUTHORIZATION)
            );
            taken
        };
        let exposed = |secret: Option<Secret>| secret.map(|secret| secret.expose().to_owned());
        let both = |found: Credentials| (exposed(found.bearer), exposed(found.api_key));
        let key = || Some("k".to_owned());
        assert_eq!(both(taken(None, Some("k")).for_access(Access::SessionOrKey).unwrap()), (None, key()));
        assert_eq!(
            both(taken(Some("k"), Some("k")).for_access(Access::SessionOrKey).unwrap()),
            (key(), None)
        );
        assert_eq!(both(taken(Some("k"), Some("z")).for_access(Access::Session).unwrap()), (key(), None));
        assert_eq!(both(taken(None, Some("k")).for_access(Access::ControlToken).unwrap()), (None, None));
        let fault = taken(Some("k"), Some("z")).for_access(Access::SessionOrKey).unwrap_err();
        assert_eq!(fault.code(), "CREDENTIALS_CONFLICT");
        let fault = taken(None, Some("a b")).for_access(Access::SessionOrKey).unwrap_err();
        assert_eq!(fault.code(), "AUTHENTICATION_REQUIRED");
    }

    #[test]
    fn take_credentials_of_one_bearer_yields_its_value() {
        assert_eq!(take(&["bearer abc.def"]).unwrap().unwrap().expose(), "abc.def");
        assert!(take(&[]).unwrap().is_none());
    }

    #[test]
    fn take_credentials_of_anything_else_is_refused() {
        for values in
            [&["Basic YTpi"][..], &["Bearer"], &["Bearer "], &["Bearer a b"], &["Bearer a", "Bearer a"]]
        {
            assert_eq!(take(values).unwrap_err().code(), "AUTHENTICATION_REQUIRED", "{values:?}");
        }
    }
}
