//! The file that says what Envoy's descriptors mean.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use mintmark_auth::Tier;
use mintmark_fault::Fault;
use serde::Deserialize;

use crate::app::names::Namespace;

/// Names of rules stand in headers and metrics.
const MAX_NAME: usize = 64;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// Not there, or not ours to read.
    #[error("the file cannot be read")]
    Read(#[from] std::io::Error),
    /// Not the JSON that it should be.
    #[error("the file is not JSON of the documented form")]
    Form(#[from] serde_json::Error),
    /// A domain's namespace.
    #[error("domain `{domain}`: {}", fault.message())]
    Namespace {
        /// The domain.
        domain: String,
        /// What is wrong.
        fault: Fault,
    },
    /// A rule that cannot be meant.
    #[error("domain `{domain}`, rule `{rule}`: {wrong}")]
    Rule {
        /// The domain.
        domain: String,
        /// The rule's name.
        rule: String,
        /// A sentence.
        wrong: &'static str,
    },
}

/// The rules in force, and the file that they come from.
pub struct RuleStore {
    path: PathBuf,
    loaded: ArcSwap<Loaded>,
}

struct Loaded {
    text: String,
    rules: Rules,
}

impl RuleStore {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn load(path: PathBuf) -> Result<Self, RulesError> {
        let text = std::fs::read_to_string(&path)?;
        let rules = Rules::parse(&text)?;
        Ok(Self { path, loaded: ArcSwap::from_pointee(Loaded { text, rules }) })
    }

    /// Reads it again: `true` when other rules are in force now.
    ///
    /// # Errors
    /// When it cannot be used; the rules in force stay.
    pub fn reload(&self) -> Result<bool, RulesError> {
        let text = std::fs::read_to_string(&self.path)?;
        if text == self.loaded.load().text {
            return Ok(false);
        }
        let rules = Rules::parse(&text)?;
        self.loaded.store(Arc::new(Loaded { text, rules }));
        Ok(true)
    }

    /// What the rules in force say of a domain: copied, so that a question is answered by one version of them.
    #[must_use]
    pub fn domain(&self, name: &str) -> Option<Arc<Domain>> {
        self.loaded.load().rules.0.get(name).cloned()
    }
}

/// What descriptors mean, by domain.
pub struct Rules(HashMap<Box<str>, Arc<Domain>>);

/// What descriptors of a domain mean.
pub struct Domain {
    /// What stands in the Redis keys.
    pub(super) namespace: Namespace,
    /// The first that matches a descriptor holds.
    pub(super) rules: Vec<Rule>,
}

/// What one kind of descriptor means.
pub(super) struct Rule {
    pub(super) name: Arc<str>,
    /// It counts, and refuses nothing.
    pub(super) shadow: bool,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// A bucket for each descriptor that has exactly these entries, in this order.
    Own { entries: Vec<Pattern>, unit: Unit, limit: u32 },
    /// Our own two buckets of a tenant and a key, at a tier.
    Tier { owner: String, key: String, tier: TierOf },
}

/// An entry of a descriptor that a rule is for.
pub(super) struct Pattern {
    pub(super) key: String,
    /// None: any value, each with a bucket of its own.
    pub(super) value: Option<String>,
}

/// Where the tier of a request comes from.
pub(super) enum TierOf {
    Always(Tier),
    /// From the value of this entry; a value that is no tier counts as free.
    Entry(String),
}

/// How long a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// One second.
    Second,
    /// 60 seconds.
    Minute,
    /// 3,600 seconds.
    Hour,
    /// 86,400 seconds.
    Day,
}

