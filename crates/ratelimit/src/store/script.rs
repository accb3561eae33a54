//! Scripts, and the decision on a server that has all keys.

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Instant;

use redis::aio::ConnectionLike;
use redis::{Cmd, ErrorKind, RedisResult, ServerErrorKind, ToRedisArgs};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::counter::{Counter, RedisTime, Verdict};

/// Charges every counter of a decision, or none; several decisions in one go.
pub(super) static DECIDE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("decide.lua")));

/// A script and the name that Redis knows it by.
pub(super) struct Script {
    text: &'static str,
    sha1: String,
}

impl Script {
    pub(super) fn new(text: &'static str) -> Self {
        let mut sha1 = String::with_capacity(40);
        for byte in digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref() {
            // Writing to a String cannot fail.
            let _infallible = write!(sha1, "{byte:02x}");
        }
        Self { text, sha1 }
    }

    /// Runs it by its name, and by its text where the server has not seen it since it started.
    pub(super) async fn run<C: ConnectionLike>(
        &self,
        connection: &mut C,
        keys: &[&str],
        arguments: impl Fn(&mut Cmd),
    ) -> RedisResult<Vec<i64>> {
        match self.command("EVALSHA", &self.sha1, keys, &arguments).query_async(connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.command("EVAL", self.text, keys, &arguments).query_async(connection).await
            }
            answered => answered,
        }
    }

    fn command(&self, name: &str, script: &str, keys: &[&str], arguments: &impl Fn(&mut Cmd)) -> Cmd {
        let mut command = Cmd::new();
        command.arg(name).arg(script).arg(keys.len()).arg(keys);
        arguments(&mut command);
        command
    }
}

/// One round trip for all decisions, of so many counters `each`: the script is atomic, and all keys are here.
pub(super) async fn decide<C: ConnectionLike>(
    connection: &mut C,
    counters: &[Counter],
    each: usize,
    asked_at: Instant,
) -> RedisResult<Vec<Verdict>> {
    let numbers = DECIDE
        .run(connection, &[], |command| {
            command.arg(each);
            for counter in counters {
                command.arg(&counter.name).arg(counter.window_secs).arg(limit(counter)).arg(counter.cost);
            }
        })
        .await?;
    let Some((&[secs, micros], decided)) = numbers.split_first_chunk() else {
        return Err(unexpected());
    };
    // Of each: whether it was admitted, and its counters.
    let answers = decided.chunks_exact(each + 1);
    if answers.len() * each != counters.len() || !answers.remainder().is_empty() {
        return Err(unexpected());
    }
    let verdict = |answer: &[i64]| Verdict {
        admitted: answer.first() == Some(&1),
        used: answer.iter().skip(1).map(|&used| count(used)).collect(),
        now: time(secs, micros),
        asked_at,
        may_fall: Vec::new(),
    };
    Ok(answers.map(verdict).collect())
}

/// The limit as the scripts read it.
pub(super) fn limit(counter: &Counter) -> impl ToRedisArgs {
    counter.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX))
}

pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

pub(super) fn time(secs: i64, micros: i64) -> RedisTime {
    RedisTime { secs: count(secs), micros: u32::try_from(micros).unwrap_or_default() }
}

pub(super) fn unexpected() -> redis::RedisError {
    (ErrorKind::UnexpectedReturnType, "a script answered something else than it does").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_is_known_by_its_sha1() {
        // FIPS 180-2, appendix A.1.
        assert_eq!(Script::new("abc").sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
    }
}
