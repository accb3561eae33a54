//! `mintmark audit verify`: what files prove to somebody who has public keys and nothing else.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use mintmark_audit::checkpoint::Checkpoint;
use mintmark_audit::erasure;
use mintmark_audit::flaw::Flaw;
use mintmark_audit::note::Verifiers;
use mintmark_audit::proof::{Consistency, Inclusion, OpenEntry};
use mintmark_audit::token::Jwks;
use mintmark_audit::verify::{Refused, Report, Trust, bundle};

use crate::failure::{Doing, Failure};
use crate::screen;

use super::outcome::{Outcome, Outcomes};

/// Options of `mintmark audit verify`.
#[derive(Args)]
pub struct VerifyOptions {
    /// What is checked; the first line of a file says what it is.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Verifier keys of the logs (C2SP signed-note), one a line.
    #[arg(long, value_name = "FILE")]
    pub keys: PathBuf,
    /// Public keys of services and of erasure proofs: a JWK set. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub jwks: Vec<PathBuf>,
    /// A checkpoint that you kept from before, which the logs must continue. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub kept: Vec<PathBuf>,
}

/// Everything but a bundle is smaller than this.
const MAX_BYTES: u64 = 1 << 20;

/// What was given to check with.
pub struct Given<'a> {
    /// Verifier keys.
    pub keys: &'a Path,
    /// JWK sets.
    pub jwks: &'a [PathBuf],
    /// Checkpoints that were kept.
    pub kept: &'a [PathBuf],
}

/// Checks the files and prints what came of it; whether all of them hold.
#[expect(clippy::print_stdout, reason = "the outcome is this command's output")]
pub fn command(options: &VerifyOptions, json: bool) -> Result<bool, Failure> {
    let given = Given { keys: &options.keys, jwks: &options.jwks, kept: &options.kept };
    let outcomes = check(&options.files, &given)?;
    if json {
        let json =
            serde_json::to_string_pretty(&outcomes).map_err(|error| Failure::new(error.to_string()))?;
        println!("{json}");
    } else {
        print!("{}", outcomes.table());
    }
    Ok(outcomes.holds)
}

/// Checks files. An error is a file or a key that could not be used: then nothing is said of any.
pub fn check(files: &[PathBuf], given: &Given<'_>) -> Result<Outcomes, Failure> {
    let keys = Verifiers::parse(&small(given.keys)?).map_err(|error| unusable(given.keys, &error))?;
    if keys.is_empty() {
        return Err(Failure::new(format!("{} holds no verifier key", given.keys.display())));
    }
    let mut jwks = Jwks::default();
    for path in given.jwks {
        jwks.add(&small(path)?).map_err(|error| unusable(path, &error))?;
    }
    let mut check =
        Check { trust: Trust { keys, jwks, ..Trust::default() }, erased: HashMap::new(), files: vec![] };
    for path in given.kept {
        let kept = Checkpoint::open(&small(path)?, &check.trust.keys);
        check.trust.kept.push(kept.map_err(|error| unusable(path, &error))?);
    }
    let mut kinds = Vec::new();
    for path in files {
        kinds.push((path, kind(path)?));
    }
    // What connects a kept checkpoint with a bundle comes first; what a bundle says of erasures, before their proofs.
    kinds.sort_by_key(|(_, kind)| *kind);
    for (path, kind) in kinds {
        check.file(path, kind)?;
    }
    check
        .files
        .sort_by_key(|outcome| files.iter().position(|path| path.display().to_string() == outcome.file));
    Ok(Outcomes { holds: check.files.iter().all(|outcome| outcome.holds), files: check.files })
}

fn unusable(path: &Path, error: &impl std::fmt::Display) -> Failure {
    Failure::new(format!("{} cannot be used: {error}", path.display()))
}

/// The text of a file that is not a bundle.
fn small(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text));
    read.doing(format_args!("read {}", path.display()))?;
    Ok(text)
}

/// What a file is, in the order in which they are checked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Consistency,
    Checkpoint,
    Bundle,
    Inclusion,
    Erasure,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Kind::Consistency => "consistency",
            Kind::Checkpoint => "checkpoint",
            Kind::Bundle => "bundle",
            Kind::Inclusion => "inclusion",
            Kind::Erasure => "erasure",
        }
    }
}

/// A file says by its first line what it is.
fn kind(path: &Path) -> Result<Kind, Failure> {
    let mut line = Vec::new();
    let file = File::open(path).doing(format_args!("read {}", path.display()))?;
    BufReader::new(file.take(4_096))
        .read_until(b'\n', &mut line)
        .doing(format_args!("read {}", path.display()))?;
    let starts = |with: &str| line.starts_with(with.as_bytes());
    if starts(r#"{"kind":"consistency""#) {
        Ok(Kind::Consistency)
    } else if starts(r#"{"kind":"inclusion""#) {
        Ok(Kind::Inclusion)
    } else if starts(r#"{"kind":"#) {
        Ok(Kind::Bundle)
    } else if starts("{") || starts("ey") {
        Ok(Kind::Erasure)
    } else if line.is_empty() {
        Err(Failure::new(format!("{} is empty", path.display())))
    } else {
        Ok(Kind::Checkpoint)
    }
}

struct Check {
    trust: Trust,
    /// By record: the SHA-256 of the proof that an audit entry names.
    erased: HashMap<String, String>,
    files: Vec<Outcome>,
}

