//! The gRPC server of a service.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Request, Response};
use mintmark_auth::{ClientCertificate, ServiceVerifier};
use mintmark_service::{Context, Gate, Reserved, StartError, reserve, telemetry};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::RoutesBuilder;
use tonic::transport::Server;
use tower::Service;

use crate::gate::{GateLayer, Shared};
use crate::health::Reported;
use crate::limits::Limits;
use crate::observe::Durations;
use crate::own::OwnMethods;
use crate::row::{Rpc, Table, split};
use crate::saturation;
use crate::secure::incoming;

/// Calls that run at once, streams included; more are told to come back.
const CALLS: usize = 1024;
/// Streams of one connection.
const STREAMS: u32 = 256;
/// A chunk of digests is 1.6 MB: windows of two of them keep a publisher from waiting for credit.
const STREAM_WINDOW: u32 = 4 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// Metadata of a request, our tokens included.
const HEADERS: u32 = 16 * 1024;
/// A peer that vanished without a word is noticed within these two.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_ANSWER: Duration = Duration::from_secs(10);

const HEALTH_SERVICE: &str = "grpc.health.v1.Health";
const REFLECTION_V1: &str = "grpc.reflection.v1.ServerReflection";
const REFLECTION_V1ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";

/// A gRPC server in the making: its table of methods, and the services behind it.
///
/// Messages of more than 4 MiB are refused (tonic's own default for decoding).
pub struct GrpcEdge {
    name: &'static str,
    variable: Option<&'static str>,
    rows: Vec<Rpc>,
    verifier: Option<ServiceVerifier>,
    own: OwnMethods,
    also: Vec<Rpc>,
    limits: Option<Limits>,
    routes: RoutesBuilder,
    reflected: Vec<&'static [u8]>,
    calls: usize,
    spans_where_exported: bool,
    long: Vec<&'static str>,
    ready: Option<BoxFuture<'static, ()>>,
}

impl GrpcEdge {
    /// An edge that serves `rows` to callers whose token `verifier` accepts. `name` is the service's name.
    pub fn new(name: &'static str, rows: Vec<Rpc>, verifier: ServiceVerifier) -> Self {
        Self { verifier: Some(verifier), rows, ..Self::health_only(name) }
    }

    /// An edge that answers health and reflection, and refuses everything else.
    pub fn health_only(name: &'static str) -> Self {
        Self {
            name,
            variable: None,
            rows: Vec::new(),
            verifier: None,
            own: OwnMethods::default(),
            also: Vec::new(),
            limits: None,
            routes: RoutesBuilder::default(),
            reflected: Vec::new(),
            calls: CALLS,
            spans_where_exported: false,
            long: Vec::new(),
            ready: None,
        }
    }

    /// Names the environment variable of the address, for the sentence that a taken port gives.
    pub fn configured_by(mut self, variable: &'static str) -> Self {
        self.variable = Some(variable);
        self
    }

