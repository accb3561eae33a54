//! Which User-Agents are machines: a public list of crawlers, which an operator may update, and rules of ours for
//! everything that no list has yet.
//!
//! A verdict decides side effects alone: everybody gets the same answer.

mod device;
mod memory;
mod rules;

use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arc_swap::ArcSwap;
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use self::memory::Memory;
pub use self::memory::Said;
use super::visitor::DeviceClass;

/// The list that is compiled in; `data/README.md` says where it is from.
const COMPILED_IN: &[u8] = include_bytes!("../../data/crawler-user-agents.json");

/// Bytes that a list may have: ten times what the largest that is known has.
const MAX_LIST_BYTES: u64 = 8 << 20;

/// Bytes that the compiled list may take, and as many again for what its automaton remembers in each thread.
const MAX_PROGRAM_BYTES: usize = 64 << 20;

/// Bytes of a User-Agent that are looked at: the longest browsers have about 500.
const MAX_LOOKED_AT: usize = 2_048;

/// The rules in force. Cheap to clone; all clones share them.
#[derive(Clone)]
pub struct Bots(Arc<Inner>);

struct Inner {
    file: Option<PathBuf>,
    list: ArcSwap<List>,
    memory: Memory,
    /// The text in force, so that only a changed file is compiled.
    text: Mutex<Vec<u8>>,
}

/// A list, and which one it is of those that this process had.
struct List {
    patterns: Regex,
    generation: u64,
}

/// Why a list is refused.
#[derive(Debug, thiserror::Error)]
pub enum BotListError {
    /// The file cannot be read.
    #[error("the list of crawlers cannot be read; check SCAN_BOT_LIST_FILE and the file's permissions")]
    Unreadable(#[source] std::io::Error),
    /// Larger than any real one.
    #[error("the list of crawlers is larger than {MAX_LIST_BYTES} bytes")]
    TooLarge,
    /// Not the format of crawler-user-agents.json.
    #[error("the list of crawlers is not a JSON array of objects with a `pattern`")]
    Json(#[source] serde_json::Error),
    /// It would let every machine of the list through.
    #[error("the list of crawlers is empty")]
    Empty,
    /// A pattern that is no regular expression.
    #[error("pattern {at} of the list of crawlers cannot be used")]
    Pattern {
        /// Its place, from 1.
        at: usize,
        /// What is wrong with it.
        #[source]
        cause: Box<regex::Error>,
    },
    /// A pattern that even a plain browser matches: the whole public would leave no trace.
    #[error("the list of crawlers takes a common browser for a crawler")]
    MatchesBrowsers,
}

#[derive(Deserialize)]
struct Entry {
    pattern: String,
}

impl Bots {
    /// The list that is compiled in.
    pub fn compiled_in() -> Self {
        static LIST: LazyLock<Regex> = LazyLock::new(|| match compile(COMPILED_IN) {
            Ok(list) => list,
            Err(error) => {
                // A test compiles the same bytes, so this is not reached; our own rules would go on alone.
                tracing::error!(%error, "the list of crawlers that is compiled in cannot be used");
                rules::nothing()
            }
        });
        Bots::holding(None, LIST.clone(), Vec::new())
    }

    /// A list in the same format from a file; [`Bots::reload`] reads it again.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn file(path: impl Into<PathBuf>) -> Result<Self, BotListError> {
        let path = path.into();
        let text = read(&path)?;
        let list = compile(&text)?;
        Ok(Bots::holding(Some(path), list, text))
    }

    fn holding(file: Option<PathBuf>, list: Regex, text: Vec<u8>) -> Self {
        let list = ArcSwap::from_pointee(List { patterns: list, generation: 0 });
        Bots(Arc::new(Inner { file, list, memory: Memory::new(), text: Mutex::new(text) }))
    }

    /// Reads the file again: `true` when another list is in force now. After an error the old one stays.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn reload(&self) -> Result<bool, BotListError> {
        let Some(path) = &self.0.file else { return Ok(false) };
        let text = read(path)?;
        let mut current = self.0.text.lock().unwrap_or_else(PoisonError::into_inner);
        if *current == text {
            return Ok(false);
        }
        let generation = self.0.list.load().generation + 1;
        self.0.list.store(Arc::new(List { patterns: compile(&text)?, generation }));
        *current = text;
        Ok(true)
    }

    /// Whether this User-Agent is a crawler's, a previewer's, a scanner's, a monitor's or a library's (an empty one is),
    /// and otherwise the kind of device.
    pub fn said(&self, user_agent: &[u8]) -> Said {
        let user_agent = user_agent.get(..MAX_LOOKED_AT).unwrap_or(user_agent);
        let list = self.0.list.load();
        self.0.memory.said(list.generation, user_agent, || Said {
            machine: list.names(user_agent),
            device: DeviceClass::of(user_agent),
        })
    }

    /// Whether it is a machine's.
    pub fn names_a_machine(&self, user_agent: &[u8]) -> bool {
        self.said(user_agent).machine
    }
}

impl List {
    fn names(&self, user_agent: &[u8]) -> bool {
        if user_agent.is_empty() {
            return true;
        }
        let said = device::without_device(user_agent);
        rules::suspicious(user_agent, &said) || self.patterns.is_match(&said)
    }
}

fn read(path: &std::path::Path) -> Result<Vec<u8>, BotListError> {
    if std::fs::metadata(path).map_err(BotListError::Unreadable)?.len() > MAX_LIST_BYTES {
        return Err(BotListError::TooLarge);
    }
    std::fs::read(path).map_err(BotListError::Unreadable)
}

/// All patterns as one automaton, so that a User-Agent is read once however long the list is.
fn compile(json: &[u8]) -> Result<Regex, BotListError> {
    let entries: Vec<Entry> = serde_json::from_slice(json).map_err(BotListError::Json)?;
    if entries.is_empty() {
        return Err(BotListError::Empty);
    }
    let whole: Vec<String> = entries.iter().map(|entry| format!("(?:{})", entry.pattern)).collect();
    let list = automaton(&whole.join("|")).map_err(|error| culprit(&entries, error))?;
    if rules::COMMON_BROWSERS.iter().any(|browser| list.is_match(browser.as_bytes())) {
        return Err(BotListError::MatchesBrowsers);
    }
    Ok(list)
}

fn automaton(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(MAX_PROGRAM_BYTES)
        .dfa_size_limit(MAX_PROGRAM_BYTES)
        .build()
}

/// Which pattern is at fault: tried one by one only now, because that is slow.
fn culprit(entries: &[Entry], error: regex::Error) -> BotListError {
    let tried = entries.iter().map(|entry| automaton(&entry.pattern).err());
    let (at, cause) =
        tried.zip(1..).find_map(|(cause, at)| cause.map(|cause| (at, cause))).unwrap_or((0, error));
    BotListError::Pattern { at, cause: Box::new(cause) }
}

#[cfg(test)]
mod tests;
