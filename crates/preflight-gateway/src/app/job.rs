//! A preflight job as it stands.

use chrono::{DateTime, Utc};
use mintmark_fault::{Fault, Result};
use mintmark_objects::{Pinned, Target};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::intent::Intent;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $case:ident $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$about])* $case,)+ }

        impl $name {
            /// As it stands in the table and in answers.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$case => $word,)+ }
            }

            /// Reads what the table has.
            ///
            /// # Errors
            /// 500: the table's constraint lets nothing else in.
            pub fn read(text: &str) -> Result<Self> {
                match text {
                    $($word => Ok(Self::$case),)+
                    other => Err(Fault::internal(format!("{other:?} is no {}", stringify!($name)))),
                }
            }
        }
    };
}

words! {
    /// Where a job stands.
    State {
        /// It is a record, and the engine was not asked for.
        Recorded "recorded",
        /// It waits for a worker.
        Queued "queued",
        /// A worker has it.
        Running "running",
        /// It has a report.
        Succeeded "succeeded",
        /// It has none, and will not get one.
        Failed "failed",
        /// Somebody cancelled it.
        Cancelled "cancelled",
    }
}

words! {
    /// What a policy says of a document.
    Verdict {
        /// Every rule was evaluated, and none found anything.
        Pass "pass",
        /// Every rule was evaluated, and warnings were found.
        PassWithWarnings "pass_with_warnings",
        /// An error was found.
        Fail "fail",
        /// No error was found, and a rule could not be evaluated.
        Incomplete "incomplete",
    }
}

/// A job.
#[derive(Clone, Debug)]
pub struct Job {
    /// Our own name for it, ordered by time.
    pub id: Uuid,
    /// The client's name for it.
    pub job_id: String,
    /// What is preflighted.
    pub target: Target,
    /// The version of it that was accepted.
    pub pin: Pinned,
    /// The policy.
    pub policy: String,
    /// Its version.
    pub policy_version: String,
    /// What the product shall be.
    pub intent: Option<Intent>,
    /// The batch whose codes are printed.
    pub batch: Option<String>,
    /// Where it stands.
    pub state: State,
    /// What the policy says.
    pub verdict: Option<Verdict>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// SHA-256 of what was read.
    pub content_sha256: Option<[u8; 32]>,
    /// The engine that made the facts.
    pub engine_version: Option<String>,
    /// Its job in the queue.
    pub queue: Option<Uuid>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it changed last.
    pub updated_at: DateTime<Utc>,
    /// When a worker took it up first.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Of its last change.
    pub revision: i64,
}

/// Why a job failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// A stable code.
    pub code: String,
    /// A sentence that says what to do.
    pub message: String,
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
