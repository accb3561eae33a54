//! How many decisions of each kind were made.

use mintmark_service::telemetry;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

/// What became of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Counted by Redis; it passes.
    Admitted,
    /// Refused by Redis.
    Refused,
    /// Refused from memory.
    RefusedFromMemory,
    /// Refused because Redis is away.
    Unavailable,
    /// Passed uncounted because Redis is away.
    PassedOpen,
    /// Passed because nothing is limited.
    Off,
}

/// `rate_limit_decisions_total{outcome}`, with its labels made once.
pub(super) struct Outcomes {
    counter: Counter<u64>,
    labels: [[KeyValue; 1]; 6],
}

impl Outcomes {
    pub(super) fn new() -> Self {
        let names = ["admitted", "refused", "refused_from_memory", "unavailable", "passed_open", "off"];
        let counter = telemetry::meter()
            .u64_counter("rate_limit_decisions")
            .with_description("Decisions about requests, by outcome")
            .build();
        Self { counter, labels: names.map(|name| [KeyValue::new("outcome", name)]) }
    }

    pub(super) fn count(&self, outcome: Outcome) {
        let [admitted, refused, from_memory, unavailable, passed_open, off] = &self.labels;
        let label = match outcome {
            Outcome::Admitted => admitted,
            Outcome::Refused => refused,
            Outcome::RefusedFromMemory => from_memory,
            Outcome::Unavailable => unavailable,
            Outcome::PassedOpen => passed_open,
            Outcome::Off => off,
        };
        self.counter.add(1, label);
    }
}
