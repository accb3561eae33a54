//! The edge under test: one route for each thing that can happen.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use mintmark_auth::{ControlToken, Principal};
use mintmark_fault::Fault;
use mintmark_service::{Context, StartError, telemetry};
use mintmark_web::{
    Access, Answer, Authenticate, Body, BoxFuture, Caller, Credentials, Edge, List, Page, PathOf, QueryOf,
    RequestId, Route, Running, created, json, no_content, ok,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use uuid::Uuid;

pub const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub struct TestEdge {
    pub context: Context,
    pub url: String,
    pub token: String,
    pub serving: JoinHandle<Result<(), StartError>>,
}

struct Guard(ControlToken);

impl Authenticate for Guard {
    fn authenticate(
        &self,
        access: Access,
        credentials: Credentials,
    ) -> BoxFuture<'_, Result<Principal, Fault>> {
        Box::pin(async move {
            let bearer = credentials.bearer.filter(|_| access == Access::ControlToken);
            let authority = bearer.and_then(|bearer| self.0.verify(bearer.expose()));
            authority.map(Principal::Control).ok_or_else(Fault::unauthenticated)
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewThing {
    name: String,
    units: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    actor: String,
    name: String,
    units: u32,
    request_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    kind: Option<String>,
}

async fn create(Caller(who): Caller, id: RequestId, body: Body<NewThing>) -> Answer {
    let actor = who.actor().to_string();
    let NewThing { name, units } = body.into_inner();
    Ok(created(&Made { actor, name, units, request_id: id.as_str().to_owned() }))
}

async fn list(things: Data<Vec<Uuid>>, page: Page, filter: QueryOf<Filter>) -> Answer {
    if filter.kind.as_deref() == Some("none") {
        return Ok(ok(&List::<Uuid>::of(&page, Vec::new(), |id: &Uuid| *id, |id| id)));
    }
    let after = page.cursor.unwrap_or_default();
    let rows = things.iter().copied().filter(|id| *id > after).take(page.fetch() as usize).collect();
    Ok(ok(&List::of(&page, rows, |id: &Uuid| *id, |id| id)))
}

async fn get(id: PathOf<Uuid>) -> Answer {
    tracing::info!(thing = %id.0, "handled");
    let next_hop = telemetry::trace_parent(&tracing::Span::current());
    Ok(json(mintmark_web::StatusCode::OK, &serde_json::json!({"id": id.0, "nextHop": next_hop})))
}

async fn headers(request: HttpRequest) -> Answer {
    let names: Vec<&str> =
        request.headers().keys().map(actix_web::http::header::HeaderName::as_str).collect();
    Ok(HttpResponse::Ok().insert_header(("cache-control", "max-age=60")).json(names))
}

async fn panic() -> Answer {
    panic!("a mistake in the handler")
}

async fn never() -> Answer {
    std::future::pending().await
}

async fn broken() -> Answer {
    Err(Fault::internal(std::io::Error::other("password of the database: hunter2")).into())
}

async fn away() -> Answer {
    let fault = Fault::unavailable("DATABASE_UNAVAILABLE", "the database is away: try again");
    Err(fault
        .retry_after(Duration::from_millis(1500))
        .with("status", "overwritten")
        .with("attempts", 3)
        .into())
}

async fn ungated(_: Caller) -> Answer {
    Ok(no_content())
}

pub fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/things", Access::ControlToken, create),
        Route::get("/v1/things", Access::Public, list),
        Route::get("/v1/things/{id}", Access::Public, get),
        Route::get("/v1/session", Access::Session, async || no_content()),
        Route::get("/headers", Access::Public, headers),
        Route::head("/headers", Access::Public, headers),
        Route::get("/panic", Access::Public, panic),
        Route::get("/never", Access::Public, never).deadline(Duration::from_millis(50)),
        Route::get("/broken", Access::Public, broken),
        Route::get("/away", Access::Public, away),
        Route::get("/ungated", Access::Public, ungated),
        Route::get("/files/{path:.*}", Access::Signed, async |path: PathOf<String>| ok(&path.0)),
    ]
}

impl TestEdge {
    pub async fn start() -> Self {
        let things: Vec<Uuid> = (1..=7).map(Uuid::from_u128).collect();
        Self::start_with(|edge| edge.data(things).body_limit(1024)).await
    }

    pub async fn start_with(change: impl FnOnce(Edge) -> Edge) -> Self {
        Self::start_of(routes(), change).await
    }

    pub async fn start_of(routes: Vec<Route>, change: impl FnOnce(Edge) -> Edge) -> Self {
        let context = Context::for_tests("example");
        let token = mintmark_auth::control::generate().expose_secret().to_owned();
        let guard = Arc::new(Guard(ControlToken::parse(&token).unwrap()));
        let edge = change(Edge::new("example", routes).authenticate(guard).workers(2));
        let running: Running = edge.bind(ANY_PORT, &context).await.unwrap();
        let url = format!("http://{}", running.addr);
        let serving = tokio::spawn(running.serve(context.shutdown.clone()));
        Self { context, url, token, serving }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub async fn stop(self) {
        self.context.shutdown.trigger();
        self.serving.await.unwrap().unwrap();
    }
}
