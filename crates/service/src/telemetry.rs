//! Logs, traces and metrics: one set-up for every service.
//!
//! - Logs are JSON lines on stdout; each carries the trace id and span id of the span it was written in, whether or not
//!   traces are exported.
//! - Traces follow W3C Trace Context and leave over OTLP/gRPC only when a collector is configured.
//! - Metrics are OpenTelemetry instruments, read by Prometheus on the operations port.

mod durations;
mod export;
mod filter;
mod json;
mod metrics;
mod outage;
mod process;
mod propagation;
mod security;

pub use durations::Durations;
pub use export::{Telemetry, exports_traces};
pub use filter::LogFilter;
pub use metrics::{SECONDS_BUCKETS, durations_by, meter, metrics_text, seconds_histogram};
pub use outage::unavailable_line;
pub(crate) use process::observe_process;
pub use propagation::{inject, set_parent, set_trace_parent, trace_id, trace_parent};
pub use security::{SecurityEvent, security_event};