    /// Adds a generated server. Its methods are reachable as far as the table has rows for them.
    #[expect(clippy::should_implement_trait, reason = "two operands are needed to mistake it for a sum")]
    pub fn add<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.routes.add_service(service);
        self
    }

    /// Serves the method at `path` to whoever presents a credential that `verify` knows, and to no service token: for callers
    /// that cannot mint one. What the credential proves is left in the request's extensions. A row with the same path wins.
    ///
    /// `verify` must compare in constant time.
    pub fn admit<C: Clone + Send + Sync + 'static>(
        mut self,
        path: &'static str,
        verify: impl Fn(&str) -> Option<C> + Send + Sync + 'static,
    ) -> Self {
        self.own.add(path, verify);
        self
    }

    /// Serves the method at `path` to whoever shows a client certificate that `verify` knows, brings no credential, and is no
    /// service of ours; what it proves is left in the request's extensions. Beside [`GrpcEdge::admit`] or instead of it.
    pub fn admit_certificates<C: Clone + Send + Sync + 'static>(
        mut self,
        path: &'static str,
        verify: impl Fn(&ClientCertificate) -> Option<C> + Send + Sync + 'static,
    ) -> Self {
        self.own.add_certificates(path, verify);
        self
    }

    /// Serves a method that has a row to the scope of this row too. Refusals name the scope of the first one.
    pub fn also(mut self, rows: &[Rpc]) -> Self {
        self.also.extend_from_slice(rows);
        self
    }

    /// Has every call of a method with a row counted, once, when it opens. Health, reflection and methods with a credential of
    /// their own are not.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Serves these descriptors (an encoded `FileDescriptorSet`) by reflection, except in production.
    pub fn reflection(mut self, descriptor_set: &'static [u8]) -> Self {
        self.reflected.push(descriptor_set);
        self
    }

    /// Makes spans only where a collector is configured: for methods that cost less than a span does. Lines logged inside
    /// such a call carry no trace id otherwise.
    pub fn spans_where_exported(mut self) -> Self {
        self.spans_where_exported = true;
        self
    }

    /// Lets the method at `path` answer as late as it needs to: for calls whose request is a long stream and whose answer
    /// comes at its end. The method itself must bound how long it waits for the next message.
    pub fn long(mut self, path: &'static str) -> Self {
        self.long.push(path);
        self
    }

    /// Opens the port only when `ready` is done: until then whoever connects is refused, and asks another replica.
    pub fn opens_after(mut self, ready: impl Future<Output = ()> + Send + 'static) -> Self {
        self.ready = Some(Box::pin(ready));
        self
    }

    /// Allows this many calls at once instead of 1024.
    pub fn max_calls(mut self, calls: usize) -> Self {
        self.calls = calls;
        self
    }

    /// Takes the port; port 0 picks a free one. Where the process has a certificate, whoever connects must show one too. Nothing
    /// is answered before [`Running::serve`].
    ///
    /// # Errors
    /// A sentence that says what to do when the port is taken or not ours, or the descriptors do not fit together.
    pub async fn bind(mut self, addr: SocketAddr, context: &Context) -> Result<Running, StartError> {
        let reserved = reserve(self.variable.unwrap_or("the gRPC address"), addr)?;
        let addr = reserved.addr();
        let port = match self.ready.take() {
            None => Port::Open(open(reserved)?),
            Some(ready) => Port::Later(reserved, ready),
        };

        let (reporter, health_service) = tonic_health::server::health_reporter();
        self.routes.add_service(health_service);
        if !context.app_env.is_production() {
            self.add_reflection()?;
        }
        let closing = CancellationToken::new();
        let reported = Reported::new(reporter, self.services().into_iter(), context.health.clone());
        // A watcher that comes before the first look at the gates must not read SERVING.
        reported.report(false).await;
        let places = Arc::new(Semaphore::new(self.calls));
        saturation::observe(&places, self.calls);
        let shared = Arc::new(Shared {
            name: self.name,
            table: Table::new(&self.rows, self.own.paths()),
            own: self.own,
            also: self.also,
            limits: self.limits,
            verifier: self.verifier,
            places,
            closing: closing.clone(),
            durations: Durations::new(),
            long: self.long,
            spans: !self.spans_where_exported || telemetry::exports_traces(),
        });
        let (routes, tls, shutdown) = (self.routes.routes(), context.tls.clone(), context.shutdown.clone());
        let answer = move |listener| -> BoxFuture<'static, _> {
            let ended = shutdown.clone();
            let incoming = incoming(listener, tls, shutdown);
            let server = server(shared).add_routes(routes);
            Box::pin(async move {
                let sentence = "the gRPC server stopped; restart the service";
                let served = server.serve_with_incoming_shutdown(incoming, ended.requested()).await;
                served.map_err(|error| StartError::new(sentence).caused_by(error))
            })
        };
        Ok(Running {
            addr,
            name: self.name,
            port,
            answer: Box::new(answer),
            follow: Box::pin(reported.follow(closing)),
            gate: context.health.gate("grpc"),
            context: context.clone(),
        })
    }

    /// The services that have a method here.
    fn services(&self) -> BTreeSet<&'static str> {
        let own = self.own.paths().map(|path| split(path).0);
        self.rows.iter().map(|rpc| rpc.names().0).chain(own).collect()
    }

    fn add_reflection(&mut self) -> Result<(), StartError> {
        // The descriptors are those of all our services: this edge names the ones that it has.
        let services: BTreeSet<&str> = self.services().into_iter().chain([HEALTH_SERVICE]).collect();
        let builder = |own: &str| {
            let builder = self
                .reflected
                .iter()
                .fold(tonic_reflection::server::Builder::configure(), |builder, set| {
                    builder.register_encoded_file_descriptor_set(set)
                })
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                // What our refusals carry: without it a tool shows their codes as bytes.
                .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET);
            services
                .iter()
                .copied()
                .chain([own])
                .fold(builder, tonic_reflection::server::Builder::with_service_name)
        };
        let failed =
            |error| StartError::new("the descriptors for reflection do not fit together").caused_by(error);
        let (v1, v1alpha) = (
            builder(REFLECTION_V1).build_v1().map_err(failed)?,
            builder(REFLECTION_V1ALPHA).build_v1alpha().map_err(failed)?,
        );
        // grpcurl and older tools still ask the alpha name.
        self.routes.add_service(v1).add_service(v1alpha);
        Ok(())
    }
}