impl Check {
    fn file(&mut self, path: &Path, kind: Kind) -> Result<(), Failure> {
        let found = match kind {
            Kind::Bundle => self.bundle(path)?,
            Kind::Consistency => self.consistency(&small(path)?),
            Kind::Checkpoint => Checkpoint::open(&small(path)?, &self.trust.keys)
                .map(|checkpoint| vec![state(&checkpoint)])
                .map_err(|error| (Flaw::from(error), None)),
            Kind::Inclusion => self.inclusion(&small(path)?),
            Kind::Erasure => self.erasure(&small(path)?),
        };
        let (holds, code, found) = match found {
            Ok(found) => (true, None, found),
            Err((flaw, None)) => (false, Some(flaw.code()), vec![flaw.to_string()]),
            Err((flaw, Some(line))) => (false, Some(flaw.code()), vec![format!("line {line}: {flaw}")]),
        };
        let file = path.display().to_string();
        self.files.push(Outcome { file, kind: kind.name(), holds, code, found });
        Ok(())
    }

    fn bundle(&mut self, path: &Path) -> Result<Found, Failure> {
        let file = File::open(path).doing(format_args!("read {}", path.display()))?;
        let mut erased = HashMap::new();
        let report = bundle(BufReader::with_capacity(1 << 16, file), &self.trust, |entry| {
            note_erasure(&mut erased, entry);
        });
        match report {
            Ok(report) => {
                self.erased.extend(erased);
                Ok(Ok(describe(&report)))
            }
            Err(Refused::Flaw { line, flaw }) => Ok(Err((flaw, Some(line)))),
            Err(Refused::Unreadable { error, .. }) => {
                Err(error).doing(format_args!("read {}", path.display()))
            }
        }
    }

    fn consistency(&mut self, text: &str) -> Found {
        let proof = Consistency::parse(text.trim_end_matches('\n'));
        let (old, new) =
            proof.and_then(|proof| proof.verify(&self.trust.keys)).map_err(|flaw| (flaw, None))?;
        let found =
            format!("{} continues from {} to {} leaves", new.origin, old.size, screen::count(new.size));
        self.trust.steps.push((old, new));
        Ok(vec![found])
    }

    fn inclusion(&self, text: &str) -> Found {
        let proof = Inclusion::parse(text.trim_end_matches('\n')).map_err(|flaw| (flaw, None))?;
        let checkpoint = proof.verify(&self.trust.keys).map_err(|flaw| (flaw, None))?;
        let entry = &proof.entry;
        let act = format!("{} {} {} {}", entry.at.to_rfc3339(), entry.actor, entry.action, entry.resource_id);
        Ok(vec![act, format!("is in {}", state(&checkpoint))])
    }

    fn erasure(&self, text: &str) -> Found {
        let text = text.trim_end();
        let jwks = &self.trust.jwks;
        let (proofs, certificates) = if text.starts_with('{') {
            let form = |error: serde_json::Error| Flaw::Form {
                expected: "a proof of erasure",
                why: error.to_string(),
            };
            let answer: erasure::Answer = serde_json::from_str(text).map_err(|error| (form(error), None))?;
            erasure::answer(&answer, jwks).map_err(|flaw| (flaw, None))?
        } else {
            (vec![erasure::proof(text, jwks).map_err(|flaw| (flaw, None))?], Vec::new())
        };
        let mut found = Vec::new();
        for (at, proof) in proofs.iter().enumerate() {
            let kind = if at == 0 { "erased" } else { "found erased by a recovery run" };
            let (record, when, who) = (&proof.evidence_id, proof.erased_at.to_rfc3339(), &proof.actor_id);
            found.push(format!("{record} of {} was {kind} at {when} by {who}", proof.tenant_id));
        }
        if let Some((first, named)) =
            proofs.first().and_then(|first| Some((first, self.erased.get(&first.evidence_id)?)))
        {
            if *named != first.sha256 {
                let what = "proof of erasure";
                return Err((
                    Flaw::Token { what, why: "the audit log names another proof for this record" },
                    None,
                ));
            }
            found.push("the audit log names this very proof (EVIDENCE_SHREDDED)".to_owned());
        }
        let destroyed = |of: &erasure::Certificate| {
            format!("key {} was destroyed at {}", of.kek_id, of.destroyed_at.to_rfc3339())
        };
        found.extend(certificates.iter().map(destroyed));
        Ok(found)
    }
}

/// What was found, or what is wrong and on which line.
type Found = Result<Vec<String>, (Flaw, Option<u64>)>;

fn note_erasure(erased: &mut HashMap<String, String>, entry: &OpenEntry) {
    if entry.action != "EVIDENCE_SHREDDED" {
        return;
    }
    if let Some(sha256) = entry.detail.get("proofSha256").and_then(|named| named.as_str()) {
        // A record is erased once; whatever a later entry says, the first stands.
        erased.entry(entry.resource_id.clone()).or_insert_with(|| sha256.to_owned());
    }
}

fn state(checkpoint: &Checkpoint) -> String {
    format!("{} at {} leaves", checkpoint.origin, screen::count(checkpoint.size))
}

fn describe(report: &Report) -> Vec<String> {
    let whose = report.header.tenant.as_deref().unwrap_or("everybody");
    let made = report.header.created_at.to_rfc3339();
    let mut found = vec![format!("entries of {whose}, exported by {} at {made}", report.header.exporter)];
    for log in &report.logs {
        let kept = if log.kept > 0 { ", continues what you kept" } else { "" };
        let numbers =
            log.numbers.map_or_else(String::new, |(first, last)| format!(" (numbers {first} to {last})"));
        let entries = screen::count(log.entries);
        found.push(format!("{}: {entries} entries proven{numbers}{kept}", state(&log.checkpoint)));
    }
    for service in &report.header.missing {
        found.push(format!("the log of {service} is not in it: that service could not be reached then"));
    }
    if report.pending > 0 {
        found.push(format!(
            "{} newer entries that no checkpoint covers yet: only the exporter's signature vouches for them",
            screen::count(report.pending)
        ));
    }
    found
}
