//! The offline verifier of an exported log: it needs public keys and what you kept, and no network.

use std::collections::HashMap;
use std::io::BufRead;

use ring::digest::{Context, SHA256};

use crate::bundle::{FORMAT, Header, Line, Log, MANIFEST_TYPE, Manifest, ManifestLog, Tally, Trailer};
use crate::checkpoint::{Checkpoint, Origin};
use crate::flaw::Flaw;
use crate::leaf::NO_LEAF;
use crate::note::Verifiers;
use crate::proof::{OpenEntry, Place};
use crate::token::{self, Jwks};
use crate::tree::{Frontier, Hash, verify_inclusion};

/// An entry's detail is bounded far below this.
const MAX_LINE: u64 = 1 << 20;

/// What a verifier starts from.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Keys of logs.
    pub keys: Verifiers,
    /// Keys of services and of erasure proofs.
    pub jwks: Jwks,
    /// Checkpoints that were kept from before: the logs must continue them.
    pub kept: Vec<Checkpoint>,
    /// Pairs of which a consistency proof was checked: the newer continues the older.
    pub steps: Vec<(Checkpoint, Checkpoint)>,
}

/// Where a bundle fails.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It could not be read.
    #[error("line {line} cannot be read")]
    Unreadable {
        /// From 1.
        line: u64,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// It proves nothing.
    #[error("line {line}: {flaw}")]
    Flaw {
        /// From 1.
        line: u64,
        /// Why.
        flaw: Flaw,
    },
}

/// What a bundle that holds says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whose, by whom, when.
    pub header: Header,
    /// Each log.
    pub logs: Vec<LogReport>,
    /// Entries that the logs hold.
    pub proven: u64,
    /// Entries that only the exporter's signature vouches for: no checkpoint covered them yet.
    pub pending: u64,
}

/// What is proven of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogReport {
    /// Its signed state.
    pub checkpoint: Checkpoint,
    /// Entries of it in the bundle.
    pub entries: u64,
    /// First and last number of the tenant (of a whole log: first and last index).
    pub numbers: Option<(u64, u64)>,
    /// How many kept checkpoints it continues.
    pub kept: usize,
}

/// Checks a whole bundle, line by line in constant memory (of a whole log: a little for each tenant). `seen` is given every
/// entry, before the end is known to be good.
pub fn bundle(
    mut source: impl BufRead,
    trust: &Trust,
    mut seen: impl FnMut(&OpenEntry),
) -> Result<Report, Refused> {
    let mut walk: Option<Walk<'_>> = None;
    let (mut number, mut ended) = (0, None);
    loop {
        number += 1;
        let refused = |flaw| Refused::Flaw { line: number, flaw };
        let read = line(&mut source).map_err(|error| Refused::Unreadable { line: number, error })?;
        let Some(raw) = read else { break };
        let text = text(&raw).map_err(refused)?;
        if ended.is_some() {
            return Err(refused(Flaw::Order("nothing follows the trailer")));
        }
        match (Line::parse(text).map_err(refused)?, &mut walk) {
            (Line::Header(header), None) => walk = Some(Walk::begin(header, trust).map_err(refused)?),
            (_, None) => return Err(refused(Flaw::Order("a bundle begins with its header"))),
            (Line::Header(_), Some(_)) => return Err(refused(Flaw::Order("a bundle has one header"))),
            (Line::Log(log), Some(walk)) => walk.log(log).map_err(refused)?,
            (Line::Entry(entry), Some(walk)) => {
                walk.entry(&entry).map_err(refused)?;
                seen(&entry);
            }
            (Line::Trailer(trailer), Some(walk)) => ended = Some(walk.end(&trailer).map_err(refused)?),
        }
        if let Some(walk) = &mut walk {
            walk.digest.update(&raw);
            walk.tally.lines += 1;
        }
    }
    ended
        .ok_or(Refused::Flaw { line: number, flaw: Flaw::Order("the bundle was cut off: it has no trailer") })
}

/// One line with its line break; nothing at the end.
fn line(source: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut raw = Vec::new();
    std::io::Read::take(source, MAX_LINE).read_until(b'\n', &mut raw)?;
    Ok((!raw.is_empty()).then_some(raw))
}

fn text(raw: &[u8]) -> Result<&str, Flaw> {
    let form = |why: &str| Flaw::Form { expected: "a line of a bundle", why: why.to_owned() };
    let text = std::str::from_utf8(raw).map_err(|_| form("it is not UTF-8"))?;
    text.strip_suffix('\n').ok_or_else(|| form("it does not end in a line break, or has more than a MiB"))
}

/// A bundle that is being read.
struct Walk<'t> {
    trust: &'t Trust,
    header: Header,
    digest: Context,
    tally: Tally,
    open: Option<Section<'t>>,
    done: Vec<LogReport>,
}

