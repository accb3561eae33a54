use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind of job: its name in the table, what it carries, how often it may fail.
pub trait JobKind: 'static {
    /// Lower-case name, up to 63 characters of `a-z`, `0-9`, `_`, `.` and `-`. It stays in the table: never reuse one.
    const NAME: &'static str;
    /// What the job carries, as JSON. Keep it small: name things, and read them when the job runs.
    type Payload: Serialize + DeserializeOwned + Send + Sync;
    /// Attempts without progress before the job becomes a dead letter; 1 to 1000.
    const MAX_ATTEMPTS: u32;
}
