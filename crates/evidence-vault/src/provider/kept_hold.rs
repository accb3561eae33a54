//! What a provider keeps of a hold: the record's key, wrapped by its hold key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use mintmark_ids::KekId;
use serde::{Deserialize, Serialize};

use super::WrappedDek;

/// A hold as its provider keeps it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptHold {
    kek: KekId,
    iv: String,
    wrapped: String,
    tag: String,
    /// When it was kept, in microseconds: a token may have two for a moment, and the later one counts.
    at: i64,
}

impl KeptHold {
    pub(super) fn of(key: &WrappedDek) -> Self {
        KeptHold {
            kek: key.kek,
            iv: STANDARD.encode(key.iv),
            wrapped: STANDARD.encode(key.wrapped),
            tag: STANDARD.encode(key.tag),
            at: Utc::now().timestamp_micros(),
        }
    }

    /// Which of two is the later.
    pub(super) fn order(&self) -> (i64, KekId) {
        (self.at, self.kek)
    }

    /// `None` where a field has another length.
    pub(super) fn key(&self) -> Option<WrappedDek> {
        Some(WrappedDek {
            kek: self.kek,
            iv: STANDARD.decode(&self.iv).ok()?.try_into().ok()?,
            wrapped: STANDARD.decode(&self.wrapped).ok()?.try_into().ok()?,
            tag: STANDARD.decode(&self.tag).ok()?.try_into().ok()?,
        })
    }
}
