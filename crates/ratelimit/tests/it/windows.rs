//! Many callers, two replicas, one key: in each window exactly the limit is admitted, never more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use mintmark_auth::Tier;
use mintmark_devstack::redis::{RedisCluster, RedisServer};
use mintmark_rpc::client::{Decision, LimitRequest, Ratelimit};

use crate::stage::{self, Replica, Stage, request};

/// Windows of one second that `make test` watches; `make windows` watches 200 (`MINTMARK_RATELIMIT_WINDOWS`).
const WINDOWS: u64 = 10;
const LIMIT: u64 = 100;
/// How often it is tried to watch that many.
const ROUNDS: usize = 5;
/// Callers for each of the two replicas.
const CALLERS: usize = 16;

/// What happened in one window, by the window's end as Redis named it.
#[derive(Default)]
struct Window {
    admitted: u64,
    refused: u64,
}

#[derive(Default)]
struct Tally {
    windows: BTreeMap<u64, Window>,
    /// When somebody got no decision, in Unix seconds: what was charged for it may have admitted nobody.
    unhealthy: Vec<u64>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.unhealthy.extend(other.unhealthy);
        for (end, window) in other.windows {
            let sum = self.windows.entry(end).or_default();
            sum.admitted += window.admitted;
            sum.refused += window.refused;
        }
    }

    /// Whether each decision of the window was made, and more was asked for than it admits.
    fn is_healthy_and_contested(&self, end: u64) -> bool {
        // Nobody is kept waiting for two seconds.
        let near = |at: &u64| (at - 2..=at + 2).contains(&end);
        self.windows[&end].refused > 0 && !self.unhealthy.iter().any(near)
    }
}

/// Two replicas with windows of one second and a limit that callers can reach.
async fn replicas(stage: &Stage, mode: &str, urls: &str) -> [Replica; 2] {
    let limit = LIMIT.to_string();
    let variables = [
        ("RATE_LIMIT_REDIS_MODE", mode),
        ("RATE_LIMIT_REDIS_URL", urls),
        ("RATE_LIMIT_WINDOW_SEC", "1"),
        ("RATE_LIMIT_MAX_FREE", &limit),
    ];
    let replicas = [stage.replica(&variables).await, stage.replica(&variables).await];
    for replica in &replicas {
        stage::ready(&stage.caller(replica)).await;
    }
    replicas
}

