//! From a table of routes to a bound server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, FromRequest, Handler, HttpRequest, HttpResponse, HttpServer, Responder};
use bytes::Bytes;
use mintmark_ids::TenantId;
use mintmark_service::{Context, StartError, telemetry};
use tokio::runtime::Handle;
use utoipa::openapi::OpenApi;

use crate::body::BodyLimit;
use crate::pipeline::{self, Counting, Row, Shared, Stage};
use crate::route::MakeHandler;
use crate::{Access, Authenticate, Limits, Route, Running, SignedFor, openapi};

/// Longest time from the first byte of a request to its answer.
const DEADLINE: Duration = Duration::from_secs(30);
/// Largest body, in bytes.
const BODY_LIMIT: usize = 64 * 1024;
/// Idle connections are kept longer than the 60 seconds after which common load balancers drop theirs, so that it is never
/// us who closes one on which a request is just arriving.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Longest time for the head of a request to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that one worker holds at once; further ones wait in the kernel.
const CONNECTIONS_PER_WORKER: usize = 10_000;

type Configure = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

/// The HTTP edge of a service: a table of routes and what they share.
pub struct Edge {
    name: &'static str,
    routes: Vec<Route>,
    authenticate: Option<Arc<dyn Authenticate>>,
    limits: Option<Limits>,
    signed_for: Option<SignedFor>,
    configure: Vec<Configure>,
    not_found: MakeHandler,
    body_limit: usize,
    deadline: Duration,
    workers: usize,
    headers: Vec<(HeaderName, HeaderValue)>,
    spans_where_followed: bool,
    address_variable: &'static str,
}

impl Edge {
    /// An edge of the service `name` with these routes. Where patterns overlap, the earlier row wins.
    #[must_use]
    pub fn new(name: &'static str, routes: Vec<Route>) -> Self {
        Self {
            name,
            routes,
            authenticate: None,
            limits: None,
            signed_for: None,
            configure: Vec::new(),
            not_found: Arc::new(|| web::to(pipeline::unknown_path)),
            body_limit: BODY_LIMIT,
            deadline: DEADLINE,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            headers: Vec::new(),
            spans_where_followed: false,
            address_variable: "HTTP address",
        }
    }

    /// Who judges credentials; required as soon as a row needs them.
    #[must_use]
    pub fn authenticate(mut self, authenticate: Arc<dyn Authenticate>) -> Self {
        self.authenticate = Some(authenticate);
        self
    }

    /// Who counts requests, and refuses those over their limit; without it nothing is limited.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Who says whose object a signed URL leads to: requests by a good one are counted for that tenant, apart from its others.
    #[must_use]
    pub fn signed_for(
        mut self,
        verify: impl Fn(&HttpRequest) -> Option<TenantId> + Send + Sync + 'static,
    ) -> Self {
        self.signed_for = Some(Arc::new(verify));
        self
    }

