use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{KeyLabel, LimitMetrics, Quota, RejectReason, Stranger};

/// Networks that are counted one by one in a window, about 100 bytes each; those that come later share one budget.
const NETWORKS: usize = 65_536;
/// The tier of whoever is nobody.
const NOBODYS: &str = "free";

/// How many credentials that did not verify a network may bring: counted in process, in bounded memory, in a fixed window for
/// each network. Cheap to clone; the clones share their counters, so that several doors of a process are one budget.
#[derive(Clone)]
pub struct Unverified(Arc<Inner>);

struct Inner {
    most: u64,
    window: Duration,
    networks: usize,
    started: Instant,
    state: Mutex<State>,
    metrics: LimitMetrics,
}

#[derive(Default)]
struct State {
    window: u128,
    by_network: HashMap<Stranger, u64>,
    /// What came from networks beyond the bound.
    crowd: u64,
}

impl Unverified {
    /// A budget of `most` credentials in a window for each network.
    #[must_use]
    pub fn new(most: u64, window: Duration) -> Self {
        Self::bounded(most, window, NETWORKS)
    }

    fn bounded(most: u64, window: Duration, networks: usize) -> Self {
        // A window of nothing would never end.
        let window = window.max(Duration::from_secs(1));
        let (started, state) = (Instant::now(), Mutex::default());
        // What is counted here has no API key.
        let metrics = LimitMetrics::new(0);
        Self(Arc::new(Inner { most, window, networks, started, state, metrics }))
    }

    /// Charges one credential to its network ([`Stranger::of_network`]).
    ///
    /// # Errors
    /// The bucket that refused it, when it is full. The rejection has been counted in `rate_limit_rejected_total`.
    pub fn charge(&self, network: &Stranger) -> Result<(), Quota> {
        let Inner { started, metrics, .. } = &*self.0;
        let charged = self.0.charge_at(network, started.elapsed());
        if charged.is_err() {
            metrics.rejected(NOBODYS, KeyLabel::None, RejectReason::KeyLimit);
        }
        charged
    }
}

impl Inner {
    fn charge_at(&self, network: &Stranger, since_start: Duration) -> Result<(), Quota> {
        let window = since_start.as_nanos() / self.window.as_nanos();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.window != window {
            *state = State { window, ..State::default() };
        }
        let known = state.by_network.contains_key(network);
        let used = if known || state.by_network.len() < self.networks {
            state.by_network.entry(network.clone()).or_default()
        } else {
            &mut state.crowd
        };
        if *used < self.most {
            *used += 1;
            return Ok(());
        }
        let into = since_start.as_nanos() % self.window.as_nanos();
        let into = Duration::from_nanos(u64::try_from(into).unwrap_or(u64::MAX));
        Err(Quota {
            name: "network".into(),
            limit: self.most,
            window: self.window,
            remaining: 0,
            reset_after: self.window.saturating_sub(into),
            refused: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn network(number: u8) -> Stranger {
        Stranger::of_network(std::net::IpAddr::from([203, 0, number, 7]))
    }

    #[test]
    fn charge_is_bounded_by_network_and_window() {
        let unverified = Unverified::new(2, MINUTE);
        let at = |seconds| Duration::from_secs(seconds);
        for _ in 0..2 {
            unverified.0.charge_at(&network(1), at(20)).unwrap();
        }
        let refused = unverified.0.charge_at(&network(1), at(20)).unwrap_err();
        assert_eq!((&*refused.name, refused.limit, refused.reset_after), ("network", 2, at(40)));
        unverified.0.charge_at(&network(2), at(20)).unwrap();
        unverified.0.charge_at(&network(1), at(60)).unwrap();
    }

    #[test]
    fn charge_beyond_the_bound_of_networks_shares_one_budget() {
        let unverified = Unverified::bounded(2, MINUTE, 1);
        for number in 1..=3 {
            unverified.0.charge_at(&network(number), MINUTE).unwrap();
        }
        assert!(unverified.0.charge_at(&network(4), MINUTE).is_err(), "the crowd has used its two");
        unverified.0.charge_at(&network(1), MINUTE).unwrap();
        assert_eq!(unverified.0.state.lock().unwrap().by_network.len(), 1);
    }

    #[test]
    fn charge_of_a_clone_is_charged_to_the_same_budget_and_its_refusal_is_counted() {
        let unverified = Unverified::new(1, Duration::from_secs(86_400));
        unverified.charge(&network(9)).unwrap();
        assert!(unverified.clone().charge(&network(9)).is_err());
        let line = r#"rate_limit_rejected_total{key_id="none",reason="key_limit",tier="free"}"#;
        assert!(crate::telemetry::metrics_text().contains(line));
    }
}