impl Unit {
    /// In seconds.
    #[must_use]
    pub const fn secs(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// The unit that is exactly so long.
    #[must_use]
    pub const fn of_secs(secs: u64) -> Option<Self> {
        match secs {
            1 => Some(Self::Second),
            60 => Some(Self::Minute),
            3_600 => Some(Self::Hour),
            86_400 => Some(Self::Day),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    domains: BTreeMap<String, DomainFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DomainFile {
    namespace: String,
    rules: Vec<RuleFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    name: String,
    #[serde(default)]
    shadow_mode: bool,
    #[serde(default)]
    entries: Vec<EntryFile>,
    unit: Option<Unit>,
    requests_per_unit: Option<u32>,
    tier: Option<TierFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryFile {
    key: String,
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TierFile {
    owner: String,
    key: String,
    tier: Option<TierName>,
    tier_entry: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TierName {
    Free,
    Pro,
    Enterprise,
}

impl Rules {
    /// Reads the text of the file.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        let file: RulesFile = serde_json::from_str(text)?;
        let mut domains = HashMap::new();
        for (name, domain) in file.domains {
            let namespace = Namespace::parse(domain.namespace)
                .map_err(|fault| RulesError::Namespace { domain: name.clone(), fault })?;
            let (mut rules, mut names) = (Vec::new(), HashSet::new());
            for file in domain.rules {
                let rule = file.name.clone();
                let wrong = |wrong| RulesError::Rule { domain: name.clone(), rule: rule.clone(), wrong };
                if !names.insert(file.name.clone()) {
                    return Err(wrong("another rule of this domain has that name"));
                }
                rules.push(file.read().map_err(wrong)?);
            }
            domains.insert(name.into(), Arc::new(Domain { namespace, rules }));
        }
        Ok(Self(domains))
    }
}

impl RuleFile {
    fn read(self) -> Result<Rule, &'static str> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if !(1..=MAX_NAME).contains(&self.name.len()) || !self.name.bytes().all(allowed) {
            return Err("a name is 1 to 64 of a-z, 0-9, '-' and '_'");
        }
        let kind = match (self.tier, self.unit, self.requests_per_unit) {
            (None, Some(unit), Some(limit)) if !self.entries.is_empty() => {
                let pattern = |entry: EntryFile| Pattern { key: entry.key, value: entry.value };
                Kind::Own { entries: self.entries.into_iter().map(pattern).collect(), unit, limit }
            }
            (Some(tier), None, None) if self.entries.is_empty() => tier.read()?,
            _ => return Err("a rule has either entries, unit and requests_per_unit, or tier"),
        };
        Ok(Rule { name: self.name.into(), shadow: self.shadow_mode, kind })
    }
}

impl TierFile {
    fn read(self) -> Result<Kind, &'static str> {
        if self.owner == self.key
            || self.tier_entry.as_ref().is_some_and(|it| [&self.owner, &self.key].contains(&it))
        {
            return Err("owner, key and tier_entry name different entries of a descriptor");
        }
        let tier = match (self.tier, self.tier_entry) {
            (Some(TierName::Free), None) => TierOf::Always(Tier::Free),
            (Some(TierName::Pro), None) => TierOf::Always(Tier::Pro),
            (Some(TierName::Enterprise), None) => TierOf::Always(Tier::Enterprise),
            (None, Some(entry)) => TierOf::Entry(entry),
            _ => return Err("tier has either tier or tier_entry"),
        };
        Ok(Kind::Tier { owner: self.owner, key: self.key, tier })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = r#"{"domains": {"edge": {"namespace": "edge", "rules": [
        {"name": "address", "entries": [{"key": "remote_address"}], "unit": "minute", "requests_per_unit": 20}]}}}"#;

    #[test]
    fn parse_refuses_what_cannot_be_meant() {
        Rules::parse(SOUND).unwrap();
        let rule = r#"{"name": "address", "entries": [{"key": "remote_address"}], "unit": "minute", "requests_per_unit": 20}"#;
        for instead in [
            r#"{"name": "Address", "entries": [{"key": "a"}], "unit": "minute", "requests_per_unit": 20}"#,
            r#"{"name": "a", "entries": [], "unit": "minute", "requests_per_unit": 20}"#,
            r#"{"name": "a", "entries": [{"key": "a"}], "unit": "fortnight", "requests_per_unit": 20}"#,
            r#"{"name": "a", "entries": [{"key": "a"}], "unit": "minute"}"#,
            r#"{"name": "a", "entries": [{"key": "a"}], "unit": "minute", "requests_per_unit": -1}"#,
            r#"{"name": "a", "entries": [{"key": "a"}], "unit": "minute", "requests_per_unit": 2, "shadow": true}"#,
            r#"{"name": "a", "tier": {"owner": "o", "key": "o", "tier": "pro"}}"#,
            r#"{"name": "a", "tier": {"owner": "o", "key": "k", "tier": "gold"}}"#,
            r#"{"name": "a", "tier": {"owner": "o", "key": "k"}}"#,
            r#"{"name": "a", "unit": "day", "tier": {"owner": "o", "key": "k", "tier": "pro"}}"#,
        ] {
            assert!(Rules::parse(&SOUND.replace(rule, instead)).is_err(), "{instead}");
        }
        assert!(Rules::parse(&SOUND.replace(rule, &format!("{rule}, {rule}"))).is_err(), "one name twice");
        assert!(Rules::parse(&SOUND.replace(r#""namespace": "edge""#, r#""namespace": "a:b""#)).is_err());
    }

    #[test]
    fn reload_keeps_what_was_in_force_while_the_file_is_broken() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), SOUND).unwrap();
        let store = RuleStore::load(file.path().to_owned()).unwrap();
        assert!(!store.reload().unwrap());
        std::fs::write(file.path(), "{").unwrap();
        store.reload().unwrap_err();
        assert!(store.domain("edge").is_some());
        std::fs::write(file.path(), SOUND.replace(r#""edge": {"#, r#""other": {"#)).unwrap();
        assert!(store.reload().unwrap());
        assert!(store.domain("edge").is_none() && store.domain("other").is_some());
    }
}
