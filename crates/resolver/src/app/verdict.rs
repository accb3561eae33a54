//! What a scan finds out, and what telemetry calls it.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::directory_state::{Product, SealedPublication};

/// The answer to a scan.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The code is in a sealed publication.
    Genuine(Unit, Activation),
    /// It is, and the publication was recalled.
    Recalled(Unit),
    /// The code is not in the directory, not sealed yet, given up, or of another GTIN: these look alike.
    Unknown,
    /// The directory cannot be asked, or what is known of it is too old.
    Unconfirmed,
}

/// The unit behind a code.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Its product.
    pub product: Arc<Product>,
    /// The publication that it came with.
    pub publication: Arc<SealedPublication>,
    /// Its serial number within the product.
    pub serial: i64,
}

/// What became of the activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The publication's codes never activate.
    Static,
    /// The request was not a person's, so nothing was activated and nothing was looked up.
    NotAsked,
    /// This very scan activated the code.
    Now(DateTime<Utc>),
    /// An earlier scan did.
    Since(DateTime<Utc>),
}

/// The word for a scan in telemetry and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Genuine; nothing activated by this scan, nor before it as far as it asked.
    Genuine,
    /// Genuine, activated by this scan.
    ActivatedNow,
    /// Genuine, activated before.
    Activated,
    /// Recalled.
    Recalled,
    /// Unknown.
    Unknown,
    /// Not confirmed.
    Unconfirmed,
}

impl Outcome {
    /// Every outcome, in the order of the declaration.
    pub const ALL: [Outcome; 6] = [
        Outcome::Genuine,
        Outcome::ActivatedNow,
        Outcome::Activated,
        Outcome::Recalled,
        Outcome::Unknown,
        Outcome::Unconfirmed,
    ];

    /// The outcome of a verdict.
    pub fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Genuine(_, Activation::Static | Activation::NotAsked) => Outcome::Genuine,
            Verdict::Genuine(_, Activation::Now(_)) => Outcome::ActivatedNow,
            Verdict::Genuine(_, Activation::Since(_)) => Outcome::Activated,
            Verdict::Recalled(_) => Outcome::Recalled,
            Verdict::Unknown => Outcome::Unknown,
            Verdict::Unconfirmed => Outcome::Unconfirmed,
        }
    }

    /// The word in the table and in the metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Genuine => "genuine",
            Outcome::ActivatedNow => "activated_now",
            Outcome::Activated => "activated",
            Outcome::Recalled => "recalled",
            Outcome::Unknown => "unknown",
            Outcome::Unconfirmed => "unconfirmed",
        }
    }
}
