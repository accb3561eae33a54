use mintmark_web::openapi;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::edge::{TestEdge, routes};

struct Answered {
    status: u16,
    headers: HeaderMap,
    json: Value,
}

impl Answered {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    fn code(&self) -> (u16, &str) {
        (self.status, self.json["code"].as_str().unwrap_or_default())
    }
}

async fn send(request: RequestBuilder) -> Answered {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    let answered = Answered { status, headers, json };
    assert_eq!(answered.header("x-content-type-options"), "nosniff");
    if status >= 400 && !text.is_empty() {
        assert_eq!(answered.header("content-type"), "application/problem+json");
        assert_eq!(answered.json["status"], status);
        assert_eq!(answered.json["requestId"], answered.header("x-request-id"));
        assert_eq!(answered.header("cache-control"), "no-store");
    }
    answered
}

async fn get(edge: &TestEdge, path: &str) -> Answered {
    send(Client::new().get(edge.url(path))).await
}

fn post(edge: &TestEdge, body: &str) -> RequestBuilder {
    Client::new().post(edge.url("/v1/things")).header(CONTENT_TYPE, "application/json").body(body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn post_without_credentials_is_401_before_the_body_is_judged() {
    let edge = TestEdge::start().await;
    for request in [
        post(&edge, "not json"),
        post(&edge, "not json").bearer_auth("mmct_wrong"),
        post(&edge, "{}").header("authorization", "Basic YTpi"),
        post(&edge, "{}").bearer_auth(&edge.token).bearer_auth(&edge.token),
        post(&edge, "not json").bearer_auth("mmct_wrong").header("x-api-key", "mmk_wrong"),
        Client::new().get(edge.url("/v1/session")).bearer_auth(&edge.token),
        Client::new().get(edge.url("/v1/session")).header("x-api-key", "mmk_wrong"),
    ] {
        let answer = send(request).await;
        assert_eq!(answer.code(), (401, "AUTHENTICATION_REQUIRED"));
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn post_with_the_control_token_reaches_the_handler() {
    let edge = TestEdge::start().await;
    let request =
        post(&edge, r#"{"name":"x","units":3}"#).bearer_auth(&edge.token).header("x-request-id", "mine-1");
    let answer = send(request).await;
    assert_eq!(answer.status, 201);
    assert_eq!(
        answer.json,
        json!({"actor": "control-token", "name": "x", "units": 3, "requestId": "mine-1"})
    );
    assert_eq!(answer.header("x-request-id"), "mine-1");
    assert_eq!(answer.header("cache-control"), "no-store");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn post_of_a_bad_body_is_a_problem_that_names_it() {
    let edge = TestEdge::start().await;
    let long = format!(r#"{{"name":"{}","units":1}}"#, "a".repeat(2000));
    let cases = [
        ("not json", 400, "INVALID_JSON", Value::Null),
        (r#"{"name":"x"}"#, 400, "INVALID_BODY", json!("units")),
        (r#"{"name":"x","units":"hunter2"}"#, 400, "INVALID_BODY", json!("units")),
        (r#"{"name":"x","units":1,"colour":2}"#, 400, "INVALID_BODY", json!("colour")),
        (&long, 413, "BODY_TOO_LARGE", Value::Null),
    ];
    for (body, status, code, field) in cases {
        let answer = send(post(&edge, body).bearer_auth(&edge.token)).await;
        assert_eq!(answer.code(), (status, code), "{body}");
        assert_eq!(answer.json["field"], field, "{body}");
        assert_eq!(answer.json["type"], "about:blank");
        assert!(!answer.json.to_string().contains("hunter2"), "the value is not repeated");
    }
    let text = Client::new().post(edge.url("/v1/things")).bearer_auth(&edge.token).body("{}");
    assert_eq!(send(text).await.code(), (415, "UNSUPPORTED_MEDIA_TYPE"));
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn post_of_an_endless_body_is_cut_at_the_limit() {
    let edge = TestEdge::start().await;
    // No Content-Length: the limit must hold while reading.
    let chunks = futures::stream::iter((0..64).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1024])));
    let request = Client::new().post(edge.url("/v1/things")).bearer_auth(&edge.token);
    let request = request.header(CONTENT_TYPE, "application/json").body(reqwest::Body::wrap_stream(chunks));
    assert_eq!(send(request).await.code(), (413, "BODY_TOO_LARGE"));
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_no_row_fits_is_404_or_405_with_allow() {
    let edge = TestEdge::start().await;
    assert_eq!(get(&edge, "/nothing/here?secret=1").await.code(), (404, "NOT_FOUND"));
    assert_eq!(get(&edge, "/v1/things/not-an-id").await.code(), (404, "NOT_FOUND"));
    let answer = send(Client::new().delete(edge.url("/v1/things")).bearer_auth(&edge.token)).await;
    assert_eq!(answer.code(), (405, "METHOD_NOT_ALLOWED"));
    assert_eq!(answer.header("allow"), "POST, GET");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_on_a_public_route_loses_its_credentials() {
    let edge = TestEdge::start().await;
    let request = Client::new().get(edge.url("/headers")).bearer_auth("whatever").header("x-other", "kept");
    let answer = send(request).await;
    assert_eq!(answer.header("cache-control"), "max-age=60", "the handler's own word stands");
    let names: Vec<String> = serde_json::from_value(answer.json).unwrap();
    assert!(names.contains(&"x-other".to_owned()), "{names:?}");
    assert!(!names.contains(&"authorization".to_owned()), "{names:?}");
    assert_eq!(send(Client::new().head(edge.url("/headers"))).await.status, 200);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn list_by_cursor_shows_each_thing_once() {
    let edge = TestEdge::start().await;
    let mut seen = Vec::new();
    let mut path = "/v1/things?limit=3".to_owned();
    loop {
        let page = get(&edge, &path).await.json;
        seen.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["nextCursor"].as_str() else { break };
        path = format!("/v1/things?limit=3&cursor={next}");
    }
    assert_eq!(seen.len(), 7);
    assert_eq!(get(&edge, "/v1/things?kind=none").await.json, json!({"items": []}));
    for (query, code, field) in [
        ("limit=0", "INVALID_QUERY", "limit"),
        ("cursor=x", "INVALID_CURSOR", "cursor"),
        ("tenant=other", "INVALID_QUERY", "tenant"),
    ] {
        let answer = get(&edge, &format!("/v1/things?{query}")).await;
        assert_eq!(answer.code(), (400, code));
        assert_eq!(answer.json["field"], field);
    }
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handler_that_fails_answers_a_problem_without_its_cause() {
    let edge = TestEdge::start().await;
    for path in ["/panic", "/broken", "/ungated"] {
        let answer = get(&edge, path).await;
        assert_eq!(answer.code(), (500, "INTERNAL"), "{path}");
        assert!(!answer.json.to_string().contains("hunter2"));
    }
    assert_eq!(get(&edge, "/never").await.code(), (503, "DEADLINE_EXCEEDED"));
    let answer = get(&edge, "/away").await;
    assert_eq!(answer.code(), (503, "DATABASE_UNAVAILABLE"));
    assert_eq!(answer.header("retry-after"), "2", "rounded up");
    assert_eq!(answer.json["attempts"], 3);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_route_takes_the_tail_of_the_path() {
    let edge = TestEdge::start().await;
    assert_eq!(get(&edge, "/files/a/b%20c.zip").await.json, json!("a/b c.zip"));
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_is_served_completed_from_the_table() {
    let document = utoipa::openapi::OpenApi::new(
        utoipa::openapi::Info::new("example", "1"),
        utoipa::openapi::PathsBuilder::new().build(),
    );
    assert_eq!(openapi::missing(&routes(), &document).len(), routes().len());
    let edge = TestEdge::start_with(|edge| edge.openapi(document)).await;
    let answer = get(&edge, "/openapi.json").await;
    assert_eq!(answer.status, 200);
    assert!(answer.json["components"]["securitySchemes"]["controlToken"].is_object());
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn not_found_of_the_edge_answers_in_its_own_way() {
    let page = async || actix_web::HttpResponse::NotFound().content_type("text/html").body("<p>nothing</p>");
    let edge = TestEdge::start_with(|edge| edge.not_found(page)).await;
    let response = reqwest::get(edge.url("/nothing")).await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.text().await.unwrap(), "<p>nothing</p>");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn header_of_the_edge_is_on_every_answer_also_on_problems() {
    use actix_web::http::header::{CACHE_CONTROL, HeaderValue, REFERRER_POLICY};
    let edge = TestEdge::start_with(|edge| {
        edge.header(REFERRER_POLICY, HeaderValue::from_static("no-referrer"))
            .header(CACHE_CONTROL, HeaderValue::from_static("private"))
    })
    .await;
    for (path, status) in [("/files/a", 200), ("/nothing", 404), ("/v1/session", 401)] {
        let response = reqwest::get(edge.url(path)).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(response.headers()["cache-control"], "private", "before the edge's own");
    }
    edge.stop().await;
}
