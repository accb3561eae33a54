//! Checkpoints in C2SP's form: origin, size and root of a log, signed as a note.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::note::{Note, NoteError, Signer, Verifiers};
use crate::tree::Hash;

/// Which log: the name that its key signs under, a slash, and the number of its epoch. A log that was resumed after a restore
/// is a new one, with the next epoch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// `mintmark.invalid/evidence-vault`: also the name of the key.
    pub name: String,
    /// From 1.
    pub epoch: u64,
}

impl Origin {
    /// The log of `name` in an epoch.
    pub fn new(name: &str, epoch: u64) -> Self {
        Origin { name: name.to_owned(), epoch }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.epoch)
    }
}

impl FromStr for Origin {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let (name, epoch) = text.rsplit_once('/').ok_or(CheckpointError::Origin)?;
        let epoch = number(epoch).filter(|epoch| *epoch > 0);
        let epoch = epoch.ok_or(CheckpointError::Origin)?;
        if name.is_empty() {
            return Err(CheckpointError::Origin);
        }
        Ok(Origin { name: name.to_owned(), epoch })
    }
}

/// How far a log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: Origin,
    /// Leaves.
    pub size: u64,
    /// The RFC 6962 root over them.
    pub root: Hash,
}

/// Why a checkpoint is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The three lines.
    #[error("this is not a checkpoint: it must be origin, size and root, a line each, and nothing else")]
    Form,
    /// Not an origin of ours.
    #[error("this is not the origin of a log: a name, a slash, and the epoch from 1")]
    Origin,
    /// Signed, but not by the log's own key.
    #[error("the checkpoint of {0} is not signed under that log's name")]
    WrongSigner(String),
}

impl Checkpoint {
    /// The text that is signed.
    pub fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// The signed note. `signer` has the origin's name: whoever reads it refuses another.
    pub fn sign(&self, signer: &Signer) -> String {
        signer.sign(&self.body())
    }

    /// Reads a signed checkpoint: the log's own key must have signed it, and it has exactly one form.
    pub fn open(note: &str, keys: &Verifiers) -> Result<Self, CheckpointError> {
        let opened = Note::open(note, keys)?;
        let checkpoint = Checkpoint::parse(opened.text)?;
        if !opened.signers.iter().any(|name| **name == *checkpoint.origin.name) {
            return Err(CheckpointError::WrongSigner(checkpoint.origin.to_string()));
        }
        Ok(checkpoint)
    }

    /// Reads the text without a signature. Nothing is proven by that.
    pub fn parse(body: &str) -> Result<Self, CheckpointError> {
        let mut lines = body.strip_suffix('\n').ok_or(CheckpointError::Form)?.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Form);
        };
        let size = number(size).ok_or(CheckpointError::Form)?;
        let root = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok());
        Ok(Checkpoint { origin: origin.parse()?, size, root: root.ok_or(CheckpointError::Form)? })
    }
}

/// Decimal in its one form: no sign, no leading zeros.
fn number(text: &str) -> Option<u64> {
    let plain = text == "0" || !text.starts_with('0');
    (plain && text.bytes().all(|c| c.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}
