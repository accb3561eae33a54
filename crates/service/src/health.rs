//! Readiness: every part that a service needs before it may be given work is a gate.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::Shutdown;

/// Whether this process may be given work. Cheap to clone; all clones share the gates.
#[derive(Clone, Debug)]
pub struct Health {
    gates: Arc<Mutex<BTreeMap<&'static str, Arc<AtomicBool>>>>,
    notes: Arc<Mutex<BTreeMap<&'static str, String>>>,
    shutdown: Shutdown,
}

impl Health {
    /// No gates yet, and therefore not ready.
    #[must_use]
    pub fn new(shutdown: Shutdown) -> Self {
        Self { gates: Arc::default(), notes: Arc::default(), shutdown }
    }

    /// The gate of that name, closed when it is new. Two callers of one name share one gate.
    #[must_use]
    pub fn gate(&self, name: &'static str) -> Gate {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        Gate(gates.entry(name).or_default().clone())
    }

    /// Makes the gates of parts that come later, closed: without them a process whose database answers before its port is open
    /// would be ready too early.
    pub fn expect(&self, names: &[&'static str]) {
        for name in names {
            let _closed = self.gate(name);
        }
    }

    /// True when there is at least one gate, every gate is open, and the end is not requested.
    #[must_use]
    pub fn ready(&self) -> bool {
        if self.shutdown.is_requested() {
            return false;
        }
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        !gates.is_empty() && gates.values().all(|open| open.load(Ordering::Acquire))
    }

    /// Each gate by name and whether it is open.
    #[must_use]
    pub fn gates(&self) -> BTreeMap<&'static str, bool> {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.iter().map(|(name, open)| (*name, open.load(Ordering::Acquire))).collect()
    }

    /// Says something about this process that is no matter of readiness, such as how far a sandbox reaches here.
    pub fn note(&self, name: &'static str, text: &str) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.insert(name, text.to_owned());
    }

    /// What was said, by name.
    #[must_use]
    pub fn notes(&self) -> BTreeMap<&'static str, String> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The end of the process, which closes readiness as a whole.
    #[must_use]
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }
}

/// One thing that must be well before the process is ready. Cheap to clone; all clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<AtomicBool>);

impl Gate {
    /// Opens (`true`) or closes (`false`) the gate.
    pub fn set(&self, open: bool) {
        self.0.store(open, Ordering::Release);
    }

    /// Whether the gate is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_without_gates_is_false() {
        assert!(!Health::new(Shutdown::new()).ready());
    }

    #[test]
    fn ready_with_an_expected_gate_that_nobody_opened_is_false() {
        let health = Health::new(Shutdown::new());
        health.expect(&["http"]);
        health.gate("postgres").set(true);
        assert!(!health.ready());
        health.gate("http").set(true);
        assert!(health.ready());
        health.expect(&["http"]);
        assert!(health.ready(), "an open one stays open");
    }

    #[test]
    fn ready_with_every_gate_open_is_true_until_shutdown() {
        let shutdown = Shutdown::new();
        let health = Health::new(shutdown.clone());
        let postgres = health.gate("postgres");
        let http = health.gate("http");
        postgres.set(true);
        assert!(!health.ready(), "one gate is still closed");
        http.set(true);
        assert!(health.ready());
        postgres.set(false);
        assert!(!health.ready(), "a gate may close again");
        health.gate("postgres").set(true);
        assert!(health.ready(), "one name is one gate");
        shutdown.trigger();
        assert!(!health.ready());
        assert!(health.gates().values().all(|open| *open), "the gates themselves stay as they were");
    }
}
