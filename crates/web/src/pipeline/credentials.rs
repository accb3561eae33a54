//! The credentials of a request: taken out of it before anything else is read, and refused where two of them differ.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use mintmark_auth::control;
use mintmark_fault::Fault;
use mintmark_service::config::Secret;
use mintmark_service::limit::Stranger;
use mintmark_service::telemetry::{SecurityEvent, security_event};

use crate::{Access, Credentials};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
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
            // An API key's place is emptied by whoever takes credentials, next: until then what stood there counts as one.
            if name != X_API_KEY {
                request.headers_mut().remove(name);
            }
            report("header");
        } else if access != Some(Access::ControlToken) {
            // It stays: whoever judges credentials refuses it, as it would any other.
            report("authorization");
        }
    }
}

/// What a request brought.
pub(super) struct Taken {
    bearer: Presented,
    api_key: Presented,
}

/// What one of the two headers that carry credentials held.
enum Presented {
    Nothing,
    One(Secret),
    /// No credential of any kind that we take; also one that came twice.
    Unreadable,
    /// Several values that are not the same.
    Several,
}

impl Presented {
    /// The credential, where one came; 401 for what nobody can read.
    fn read(self) -> Result<Option<Secret>, Fault> {
        match self {
            Self::Nothing => Ok(None),
            Self::One(secret) => Ok(Some(secret)),
            Self::Unreadable | Self::Several => Err(Fault::unauthenticated()),
        }
    }

    fn name(&self) -> Option<Stranger> {
        match self {
            Self::One(secret) => Some(Stranger::of_credential(secret.expose())),
            Self::Nothing | Self::Unreadable | Self::Several => None,
        }
    }
}

impl Taken {
    /// The name of what was brought for a route of this access, before anybody has judged it; none for what nobody could read.
    pub(super) fn name(&self, access: Access) -> Option<Stranger> {
        match access {
            Access::Public | Access::Signed => None,
            Access::ControlToken => self.bearer.name(),
            // Also where no key is taken: beside another credential it gets the request refused.
            Access::Session | Access::SessionOrKey | Access::Preflight => {
                self.bearer.name().or_else(|| self.api_key.name())
            }
        }
    }

    /// What a route may see of it: a key only where keys are taken.
    pub(super) fn for_access(self, access: Access) -> Result<Credentials, Fault> {
        self.agrees(access)?;
        let bearer = self.bearer.read()?;
        let key_counts = access == Access::SessionOrKey && bearer.is_none();
        let api_key = if key_counts { self.api_key.read()? } else { None };
        Ok(Credentials { bearer, api_key })
    }

    /// 400 where the request brings two credentials that are not the same, be one of them unreadable: which of them is meant
    /// is not ours to guess, and whoever stands between may have read the other.
    ///
    /// Under the control token `Authorization` alone is looked at: no key of a tenant has any meaning there.
    fn agrees(&self, access: Access) -> Result<(), Fault> {
        use Presented::{Nothing, One, Several};
        if !matches!(access, Access::Session | Access::SessionOrKey | Access::Preflight) {
            return Ok(());
        }
        let field = match (&self.bearer, &self.api_key) {
            (Several, _) => "Authorization",
            (_, Several) => "X-API-Key",
            (Nothing, _) | (_, Nothing) => return Ok(()),
            (One(bearer), One(key)) if bearer.expose() == key.expose() => return Ok(()),
            _ => "X-API-Key",
        };
        let sentence =
            "the request brings two credentials that differ: send one, in Authorization or in X-API-Key";
        Err(Fault::invalid("CREDENTIALS_CONFLICT", field, sentence))
    }
}

/// Takes the credentials out of the request, so that no handler can read them or pass them on.
pub(super) fn take_credentials(request: &mut ServiceRequest) -> Taken {
    let key = |value: &HeaderValue| {
        let text = value.to_str().ok().map(str::trim).filter(|text| is_token(text));
        text.map(|text| Secret::new(text.to_owned()))
    };
    Taken { bearer: take(request, AUTHORIZATION, bearer), api_key: take(request, X_API_KEY, key) }
}

fn take(
    request: &mut ServiceRequest,
    name: HeaderName,
    read: impl Fn(&HeaderValue) -> Option<Secret>,
) -> Presented {
    let mut values = request.headers_mut().remove(name);
    let Some(first) = values.next() else { return Presented::Nothing };
    let (mut again, mut other) = (false, false);
    for value in values {
        again = true;
        other |= value != first;
    }
    if other {
        return Presented::Several;
    }
    read(&first).filter(|_| !again).map_or(Presented::Unreadable, Presented::One)
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_BEARER && text.bytes().all(|byte| byte.is_ascii_graphic())
}

