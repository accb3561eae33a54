//! The payload: no duplicate, no null, every claim of its type, and the three times in order.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mintmark_ids::TenantId;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::TokenError;

/// How far the clocks of two services may be apart, in seconds, for `iat` and `nbf`. `exp` has no leeway at all.
const LEEWAY_SECS: i64 = 5;

/// A JSON object in which no member is null or stands twice: parsers that disagree on those are how checks are evaded.
pub(crate) struct StrictObject(Map<String, Value>);

impl StrictObject {
    pub(crate) fn parse(json: &[u8]) -> Option<Map<String, Value>> {
        serde_json::from_slice::<StrictObject>(json).ok().map(|object| object.0)
    }
}

impl<'de> Deserialize<'de> for StrictObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = StrictObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<StrictObject, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if value.is_null() || members.insert(name, value).is_some() {
                        return Err(A::Error::custom("null or duplicate member"));
                    }
                }
                Ok(StrictObject(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The claims that every token of ours has.
pub(crate) struct Standard {
    pub(crate) sub: String,
    pub(crate) tenant: TenantId,
    pub(crate) jti: String,
    /// Seconds since the epoch: the first at which it is accepted, by `iat`, `nbf` and the leeway.
    pub(crate) from: i64,
    /// Seconds since the epoch.
    pub(crate) exp: i64,
    /// From `iat` to `exp`.
    pub(crate) lifetime_secs: i64,
}

/// What a verifier expects of the standard claims.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) audience: &'a str,
    pub(crate) max_lifetime: Duration,
}

impl Expected<'_> {
    /// Takes the standard claims out of `claims`, judged at `now` (seconds since the epoch).
    pub(crate) fn take(&self, claims: &mut Map<String, Value>, now: i64) -> Result<Standard, TokenError> {
        let iss = text(claims, "iss", 256)?;
        // A string only: an array would make one token good for several services.
        let aud = text(claims, "aud", 256)?;
        let sub = text(claims, "sub", 256)?;
        let jti = text(claims, "jti", 64)?;
        let tenant =
            TenantId::parse(&text(claims, "tenantId", TenantId::MAX_LEN)?).map_err(|_| TokenError::Claims)?;
        let (iat, nbf, exp) = (time(claims, "iat")?, time(claims, "nbf")?, time(claims, "exp")?);
        if iss != self.issuer {
            return Err(TokenError::Issuer);
        }
        if aud != self.audience {
            return Err(TokenError::Audience);
        }
        if exp <= now {
            return Err(TokenError::Expired);
        }
        let from = iat.max(nbf) - LEEWAY_SECS;
        if now < from {
            return Err(TokenError::NotYetValid);
        }
        if nbf >= exp {
            return Err(TokenError::Claims);
        }
        // `time` keeps both below 2^53, so that the difference cannot overflow.
        let lifetime = u64::try_from(exp - iat).map_err(|_| TokenError::Claims)?;
        if lifetime > self.max_lifetime.as_secs() {
            return Err(TokenError::Lifetime);
        }
        Ok(Standard { sub, tenant, jti, from, exp, lifetime_secs: exp - iat })
    }
}

/// A text claim of 1 to `max` bytes without control characters.
pub(crate) fn text(claims: &mut Map<String, Value>, name: &str, max: usize) -> Result<String, TokenError> {
    match claims.remove(name) {
        Some(Value::String(text)) if (1..=max).contains(&text.len()) && !text.contains(char::is_control) => {
            Ok(text)
        }
        _ => Err(TokenError::Claims),
    }
}

/// `scp`, as an array of strings or one space-separated string (both are in use); never empty, at most 32 scopes.
pub(crate) fn scopes(claims: &mut Map<String, Value>) -> Result<Vec<String>, TokenError> {
    let scopes = match claims.remove("scp") {
        Some(Value::String(list)) => list.split(' ').map(str::to_owned).collect(),
        Some(Value::Array(list)) => {
            list.into_iter().map(text_of).collect::<Option<Vec<_>>>().ok_or(TokenError::Claims)?
        }
        _ => return Err(TokenError::Claims),
    };
    let well_formed =
        |scope: &String| (1..=64).contains(&scope.len()) && scope.bytes().all(|c| c.is_ascii_graphic());
    if scopes.is_empty() || scopes.len() > 32 || !scopes.iter().all(well_formed) {
        return Err(TokenError::Claims);
    }
    Ok(scopes)
}

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// A time in whole seconds since the epoch: a number, never a string (CVE-2026-25537), never a fraction.
fn time(claims: &mut Map<String, Value>, name: &str) -> Result<i64, TokenError> {
    claims
        .remove(name)
        .and_then(|value| value.as_i64())
        .filter(|seconds| (0..1 << 53).contains(seconds))
        .ok_or(TokenError::Claims)
}

/// Seconds since the epoch, now. A clock before 1970 reads as 0, at which every token is not yet valid.
pub(crate) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}