impl<'t> Walk<'t> {
    fn begin(header: Header, trust: &'t Trust) -> Result<Self, Flaw> {
        if header.format != FORMAT {
            let why = format!("its format is {}, and this program reads {FORMAT}", header.format);
            return Err(Flaw::Form { expected: "a bundle", why });
        }
        let digest = Context::new(&SHA256);
        Ok(Walk { trust, header, digest, tally: Tally::default(), open: None, done: Vec::new() })
    }

    fn log(&mut self, log: Log) -> Result<(), Flaw> {
        self.close()?;
        let checkpoint = Checkpoint::open(&log.checkpoint, &self.trust.keys)?;
        let origin = &checkpoint.origin;
        let before = self.done.iter().map(|report| &report.checkpoint.origin);
        if before.clone().any(|other| other.name == origin.name && other.epoch >= origin.epoch) {
            return Err(Flaw::Order("each log stands once, those of one name in the order of their epochs"));
        }
        let (origin, size) = (origin.to_string(), checkpoint.size);
        self.tally.logs.push(ManifestLog { origin, size, last: 0 });
        self.open = Some(Section::begin(checkpoint, log, &self.header, self.trust));
        Ok(())
    }

    fn entry(&mut self, entry: &OpenEntry) -> Result<(), Flaw> {
        entry.open()?;
        if self.header.tenant.is_some() && entry.tenant_id != self.header.tenant {
            return Err(Flaw::Tenant(entry.id.to_string()));
        }
        match &entry.leaf {
            None => self.close()?,
            Some(place) => {
                let nowhere = Flaw::Order("an entry with a leaf stands below its log");
                self.open.as_mut().ok_or(nowhere)?.entry(entry, place)?;
            }
        }
        self.tally.entry(entry, self.header.tenant.is_some());
        Ok(())
    }

    fn close(&mut self) -> Result<(), Flaw> {
        if let Some(section) = self.open.take() {
            self.done.push(section.end()?);
        }
        Ok(())
    }

    fn end(&mut self, trailer: &Trailer) -> Result<Report, Flaw> {
        self.close()?;
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.digest.clone().finish().as_ref());
        let due = self.tally.manifest(&self.header, sha256);
        compare(trailer, &due)?;
        let payload = token::open(&trailer.manifest, MANIFEST_TYPE, "manifest", &self.trust.jwks)?;
        let payload = std::str::from_utf8(&payload).unwrap_or_default();
        let signed: Manifest = serde_json::from_str(payload)
            .map_err(|error| Flaw::Form { expected: "a manifest", why: error.to_string() })?;
        if signed != due {
            return Err(Flaw::Trailer("signed manifest"));
        }
        for kept in &self.trust.kept {
            if !self.done.iter().any(|report| report.checkpoint.origin == kept.origin) {
                let origin = kept.origin.to_string();
                return Err(Flaw::Kept { origin, what: "the bundle does not hold that log at all" });
            }
        }
        Ok(Report {
            header: self.header.clone(),
            logs: std::mem::take(&mut self.done),
            proven: due.proven,
            pending: due.pending,
        })
    }
}

fn compare(trailer: &Trailer, due: &Manifest) -> Result<(), Flaw> {
    let checks = [
        ("number of lines", trailer.lines == due.lines),
        ("number of proven entries", trailer.proven == due.proven),
        ("number of pending entries", trailer.pending == due.pending),
        ("SHA-256", trailer.sha256 == due.sha256),
    ];
    match checks.iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(Flaw::Trailer(what)),
        None => Ok(()),
    }
}

/// One log of a bundle.
struct Section<'t> {
    checkpoint: Checkpoint,
    announced: u64,
    path: Option<Vec<Hash>>,
    trust: &'t Trust,
    /// All leaves of a whole log.
    tree: Option<Frontier>,
    /// Of each tenant of a whole log, of the one of a tenant's: number and hash of its last leaf.
    heads: HashMap<Option<String>, (u64, Hash)>,
    from_the_start: bool,
    first: Option<u64>,
    last: Option<(u64, u64, Hash)>,
    given: u64,
    kept: usize,
}

impl<'t> Section<'t> {
    fn begin(checkpoint: Checkpoint, log: Log, header: &Header, trust: &'t Trust) -> Self {
        Section {
            checkpoint,
            announced: log.entries,
            path: log.path.map(|path| path.iter().map(|hash| hash.0).collect()),
            trust,
            tree: header.tenant.is_none().then(Frontier::new),
            heads: HashMap::new(),
            from_the_start: header.from.is_none(),
            first: None,
            last: None,
            given: 0,
            kept: 0,
        }
    }