pub(crate) fn bearer(value: &HeaderValue) -> Option<Secret> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && is_token(token)).then(|| Secret::new(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    /// What is taken of a request with these values of the two headers.
    fn taken(authorization: &[&str], keys: &[&str]) -> Taken {
        let mut request = TestRequest::default();
        for value in authorization {
            request = request.append_header((AUTHORIZATION, (*value).to_owned()));
        }
        for value in keys {
            request = request.append_header((X_API_KEY, (*value).to_owned()));
        }
        let mut request = request.to_srv_request();
        let taken = take_credentials(&mut request);
        let left = [AUTHORIZATION, X_API_KEY].map(|name| request.headers().contains_key(name));
        assert_eq!(left, [false; 2], "the headers are gone, whatever they were");
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

    /// The bearer and the key that a route sees, or the code and field of its refusal.
    fn seen(taken: Taken, access: Access) -> Result<[Option<String>; 2], (String, Option<String>)> {
        let exposed = |secret: Option<Secret>| secret.map(|secret| secret.expose().to_owned());
        let found = taken.for_access(access);
        found
            .map(|found| [exposed(found.bearer), exposed(found.api_key)])
            .map_err(|fault| (fault.code().to_owned(), fault.field_name().map(str::to_owned)))
    }

    #[test]
    fn for_access_takes_a_key_only_where_keys_are_taken() {
        let some = |text: &str| Some(text.to_owned());
        for (authorization, keys, access, bearer, key) in [
            (&["bearer abc.def"][..], &[][..], Access::Session, some("abc.def"), None),
            (&[], &[], Access::SessionOrKey, None, None),
            (&[], &["k"], Access::SessionOrKey, None, some("k")),
            (&[], &[" k "], Access::SessionOrKey, None, some("k")),
            (&["Bearer k"], &["k"], Access::SessionOrKey, some("k"), None),
            (&["Bearer k"], &["k"], Access::Session, some("k"), None),
            (&[], &["k"], Access::Session, None, None),
            (&[], &[""], Access::Session, None, None),
            (&[], &["k"], Access::ControlToken, None, None),
            (&["Bearer c"], &["k"], Access::ControlToken, some("c"), None),
            (&["Bearer c"], &["k", "z"], Access::ControlToken, some("c"), None),
        ] {
            let case = format!("{authorization:?} {keys:?} {access:?}");
            assert_eq!(seen(taken(authorization, keys), access), Ok([bearer, key]), "{case}");
        }
    }

    #[test]
    fn for_access_of_two_credentials_that_differ_is_a_conflict() {
        for access in [Access::Session, Access::SessionOrKey, Access::Preflight] {
            for (authorization, keys, field) in [
                (&["Bearer k"][..], &["z"][..], "X-API-Key"),
                (&["Basic YTpi"], &["k"], "X-API-Key"),
                (&["Bearer k"], &[""], "X-API-Key"),
                (&["Bearer k"], &["a b"], "X-API-Key"),
                (&["Basic YTpi"], &[""], "X-API-Key"),
                (&[""], &["k"], "X-API-Key"),
                (&["Bearer k"], &["k", "k"], "X-API-Key"),
                (&[], &["k", "z"], "X-API-Key"),
                (&[], &["k", "k", "z"], "X-API-Key"),
                (&["Bearer k"], &["k", "z"], "X-API-Key"),
                (&["Bearer k", "Bearer z"], &[], "Authorization"),
                (&["Basic YTpi", "Bearer k"], &["k"], "Authorization"),
            ] {
                let refused = Err(("CREDENTIALS_CONFLICT".to_owned(), Some(field.to_owned())));
                let case = format!("{authorization:?} {keys:?} {access:?}");
                assert_eq!(seen(taken(authorization, keys), access), refused, "{case}");
            }
        }
    }

    #[test]
    fn for_access_of_one_credential_that_nobody_can_read_is_unauthenticated() {
        let refused = || Err(("AUTHENTICATION_REQUIRED".to_owned(), None));
        for values in [
            &["Basic YTpi"][..],
            &["Bearer"],
            &["Bearer "],
            &[""],
            &["Bearer a b"],
            &["Bearer a", "Bearer a"],
        ] {
            for access in [Access::ControlToken, Access::Session, Access::SessionOrKey, Access::Preflight] {
                assert_eq!(seen(taken(values, &[]), access), refused(), "{values:?} {access:?}");
            }
        }
        for keys in [&[""][..], &["a b"], &["k", "k"]] {
            assert_eq!(seen(taken(&[], keys), Access::SessionOrKey), refused(), "{keys:?}");
        }
        for values in [["Bearer c", "Bearer d"], ["Basic YTpi", "Bearer c"]] {
            assert_eq!(seen(taken(&values, &["k"]), Access::ControlToken), refused(), "{values:?}");
        }
    }

    #[test]
    fn name_is_of_the_credential_that_can_be_read() {
        let of = |text: &str| Some(Stranger::of_credential(text));
        for (authorization, keys, name) in [
            (&["Bearer b"][..], &[][..], of("b")),
            (&["Bearer b"], &["k"], of("b")),
            (&["Basic YTpi"], &["k"], of("k")),
            (&["Bearer b"], &[""], of("b")),
            (&[], &["k"], of("k")),
            (&[], &["k", "z"], None),
            (&[], &[""], None),
            (&["Basic YTpi"], &[], None),
        ] {
            for access in [Access::Session, Access::SessionOrKey, Access::Preflight] {
                assert_eq!(taken(authorization, keys).name(access), name, "{authorization:?} {keys:?}");
            }
            assert_eq!(taken(authorization, keys).name(Access::Public), None);
        }
        assert_eq!(taken(&["Basic YTpi"], &["k"]).name(Access::ControlToken), None);
    }
}
