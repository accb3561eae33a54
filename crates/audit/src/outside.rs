//! The checkpoints that are kept outside the database: one object each, never replaced, the newest last by its name.
//!
//! A backup of the database does not bring these back, so they say what a restored database has forgotten.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use chrono::NaiveDate;
use mintmark_fault::{Chain, Fault, Result};
use mintmark_objects::{Created, Meta, Store};
use mintmark_service::reload::keep_fresh;
use mintmark_service::{Context, StartError};

use crate::OutsideConfig;
use crate::checkpoint::Checkpoint;
use crate::config::verifier_keys;
use crate::note::Verifiers;

/// Where they lie in the store.
const FOLDER: &str = "checkpoints";
/// A checkpoint of ours has less than 400 bytes, and one with the signatures of witnesses far below this.
const LONGEST: u64 = 16 * 1024;
/// So many of the newest are kept; of the older ones, the last of each day.
const KEPT: usize = 100;

/// A checkpoint that lies outside, with the text that is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// As it was signed.
    pub note: String,
}

/// The place outside. Cheap to clone; clones share what was seen.
#[derive(Clone)]
pub struct Outside(Arc<Inner>);

struct Inner {
    store: Store,
    origin: String,
    keys: Mutex<Arc<Verifiers>>,
    /// The newest that this process saw: there is never an older one again.
    seen: Mutex<Option<Kept>>,
}