/// Asks until told to stop: as fast as it can, or with a pause after each admission.
async fn flood(caller: Ratelimit, request: LimitRequest, pause: Duration, stop: Arc<AtomicBool>) -> Tally {
    let mut tally = Tally::default();
    while !stop.load(Ordering::Relaxed) {
        match caller.check(&request).await {
            Decision::Allowed(answer) => {
                tally.windows.entry(answer.reset_at).or_default().admitted += 1;
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
            Decision::Limited(answer) => {
                tally.windows.entry(answer.reset_at).or_default().refused += 1;
                // Refusals come from memory: without a pause they would take the processors from everything else.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Decision::Unavailable { .. } => {
                tally.unhealthy.push(unix_now().as_secs());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => panic!("{other:?}"),
        }
    }
    tally
}

/// Both replicas flooded with one key for so long; `meanwhile` runs beside it.
async fn watched(
    stage: &Stage,
    replicas: &[Replica; 2],
    lasting: Duration,
    pause: Duration,
    meanwhile: impl Future<Output = ()>,
) -> Tally {
    let (request, stop) = (request("acme", Tier::Free), Arc::new(AtomicBool::new(false)));
    let mut callers = Vec::new();
    for index in 0..2 * CALLERS {
        let caller = stage.caller(&replicas[index % 2]);
        callers.push(tokio::spawn(flood(caller, request.clone(), pause, Arc::clone(&stop))));
    }
    tokio::join!(tokio::time::sleep(lasting), meanwhile);
    stop.store(true, Ordering::Relaxed);
    let mut all = Tally::default();
    for caller in callers {
        all.add(caller.await.unwrap());
    }
    all
}

/// The windows that were watched from beginning to end.
fn whole(tally: &Tally) -> Vec<(u64, &Window)> {
    let count = tally.windows.len();
    tally.windows.iter().map(|(end, window)| (*end, window)).take(count.saturating_sub(1)).skip(1).collect()
}

fn unix_now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

fn wanted() -> u64 {
    std::env::var("MINTMARK_RATELIMIT_WINDOWS").map_or(WINDOWS, |windows| windows.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn check_by_many_callers_on_two_replicas_admits_exactly_the_limit_in_each_window() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let stage = Stage::new();
    let replicas = replicas(&stage, "single", &redis.url()).await;
    let (mut full, mut refused, mut others) = (0, 0, 0);
    // A machine that stands still for a moment leaves windows that nobody filled: they prove less, so others follow.
    for _ in 0..ROUNDS {
        let lasting = Duration::from_secs(wanted().saturating_sub(full) + 2);
        let tally = watched(&stage, &replicas, lasting, Duration::ZERO, async {}).await;
        for (end, window) in whole(&tally) {
            if tally.is_healthy_and_contested(end) {
                assert_eq!(window.admitted, LIMIT, "in the window that ends at {end}");
                (full, refused) = (full + 1, refused + window.refused);
            } else {
                assert!(window.admitted <= LIMIT, "{} in the window that ends at {end}", window.admitted);
                others += 1;
            }
        }
        if full >= wanted() {
            break;
        }
    }
    println!(
        "{full} windows of a second, {LIMIT} admitted in each, {refused} requests refused; {others} in which the machine stood still or a decision was not made, none with more"
    );
    assert!(full >= wanted(), "only {full} windows that were contested and healthy");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_on_a_cluster_never_admits_more_than_the_limit() {
    let cluster = RedisCluster::start().await.unwrap();
    let stage = Stage::new();
    let replicas = replicas(&stage, "cluster", &cluster.urls()).await;
    let tally = watched(&stage, &replicas, Duration::from_secs(6), Duration::ZERO, async {}).await;
    let windows = whole(&tally);
    assert!(windows.len() >= 3, "only {} windows", windows.len());
    for (end, window) in windows {
        assert!(window.admitted <= LIMIT, "{} in the window that ends at {end}", window.admitted);
        // A charge that waits for its refund may refuse others; with one key both counters fill together.
        assert!(window.admitted >= LIMIT / 2, "{} in the window that ends at {end}", window.admitted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_with_redis_restarting_loses_at_most_one_limit_a_restart() {
    let mut redis = RedisServer::start(&[]).await.unwrap();
    let stage = Stage::new();
    let replicas = replicas(&stage, "single", &redis.url()).await;
    const RESTARTS: u64 = 4;
    let restarting = async {
        for _ in 0..RESTARTS {
            // In the middle of a window that has begun to fill: later the limiter itself remembers that it is full.
            tokio::time::sleep(Duration::from_secs(1)).await;
            let next = 1_200 - u64::from(unix_now().subsec_millis());
            tokio::time::sleep(Duration::from_millis(next)).await;
            redis.restart().await.unwrap();
        }
    };
    // Some 300 a second, so that the limit is reached after a third of a window.
    let tally =
        watched(&stage, &replicas, Duration::from_secs(10), Duration::from_millis(100), restarting).await;
    let beyond: Vec<u64> = tally
        .windows
        .values()
        .map(|window| window.admitted.saturating_sub(LIMIT))
        .filter(|&beyond| beyond > 0)
        .collect();
    println!(
        "{RESTARTS} restarts, {} windows: {} of them admitted more than {LIMIT}, by {beyond:?}; {} decisions unavailable",
        tally.windows.len(),
        beyond.len(),
        tally.unhealthy.len(),
    );
    assert!(beyond.iter().sum::<u64>() <= RESTARTS * LIMIT, "{beyond:?}");
    assert!(beyond.len() as u64 <= RESTARTS, "only a window with a restart loses its count: {beyond:?}");
}
