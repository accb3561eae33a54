//! Decisions of different calls that come at once: one run of the script, and to each its own.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use futures::future::join_all;
use futures::poll;
use mintmark_devstack::redis::RedisServer;
use mintmark_ratelimit::store::{Away, Counter, Counters};
use mintmark_service::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::eventually;
use crate::stage::Stage;

/// A window that ends in none of these tests.
const WINDOW: u64 = 1 << 31;

/// Counters in a Redis of their own, with the script loaded and nothing counted.
struct Table {
    redis: RedisServer,
    counters: Counters,
    context: Context,
}

impl Drop for Table {
    fn drop(&mut self) {
        self.context.shutdown.trigger();
    }
}

impl Table {
    async fn set() -> Self {
        let redis = RedisServer::start(&[]).await.unwrap();
        let context = Context::for_tests("ratelimit");
        let config = Stage::new().config(&[("RATE_LIMIT_REDIS_URL", &redis.url())]);
        let counters = Counters::new(&config.redis, &context).unwrap();
        eventually("Redis decides", || async { counters.decide(vec![counter("probe", 1)]).await.is_ok() })
            .await;
        redis.ask(&["FLUSHDB"]).await.unwrap();
        redis.ask(&["CONFIG", "RESETSTAT"]).await.unwrap();
        Self { redis, counters, context }
    }

    /// How often Redis was asked to decide.
    async fn runs(&self) -> String {
        let stats = self.redis.ask(&["INFO", "commandstats"]).await.unwrap();
        let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
        line.and_then(|line| line.split(',').next()).unwrap_or("0").to_owned()
    }

    /// What is at a counter's key, as Redis says it.
    async fn held(&self, name: &str) -> String {
        self.redis.ask(&["GET", &key(name)]).await.unwrap()
    }
}

fn counter(name: &str, limit: u64) -> Counter {
    Counter { name: name.to_owned(), window_secs: WINDOW, limit: Some(limit), cost: 1 }
}

/// The key of a counter in the present window.
fn key(name: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    format!("{name}:{}", now - now % WINDOW)
}

// On one thread, so that all have asked before the first run begins.
#[tokio::test]
async fn decide_of_calls_that_come_at_once_runs_the_script_once() {
    let table = Table::set().await;
    let one = async |number: usize| {
        let own = counter(&format!("own-{number}"), 1);
        table.counters.decide(vec![counter("shared", 60), own]).await.unwrap()
    };
    let verdicts = join_all((0..100).map(one)).await;
    assert_eq!(table.runs().await, "1");
    let shared: Vec<u64> =
        verdicts.iter().filter(|verdict| verdict.admitted).map(|verdict| verdict.used[0]).collect();
    assert_eq!(shared, (1..=60).collect::<Vec<_>>(), "in turn, and none above the limit");
    assert_eq!(table.held("shared").await, "60");
    for (number, verdict) in verdicts.iter().enumerate() {
        assert_eq!(verdict.used[1], u64::from(verdict.admitted), "own-{number}");
        let held = if verdict.admitted { "1" } else { "" };
        assert_eq!(table.held(&format!("own-{number}")).await, held, "own-{number}");
    }
}

#[tokio::test]
async fn decide_of_different_numbers_of_counters_gives_each_its_own() {
    let table = Table::set().await;
    let one = async |number: usize| {
        let names = (0..=number % 3).map(|place| counter(&format!("{number}-{place}"), 1));
        table.counters.decide(names.collect()).await.unwrap()
    };
    let verdicts = join_all((0..9).map(one)).await;
    assert_eq!(table.runs().await, "3", "a run for each number of counters");
    for (number, verdict) in verdicts.iter().enumerate() {
        assert_eq!((verdict.admitted, verdict.used.len()), (true, number % 3 + 1), "{number}");
    }
}

