//! How many credentials that did not verify a network may bring: counted in process, in bounded memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mintmark_service::limit::{Quota, Stranger};

/// Networks that are counted one by one in a window, about 100 bytes each; those that come later share one budget.
const NETWORKS: usize = 65_536;

/// A fixed window for each network.
pub(super) struct Unverified {
    most: u64,
    window: Duration,
    networks: usize,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    window: u128,
    by_network: HashMap<Stranger, u64>,
    /// What came from networks beyond the bound.
    crowd: u64,
}

impl Unverified {
    pub(super) fn new(most: u64, window: Duration) -> Self {
        // A window of nothing would never end.
        let window = window.max(Duration::from_secs(1));
        Self { most, window, networks: NETWORKS, started: Instant::now(), state: Mutex::default() }
    }

    /// Charges one credential to its network; the bucket that refused it, when it is full.
    pub(super) fn charge(&self, network: &Stranger) -> Result<(), Quota> {
        self.charge_at(network, self.started.elapsed())
    }

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
            unverified.charge_at(&network(1), at(20)).unwrap();
        }
        let refused = unverified.charge_at(&network(1), at(20)).unwrap_err();
        assert_eq!((&*refused.name, refused.limit, refused.reset_after), ("network", 2, at(40)));
        unverified.charge_at(&network(2), at(20)).unwrap();
        unverified.charge_at(&network(1), at(60)).unwrap();
    }

    #[test]
    fn charge_beyond_the_bound_of_networks_shares_one_budget() {
        let unverified = Unverified { networks: 1, ..Unverified::new(2, MINUTE) };
        for number in 1..=3 {
            unverified.charge_at(&network(number), MINUTE).unwrap();
        }
        assert!(unverified.charge_at(&network(4), MINUTE).is_err(), "the crowd has used its two");
        unverified.charge_at(&network(1), MINUTE).unwrap();
        assert_eq!(unverified.state.lock().unwrap().by_network.len(), 1);
    }
}
