//! One span and one measurement for each call, from its first header to its last trailer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Frame, SizeHint};
use mintmark_service::telemetry;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::body::Body;
use tonic::{Code, Status};
use tracing::Span;

use crate::propagation::Incoming;
use crate::row::Target;
use crate::status::dress;

/// `rpc_server_duration_seconds` by service, method and gRPC code: rate, errors and duration in one instrument.
#[derive(Clone)]
pub(crate) struct Durations(Histogram<f64>);

impl Durations {
    pub(crate) fn new() -> Self {
        let about = "Duration of gRPC calls, from the first header to the last trailer.";
        Self(telemetry::seconds_histogram("rpc.server.duration", about))
    }
}

/// A call under way. Whatever ends it (an answer, a reset, a panic) drops this, and that is the measurement.
pub(crate) struct Call {
    span: Span,
    names: (&'static str, &'static str),
    started: Instant,
    code: Code,
    durations: Durations,
    /// The call's place among those that may run at once.
    place: Option<OwnedSemaphorePermit>,
}

/// A call's span, as a child of the caller's.
pub(crate) fn span(target: &Target, headers: &HeaderMap) -> Span {
    let names = target.names();
    let span = tracing::info_span!(
        "rpc.server",
        otel.name = format!("{}/{}", names.0, names.1),
        otel.kind = "server",
        rpc.system = "grpc",
        rpc.service = names.0,
        rpc.method = names.1,
        rpc.grpc.status_code = tracing::field::Empty,
        tenant.id = tracing::field::Empty,
    );
    telemetry::set_parent(&span, &Incoming(headers));
    span
}

impl Call {
    /// Begins to measure.
    pub(crate) fn begin(target: &Target, span: Span, durations: &Durations) -> Self {
        // Until an answer says otherwise the call counts as cancelled: the caller may go away at any time.
        Self {
            span,
            names: target.names(),
            started: Instant::now(),
            code: Code::Cancelled,
            durations: durations.clone(),
            place: None,
        }
    }

    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    pub(crate) fn hold(&mut self, place: OwnedSemaphorePermit) {
        self.place = Some(place);
    }

    /// Watches the answer go out; `cut` ends a stream that would otherwise never end.
    pub(crate) fn watch(
        mut self,
        response: Response<Body>,
        cut: Option<WaitForCancellationFutureOwned>,
    ) -> Response<Body> {
        let (mut head, body) = response.into_parts();
        if let Some(code) = dress(&mut head.headers) {
            self.code = code;
        }
        let body = Watched { body, call: Some(self), cut: cut.map(Box::pin) };
        Response::from_parts(head, Body::new(body))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let code = i32::from(self.code);
        self.span.record("rpc.grpc.status_code", code);
        let labels = [
            KeyValue::new("service", self.names.0),
            KeyValue::new("method", self.names.1),
            KeyValue::new("code", i64::from(code)),
        ];
        self.durations.0.record(self.started.elapsed().as_secs_f64(), &labels);
    }
}

/// A response body that carries its call with it and sees the trailers.
struct Watched {
    body: Body,
    call: Option<Call>,
    cut: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Watched {
    fn ended(&mut self, code: Option<Code>) {
        if let Some(mut call) = self.call.take()
            && let Some(code) = code
        {
            call.code = code;
        }
    }

    fn cut_off(&mut self) -> Frame<Bytes> {
        let mut trailers = HeaderMap::new();
        let goodbye = Status::unavailable("this server is shutting down");
        // Both are plain ASCII and cannot be refused.
        let _infallible = goodbye.add_header(&mut trailers);
        self.cut = None;
        self.ended(Some(Code::Unavailable));
        self.body = Body::empty();
        Frame::trailers(trailers)
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let span = this.call.as_ref().map_or_else(Span::none, Call::span);
        let polled = span.in_scope(|| Pin::new(&mut this.body).poll_frame(cx));
        let frame = match polled {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let Some(cut) = this.cut.as_mut() else { return Poll::Pending };
                ready!(cut.as_mut().poll(cx));
                return Poll::Ready(Some(Ok(this.cut_off())));
            }
        };
        Poll::Ready(match frame {
            Some(Ok(frame)) => Some(Ok(this.seen(frame))),
            Some(Err(error)) => {
                this.ended(Some(error.code()));
                Some(Err(error))
            }
            None => {
                this.ended(None);
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Watched {
    fn seen(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        match frame.into_trailers() {
            Ok(mut trailers) => {
                let code = dress(&mut trailers);
                self.ended(code);
                Frame::trailers(trailers)
            }
            Err(frame) => frame,
        }
    }
}
