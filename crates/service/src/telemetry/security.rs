//! Security events: what an operator must hear of although the request was refused.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

use super::meter;

/// Something happened that no rightful caller does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityEvent {
    /// Something with the control token's prefix came where none is accepted: the operator's secret may be loose.
    StrayControlToken,
    /// A service's token came on a connection of another service: it was stolen, or keys were mixed up.
    TokenOfAnotherService,
}

impl SecurityEvent {
    fn name(self) -> &'static str {
        match self {
            Self::StrayControlToken => "stray_control_token",
            Self::TokenOfAnotherService => "token_of_another_service",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::StrayControlToken => {
                "a control token was sent where none is accepted: find who sent it, and replace the token"
            }
            Self::TokenOfAnotherService => {
                "a service's token came on a connection of another service: find out who has it, and replace the signing key"
            }
        }
    }
}

static EVENTS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter().u64_counter("security.events").with_description("Security events, by kind and place").build()
});

/// The second in which the last line was written.
static LOGGED_AT: AtomicU64 = AtomicU64::new(0);

/// Counts the event, and logs it: one line a second at most, because whoever causes it could cause thousands.
///
/// `place` is one of a fixed few words, never something that the caller chose.
pub fn security_event(event: SecurityEvent, service: &'static str, place: &'static str) {
    let labels = [
        KeyValue::new("service", service),
        KeyValue::new("event", event.name()),
        KeyValue::new("place", place),
    ];
    EVENTS.add(1, &labels);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if LOGGED_AT.swap(now, Ordering::Relaxed) != now {
        tracing::error!(event = event.name(), service, place, "{}", event.sentence());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics_text;

    #[test]
    fn security_event_is_counted_by_place() {
        security_event(SecurityEvent::StrayControlToken, "example", "header");
        security_event(SecurityEvent::StrayControlToken, "example", "header");
        let text = metrics_text();
        let line = r#"security_events_total{event="stray_control_token",place="header",service="example"} 2"#;
        assert!(text.contains(line), "{text}");
    }
}
