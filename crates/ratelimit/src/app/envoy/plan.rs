//! From the descriptors of a request to the counters that it charges.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use mintmark_auth::{EnvoyDomain, Tier};
use mintmark_ids::ApiKeyId;
use ring::digest::{Context, SHA256};

use super::rules::{Domain, Kind, Pattern, Rule, TierOf};
use crate::app::limits::Limits;
use crate::app::names::{Name, Owner};
use crate::store::Counter;

/// A descriptor, as Envoy sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Keys and values, in order.
    pub entries: Vec<(String, String)>,
    /// What it charges; 0 only looks.
    pub cost: u64,
}

/// What a request charges: counters without a name twice, and what each descriptor has of them.
pub(super) struct Plan {
    pub(super) counters: Vec<Counter>,
    /// One for each descriptor; none where no rule matches.
    pub(super) parts: Vec<Option<Part>>,
}

/// What one descriptor means.
pub(super) struct Part {
    pub(super) rule: Arc<str>,
    pub(super) shadow: bool,
    /// Requests in a window, for each of its counters.
    pub(super) limit: u64,
    pub(super) window_secs: u64,
    /// What it charges; 0 only looks.
    pub(super) cost: u64,
    /// Where its counters stand in the plan. Two for a tenant and a key, in this order.
    pub(super) at: Vec<usize>,
    /// For a tier's rule: the tier, and the id of an API key that metrics may name.
    pub(super) tier: Option<(Tier, Option<String>)>,
}

impl Plan {
    pub(super) fn of(
        name: &EnvoyDomain,
        domain: &Domain,
        limits: &Limits,
        descriptors: &[Descriptor],
    ) -> Self {
        let mut plan = Self { counters: Vec::new(), parts: Vec::with_capacity(descriptors.len()) };
        let mut places = HashMap::new();
        for descriptor in descriptors {
            let matched = domain.rules.iter().find_map(|rule| Meaning::of(rule, descriptor));
            let part = matched.map(|meaning| {
                let (names, part) = meaning.part(name, domain, limits, descriptor);
                let at = names.into_iter().map(|name| plan.charge(&mut places, name, &part)).collect();
                Part { at, ..part }
            });
            plan.parts.push(part);
        }
        plan
    }