fn server(shared: Arc<Shared>) -> Server<tower::layer::util::Stack<GateLayer, tower::layer::util::Identity>> {
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS)
        .http2_max_header_list_size(HEADERS)
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_ANSWER))
        .layer(GateLayer(shared))
}

/// A port that is ours.
enum Port {
    Open(TcpListener),
    /// Opened when something is done.
    Later(Reserved, BoxFuture<'static, ()>),
}

fn open(reserved: Reserved) -> Result<TcpListener, StartError> {
    let failed = |error| StartError::new("the gRPC port was opened and cannot be used").caused_by(error);
    TcpListener::from_std(reserved.listen()?).map_err(failed)
}

/// A gRPC server that has its port.
pub struct Running {
    /// The address it listens on.
    pub addr: SocketAddr,
    name: &'static str,
    port: Port,
    answer: Box<dyn FnOnce(TcpListener) -> BoxFuture<'static, Result<(), StartError>> + Send>,
    follow: BoxFuture<'static, ()>,
    gate: Gate,
    context: Context,
}

impl Running {
    /// Serves until the end is requested, then lets calls under way finish within the context's grace.
    ///
    /// # Errors
    /// When the server itself fails, or a port that was to be opened now is another program's by now.
    pub async fn serve(self) -> Result<(), StartError> {
        let Self { addr, name, port, answer, follow, gate, context } = self;
        let listener = match port {
            Port::Open(listener) => listener,
            Port::Later(reserved, ready) => {
                tracing::info!(service = name, %addr, "gRPC is not served yet: readiness says what it waits for");
                tokio::select! {
                    () = ready => open(reserved)?,
                    () = context.shutdown.requested() => return Ok(()),
                }
            }
        };
        let mut server = answer(listener);
        tracing::info!(service = name, %addr, "gRPC is served");
        gate.set(true);
        let follower = context.spawn("grpc-health", follow);
        let result = tokio::select! {
            result = &mut server => result,
            () = too_late(context.shutdown.requested(), context.shutdown_grace) => {
                tracing::warn!(service = name, "calls under way were cut off: they outlived the grace of shutdown");
                Ok(())
            }
        };
        gate.set(false);
        follower.abort();
        result
    }
}

async fn too_late(requested: impl Future<Output = ()>, grace: Duration) {
    requested.await;
    tokio::time::sleep(grace).await;
}
