//! Decisions of the rate limiter over gRPC, each an admission by Redis, against `redis-benchmark` running the same script on
//! the same Redis with as many connections.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mintmark_auth::{
    DEFAULT_ISSUER, Grant, SigningKey, TokenSource, TrustBundle, TrustedKey, audience, scope,
};
use mintmark_devstack::redis::RedisServer;
use mintmark_devstack::{Process, free_port};
use mintmark_ids::{ServiceName, TenantId};
use mintmark_tests::program;
use mintmark_wire::ratelimit::v1::{CheckRequest, CheckResponse, KeyKind, Tier};
use prost::Message as _;

use crate::calling::{Call, Outcome, closed_loop, open_loop};
use crate::report::{Better, ROUNDS, Report, Round, median};
use crate::{Result, block_on};

const CONNECTIONS: usize = 50;
/// Owners, each with a key and a token of its own.
const OWNERS: usize = 1_000;
/// Nobody may be refused.
const CEILING: &str = "1000000000";
const LASTING: Duration = Duration::from_secs(5);
/// The script that decides, as the service has it.
const SCRIPT: &str = include_str!("../../crates/ratelimit/src/store/decide.lua");
const PATH: &str = "/mintmark.ratelimit.v1.RatelimitService/Check";
/// What the issue allows.
const P99_MS: f64 = 5.0;
const MEMORY_MIB: f64 = 64.0;

/// The three figures of one run: throughput, p99 at half of it, memory after it.
pub fn ratelimit(report: &mut Report) -> Result {
    block_on(async {
        let bench = Bench::start().await?;
        report.note(&format!("{} and its script {} on one server", bench.version().await?, bench.sha1));
        report.note(&format!(
            "{CONNECTIONS} connections, {OWNERS} owners and keys, one call under way on each"
        ));
        let mut rounds = Vec::new();
        // A round that nobody counts warms connections, caches and tokens.
        for round in 0..=ROUNDS {
            let ours = bench.decisions()?;
            let baseline = bench.script_alone()?;
            if round > 0 {
                rounds.push(Round { ours: ours.per_second(), baseline });
            }
        }
        report.figure("ratelimit", "decisions/s", Better::More, &rounds)?;
        let half = median(rounds.iter().map(|round| round.ours)).ok_or("no round")? / 2.0;
        let mut latencies = Vec::new();
        for _ in 0..ROUNDS {
            let outcome = bench.at_rate(half)?;
            report.note(&format!(
                "at {half:.0} decisions/s: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms",
                outcome.latency_ms(0.5),
                outcome.latency_ms(0.99),
                outcome.latency_ms(0.999)
            ));
            latencies.push(Round { ours: outcome.latency_ms(0.99), baseline: P99_MS });
        }
        report.figure("ratelimit-p99", "ms at half of the maximum", Better::Less, &latencies)?;
        let memory = Round { ours: bench.peak_mib()?, baseline: MEMORY_MIB };
        report.figure("ratelimit-memory", "MiB at the peak", Better::Less, &[memory])
    })
}