    /// Something that handlers take as `actix_web::web::Data<T>`.
    #[must_use]
    pub fn data<T: Send + Sync + 'static>(self, data: T) -> Self {
        self.shared(Arc::new(data))
    }

    /// The same for something that is shared already.
    #[must_use]
    pub fn shared<T: Send + Sync + ?Sized + 'static>(self, data: Arc<T>) -> Self {
        let data = web::Data::from(data);
        self.configure(move |config| {
            config.app_data(data.clone());
        })
    }

    /// Static pages that bring their own routes, such as a page to read the OpenAPI document. They stand outside the table
    /// and its gate: nothing but public files belongs here.
    #[must_use]
    pub fn configure(mut self, configure: impl Fn(&mut ServiceConfig) + Send + Sync + 'static) -> Self {
        self.configure.push(Arc::new(configure));
        self
    }

    /// Largest body in bytes (default 64 KiB); a larger one is 413.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Longest time for an answer (default 30 s), for rows that do not state their own.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Worker threads (default: one a core).
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// A header of every answer that does not bring its own: also of problem documents, which the edge writes, and of
    /// paths and methods that it does not know.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Makes spans only for requests that somebody follows (a collector is configured, or the caller sent a `traceparent`)
    /// and for those that fail, whose line in the log needs one. A span costs some microseconds: as much as a whole answer
    /// where answers are cheap. Handlers of such an edge cannot rely on a current span.
    #[must_use]
    pub fn spans_where_followed(mut self) -> Self {
        self.spans_where_followed = true;
        self
    }

    /// The environment variable of the address, for the sentence about a port that is in use.
    #[must_use]
    pub fn address_variable(mut self, name: &'static str) -> Self {
        self.address_variable = name;
        self
    }

    /// Serves the document at `/openapi.json`, completed from the table: security of each operation, problem documents.
    #[must_use]
    pub fn openapi(mut self, document: OpenApi) -> Self {
        let document = openapi::complete(document, &self.routes);
        // A document that cannot be written is an empty answer here and a failure of the test that reads it.
        let json = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
        let serve = move || {
            let json = json.clone();
            async move { HttpResponse::Ok().content_type("application/json").body(json) }
        };
        self.routes.push(Route::get("/openapi.json", Access::Public, serve));
        self
    }

    /// Another answer to unknown paths than a 404 problem document; it passes the same stages.
    #[must_use]
    pub fn not_found<F, Args>(mut self, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.not_found = Arc::new(move || web::to(handler.clone()));
        self
    }

    /// Binds the address; nothing is accepted before `Running::serve`. Adds the gate `http` to the service's readiness.
    ///
    /// # Errors
    /// A sentence when the port cannot be had, a row appears twice, or a row needs credentials and nobody judges them.
    pub async fn bind(self, addr: SocketAddr, context: &Context) -> Result<Running, StartError> {
        let variable = self.address_variable;
        let failed = |error| StartError::new(format!("{variable} {addr} cannot be served")).caused_by(error);
        self.check()?;
        let workers = self.workers;
        let plan = Arc::new(self.plan(context.home.clone()));
        let listener = mintmark_service::listen(variable, addr)?;
        let bound = listener.local_addr().map_err(failed)?;
        let server = HttpServer::new(move || {
            let plan = plan.clone();
            App::new().configure(move |config| plan.apply(config))
        });
        let server = server
            .workers(workers)
            .disable_signals()
            .shutdown_timeout(context.shutdown_grace.as_secs())
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_TIMEOUT)
            .max_connections(CONNECTIONS_PER_WORKER)
            .listen(listener)
            .map_err(failed)?;
        let gate = context.health.gate("http");
        Ok(Running::new(bound, server.run(), gate, context.home.clone()))
    }

    fn check(&self) -> Result<(), StartError> {
        for (at, route) in self.routes.iter().enumerate() {
            if route.access().needs_credentials() && self.authenticate.is_none() {
                return Err(StartError::new(format!(
                    "{route:?} needs credentials and the edge has nobody to judge them"
                )));
            }
            let same = |other: &&Route| (other.method(), other.path()) == (route.method(), route.path());
            if self.routes[..at].iter().any(|other| same(&other)) {
                return Err(StartError::new(format!("{route:?} stands twice in the table of routes")));
            }
        }
        Ok(())
    }

    fn plan(self, home: Handle) -> Plan {
        let about = "Time from a request's head to its answer's head.";
        let shared = Arc::new(Shared {
            service: self.name,
            authenticate: self.authenticate,
            counting: self.limits.map(Counting::new),
            signed_for: self.signed_for,
            deadline: self.deadline,
            headers: self.headers,
            spans_where_followed: self.spans_where_followed,
            home,
            duration: telemetry::seconds_histogram("http.server.request.duration", about),
            active: pipeline::Active::observed(),
        });
        let mut paths: Vec<(&'static str, Vec<Route>)> = Vec::new();
        for route in self.routes {
            match paths.iter_mut().find(|(path, _)| *path == route.path()) {
                Some((_, routes)) => routes.push(route),
                None => paths.push((route.path(), vec![route])),
            }
        }
        let unknown =
            Stage { shared: shared.clone(), template: "unknown".into(), rows: Vec::new(), allow: allow(&[]) };
        Plan {
            configure: self.configure,
            body_limit: BodyLimit(self.body_limit),
            paths: paths
                .into_iter()
                .map(|(path, routes)| PlannedPath::new(path, routes, shared.clone()))
                .collect(),
            unknown: Arc::new(unknown),
            not_found: self.not_found,
        }
    }
}

/// What each worker thread builds its application from.
struct Plan {
    configure: Vec<Configure>,
    body_limit: BodyLimit,
    paths: Vec<PlannedPath>,
    unknown: Arc<Stage>,
    not_found: MakeHandler,
}

struct PlannedPath {
    path: &'static str,
    handlers: Vec<MakeHandler>,
    stage: Arc<Stage>,
}

impl Plan {
    fn apply(&self, config: &mut ServiceConfig) {
        config.app_data(self.body_limit);
        for configure in &self.configure {
            configure(config);
        }
        for planned in &self.paths {
            let stage = planned.stage.clone();
            let resource =
                planned.handlers.iter().fold(web::resource(planned.path), |r, handler| r.route(handler()));
            config.service(
                resource.wrap(from_fn(move |request, next| pipeline::run(stage.clone(), request, next))),
            );
        }
        let stage = self.unknown.clone();
        // A scope of everything that is left: the application's own default service takes no stages around it.
        let unknown = web::scope("").default_service((self.not_found)());
        config
            .service(unknown.wrap(from_fn(move |request, next| pipeline::run(stage.clone(), request, next))));
    }
}

impl PlannedPath {
    fn new(path: &'static str, routes: Vec<Route>, shared: Arc<Shared>) -> Self {
        let row = |route: &Route| Row {
            method: route.method().clone(),
            access: route.access(),
            limit: route.how_limited(),
            deadline: route.own_deadline(),
            answers_after: route.held_back(),
            body_limit: route.own_body_limit().map(BodyLimit),
            span_name: format!("{} {}", route.method(), route.template()),
        };
        let template = routes.first().map_or(path, Route::template).into();
        let stage = Stage { shared, template, rows: routes.iter().map(row).collect(), allow: allow(&routes) };
        Self {
            path,
            handlers: routes.into_iter().map(|route| route.handler).collect(),
            stage: Arc::new(stage),
        }
    }
}

fn allow(routes: &[Route]) -> HeaderValue {
    let methods: Vec<&str> = routes.iter().map(|route| route.method().as_str()).collect();
    // Method names are legal header values.
    HeaderValue::from_str(&methods.join(", ")).unwrap_or(HeaderValue::from_static(""))
}
