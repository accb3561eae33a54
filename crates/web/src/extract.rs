//! What a handler takes: its caller, its path, its query. All synchronous; the gate has judged the caller before.

use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use mintmark_auth::Principal;
use mintmark_fault::Fault;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use crate::{Problem, decode};

/// Parameters that belong to `Page`.
const PAGING: [&str; 2] = ["limit", "cursor"];

/// Who sent the request, as the gate judged. Taken out of the request: a handler names it once. On a route without
/// credentials it is a 500, because the table and the handler disagree.
#[derive(Debug)]
pub struct Caller(pub Principal);

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let principal = request.extensions_mut().remove::<Principal>();
        let missing = || Fault::internal("the handler wants a caller and its route has no gate");
        ready(principal.map(Self).ok_or_else(|| missing().into()))
    }
}

/// The parameters of the path. What is not a `T` (a malformed id) does not exist: 404.
#[derive(Clone, Debug)]
pub struct PathOf<T>(pub T);

/// The parameters of the query. What is not a `T` is 400 `INVALID_QUERY` with the parameter's name; `limit` and `cursor` are
/// left to `Page`.
#[derive(Clone, Debug)]
pub struct QueryOf<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for PathOf<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let path = web::Path::<T>::from_request(request, payload).into_inner();
        ready(path.map(|path| Self(path.into_inner())).map_err(|_| Fault::not_found("resource").into()))
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for QueryOf<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(query(request.query_string(), |name| !PAGING.contains(&name)).map(Self).map_err(Problem))
    }
}

/// Reads the parameters whose name is `wanted`.
pub(crate) fn query<T: DeserializeOwned>(text: &str, wanted: impl Fn(&str) -> bool) -> Result<T, Fault> {
    let mut chosen = form_urlencoded::Serializer::new(String::new());
    chosen.extend_pairs(form_urlencoded::parse(text.as_bytes()).filter(|(name, _)| wanted(name)));
    let chosen = chosen.finish();
    let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(chosen.as_bytes()));
    serde_path_to_error::deserialize(reader).map_err(|error| {
        decode::refuse("INVALID_QUERY", &error.path().to_string(), &error.inner().to_string())
    })
}

impl<T> PathOf<T> {
    /// The parameters alone.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> QueryOf<T> {
    /// The parameters alone.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for PathOf<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Deref for QueryOf<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Filter {
        brand_id: String,
        #[serde(default)]
        units: u32,
    }

    fn filter(text: &str) -> Result<Filter, Fault> {
        query(text, |name| !PAGING.contains(&name))
    }

    #[test]
    fn query_with_a_wrong_parameter_names_it() {
        for (text, field) in [
            ("", "brandId"),
            ("brandId=a&units=x", "units"),
            ("brandId=a&tenant=b", "tenant"),
            ("brandId=a&brandId=b", "brandId"),
        ] {
            let fault = filter(text).unwrap_err();
            assert_eq!((fault.code(), fault.field_name()), ("INVALID_QUERY", Some(field)), "{text}: {fault}");
        }
    }

    #[test]
    fn query_with_paging_reads_the_rest() {
        let filter = filter("limit=3&brandId=caf%C3%A9+1&cursor=x&units=7").unwrap();
        assert_eq!((filter.brand_id.as_str(), filter.units), ("café 1", 7));
    }
}
