//! Keys end while they are in full use, on two processes: whatever began after the answer to a revocation is refused.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};

use crate::apart::Apart;
use crate::harness::{Plane, text};
use crate::stage::eventually;

/// Requests under way at any moment.
const CLIENTS: usize = 24;
/// Keys that end while they are used: half by a revocation, half by a rotation, each on either process.
const KEYS: usize = 24;
/// So many requests of each key succeed on each process before it ends, and so many that began later come back after.
const ENOUGH: usize = 40;

/// A key in use.
struct Used {
    secret: String,
    /// When the answer that ended it was here.
    ended: OnceLock<Instant>,
    /// By process: requests that were answered with 200, and requests that began after the end and were refused.
    served: [AtomicUsize; 2],
    refused: [AtomicUsize; 2],
}

impl Used {
    fn new(secret: &str) -> Arc<Self> {
        Arc::new(Self {
            secret: secret.to_owned(),
            ended: OnceLock::new(),
            served: Default::default(),
            refused: Default::default(),
        })
    }
}

fn reached(counts: &[AtomicUsize; 2]) -> Option<()> {
    counts.iter().all(|count| count.load(Ordering::Relaxed) >= ENOUGH).then_some(())
}

/// Clients that never pause.
struct Load {
    current: RwLock<Arc<Used>>,
    over: AtomicBool,
    wrong: Mutex<Vec<String>>,
}

impl Load {
    fn current(&self) -> Arc<Used> {
        self.current.read().unwrap().clone()
    }

    /// Uses whatever key is the current one, at both processes in turn.
    async fn client(self: Arc<Self>, bases: [String; 2], first: usize) {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        for at in first.. {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            let (key, process) = (self.current(), at % 2);
            let url = format!("{}/v1/admin/users?limit=1", bases[process]);
            let began = Instant::now();
            let answer = client.get(url).header("X-API-Key", &key.secret).send().await.unwrap();
            let (status, ended) = (answer.status().as_u16(), key.ended.get());
            let began_later = ended.is_some_and(|ended| began > *ended);
            match status {
                200 if !began_later => key.served[process].fetch_add(1, Ordering::Relaxed),
                401 if began_later => key.refused[process].fetch_add(1, Ordering::Relaxed),
                // Whatever was under way during the call may have come before it or after it.
                401 => 0,
                other => {
                    let after = ended.map(|ended| began.saturating_duration_since(*ended));
                    let line = format!("{other} of process {process}, begun {after:?} after the end");
                    self.wrong.lock().unwrap().push(line);
                    0
                }
            };
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revoke_and_rotate_under_load_end_a_key_for_all_that_begins_after_their_answer() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let (one, two) = tokio::join!(Apart::beside(&plane), Apart::beside(&plane));
    let bases = [one.base.clone(), two.base.clone()];
    let post = async |base: &str, path: &str, body: Value, status: u16| {
        plane.send_to(base, "POST", path, Some(&shop.owner.session), &[], Some(&body)).await.expect(status)
    };
    let order = json!({ "name": "Busy", "scopes": ["admin:read"] });
    let mut made = post(&bases[0], "/v1/api-keys", order.clone(), 201).await;
    let load = Arc::new(Load {
        current: RwLock::new(Used::new(text(&made, "key"))),
        over: AtomicBool::new(false),
        wrong: Mutex::default(),
    });
    let clients: Vec<_> =
        (0..CLIENTS).map(|at| tokio::spawn(load.clone().client(bases.clone(), at))).collect();

    for number in 0..KEYS {
        let key = load.current();
        eventually("the key is in use on both processes", async || reached(&key.served)).await;
        let (base, path) = (&bases[number % 2], format!("/v1/api-keys/{}", text(&made, "id")));
        made = if number % 4 < 2 {
            post(base, &format!("{path}/revoke"), Value::Null, 200).await;
            key.ended.set(Instant::now()).unwrap();
            post(base, "/v1/api-keys", order.clone(), 201).await
        } else {
            let rotated = post(base, &format!("{path}/rotate"), json!({}), 201).await;
            key.ended.set(Instant::now()).unwrap();
            rotated
        };
        eventually("both processes refuse the key", async || reached(&key.refused)).await;
        *load.current.write().unwrap() = Used::new(text(&made, "key"));
    }
    load.over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let wrong = load.wrong.lock().unwrap();
    assert!(wrong.is_empty(), "{} answers, the first: {:?}", wrong.len(), wrong.first());
}
