//! Which buckets there are, and who may name what in them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use mintmark_service::config::Reader;
use serde::Deserialize;

use super::target::is_bucket;
use crate::bucket::{BucketConfig, BucketVariables};
use crate::config::folder;

/// The buckets that files are taken from, and what each tenant may name in them. Holds keys: its debug output does not.
#[derive(Clone, Debug)]
pub struct IntakeConfig {
    pub(super) buckets: Vec<BucketGrant>,
}

#[derive(Clone, Debug)]
pub(super) struct BucketGrant {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) grants: Vec<Grant>,
}

/// Where the objects of a bucket lie.
#[derive(Clone)]
pub(super) enum Place {
    Folder(PathBuf),
    Bucket(Box<BucketConfig>),
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.fmt(f),
            Self::Bucket(bucket) => bucket.fmt(f),
        }
    }
}

/// A prefix that a tenant may name.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    tenant: String,
    /// Ends with `/`.
    prefix: String,
}

impl Grant {
    pub(super) fn covers(&self, tenant: &str, key: &str) -> bool {
        self.tenant == tenant && key.starts_with(&self.prefix)
    }
}

/// A bucket as it is written down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    store: String,
    tenants: BTreeMap<String, Vec<String>>,
}

impl IntakeConfig {
    /// Reads the variable `name`, JSON: `{"bucket": {"store": "s3" or "file:///absolute/folder", "tenants": {"tenant":
    /// ["prefix/"]}}}`. A bucket at `s3` is reached by the variables `S3_…`, under the very name that files are named by.
    pub fn read(reader: &mut Reader, name: &'static str) -> Option<Self> {
        let about = "JSON: the buckets that files are taken from, each {\"store\": \"s3\" or \"file:///absolute/folder\", \
                     \"tenants\": {tenant: [prefixes that end with /]}}";
        let text = reader.string(name, "{}", about);
        // Asked for whatever the buckets are, so that the list of variables does not depend on it.
        let variables = BucketVariables::read(reader);
        let (text, variables) = (text?, variables?);
        let written: BTreeMap<String, Written> = serde_json::from_str(&text)
            .map_err(|error| reader.problem(name, format!("is not the JSON that it should be: {error}")))
            .ok()?;
        let buckets = written.into_iter().map(|(bucket, written)| {
            let read = checked(&bucket, &written);
            let read = read.map_err(|sentence| reader.problem(name, format!("bucket {bucket}: {sentence}")));
            let grants = read.ok()?;
            let place = match written.store.as_str() {
                "s3" => {
                    let url = format!("s3://{bucket}");
                    Place::Bucket(Box::new(variables.clone().checked(reader, name, &url)?))
                }
                url => match folder(url) {
                    Ok(folder) => Place::Folder(folder),
                    Err(_) => {
                        let sentence = "write \"s3\" or a file:///absolute/folder as its store";
                        reader.problem(name, format!("bucket {bucket}: {sentence}"));
                        return None;
                    }
                },
            };
            Some(BucketGrant { name: bucket, place, grants })
        });
        // All of them are looked at, so that all problems are told.
        let buckets: Vec<Option<BucketGrant>> = buckets.collect();
        Some(Self { buckets: buckets.into_iter().collect::<Option<_>>()? })
    }
}

/// The grants of a bucket; no prefix of one tenant may hold another's.
fn checked(bucket: &str, written: &Written) -> Result<Vec<Grant>, String> {
    if !is_bucket(bucket) {
        return Err("a bucket's name has 3 to 63 of a-z, 0-9 and '-'".to_owned());
    }
    let mut grants: Vec<Grant> = Vec::new();
    for (tenant, prefixes) in &written.tenants {
        for prefix in prefixes {
            let good = prefix.ends_with('/')
                && prefix
                    .trim_end_matches('/')
                    .split('/')
                    .all(|segment| !matches!(segment, "" | "." | "..") && !segment.contains(['%', '\\']));
            if !good {
                return Err(format!("write the prefix \"{prefix}\" like incoming/, with plain segments"));
            }
            let meets = |grant: &&Grant| {
                grant.tenant != *tenant
                    && (grant.prefix.starts_with(prefix.as_str()) || prefix.starts_with(&grant.prefix))
            };
            if let Some(other) = grants.iter().find(meets) {
                return Err(format!(
                    "the prefix {prefix} of {tenant} and {} of {} overlap: one tenant would read the other's files",
                    other.prefix, other.tenant
                ));
            }
            grants.push(Grant { tenant: tenant.clone(), prefix: prefix.clone() });
        }
    }
    Ok(grants)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<IntakeConfig, String> {
        let mut reader = Reader::from_pairs([("PREFLIGHT_BUCKETS", text)]);
        let config = IntakeConfig::read(&mut reader, "PREFLIGHT_BUCKETS");
        reader.finish(config).map_err(|errors| errors.to_string())
    }

    #[test]
    fn read_of_good_buckets_grants_what_is_written() {
        let config = read(
            r#"{"ppos-storage": {"store": "file:///srv/a", "tenants": {"acme": ["incoming/", "a/b/"], "globex": ["g/"]}}}"#,
        )
        .unwrap();
        let covers =
            |tenant: &str, key: &str| config.buckets[0].grants.iter().any(|grant| grant.covers(tenant, key));
        assert!(covers("acme", "incoming/x.pdf") && covers("acme", "a/b/c/d.pdf") && covers("globex", "g/x"));
        assert!(!covers("acme", "g/x") && !covers("acme", "incoming") && !covers("acme", "incomingx/y"));
        assert!(!covers("globex", "incoming/x.pdf") && !covers("other", "g/x"));
        assert!(read("{}").unwrap().buckets.is_empty());
    }

    #[test]
    fn read_of_bad_buckets_says_what_is_wrong() {
        for (text, says) in [
            ("[]", "is not the JSON"),
            (r#"{"a/b": {"store": "s3", "tenants": {}}}"#, "a bucket's name"),
            (r#"{"abc": {"store": "http://x", "tenants": {}}}"#, "as its store"),
            (r#"{"abc": {"store": "s3", "tenants": {}}}"#, "S3_ENDPOINT: is not set"),
            (r#"{"abc": {"store": "file:///a", "tenants": {"acme": ["x"]}}}"#, "like incoming/"),
            (r#"{"abc": {"store": "file:///a", "tenants": {"acme": [""]}}}"#, "like incoming/"),
            (r#"{"abc": {"store": "file:///a", "tenants": {"acme": ["/"]}}}"#, "like incoming/"),
            (r#"{"abc": {"store": "file:///a", "tenants": {"acme": ["a/../b/"]}}}"#, "like incoming/"),
            (
                r#"{"abc": {"store": "file:///a", "tenants": {"acme": ["a/"], "globex": ["a/b/"]}}}"#,
                "overlap",
            ),
            (r#"{"abc": {"store": "file:///a", "keys": {}}}"#, "unknown field"),
        ] {
            let errors = read(text).unwrap_err();
            assert!(errors.contains(says), "{text}: {errors}");
        }
    }
}