#[tokio::test]
async fn decide_beside_a_counter_that_is_none_fails_for_nobody_else() {
    let table = Table::set().await;
    table.redis.ask(&["RPUSH", &key("a-list"), "x"]).await.unwrap();
    table.redis.ask(&["SET", &key("a-word"), "many"]).await.unwrap();
    table.redis.ask(&["SET", &key("a-half"), "0.5"]).await.unwrap();
    let asked: Vec<Vec<Counter>> = ["one", "a-list", "two", "a-word", "a-half", "three"]
        .into_iter()
        .map(|name| vec![counter(&format!("beside-{name}"), 1), counter(name, 10)])
        .collect();
    // As six calls, then as one call.
    let apart = join_all(asked.iter().map(|counters| table.counters.decide(counters.clone()))).await;
    for ((counters, decided), name) in asked.iter().zip(&apart).zip(["one", "", "two", "", "", "three"]) {
        let beside = &counters[0].name;
        if name.is_empty() {
            assert!(matches!(decided, Err(Away::Refused(_))), "{beside}: {decided:?}");
            let held = table.held(beside).await;
            assert!(["", "0"].contains(&held.as_str()), "{beside} was charged: {held}");
        } else {
            assert_eq!(decided.as_ref().map(|verdict| verdict.used.clone()).ok(), Some(vec![1, 1]), "{name}");
            assert_eq!(table.held(beside).await, "1", "once");
        }
    }
    let together = table.counters.decide_each(asked.concat(), 2).await;
    let ends: Vec<Option<bool>> =
        together.iter().map(|decided| decided.as_ref().ok().map(|verdict| verdict.admitted)).collect();
    assert_eq!(ends, [Some(false), None, Some(false), None, None, Some(false)], "what was beside is full");
}

#[tokio::test]
async fn decide_that_is_given_up_before_it_goes_out_charges_nothing() {
    let table = Table::set().await;
    {
        let mut given_up = pin!(table.counters.decide(vec![counter("given-up", 1)]));
        assert!(poll!(&mut given_up).is_pending());
    }
    let verdict = table.counters.decide(vec![counter("kept", 1)]).await.unwrap();
    assert!(verdict.admitted);
    assert_eq!((table.held("given-up").await.as_str(), table.held("kept").await.as_str()), ("", "1"));
}

#[tokio::test]
async fn decide_beside_a_run_that_is_held_up_goes_out_though_nobody_else_comes() {
    let table = Table::set().await;
    let far = FarRedis::before(&table.redis).await;
    let config = Stage::new().config(&[("RATE_LIMIT_REDIS_URL", &far.url)]);
    let counters = Counters::new(&config.redis, &table.context).unwrap();
    eventually("Redis decides", || async { counters.decide(vec![counter("probe", 99)]).await.is_ok() }).await;
    table.redis.ask(&["CONFIG", "RESETSTAT"]).await.unwrap();
    far.silent.store(true, Ordering::Relaxed);
    let first = tokio::spawn({
        let counters = counters.clone();
        async move { counters.decide(vec![counter("first", 1)]).await }
    });
    eventually("the first goes out", || async { table.runs().await == "1" }).await;
    let second = tokio::spawn(async move { counters.decide(vec![counter("second", 1)]).await });
    eventually("the second goes out", || async { table.runs().await == "2" }).await;
    assert!(!first.is_finished(), "its answer is on the way");
    first.abort();
    second.abort();
}

/// A way to Redis on which answers get lost.
struct FarRedis {
    url: String,
    silent: Arc<AtomicBool>,
}

impl FarRedis {
    async fn before(redis: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let (silent, port) = (Arc::new(AtomicBool::new(false)), redis.port());
        let closed = Arc::clone(&silent);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (mut asks, mut hears) = client.into_split();
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let (mut answers, mut asked) = server.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut asks, &mut asked).await });
                let closed = Arc::clone(&closed);
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    while let Ok(read @ 1..) = answers.read(&mut buffer).await {
                        if !closed.load(Ordering::Relaxed) {
                            hears.write_all(&buffer[..read]).await.unwrap();
                        }
                    }
                });
            }
        });
        Self { url, silent }
    }
}