    /// Two descriptors may mean one counter: it is then charged for both, and the lower limit holds.
    fn charge(&mut self, places: &mut HashMap<String, usize>, name: String, part: &Part) -> usize {
        let (limit, cost) = part.charge();
        let at = *places.entry(name).or_insert_with_key(|name| {
            let counter = Counter { name: name.clone(), window_secs: part.window_secs, limit: None, cost: 0 };
            self.counters.push(counter);
            self.counters.len() - 1
        });
        if let Some(counter) = self.counters.get_mut(at) {
            counter.cost = counter.cost.saturating_add(cost);
            counter.limit = match (counter.limit, limit) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        at
    }
}

impl Part {
    /// Limit and cost for the script. One that only looks asks whether one more would pass.
    fn charge(&self) -> (Option<u64>, u64) {
        match (self.shadow, self.cost, self.limit) {
            (true, cost, _) => (None, cost),
            // Refused in any case, so nothing is charged.
            (false, 0, 0) => (Some(0), 1),
            (false, 0, limit) => (Some(limit - 1), 0),
            (false, cost, limit) => (Some(limit), cost),
        }
    }
}

/// A rule that matches a descriptor, and what it takes from it.
enum Meaning<'a> {
    Own(&'a Rule, u64, u32),
    Tier(&'a Rule, &'a str, &'a str, Tier),
}

impl<'a> Meaning<'a> {
    fn of(rule: &'a Rule, descriptor: &'a Descriptor) -> Option<Self> {
        match &rule.kind {
            Kind::Own { entries, unit, limit } => {
                let fits = |(pattern, (key, value)): (&Pattern, &(String, String))| {
                    pattern.key == *key && pattern.value.as_ref().is_none_or(|wanted| wanted == value)
                };
                let same = entries.len() == descriptor.entries.len();
                (same && entries.iter().zip(&descriptor.entries).all(fits)).then_some(Self::Own(
                    rule,
                    unit.secs(),
                    *limit,
                ))
            }
            Kind::Tier { owner, key, tier } => {
                let value = |wanted: &str| {
                    descriptor.entries.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str())
                };
                let (tier, entries) = match tier {
                    TierOf::Always(tier) => (*tier, 2),
                    TierOf::Entry(entry) => (named(value(entry)?), 3),
                };
                (descriptor.entries.len() == entries).then_some(Self::Tier(
                    rule,
                    value(owner)?,
                    value(key)?,
                    tier,
                ))
            }
        }
    }

    /// The names of its counters, and the rest of what it means.
    fn part(
        self,
        name: &EnvoyDomain,
        domain: &Domain,
        limits: &Limits,
        descriptor: &Descriptor,
    ) -> (Vec<String>, Part) {
        let namespace = &domain.namespace;
        let part = |rule: &Rule, limit, window_secs, tier| Part {
            rule: Arc::clone(&rule.name),
            shadow: rule.shadow,
            limit,
            window_secs,
            cost: descriptor.cost,
            at: Vec::new(),
            tier,
        };
        match self {
            Self::Own(rule, window, limit) => {
                let window_text = window.to_string();
                let words = descriptor.entries.iter().flat_map(|(key, value)| [key.as_str(), value]);
                let id = hash([name.as_str(), window_text.as_str()].into_iter().chain(words));
                let names = vec![format!("ratelimit:{namespace}:key:envoy_{id}")];
                (names, part(rule, u64::from(limit), window, None))
            }
            Self::Tier(rule, owner, key, tier) => {
                let (owner, key_name) = (owner_name(owner), key_name(key));
                let names = vec![
                    format!("ratelimit:{namespace}:tenant:{owner}"),
                    format!("ratelimit:{namespace}:key:{key_name}"),
                ];
                let api_key = key.parse::<ApiKeyId>().ok().map(|id| id.to_string());
                (names, part(rule, limits.of(tier), limits.window.as_secs(), Some((tier, api_key))))
            }
        }
    }
}

/// A value that is no tier gives the least.
fn named(value: &str) -> Tier {
    [Tier::Pro, Tier::Enterprise].into_iter().find(|tier| tier.as_str() == value).unwrap_or(Tier::Free)
}

/// What cannot stand in a Redis key, and what is a secret, stands there as a hash.
fn owner_name(value: &str) -> String {
    match Owner::parse(value.to_owned()) {
        Ok(owner) => owner.to_string(),
        Err(_) => hashed(value),
    }
}

fn key_name(value: &str) -> String {
    match Name::parse("key", value.to_owned()) {
        Ok(name) => name.to_string(),
        Err(_) => hashed(value),
    }
}

fn hashed(value: &str) -> String {
    format!("envoy_{}", hash([value].into_iter()))
}

/// SHA-256 over words with their lengths: other words give another hash, wherever one ends and the next begins.
fn hash<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut context = Context::new(&SHA256);
    for word in words {
        context.update(&u64::try_from(word.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(word.as_bytes());
    }
    let mut hex = String::with_capacity(64);
    for byte in context.finish().as_ref() {
        // Writing to a String cannot fail.
        let _infallible = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mintmark_auth::EnvoyCredentials;
    use mintmark_auth::envoy;
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::app::envoy::rules::RuleStore;

    const LIMITS: Limits = Limits { window: Duration::from_secs(60), free: 1, pro: 2, enterprise: 3 };

    fn plan(rules: &str, descriptors: &[(&[(&str, &str)], u64)]) -> Plan {
        let issued = envoy::generate();
        let known = EnvoyCredentials::parse(&format!("edge={}", issued.sha256)).unwrap();
        let name = known.verify(issued.credential.expose_secret()).unwrap().domain("edge").unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!(r#"{{"domains": {{"edge": {{"namespace": "ns", "rules": [{rules}]}}}}}}"#);
        std::fs::write(file.path(), text).unwrap();
        let domain = RuleStore::load(file.path().to_owned()).unwrap().domain("edge").unwrap();
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let descriptor = |(entries, cost): &(&[(&str, &str)], u64)| Descriptor {
            entries: entries.iter().map(owned).collect(),
            cost: *cost,
        };
        let descriptors: Vec<Descriptor> = descriptors.iter().map(descriptor).collect();
        Plan::of(&name, &domain, &LIMITS, &descriptors)
    }

    const PAIR: &str =
        r#"{"name": "pair", "entries": [{"key": "a"}, {"key": "b"}], "unit": "day", "requests_per_unit": 9}"#;

    #[test]
    fn names_of_different_descriptors_differ_wherever_a_value_ends() {
        let single =
            r#"{"name": "single", "entries": [{"key": "a"}], "unit": "day", "requests_per_unit": 9}"#;
        let plan = plan(
            &format!("{PAIR}, {single}"),
            &[
                (&[("a", "x"), ("b", "y")], 1),
                (&[("a", "x_b_y")], 1),
                (&[("a", "x_b"), ("b", "y")], 1),
                (&[("a", "x"), ("b", "b_y")], 1),
                (&[("b", "y"), ("a", "x")], 1),
            ],
        );
        let names: Vec<&str> = plan.counters.iter().map(|counter| counter.name.as_str()).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(names.iter().all(|name| name.starts_with("ratelimit:ns:key:envoy_") && name.len() == 87));
        assert!(plan.parts[4].is_none(), "another order is another descriptor");
    }

    #[test]
    fn one_counter_twice_is_charged_for_both() {
        let same: (&[(&str, &str)], u64) = (&[("a", "x"), ("b", "y")], 5);
        let plan = plan(PAIR, &[same, same, (same.0, 0)]);
        assert_eq!(plan.counters.len(), 1);
        assert_eq!(
            (plan.counters[0].cost, plan.counters[0].limit),
            (10, Some(8)),
            "the look lowers the limit"
        );
    }

    #[test]
    fn tier_rules_name_our_own_buckets_and_hash_what_cannot_be_a_name() {
        let rule = r#"{"name": "own", "tier": {"owner": "tenant", "key": "key", "tier_entry": "plan"}}"#;
        let plan = plan(
            rule,
            &[
                (&[("tenant", "acme"), ("key", "key_1"), ("plan", "pro")], 1),
                (&[("plan", "gold"), ("key", "a:b"), ("tenant", "no tenant")], 1),
                (&[("tenant", "acme"), ("key", "key_1")], 1),
            ],
        );
        let names: Vec<&str> = plan.counters.iter().map(|counter| counter.name.as_str()).collect();
        assert_eq!(names[..2], ["ratelimit:ns:tenant:acme", "ratelimit:ns:key:key_1"]);
        assert!(names[2].starts_with("ratelimit:ns:tenant:envoy_"), "{names:?}");
        assert!(names[3].starts_with("ratelimit:ns:key:envoy_") && !names[3].contains("a:b"));
        let limits: Vec<Option<u64>> =
            plan.parts.iter().map(|part| part.as_ref().map(|it| it.limit)).collect();
        assert_eq!(limits, [Some(2), Some(1), None], "gold is no tier, and the last has too few entries");
    }

    #[test]
    fn first_rule_that_matches_holds() {
        let vip = r#"{"name": "vip", "entries": [{"key": "a", "value": "x"}, {"key": "b"}], "unit": "day", "requests_per_unit": 99}"#;
        let plan =
            plan(&format!("{vip}, {PAIR}"), &[(&[("a", "x"), ("b", "")], 1), (&[("a", "z"), ("b", "")], 1)]);
        let names: Vec<&str> = plan.parts.iter().flatten().map(|part| &*part.rule).collect();
        assert_eq!(names, ["vip", "pair"]);
    }
}
