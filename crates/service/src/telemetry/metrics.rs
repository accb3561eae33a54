//! Metrics: OpenTelemetry instruments in one Prometheus registry.

use std::sync::OnceLock;

use opentelemetry::metrics::{Histogram, Meter, MeterProvider};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder, Registry, TextEncoder};

use super::durations::{self, Durations};

/// Upper bounds, in seconds, of the buckets of a duration: from a cached scan (1 ms) to the request deadline (30 s).
pub const SECONDS_BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

struct Metrics {
    registry: Registry,
    // Owns the connection between instruments and registry; dropped, it would stop both.
    _provider: SdkMeterProvider,
    meter: Meter,
}

static METRICS: OnceLock<Metrics> = OnceLock::new();

fn metrics() -> &'static Metrics {
    METRICS.get_or_init(|| {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .without_target_info()
            .build();
        let builder = SdkMeterProvider::builder();
        // Only a second registration can fail, and this registry is ours and new: without it, metrics stay empty.
        let provider = match exporter {
            Ok(exporter) => builder.with_reader(exporter).build(),
            Err(_) => builder.build(),
        };
        opentelemetry::global::set_meter_provider(provider.clone());
        Metrics { registry, meter: provider.meter("mintmark"), _provider: provider }
    })
}

/// The meter of this process. Make an instrument once and keep it; names are dotted, units are UCUM (`s`, `By`):
/// `http.server.request.duration` with unit `s` becomes `http_server_request_duration_seconds`.
#[must_use]
pub fn meter() -> Meter {
    metrics().meter.clone()
}

/// A histogram of durations in seconds.
#[must_use]
pub fn seconds_histogram(name: &'static str, about: &'static str) -> Histogram<f64> {
    meter()
        .f64_histogram(name)
        .with_unit("s")
        .with_description(about)
        .with_boundaries(SECONDS_BUCKETS.to_vec())
        .build()
}

/// A histogram in seconds with one label whose values are known beforehand, for places where an instrument's own look-up of
/// labels costs too much. Each value is there from the first moment.
///
/// `name` is as Prometheus shows it and ends in `_seconds`. Make it once in a process: a second one of a name is not shown.
#[must_use]
pub fn durations_by<const N: usize>(
    name: &'static str,
    about: &'static str,
    bounds: &[f64],
    label: &'static str,
    values: [&'static str; N],
) -> [Durations; N] {
    durations::durations_by(&metrics().registry, name, about, bounds, label, values)
}

/// Every metric in Prometheus' text format, version 0.0.4.
#[must_use]
pub fn metrics_text() -> String {
    let mut text = Vec::new();
    match TextEncoder::new().encode(&metrics().registry.gather(), &mut text) {
        Ok(()) => String::from_utf8(text).unwrap_or_default(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be encoded");
            String::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::KeyValue;

    #[test]
    fn metrics_text_of_a_duration_has_unit_and_labels() {
        let histogram = seconds_histogram("test.metrics_text.duration", "only a test");
        histogram.record(0.002, &[KeyValue::new("route", "/x/{id}")]);
        let text = metrics_text();
        assert!(
            text.contains(r#"test_metrics_text_duration_seconds_bucket{route="/x/{id}",le="0.0025"} 1"#),
            "{text}"
        );
    }
}
