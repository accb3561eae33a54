//! Why something does not prove what it says.

use crate::checkpoint::CheckpointError;
use crate::tree::ProofError;

/// What is wrong with a bundle, a proof or a token. None of these is a matter of taste: what has one proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Not the JSON that it should be, or not in the one form that it has.
    #[error("this is not {expected} in its one form: {why}")]
    Form {
        /// What should stand there.
        expected: &'static str,
        /// The parser's words.
        why: String,
    },
    /// Lines in another order than a bundle has.
    #[error("{0}")]
    Order(&'static str),
    /// The fields of an entry are not those that the log holds.
    #[error("entry {0} does not open its commitment: a field or the salt was changed")]
    Commitment(String),
    /// An entry of somebody else's.
    #[error("entry {0} belongs to another tenant than the bundle")]
    Tenant(String),
    /// Its place in the log does not follow from the entry before it.
    #[error("entry {id} does not follow the one before it: {what}")]
    Chain {
        /// Of the entry.
        id: String,
        /// Which link is broken.
        what: &'static str,
    },
    /// Fewer or more entries than were announced.
    #[error("the log {origin} announces {announced} entries and {given} are there")]
    Count {
        /// Which log.
        origin: String,
        /// On its line.
        announced: u64,
        /// Below it.
        given: u64,
    },
    /// The checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The path to its root.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// All leaves give another root.
    #[error("the leaves of {0} do not give the signed root: the log was rewritten")]
    Root(String),
    /// Not the log that was seen before.
    #[error("the log {origin} contradicts the checkpoint that you kept: {what}")]
    Kept {
        /// Which log.
        origin: String,
        /// In which way.
        what: &'static str,
    },
    /// Nothing connects it with what was seen before.
    #[error(
        "nothing proves that {0} continues the checkpoint that you kept: give a consistency proof from it as well"
    )]
    Unconnected(String),
    /// The trailer does not fit what stands above it.
    #[error("the trailer does not fit the bundle: its {0} differs")]
    Trailer(&'static str),
    /// A token.
    #[error("the {what} is refused: {why}")]
    Token {
        /// Which kind.
        what: &'static str,
        /// Why.
        why: &'static str,
    },
}

impl Flaw {
    /// Stable, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Flaw::Form { .. } => "FORM",
            Flaw::Order(_) => "ORDER",
            Flaw::Commitment(_) => "COMMITMENT",
            Flaw::Tenant(_) => "TENANT",
            Flaw::Chain { .. } => "CHAIN",
            Flaw::Count { .. } => "COUNT",
            Flaw::Checkpoint(_) => "CHECKPOINT",
            Flaw::Proof(_) => "PROOF",
            Flaw::Root(_) => "ROOT",
            Flaw::Kept { .. } => "KEPT",
            Flaw::Unconnected(_) => "UNCONNECTED",
            Flaw::Trailer(_) => "TRAILER",
            Flaw::Token { .. } => "TOKEN",
        }
    }
}
