//! One entry with all that proves it, and the proof that a log only grew: one line of JSON each.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::checkpoint::Checkpoint;
use crate::entry::{Entry, SALT_LEN};
use crate::flaw::Flaw;
use crate::hex::Hex;
use crate::leaf::Leaf;
use crate::note::Verifiers;
use crate::tree::{Hash, verify_consistency, verify_inclusion};

/// Where the log holds an entry, and what its leaf names besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Place {
    /// In the log, from 0.
    pub index: u64,
    /// Hash of the leaf before it.
    pub prev: Hex<32>,
    /// The tenant's own number, from 1.
    pub tenant_number: u64,
    /// Hash of the tenant's leaf before it.
    pub tenant_prev: Hex<32>,
}

/// An entry with the salt that opens its commitment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenEntry {
    /// Its id.
    pub id: Uuid,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// Whose things; none for the platform's.
    pub tenant_id: Option<String>,
    /// In whose name.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what kind of thing.
    pub resource_kind: String,
    /// To which one.
    pub resource_id: String,
    /// `allowed` or `refused`.
    pub outcome: String,
    /// The request's trace.
    pub trace_id: Option<String>,
    /// Further facts.
    pub detail: Value,
    /// Without it the commitment says nothing.
    pub salt: Hex<SALT_LEN>,
    /// What the leaf holds.
    pub commitment: Hex<32>,
    /// Its leaf; none while no checkpoint covers it.
    pub leaf: Option<Place>,
}

impl OpenEntry {
    /// That the fields are those which the commitment was made over.
    pub fn open(&self) -> Result<(), Flaw> {
        let entry = Entry {
            id: self.id,
            at: self.at,
            tenant: self.tenant_id.as_deref(),
            actor: &self.actor,
            action: &self.action,
            resource_kind: &self.resource_kind,
            resource_id: &self.resource_id,
            outcome: &self.outcome,
            trace_id: self.trace_id.as_deref(),
            detail: &self.detail,
        };
        let holds = entry.commitment(&self.salt.0) == self.commitment.0;
        if holds { Ok(()) } else { Err(Flaw::Commitment(self.id.to_string())) }
    }

    /// The hash of its leaf at a place.
    pub fn leaf_hash(&self, place: &Place) -> Hash {
        let leaf = Leaf {
            index: place.index,
            prev: place.prev.0,
            tenant: self.tenant_id.as_deref(),
            tenant_number: place.tenant_number,
            tenant_prev: place.tenant_prev.0,
            commitment: self.commitment.0,
        };
        leaf.hash()
    }
}

/// That a log holds an entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inclusion {
    /// `inclusion`.
    pub kind: InclusionKind,
    /// The entry with its leaf.
    pub entry: OpenEntry,
    /// From the leaf to the root.
    pub path: Vec<Hex<32>>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

/// The word that says what a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InclusionKind {
    /// `inclusion`.
    #[default]
    Inclusion,
}

/// That a log continues an older state of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Consistency {
    /// `consistency`.
    pub kind: ConsistencyKind,
    /// The older signed checkpoint.
    pub old: String,
    /// The newer one.
    pub new: String,
    /// Between their roots.
    pub path: Vec<Hex<32>>,
}

/// The word that says what a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ConsistencyKind {
    /// `consistency`.
    #[default]
    Consistency,
}

impl Inclusion {
    /// A proof; `entry` has its leaf.
    pub fn new(entry: OpenEntry, path: &[Hash], checkpoint: String) -> Self {
        Inclusion {
            kind: InclusionKind::Inclusion,
            entry,
            path: path.iter().copied().map(Hex).collect(),
            checkpoint,
        }
    }

    /// Reads one line, which has exactly one form.
    pub fn parse(line: &str) -> Result<Self, Flaw> {
        parse(line, "a proof of inclusion")
    }

    /// Checks entry, leaf, path and signature, and gives the checkpoint that it leads to.
    pub fn verify(&self, keys: &Verifiers) -> Result<Checkpoint, Flaw> {
        let checkpoint = Checkpoint::open(&self.checkpoint, keys)?;
        self.entry.open()?;
        let place =
            self.entry.leaf.as_ref().ok_or(Flaw::Order("a proof of inclusion has the leaf of its entry"))?;
        let path: Vec<Hash> = self.path.iter().map(|hash| hash.0).collect();
        let leaf = self.entry.leaf_hash(place);
        verify_inclusion(place.index, checkpoint.size, &leaf, &path, &checkpoint.root)?;
        Ok(checkpoint)
    }
}

impl Consistency {
    /// A proof.
    pub fn new(old: String, new: String, path: &[Hash]) -> Self {
        let path = path.iter().copied().map(Hex).collect();
        Consistency { kind: ConsistencyKind::Consistency, old, new, path }
    }

    /// Reads one line, which has exactly one form.
    pub fn parse(line: &str) -> Result<Self, Flaw> {
        parse(line, "a proof of consistency")
    }

    /// Checks both signatures and the path, and gives both checkpoints.
    pub fn verify(&self, keys: &Verifiers) -> Result<(Checkpoint, Checkpoint), Flaw> {
        let (old, new) = (Checkpoint::open(&self.old, keys)?, Checkpoint::open(&self.new, keys)?);
        if old.origin != new.origin {
            return Err(Flaw::Order("both checkpoints of a consistency proof are of one log"));
        }
        let path: Vec<Hash> = self.path.iter().map(|hash| hash.0).collect();
        verify_consistency((old.size, &old.root), (new.size, &new.root), &path)?;
        Ok((old, new))
    }
}

/// Reads one line of JSON and refuses every other spelling of the same.
pub(crate) fn parse<T: Serialize + DeserializeOwned>(line: &str, expected: &'static str) -> Result<T, Flaw> {
    let form = |why: String| Flaw::Form { expected, why };
    let value: T = serde_json::from_str(line).map_err(|error| form(error.to_string()))?;
    if to_line(&value) == line { Ok(value) } else { Err(form("it is spelt differently".to_owned())) }
}

/// One line of JSON, without its line break.
pub fn to_line<T: Serialize>(value: &T) -> String {
    // These types have no map with other keys than text, which is all that could fail.
    serde_json::to_string(value).unwrap_or_default()
}