    fn entry(&mut self, entry: &OpenEntry, place: &Place) -> Result<(), Flaw> {
        let chain = |what| Flaw::Chain { id: entry.id.to_string(), what };
        self.given += 1;
        if self.given > self.announced {
            return Err(self.miscounted());
        }
        if place.index >= self.checkpoint.size {
            return Err(chain("its index lies beyond the checkpoint"));
        }
        let (after, before) = match self.last {
            Some((index, _, hash)) => (index, Some((index + 1, hash))),
            None => (0, Some((0, NO_LEAF))),
        };
        if self.last.is_some() && place.index <= after {
            return Err(chain("its index is not greater"));
        }
        // Where the leaf before it in the log is here too, its hash is known.
        if before.is_some_and(|(next, hash)| next == place.index && hash != place.prev.0) {
            return Err(chain("it names another leaf before it in the log"));
        }
        let whole = self.tree.is_some();
        let head = match self.heads.get(&entry.tenant_id) {
            Some(head) => Some(*head),
            // The first of its tenant; a bundle that begins later takes its word for what came before.
            None if whole || self.from_the_start || place.tenant_number == 1 => Some((0, NO_LEAF)),
            None => None,
        };
        if let Some((number, hash)) = head {
            if place.tenant_number != number + 1 {
                return Err(chain("the tenant's numbers have a gap"));
            }
            if place.tenant_prev.0 != hash {
                return Err(chain("it names another leaf before it of the same tenant"));
            }
        }
        if whole && place.index == 0 && self.checkpoint.origin.epoch > 1 {
            self.resumed(entry).ok_or_else(|| chain("the first of a resumed log names the log before it"))?;
        }
        let hash = entry.leaf_hash(place);
        self.heads.insert(entry.tenant_id.clone(), (place.tenant_number, hash));
        let number = if whole { place.index } else { place.tenant_number };
        self.first.get_or_insert(number);
        self.last = Some((place.index, number, hash));
        self.grow(place, hash, chain)
    }

    /// What an operator went on from after a restore: a signed state of an earlier log of this name, where there was one.
    fn resumed(&self, entry: &OpenEntry) -> Option<()> {
        let (here, named) = (&self.checkpoint.origin, entry.detail.get("checkpoint")?);
        let earlier = match named.as_str() {
            None => named.is_null(),
            Some(note) => {
                let named = Checkpoint::open(note, &self.trust.keys).ok()?.origin;
                named.name == here.name && named.epoch < here.epoch
            }
        };
        (earlier && entry.action == "AUDIT_LOG_RESUMED").then_some(())
    }

    fn grow(&mut self, place: &Place, hash: Hash, chain: impl Fn(&'static str) -> Flaw) -> Result<(), Flaw> {
        let Some(tree) = &mut self.tree else { return Ok(()) };
        if tree.size() != place.index {
            return Err(chain("the log's indices have a gap"));
        }
        tree.push(hash, &mut |_, _| {});
        let of_here = self.trust.kept.iter().filter(|kept| kept.origin == self.checkpoint.origin);
        for kept in of_here.filter(|kept| kept.size == tree.size()) {
            if kept.root != tree.root() {
                return Err(rewritten(&kept.origin));
            }
        }
        Ok(())
    }

    fn end(mut self) -> Result<LogReport, Flaw> {
        if self.given != self.announced {
            return Err(self.miscounted());
        }
        match (&self.tree, &self.path, self.last) {
            (Some(_), Some(_), _) => return Err(Flaw::Order("a whole log needs no path")),
            (Some(tree), None, _) => {
                if tree.size() != self.checkpoint.size {
                    return Err(self.miscounted());
                }
                if tree.root() != self.checkpoint.root {
                    return Err(Flaw::Root(self.checkpoint.origin.to_string()));
                }
            }
            (None, None, None) => {}
            (None, Some(path), Some((index, _, hash))) => {
                verify_inclusion(index, self.checkpoint.size, &hash, path, &self.checkpoint.root)?;
            }
            (None, _, _) => {
                return Err(Flaw::Order("a tenant's log has a path exactly where it has entries"));
            }
        }
        self.hold_against_kept()?;
        let numbers = self.first.zip(self.last.map(|(_, number, _)| number));
        Ok(LogReport { checkpoint: self.checkpoint, entries: self.given, numbers, kept: self.kept })
    }

    fn hold_against_kept(&mut self) -> Result<(), Flaw> {
        let here = &self.checkpoint;
        for kept in self.trust.kept.iter().filter(|kept| kept.origin == here.origin) {
            let origin = || here.origin.to_string();
            if kept.size > here.size {
                let what = "it is shorter: its newest entries were dropped, or it is an older state";
                return Err(Flaw::Kept { origin: origin(), what });
            }
            if kept.size == here.size && kept.root != here.root {
                return Err(rewritten(&here.origin));
            }
            // Of a whole log the older root was compared on the way.
            let on_the_way = self.tree.is_some() || kept.size == here.size;
            if !on_the_way && !self.trust.steps.iter().any(|(old, new)| old == kept && new == here) {
                return Err(Flaw::Unconnected(origin()));
            }
            self.kept += 1;
        }
        Ok(())
    }

    fn miscounted(&self) -> Flaw {
        let (origin, announced) = (self.checkpoint.origin.to_string(), self.announced);
        Flaw::Count { origin, announced, given: self.given }
    }
}

fn rewritten(origin: &Origin) -> Flaw {
    Flaw::Kept {
        origin: origin.to_string(),
        what: "the same number of leaves has another root: it was rewritten",
    }
}
