//! The operations port: `/healthz`, `/readyz`, `/metrics`. It answers from the first moment to the last.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::middleware::DefaultHeaders;
use actix_web::{App, HttpResponse, HttpServer, dev, web};
use serde_json::json;

use crate::{Context, Health, StartError, listen, telemetry};

/// Requests to this port are a handful a second: a kubelet and a Prometheus.
const MAX_CONNECTIONS: usize = 256;

/// The running operations server.
#[derive(Debug)]
pub struct OpsServer {
    /// Where it listens; with port 0 asked for, the port it was given.
    pub addr: SocketAddr,
    handle: dev::ServerHandle,
}

impl OpsServer {
    /// Binds `addr` (`OPS_ADDR`) and answers on the home runtime until `stop`.
    ///
    /// # Errors
    /// A sentence when the port cannot be had.
    pub fn start(addr: SocketAddr, context: &Context) -> Result<Self, StartError> {
        let listener = listen("OPS_ADDR", addr)?;
        let failed = |error| StartError::new(format!("OPS_ADDR {addr} cannot be served")).caused_by(error);
        let addr = listener.local_addr().map_err(failed)?;
        let server = server(listener, context.health.clone()).map_err(failed)?;
        let handle = server.handle();
        drop(context.spawn("operations server", server));
        Ok(Self { addr, handle })
    }

    /// Stops at once: whoever asked will see the process gone.
    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

fn server(listener: std::net::TcpListener, health: Health) -> std::io::Result<dev::Server> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(health.clone()))
            .wrap(DefaultHeaders::new().add((CACHE_CONTROL, HeaderValue::from_static("no-store"))))
            .route("/healthz", web::get().to(healthz))
            .route("/readyz", web::get().to(readyz))
            .route("/metrics", web::get().to(metrics))
    });
    let server = server
        .workers(1)
        .disable_signals()
        .max_connections(MAX_CONNECTIONS)
        .client_request_timeout(Duration::from_secs(5))
        .listen(listener)?;
    Ok(server.run())
}

// Alive means that this very answer could be given; a lost database is a matter of readiness.
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

async fn readyz(health: web::Data<Health>) -> HttpResponse {
    let ready = health.ready();
    let mut answer = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.json(json!({
        "ready": ready,
        "shuttingDown": health.shutdown().is_requested(),
        "gates": health.gates(),
        "notes": health.notes(),
    }))
}

async fn metrics() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body(telemetry::metrics_text())
}
