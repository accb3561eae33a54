use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use super::{BodyLimit, check_head, check_length, parse, read};
use crate::Problem;

/// A JSON body of type `T`, or none at all: an empty body needs no content type. An extractor; what is there is judged as
/// [`super::Body`] judges it.
#[derive(Debug)]
pub struct OptionalBody<T>(pub Option<T>);

impl<T: DeserializeOwned + 'static> FromRequest for OptionalBody<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limit = BodyLimit::of(request);
        let fits = check_length(request, limit);
        let head = check_head(request, limit);
        let payload = payload.take();
        Box::pin(async move {
            fits?;
            let received = read(payload, limit).await?;
            if received.is_empty() {
                return Ok(Self(None));
            }
            head?;
            Ok(Self(Some(parse(&received)?)))
        })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Order {
        units: u32,
    }

    async fn read(content_type: Option<&str>, body: &str) -> Result<Option<Order>, String> {
        let mut request = TestRequest::default().app_data(BodyLimit(64)).set_payload(body.to_owned());
        if let Some(content_type) = content_type {
            request = request.insert_header(("content-type", content_type));
        }
        let (request, mut payload) = request.to_http_parts();
        let body = OptionalBody::<Order>::from_request(&request, &mut payload).await;
        body.map(|body| body.0).map_err(|problem| problem.0.code().to_owned())
    }

    #[actix_web::test]
    async fn optional_body_is_nothing_or_as_good_as_a_body() {
        let json = Some("application/json");
        assert_eq!(read(None, "").await, Ok(None));
        assert_eq!(read(json, "").await, Ok(None));
        assert_eq!(read(json, r#"{"units":1}"#).await, Ok(Some(Order { units: 1 })));
        let refused = |code: &str| Err(code.to_owned());
        assert_eq!(read(None, r#"{"units":1}"#).await, refused("UNSUPPORTED_MEDIA_TYPE"));
        assert_eq!(read(json, " ").await, refused("INVALID_JSON"));
        assert_eq!(read(json, r#"{"all":1}"#).await, refused("INVALID_BODY"));
        assert_eq!(read(json, &" ".repeat(65)).await, refused("BODY_TOO_LARGE"));
    }
}
