//! Installing telemetry in the process, and flushing it at the end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::{LogFilter, json::JsonLines};
use crate::StartError;

/// How long one export to the collector may take, and the flush at the end.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether spans leave the process.
static EXPORTS: AtomicBool = AtomicBool::new(false);

/// Whether spans are exported to a collector: where they are not, one is of use for the log lines inside it alone.
#[must_use]
pub fn exports_traces() -> bool {
    EXPORTS.load(Ordering::Relaxed)
}

/// Installed telemetry. Call `shutdown` at the end, or the last spans are lost.
#[derive(Debug)]
pub struct Telemetry {
    traces: SdkTracerProvider,
}

impl Telemetry {
    /// Installs logs on stdout and traces for the whole process. Without a collector (`otlp_endpoint`, OTLP over gRPC) trace
    /// ids are made and passed on all the same, and nothing is exported. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the exporter cannot be made from the endpoint, or telemetry is installed already.
    pub fn install(
        service: &'static str,
        filter: LogFilter,
        otlp_endpoint: Option<&str>,
    ) -> Result<Self, StartError> {
        Self::install_to(service, filter, otlp_endpoint, std::io::stdout)
    }

    /// The same with log lines going to `writer`, for tests.
    ///
    /// # Errors
    /// As `install`.
    pub fn install_to<W>(
        service: &'static str,
        filter: LogFilter,
        otlp_endpoint: Option<&str>,
        writer: W,
    ) -> Result<Self, StartError>
    where
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        let traces = tracer_provider(service, otlp_endpoint)?;
        opentelemetry::global::set_tracer_provider(traces.clone());
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        let exported = tracing_opentelemetry::layer()
            .with_tracer(traces.tracer("mintmark"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false);
        tracing_subscriber::registry()
            .with(FilterFn::new(move |metadata| filter.passes(metadata)))
            .with(exported)
            .with(JsonLines::new(writer))
            .try_init()
            .map_err(|error| {
                StartError::new("telemetry is installed already in this process").caused_by(error)
            })?;
        EXPORTS.store(otlp_endpoint.is_some(), Ordering::Relaxed);
        Ok(Self { traces })
    }

    /// Sends what is left, for at most five seconds, on a thread that may block.
    pub async fn shutdown(self) {
        let flush = tokio::task::spawn_blocking(move || self.traces.shutdown_with_timeout(EXPORT_TIMEOUT));
        match tokio::time::timeout(EXPORT_TIMEOUT, flush).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => {
                tracing::warn!(%error, "the last traces could not be sent to the collector");
            }
            Ok(Err(_)) | Err(_) => tracing::warn!("the last traces were not sent within five seconds"),
        }
    }
}

fn tracer_provider(
    service: &'static str,
    otlp_endpoint: Option<&str>,
) -> Result<SdkTracerProvider, StartError> {
    let resource = Resource::builder()
        .with_service_name(service)
        .with_attribute(KeyValue::new("service.namespace", "mintmark"))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let Some(endpoint) = otlp_endpoint else {
        // Ids are made for spans that are not sampled too, and nothing is recorded that nobody will read.
        let sampler = Sampler::ParentBased(Box::new(Sampler::AlwaysOff));
        return Ok(builder.with_sampler(sampler).build());
    };
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(|error| {
            StartError::new(
                "OTEL_EXPORTER_OTLP_ENDPOINT is not a collector: write it like http://127.0.0.1:4317",
            )
            .caused_by(error)
        })?;
    Ok(builder.with_batch_exporter(exporter).build())
}
