//! `X-Upstream-Token`: a second credential, by which an operator narrows a call that a service makes for them.

use std::future::{Ready, ready};

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use mintmark_auth::control;
use mintmark_fault::Fault;
use mintmark_service::config::Secret;

use crate::Problem;
use crate::pipeline::bearer;

pub(crate) const X_UPSTREAM_TOKEN: HeaderName = HeaderName::from_static("x-upstream-token");

/// The token of `X-Upstream-Token: Bearer …`, where one came. An extractor; a handler names it once.
///
/// The edge takes the header out of every request before a handler runs, so this is the only way to it. 401
/// `AUTHENTICATION_REQUIRED` when there are several, when it is no bearer, or when it carried a control token: a credential
/// that was meant to narrow a call and cannot be read must not leave the call unnarrowed.
#[derive(Debug)]
pub struct UpstreamToken(pub Option<Secret>);

/// What the edge found.
struct Found(Result<Secret, ()>);

/// Takes the header out of the request. Before the edge drops control tokens, so that one in here is not a header that was
/// never sent.
pub(crate) fn take(request: &mut ServiceRequest) {
    let carried = |value: &HeaderValue| control::is_carried_by(X_UPSTREAM_TOKEN.as_str(), value.as_bytes());
    let values: Vec<HeaderValue> = request.headers().get_all(&X_UPSTREAM_TOKEN).cloned().collect();
    if values.iter().any(carried) {
        // It stays, for the edge to drop and to report.
        request.extensions_mut().insert(Found(Err(())));
        return;
    }
    request.headers_mut().remove(X_UPSTREAM_TOKEN);
    let found = match values.as_slice() {
        [] => return,
        [value] => bearer(value).ok_or(()),
        _ => Err(()),
    };
    request.extensions_mut().insert(Found(found));
}

impl FromRequest for UpstreamToken {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = request.extensions_mut().remove::<Found>();
        ready(match found {
            None => Ok(Self(None)),
            Some(Found(Ok(token))) => Ok(Self(Some(token))),
            Some(Found(Err(()))) => Err(refused().into()),
        })
    }
}

impl UpstreamToken {
    /// The name of the header, for a fault's field.
    pub const HEADER: &'static str = "X-Upstream-Token";
}

fn refused() -> Fault {
    Fault::unauthenticated().field(UpstreamToken::HEADER)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn taken(values: &[&str]) -> Result<Option<String>, String> {
        let mut request = TestRequest::default();
        for value in values {
            request = request.append_header((X_UPSTREAM_TOKEN, *value));
        }
        let mut request = request.to_srv_request();
        take(&mut request);
        let (request, mut payload) = request.into_parts();
        let token = UpstreamToken::from_request(&request, &mut payload).into_inner();
        token.map(|token| token.0.map(|secret| secret.expose().to_owned())).map_err(|problem| {
            assert_eq!(problem.0.field_name(), Some("X-Upstream-Token"));
            problem.0.code().to_owned()
        })
    }

    #[test]
    fn upstream_token_is_one_bearer_or_none_and_never_silently_none() {
        let refused = || Err("AUTHENTICATION_REQUIRED".to_owned());
        let control = format!("Bearer mmct_{}", "A".repeat(43));
        assert_eq!(taken(&[]), Ok(None));
        assert_eq!(taken(&["Bearer abc"]), Ok(Some("abc".to_owned())));
        assert_eq!(taken(&["bearer abc"]), Ok(Some("abc".to_owned())));
        for wrong in
            [&["abc"][..], &["Bearer "], &[""], &["Basic abc"], &["Bearer a", "Bearer b"], &[&control]]
        {
            assert_eq!(taken(wrong), refused(), "{wrong:?}");
        }
    }

    #[test]
    fn upstream_token_is_taken_out_of_the_request() {
        let request = TestRequest::default().append_header((X_UPSTREAM_TOKEN, "Bearer abc"));
        let mut request = request.to_srv_request();
        take(&mut request);
        assert!(!request.headers().contains_key(X_UPSTREAM_TOKEN));
    }
}