/// A Redis, the service, and who may ask it.
struct Bench {
    process: Process,
    redis: RedisServer,
    address: SocketAddr,
    ops: SocketAddr,
    tokens: TokenSource,
    sha1: String,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Result<Self> {
        let redis = RedisServer::start(&[]).await?;
        let sha1 = redis.ask(&["SCRIPT", "LOAD", SCRIPT]).await?;
        let folder = tempfile::Builder::new().prefix("mintmark-bench-").tempdir()?;
        let bundle = folder.path().join("trust-bundle.json");
        let key = SigningKey::from_pem(&SigningKey::generate_pem())?;
        let grant =
            Grant { aud: audience::RATELIMIT.to_owned(), scopes: vec![scope::RATELIMIT_CHECK.to_owned()] };
        let trusted =
            TrustedKey { jwk: key.public_jwk(), service: ServiceName::ControlPlane, grants: vec![grant] };
        std::fs::write(&bundle, TrustBundle::new(DEFAULT_ISSUER, vec![trusted])?.to_json())?;
        let local = || SocketAddr::from(([127, 0, 0, 1], free_port()));
        let (address, ops) = (local(), local());
        let environment = [
            ("RATELIMIT_GRPC_ADDR", address.to_string()),
            ("OPS_ADDR", ops.to_string()),
            ("RATE_LIMIT_REDIS_URL", redis.url()),
            ("RATE_LIMIT_MAX_FREE", CEILING.to_owned()),
            // Everything shares the machine, and one refusal would end the run; what is slow shows in the latencies.
            ("RATE_LIMIT_REDIS_BUDGET_MS", "1000".to_owned()),
            ("TRUST_BUNDLE_FILE", bundle.display().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        let log = folder.path().join("ratelimit.log");
        let mut process = Process::spawn(&program("ratelimit"), &[], &environment, &log)?;
        process.wait_ready(&format!("http://{ops}/readyz"), Duration::from_secs(30)).await?;
        let tokens = TokenSource::new(ServiceName::ControlPlane, key, DEFAULT_ISSUER);
        let bench = Self { process, redis, address, ops, tokens, sha1, _folder: folder };
        while !bench.metrics()?.contains("rate_limit_redis_up 1") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(bench)
    }

    async fn version(&self) -> Result<String> {
        let info = self.redis.ask(&["INFO", "server"]).await?;
        let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or("?");
        Ok(format!("Redis {}", version.trim()))
    }

    /// One call for each owner. Tokens live a minute, so each run has its own.
    fn calls(&self) -> Result<Vec<Call>> {
        (0..OWNERS)
            .map(|number| {
                let owner = TenantId::parse(&format!("owner-{number}"))?;
                let message = CheckRequest {
                    namespace: "bench".to_owned(),
                    owner: owner.to_string(),
                    key: format!("key_{number}"),
                    key_kind: KeyKind::ApiKey.into(),
                    tier: Tier::Free.into(),
                    cost: 1,
                    passes_uncounted: false,
                    also: Vec::new(),
                };
                let scopes = &[scope::RATELIMIT_CHECK];
                let token = self.tokens.for_tenant(audience::RATELIMIT, &owner, scopes);
                Ok(Call::new(PATH, token.expose(), &message.encode_to_vec()))
            })
            .collect()
    }

    /// As many decisions as there can be.
    fn decisions(&self) -> Result<Outcome> {
        let calls = self.calls()?;
        self.warm(&calls)?;
        self.honest(|| Ok(closed_loop(self.address, &calls, CONNECTIONS, LASTING, is_admission)?))
    }

    /// Decisions at this rate.
    fn at_rate(&self, rate: f64) -> Result<Outcome> {
        let calls = self.calls()?;
        self.warm(&calls)?;
        self.honest(|| Ok(open_loop(self.address, &calls, CONNECTIONS, rate, LASTING, is_admission)?))
    }

    /// Shows the service each token once: it verifies a token when it first sees it, every 45 seconds in ordinary work.
    fn warm(&self, calls: &[Call]) -> Result {
        closed_loop(self.address, calls, 1, Duration::from_secs(1), is_admission)?;
        Ok(())
    }

    /// A run counts only when every answer was an admission that Redis counted.
    fn honest(&self, run: impl FnOnce() -> Result<Outcome>) -> Result<Outcome> {
        let before = self.counted()?;
        let outcome = run()?;
        let (admitted, others) = self.counted()?;
        let admitted = admitted - before.0;
        if outcome.wrong > 0 || others != before.1 || admitted != outcome.answered() {
            return Err(format!(
                "{} answers, {} of them no admissions; the service says {admitted} admissions, {} others",
                outcome.answered(),
                outcome.wrong,
                others - before.1
            )
            .into());
        }
        Ok(outcome)
    }

    fn metrics(&self) -> Result<String> {
        let mut socket = TcpStream::connect(self.ops)?;
        socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        socket.read_to_string(&mut text)?;
        Ok(text)
    }

    /// Admissions and all other decisions, as the service's metrics say.
    fn counted(&self) -> Result<(u64, u64)> {
        let text = self.metrics()?;
        let (mut admitted, mut others) = (0, 0);
        for line in text.lines().filter(|line| line.starts_with("rate_limit_decisions_total{")) {
            let count = line.rsplit_once(' ').and_then(|(_, count)| count.parse::<u64>().ok());
            let count = count.ok_or("a counter without a number")?;
            if line.contains("\"admitted\"") { admitted += count } else { others += count }
        }
        Ok((admitted, others))
    }

    /// The same script by redis-benchmark: keys at random among as many, calls a second.
    fn script_alone(&self) -> Result<f64> {
        let port = self.redis.port().to_string();
        let (connections, keys) = (CONNECTIONS.to_string(), OWNERS.to_string());
        let output = Command::new("redis-benchmark")
            .args(["-h", "127.0.0.1", "-p", &port, "-c", &connections, "-r", &keys, "-n", "200000", "--csv"])
            .args(["EVALSHA", &self.sha1, "0", "2"])
            .args(["ratelimit:baseline:tenant:owner-__rand_int__", "60", CEILING, "1"])
            .args(["ratelimit:baseline:key:key___rand_int__", "60", CEILING, "1"])
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // "test","rps",…: one line of heads, one of numbers. The test's name holds commas.
        let numbers = text.lines().last().unwrap_or_default();
        let rate = numbers.rsplit("\",\"").nth(6).map(|number| number.trim_matches('"').parse::<f64>());
        match rate {
            Some(Ok(rate)) if output.status.success() => Ok(rate),
            _ => {
                Err(format!("redis-benchmark said: {text}{}", String::from_utf8_lossy(&output.stderr)).into())
            }
        }
    }

    fn peak_mib(&self) -> Result<f64> {
        let status =
            std::fs::read_to_string(Path::new("/proc").join(self.process.pid().to_string()).join("status"))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        let kib: f64 = kib.ok_or("the service has ended")?;
        Ok(kib / 1024.0)
    }
}

fn is_admission(message: &[u8]) -> bool {
    CheckResponse::decode(message).is_ok_and(|answer| answer.allowed && answer.counted)
}
