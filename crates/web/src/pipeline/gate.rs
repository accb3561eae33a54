//! The gate: who comes is judged before anything else of the request is read.

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use mintmark_fault::Fault;
use mintmark_service::config::Secret;

use super::Shared;
use crate::{Access, Credentials};

/// Longest bearer value, in bytes: a token of ours has under one thousand.
const MAX_BEARER: usize = 8192;

/// Takes the `Authorization` header out of the request, so that no handler can read it or pass it on.
/// Several of them, or another scheme than `Bearer`, is a fault that a route without credentials does not care about.
pub(super) fn take_credentials(request: &mut ServiceRequest) -> Result<Option<Secret>, Fault> {
    let mut values = request.headers_mut().remove(AUTHORIZATION);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => bearer(&value).map(Some).ok_or_else(Fault::unauthenticated),
        (Some(_), Some(_)) => Err(Fault::unauthenticated()),
    }
}

fn bearer(value: &HeaderValue) -> Option<Secret> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let whole =
        !token.is_empty() && token.len() <= MAX_BEARER && token.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && whole).then(|| Secret::new(token.to_owned()))
}

/// Lets the request in, with its principal where the route asks for one.
pub(super) async fn admit(
    shared: &Shared,
    access: Access,
    credentials: Result<Option<Secret>, Fault>,
    request: &ServiceRequest,
) -> Result<(), Fault> {
    if !access.needs_credentials() {
        return Ok(());
    }
    let bearer = credentials?;
    // `Edge::bind` refuses a table that needs what it does not have; should it be missing all the same, nobody gets in.
    let authenticate = shared.authenticate.as_ref().ok_or_else(Fault::unauthenticated)?;
    let principal = authenticate.authenticate(access, Credentials { bearer }).await?;
    request.extensions_mut().insert(principal);
    Ok(())
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
        let taken = take_credentials(&mut request);
        assert!(!request.headers().contains_key(AUTHORIZATION), "the header is gone, whatever it was");
        taken
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
