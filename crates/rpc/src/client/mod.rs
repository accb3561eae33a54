//! Our own services as Rust functions.

mod again;
mod control_plane;
mod directory;
mod evidence;
mod preflight;
mod ratelimit;

pub use control_plane::{ControlPlane, ExchangedToken};
pub use directory::{Acknowledgements, Directory};
pub use evidence::{Content, EvidenceVault};
pub use preflight::Preflight;
pub use ratelimit::{Decision, LimitKey, LimitPolicy, LimitRequest, Owner, Ratelimit, metric_key_ids};
