//! A record of evidence, as it is known without decrypting it.

use std::fmt;

use chrono::{DateTime, Utc};
use mintmark_fault::{Fault, Result};
use mintmark_ids::{EvidenceId, TenantId};
use uuid::Uuid;

/// Of what something is evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubjectKind {
    /// A dispute.
    Dispute,
    /// A slashing event.
    Slash,
}

impl SubjectKind {
    /// As it stands in the table, and in the configured retention.
    pub const fn as_str(self) -> &'static str {
        match self {
            SubjectKind::Dispute => "dispute",
            SubjectKind::Slash => "slash",
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// When the table holds another word.
    pub fn read(text: &str) -> Result<Self> {
        match text {
            "dispute" => Ok(SubjectKind::Dispute),
            "slash" => Ok(SubjectKind::Slash),
            other => Err(Fault::internal(format!("\"{other}\" is no kind of subject"))),
        }
    }
}

/// What a record is evidence of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its kind.
    pub kind: SubjectKind,
    /// `dsp_…` of a dispute.
    pub id: String,
}

/// How far a record's life is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not evidence yet: nobody sees it.
    Uploading,
    /// Encrypted and readable.
    Stored,
    /// Its erasure has begun: nobody reads it any more.
    Shredding,
    /// Erased.
    Shredded,
}

impl State {
    /// As it stands in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Uploading => "uploading",
            State::Stored => "stored",
            State::Shredding => "shredding",
            State::Shredded => "shredded",
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// When the table holds another word.
    pub fn read(text: &str) -> Result<Self> {
        match text {
            "uploading" => Ok(State::Uploading),
            "stored" => Ok(State::Stored),
            "shredding" => Ok(State::Shredding),
            "shredded" => Ok(State::Shredded),
            other => Err(Fault::internal(format!("\"{other}\" is no state of a record"))),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A record.
#[derive(Clone, Debug)]
pub struct Record {
    /// `evd_…`.
    pub id: EvidenceId,
    /// Whose.
    pub tenant: TenantId,
    /// Of what it is evidence.
    pub subject: Subject,
    /// As it was uploaded.
    pub media_type: String,
    /// How far its life is.
    pub state: State,
    /// Length of the plaintext.
    pub bytes: u64,
    /// The object that holds the ciphertext; cleared by the soft delete.
    pub blob: Option<String>,
    /// SHA-256 of the ciphertext.
    pub ciphertext_sha256: Option<[u8; 32]>,
    /// SHA-256 of the plaintext, encrypted under the record's own key.
    pub sealed_digest: Option<Vec<u8>>,
    /// `user:usr_…`.
    pub uploaded_by: String,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// The retention that was configured at the upload.
    pub retention_days: i32,
    /// When it becomes due for erasure.
    pub expires_at: DateTime<Utc>,
    /// Whether it is held.
    pub legal_hold: bool,
    /// What its erasure's proof says, once it has begun.
    pub erasure: Option<Erasure>,
    /// When its key was destroyed here.
    pub shredded_at: Option<DateTime<Utc>>,
    /// The soft delete.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// Fixed when an erasure begins: what its proof says is said once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// When it began.
    pub at: DateTime<Utc>,
    /// The proof's nonce.
    pub nonce: Uuid,
    /// In whose name.
    pub by: String,
}
