//! What a scan finds out, and what telemetry calls it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::directory_state::{Mode, Product, SealedPublication};
use super::geo::Country;

/// The answer to a scan.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The code is in a sealed publication.
    Genuine(Unit, Activation),
    /// It is, and its publication was recalled, or the code alone. The time is missing where it cannot be asked for now.
    Recalled(Unit, Option<DateTime<Utc>>),
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

/// For so long after a confirmation the page speaks to the one who confirmed: loading it again, as the answer to the
/// button does, must not look as if somebody else had been there before.
const JUST_NOW: TimeDelta = TimeDelta::minutes(2);

impl Unit {
    /// Whether the button was pressed within the last two minutes, most likely by whoever looks now.
    pub fn just_confirmed(&self, activation: Activation, now: DateTime<Utc>) -> bool {
        let Activation::Since(at, _) = activation else { return false };
        self.publication.mode == Mode::ConfirmedScan && now - at < JUST_NOW
    }
}

/// What became of the activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The publication's codes never activate.
    Static,
    /// The request was not a person's, so nothing was activated and nothing was looked up.
    NotAsked,
    /// Nobody activated the code yet; a person may, by pressing the button on the page.
    Awaiting,
    /// This very scan activated the code.
    Now(DateTime<Utc>),
    /// An earlier scan did, in this country if that is known.
    Since(DateTime<Utc>, Option<Country>),
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
            Verdict::Genuine(_, Activation::Static | Activation::NotAsked | Activation::Awaiting) => {
                Outcome::Genuine
            }
            Verdict::Genuine(_, Activation::Now(_)) => Outcome::ActivatedNow,
            Verdict::Genuine(_, Activation::Since(..)) => Outcome::Activated,
            Verdict::Recalled(..) => Outcome::Recalled,
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
