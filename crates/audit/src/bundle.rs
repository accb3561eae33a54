//! The exported log: lines of JSON (NDJSON) that prove themselves.
//!
//! ```text
//! {"kind":"header", …}           whose entries, made when and by whom
//! {"kind":"log", …}              one log: its signed checkpoint, how many entries follow, the newest one's path to the root
//!   {"kind":"entry", …}          … in the log's order, each with its salt and its leaf
//! {"kind":"log", …}              the next log (another service's, or of the next epoch)
//! {"kind":"entry", …}            entries that no checkpoint covers yet: without a leaf
//! {"kind":"trailer", …}          counts, the SHA-256 of all that stands above, the exporter's signature
//! ```
//!
//! A tenant's bundle needs one path for each log: each leaf names the tenant's leaf before it. The bundle of a whole log
//! needs none, because all leaves together give the root.

use chrono::{DateTime, Utc};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::flaw::Flaw;
use crate::hex::Hex;
use crate::proof::{OpenEntry, parse, to_line};
use crate::tree::Hash;

/// The form that is described here.
pub const FORMAT: &str = "mintmark-audit-bundle/1";

/// `typ` of the manifest's token.
pub const MANIFEST_TYPE: &str = "audit-export+jwt";

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[expect(clippy::large_enum_variant, reason = "nearly every line is an entry, and one is in memory at once")]
pub enum Line {
    /// First.
    Header(Header),
    /// Before the entries of a log.
    Log(Log),
    /// An entry.
    Entry(OpenEntry),
    /// Last.
    Trailer(Trailer),
}

impl Line {
    /// Reads one line without its line break; it has exactly one form.
    pub fn parse(line: &str) -> Result<Self, Flaw> {
        parse(line, "a line of a bundle")
    }

    /// As it stands in the file, with its line break.
    pub fn to_text(&self) -> String {
        let mut text = to_line(self);
        text.push('\n');
        text
    }
}

/// What the bundle is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// The service that signed the manifest.
    pub exporter: String,
    /// Whose entries; all of the log where there is none.
    pub tenant: Option<String>,
    /// Not before; from the beginning where absent.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Services whose logs should be here and are not, because they could not be reached.
    pub missing: Vec<String>,
}

/// One log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Log {
    /// Signed; its origin says which log.
    pub checkpoint: String,
    /// How many entries follow.
    pub entries: u64,
    /// From the leaf of the last of them to the root; absent for a whole log, and where no entry follows.
    pub path: Option<Vec<Hex<32>>>,
}

/// What ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trailer {
    /// Lines above this one.
    pub lines: u64,
    /// Entries with a leaf.
    pub proven: u64,
    /// Entries without.
    pub pending: u64,
    /// Of every byte above this line.
    pub sha256: Hex<32>,
    /// The same again and the state of each log, signed by the exporter: a compact JWS.
    pub manifest: String,
}

/// What the exporter signs: a bundle that was cut at its end and closed anew has no such signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// The exporting service: `service:control-plane`.
    pub iss: String,
    /// When, in seconds since 1970.
    pub iat: i64,
    /// [`FORMAT`].
    pub format: String,
    /// As in the header.
    pub tenant: Option<String>,
    /// Lines above the trailer.
    pub lines: u64,
    /// Entries with a leaf.
    pub proven: u64,
    /// Entries without.
    pub pending: u64,
    /// Of every byte above the trailer.
    pub sha256: Hex<32>,
    /// Each log, in its order.
    pub logs: Vec<ManifestLog>,
}

/// How far a log was when it was exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManifestLog {
    /// Which.
    pub origin: String,
    /// Leaves under the checkpoint.
    pub size: u64,
    /// The tenant's number of the last entry of it (of a whole log: its last index plus one); 0 where there is none.
    pub last: u64,
}

/// Writes a bundle line by line, for whoever exports. It refuses nothing: a verifier does.
pub struct Writer {
    header: Header,
    digest: Context,
    tally: Tally,
}

/// What was counted so far; a verifier counts the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) lines: u64,
    pub(crate) proven: u64,
    pub(crate) pending: u64,
    pub(crate) logs: Vec<ManifestLog>,
}

impl Tally {
    pub(crate) fn manifest(&self, header: &Header, sha256: Hash) -> Manifest {
        Manifest {
            iss: format!("service:{}", header.exporter),
            iat: header.created_at.timestamp(),
            format: header.format.clone(),
            tenant: header.tenant.clone(),
            lines: self.lines,
            proven: self.proven,
            pending: self.pending,
            sha256: Hex(sha256),
            logs: self.logs.clone(),
        }
    }

    pub(crate) fn entry(&mut self, entry: &OpenEntry, tenant: bool) {
        match (&entry.leaf, self.logs.last_mut()) {
            (Some(place), Some(log)) => {
                self.proven += 1;
                log.last = if tenant { place.tenant_number } else { place.index + 1 };
            }
            _ => self.pending += 1,
        }
    }
}

impl Writer {
    /// Begins a bundle; the first line comes with it, each line with its line break.
    pub fn begin(header: Header) -> (Self, String) {
        let mut writer =
            Writer { header: header.clone(), digest: Context::new(&SHA256), tally: Tally::default() };
        let line = writer.write(&Line::Header(header));
        (writer, line)
    }

    /// The line of a log; the checkpoint is read, but its signature is the verifier's to check.
    pub fn log(&mut self, log: Log) -> Result<String, CheckpointError> {
        // The text of a note ends where an empty line does.
        let body = log.checkpoint.split_inclusive("\n\n").next().unwrap_or_default();
        let checkpoint = Checkpoint::parse(body.strip_suffix('\n').unwrap_or(body))?;
        let origin = checkpoint.origin.to_string();
        self.tally.logs.push(ManifestLog { origin, size: checkpoint.size, last: 0 });
        Ok(self.write(&Line::Log(log)))
    }

    /// The line of an entry.
    pub fn entry(&mut self, entry: OpenEntry) -> String {
        self.tally.entry(&entry, self.header.tenant.is_some());
        self.write(&Line::Entry(entry))
    }

    /// Entries so far, with a leaf and without.
    pub fn entries(&self) -> u64 {
        self.tally.proven + self.tally.pending
    }

    /// The last line; `sign` makes a compact JWS of type [`MANIFEST_TYPE`] with the exporter's identity key.
    pub fn finish(mut self, sign: impl FnOnce(&Manifest) -> String) -> String {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.digest.clone().finish().as_ref());
        let manifest = self.tally.manifest(&self.header, sha256);
        let trailer = Trailer {
            lines: manifest.lines,
            proven: manifest.proven,
            pending: manifest.pending,
            sha256: manifest.sha256,
            manifest: sign(&manifest),
        };
        self.write(&Line::Trailer(trailer))
    }

    fn write(&mut self, line: &Line) -> String {
        let text = line.to_text();
        self.digest.update(text.as_bytes());
        self.tally.lines += 1;
        text
    }
}