impl Outside {
    /// Opens the store and reads the public keys.
    ///
    /// # Errors
    /// A store or a file that cannot be used.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn open(config: &OutsideConfig) -> std::result::Result<Self, StartError> {
        let keys = Mutex::new(Arc::new(verifier_keys(&config.verifier_keys)?));
        let store = Store::open(&config.store)?;
        Ok(Self(Arc::new(Inner { store, origin: config.origin.clone(), keys, seen: Mutex::default() })))
    }

    /// Looks at the file of public keys each second.
    pub fn keep_fresh(&self, config: &OutsideConfig, context: &Context) {
        let (outside, path) = (self.clone(), config.verifier_keys.clone());
        keep_fresh(context, "audit-verifier-keys", move || {
            let keys = verifier_keys(&path)?;
            let mut known = outside.0.keys.lock().unwrap_or_else(PoisonError::into_inner);
            let changed = !known.iter().eq(keys.iter());
            *known = Arc::new(keys);
            Ok::<_, StartError>(changed)
        });
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// The public keys as they are now.
    pub fn keys(&self) -> Arc<Verifiers> {
        Arc::clone(&self.0.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The newest checkpoint outside, its signature verified.
    ///
    /// # Errors
    /// 503 when the store is away; `AUDIT_CHECKPOINT_FORGED` for one that this log's keys did not sign, or that lies under
    /// another's name; `AUDIT_CHECKPOINTS_LOST` when one is gone that this process saw.
    pub async fn newest(&self) -> Result<Option<Kept>> {
        let seen = self.seen();
        let after = seen.as_ref().map(|kept| path_of(&kept.checkpoint));
        let found = self.0.store.list_after(FOLDER, after.as_deref()).await?;
        // What is not named like a checkpoint is none.
        let Some((path, _)) = found.into_iter().rfind(|(path, _)| is_named_like_one(path)) else {
            if let Some(after) = after
                && self.0.store.head(&after).await?.is_none()
            {
                return Err(lost());
            }
            return Ok(seen);
        };
        let kept = self.read(&path).await?;
        *self.0.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept.clone());
        Ok(Some(kept))
    }

    /// Keeps a checkpoint, for ever what it is.
    ///
    /// # Errors
    /// `AUDIT_SPLIT` when another tree of this size was signed: two histories.
    pub async fn keep(&self, checkpoint: &Checkpoint, note: &str) -> Result<Kept> {
        let path = path_of(checkpoint);
        let created = self.0.store.create(&path, Bytes::copy_from_slice(note.as_bytes())).await?;
        let kept = match created {
            Created::New => Kept { checkpoint: checkpoint.clone(), note: note.to_owned() },
            // Kept by one that died before it could say so, perhaps under the key before this one.
            Created::Exists => self.read(&path).await?,
        };
        if kept.checkpoint != *checkpoint {
            return Err(split());
        }
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.as_ref().is_none_or(|seen| path_of(&seen.checkpoint) < path) {
            *seen = Some(kept.clone());
        }
        Ok(kept)
    }

    /// Deletes old ones: all but the last hundred and, before those, the last of each day.
    pub async fn prune(&self) -> Result<usize> {
        let found = self.0.store.list_after(FOLDER, None).await?;
        let found: Vec<(String, Meta)> =
            found.into_iter().filter(|(path, _)| is_named_like_one(path)).collect();
        let unwanted = unwanted(&found);
        for path in &unwanted {
            self.0.store.delete(path).await?;
        }
        Ok(unwanted.len())
    }

    fn seen(&self) -> Option<Kept> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn read(&self, path: &str) -> Result<Kept> {
        let bytes = self.0.store.read(path, LONGEST).await?;
        let note = String::from_utf8(bytes.to_vec()).map_err(|error| forged(path).caused_by(error))?;
        let checkpoint = Checkpoint::open(&note, &self.keys()).map_err(|error| {
            tracing::error!(path, error = %Chain(&error), "a checkpoint outside cannot be trusted");
            forged(path).caused_by(error)
        })?;
        if checkpoint.origin.name != self.0.origin || path_of(&checkpoint) != path {
            return Err(forged(path));
        }
        Ok(Kept { checkpoint, note })
    }
}

/// Epoch and size with as many digits as they can have, so that the newest is the last by name.
fn path_of(checkpoint: &Checkpoint) -> String {
    format!("{FOLDER}/{:010}-{:020}", checkpoint.origin.epoch, checkpoint.size)
}

fn is_named_like_one(path: &str) -> bool {
    let digits = |text: &str, len| text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    path.strip_prefix(FOLDER)
        .and_then(|path| path.strip_prefix('/'))
        .and_then(|name| name.split_once('-'))
        .is_some_and(|(epoch, size)| digits(epoch, 10) && digits(size, 20))
}

/// Which of them may go, given all in the order of their names.
fn unwanted(found: &[(String, Meta)]) -> Vec<String> {
    let old = &found[..found.len().saturating_sub(KEPT)];
    let day = |meta: &Meta| -> NaiveDate { meta.modified.date_naive() };
    let of_a_day = |at: usize| found.get(at + 1).is_none_or(|(_, next)| day(next) != day(&found[at].1));
    // The last of an epoch is what the next one names.
    let of_an_epoch = |at: usize| found.get(at + 1).is_none_or(|(next, _)| next[..22] != found[at].0[..22]);
    old.iter()
        .enumerate()
        .filter(|(at, _)| !of_a_day(*at) && !of_an_epoch(*at))
        .map(|(_, (path, _))| path.clone())
        .collect()
}

fn forged(path: &str) -> Fault {
    let sentence = format!(
        "the checkpoint {path} was not signed by this log's key or lies under another's name: find out who put it there"
    );
    Fault::unavailable("AUDIT_CHECKPOINT_FORGED", sentence)
}

/// Checkpoints that were there are gone.
pub(crate) fn lost() -> Fault {
    let sentence = "checkpoints of the audit log that were kept outside the database are gone: bring them back, or resume the log in a new one";
    Fault::unavailable("AUDIT_CHECKPOINTS_LOST", sentence)
}

/// Two trees of one size.
pub(crate) fn split() -> Fault {
    let sentence = "another history of this audit log was signed before: keep both databases and find out which is which";
    Fault::unavailable("AUDIT_SPLIT", sentence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{TimeDelta, Utc};

    #[test]
    fn unwanted_keeps_the_last_hundred_one_a_day_and_the_end_of_each_epoch() {
        let start = "2026-01-01T00:00:00Z".parse::<chrono::DateTime<Utc>>().unwrap();
        // Three hours apart: eight a day; the epoch ends with the third.
        let found: Vec<_> = (0..200_u32)
            .map(|n| {
                let path = format!("{FOLDER}/{:010}-{:020}", if n < 3 { 1 } else { 2 }, n);
                (path, Meta { bytes: 1, modified: start + TimeDelta::hours(3 * i64::from(n)) })
            })
            .collect();
        let gone = unwanted(&found);
        let left: Vec<usize> = (0..200).filter(|at| !gone.contains(&found[*at].0)).collect();
        let mut expected = vec![2];
        expected.extend((0..100).filter(|at| at % 8 == 7));
        expected.extend(100..200);
        assert_eq!(left, expected);
    }

    #[test]
    fn is_named_like_one_takes_our_names_alone() {
        let name = format!("{FOLDER}/{:010}-{:020}", 1, 2);
        assert!(is_named_like_one(&name));
        for other in [&name[1..], &name[..name.len() - 1], "checkpoints/readme", &format!("{name}.old")] {
            assert!(!is_named_like_one(other), "{other}");
        }
    }
}
