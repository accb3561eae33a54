//! How much each tier may do.

use std::time::Duration;

use mintmark_auth::Tier;

/// The limit of each tier, and the window that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The length of a window, in whole seconds.
    pub window: Duration,
    /// Requests in a window for the tier free.
    pub free: u64,
    /// Requests in a window for the tier pro.
    pub pro: u64,
    /// Requests in a window for the tier enterprise.
    pub enterprise: u64,
}

impl Limits {
    /// The limit of a tier.
    #[must_use]
    pub fn of(&self, tier: Tier) -> u64 {
        match tier {
            Tier::Free => self.free,
            Tier::Pro => self.pro,
            Tier::Enterprise => self.enterprise,
        }
    }
}
