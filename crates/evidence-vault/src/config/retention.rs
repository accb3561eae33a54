//! `RETENTION_TTL_EVIDENCE_DAYS`: how long evidence is kept, for everything, for a kind of subject, for a tenant's kind.

use std::collections::BTreeMap;

use mintmark_ids::TenantId;
use mintmark_service::config::{AppEnv, Reader};

use crate::app::record::SubjectKind;

const NAME: &str = "RETENTION_TTL_EVIDENCE_DAYS";
/// A hundred years: more is a slip.
const MOST_DAYS: i32 = 36_525;
/// What development and test take when nothing is said: the seven years of a commercial record.
const DEFAULT_DAYS: i32 = 2_555;

/// How long evidence is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    default: i32,
    kinds: BTreeMap<&'static str, i32>,
    tenants: BTreeMap<(TenantId, &'static str), i32>,
}

impl Retention {
    /// Reads it; problems are kept by the reader.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let app_env = reader.app_env();
        let text = reader.optional(
            NAME,
            "days that evidence is kept: 2555, or by kind and tenant 2555,slash=3650,acme/dispute=90 (the most specific one wins); unset: 2555 outside production; 0 is for development and test",
        )?;
        reader.needed_when(NAME, "APP_ENV is production");
        let production = app_env.is_none_or(AppEnv::is_production);
        let Some(text) = text else {
            if production {
                reader.problem(NAME, "is not set: say how many days evidence is kept, for example 2555");
                return None;
            }
            return Some(Self { default: DEFAULT_DAYS, kinds: BTreeMap::new(), tenants: BTreeMap::new() });
        };
        match Self::parse(&text, production) {
            Ok(retention) => Some(retention),
            Err(sentence) => {
                reader.problem(NAME, sentence);
                None
            }
        }
    }

    fn parse(text: &str, production: bool) -> Result<Self, String> {
        let mut default = None;
        let (mut kinds, mut tenants) = (BTreeMap::new(), BTreeMap::new());
        for part in text.split(',').map(str::trim) {
            let days = |text: &str| days(text, production).map_err(|why| format!("\"{part}\" {why}"));
            let repeated = match part.split_once('=') {
                None => default.replace(days(part)?).is_some(),
                Some((whom, number)) => match whom.split_once('/') {
                    None => kinds.insert(kind(whom)?, days(number)?).is_some(),
                    Some((tenant, of)) => {
                        let tenant =
                            TenantId::parse(tenant).map_err(|error| format!("\"{part}\": {error}"))?;
                        tenants.insert((tenant, kind(of)?), days(number)?).is_some()
                    }
                },
            };
            if repeated {
                return Err(format!("\"{part}\" says a second time what is said already"));
            }
        }
        let default =
            default.ok_or("needs a number that holds for everything else: write 2555,slash=3650")?;
        Ok(Self { default, kinds, tenants })
    }

    /// Days for this tenant's evidence of this kind.
    #[must_use]
    pub fn days(&self, tenant: &TenantId, kind: SubjectKind) -> i32 {
        let own = self.tenants.get(&(tenant.clone(), kind.as_str()));
        own.or_else(|| self.kinds.get(kind.as_str())).copied().unwrap_or(self.default)
    }
}

fn days(text: &str, production: bool) -> Result<i32, String> {
    match text.parse() {
        Ok(0) if production => {
            Err("would erase evidence at once, which only APP_ENV=development or test allows".to_owned())
        }
        Ok(days @ 0..=MOST_DAYS) => Ok(days),
        _ => Err(format!("is not a number of days from 1 to {MOST_DAYS}")),
    }
}

fn kind(text: &str) -> Result<&'static str, String> {
    [SubjectKind::Dispute, SubjectKind::Slash]
        .into_iter()
        .map(SubjectKind::as_str)
        .find(|kind| *kind == text)
        .ok_or_else(|| format!("\"{text}\" is no kind of evidence: write dispute or slash"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(slug: &str) -> TenantId {
        TenantId::parse(slug).unwrap()
    }

    #[test]
    fn days_are_those_of_the_most_specific_part() {
        let retention = Retention::parse("2555, slash=3650,acme/dispute=90", true).unwrap();
        for (slug, kind, days) in [
            ("acme", SubjectKind::Dispute, 90),
            ("acme", SubjectKind::Slash, 3650),
            ("globex", SubjectKind::Dispute, 2555),
        ] {
            assert_eq!(retention.days(&tenant(slug), kind), days);
        }
    }

    #[test]
    fn parse_refuses_what_is_not_said_clearly() {
        for (text, word) in [
            ("", "is not a number"),
            ("slash=1", "for everything else"),
            ("1,2", "a second time"),
            ("1,slash=1,slash=2", "a second time"),
            ("-1", "is not a number"),
            ("99999", "is not a number"),
            ("1,photo=2", "no kind of evidence"),
            ("1,acme/photo=2", "no kind of evidence"),
            ("1,A/dispute=2", "A/dispute"),
            ("0", "only APP_ENV"),
            ("1,acme/dispute=0", "only APP_ENV"),
        ] {
            let sentence = Retention::parse(text, true).unwrap_err();
            assert!(sentence.contains(word), "{text}: {sentence}");
        }
        assert_eq!(Retention::parse("0", false).unwrap().days(&tenant("acme"), SubjectKind::Dispute), 0);
    }

    #[test]
    fn read_has_a_default_outside_production_alone() {
        for (env, fine) in [("production", false), ("development", true), ("test", true)] {
            let mut reader = Reader::from_pairs([("APP_ENV", env)]);
            assert_eq!(Retention::read(&mut reader).is_some(), fine, "{env}");
        }
    }
}
