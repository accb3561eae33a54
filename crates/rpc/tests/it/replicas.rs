//! Several replicas of one service: they share the calls, and nobody misses one that is gone.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use mintmark_fault::Kind;
use mintmark_rpc::client::Directory;
use mintmark_rpc::{Names, Target};
use mintmark_service::Context;
use mintmark_wire::directory::v1::PublishRequest;
use tokio::net::TcpListener;

use crate::directory::TestDirectory;
use crate::edge::{Edge, Keys, local, product, tenant};
use crate::eventually;

/// What a name stands for, as the test says at the moment.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<SocketAddr>>>);

impl Told {
    fn say(&self, addresses: &[SocketAddr]) {
        *self.0.lock().unwrap() = addresses.to_vec();
    }
}

impl Names for Told {
    fn look_up(&self, host: &str, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        assert_eq!((host, port), ("resolver-directory", 9081));
        let found = self.0.lock().unwrap().clone();
        Box::pin(
            async move { if found.is_empty() { Err(io::Error::other("no such name")) } else { Ok(found) } },
        )
    }
}

fn named(told: &Told, edge: &Edge) -> Directory {
    let names: Arc<dyn Names> = Arc::new(told.clone());
    let target = Target::from("http://resolver-directory:9081").looked_up_in(&names);
    Directory::new(target, edge.tokens.clone()).unwrap()
}

async fn call(directory: &Directory) -> Result<(), Kind> {
    directory.put_product(&tenant(), product("x")).await.map_err(|fault| fault.kind())
}

/// Calls until both have had one: connections are made in the background.
async fn shared(directory: &Directory, between: [&TestDirectory; 2]) {
    let before = between.map(TestDirectory::calls);
    eventually("both get calls", async || {
        call(directory).await.unwrap();
        between[0].calls() > before[0] && between[1].calls() > before[1]
    })
    .await;
}

#[tokio::test]
async fn replicas_share_the_calls_of_one_client() {
    let keys = Keys::new();
    let [one, two] = [Edge::replica(&keys, local(0)).await, Edge::replica(&keys, local(0)).await];
    let directory = Directory::new(&format!("{},{}", one.url(), two.url()), keys.tokens()).unwrap();
    shared(&directory, [&one.directory, &two.directory]).await;
    let before = [one.directory.calls(), two.directory.calls()];
    for _ in 0..20 {
        call(&directory).await.unwrap();
    }
    let [of_one, of_two] = [one.directory.calls() - before[0], two.directory.calls() - before[1]];
    assert_eq!((of_one, of_two), (10, 10), "one after the other goes to each in turn");

    // Streams under way count: what comes meanwhile goes to the others.
    let chunks = tokio_stream::pending::<PublishRequest>();
    let stream = directory.publish(&tenant(), chunks).await.unwrap();
    let before = [one.directory.calls(), two.directory.calls()];
    for _ in 0..6 {
        call(&directory).await.unwrap();
    }
    let mut shares = [one.directory.calls() - before[0], two.directory.calls() - before[1]];
    shares.sort_unstable();
    assert_eq!(shares, [0, 6], "the idle one gets them");
    drop(stream);
}

#[tokio::test]
async fn calls_go_on_while_a_replica_ends_and_find_it_when_it_is_back() {
    let keys = Keys::new();
    let [one, two] = [Edge::replica(&keys, local(0)).await, Edge::replica(&keys, local(0)).await];
    let directory = Directory::new(&format!("{},{}", one.url(), two.url()), keys.tokens()).unwrap();
    shared(&directory, [&one.directory, &two.directory]).await;

    // Callers all the while; none of their calls may fail.
    let calling = CallersUntil::start(&directory, 4);
    let addr = one.addr;
    one.stop().await;
    let made = calling.made();
    eventually("calls without it", async || calling.made() > made + 50).await;

    let back = Edge::replica(&keys, addr).await;
    eventually("the one that is back is used", async || back.directory.calls() > 5).await;
    calling.stop().await;
}

#[tokio::test]
async fn names_say_who_is_called() {
    let keys = Keys::new();
    let [one, two] = [Edge::replica(&keys, local(0)).await, Edge::replica(&keys, local(0)).await];
    let told = Told::default();
    let directory = named(&told, &one);

    let asked = Instant::now();
    assert_eq!(call(&directory).await, Err(Kind::Unavailable), "the name stands for nothing");
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());

    told.say(&[one.addr]);
    eventually("it stands for one", async || call(&directory).await.is_ok()).await;
    assert_eq!((one.directory.calls() > 0, two.directory.calls()), (true, 0));

    // The look-up that follows the end of a connection learns of another, before its time.
    told.say(&[two.addr]);
    one.stop().await;
    eventually("it stands for the other", async || call(&directory).await.is_ok()).await;
    assert!(two.directory.calls() > 0);

    // While nothing can be learned, what is known is used.
    told.say(&[]);
    for _ in 0..20 {
        call(&directory).await.unwrap();
    }
}

#[tokio::test]
async fn replica_that_comes_is_found_by_the_next_look_up() {
    let keys = Keys::new();
    let [one, two] = [Edge::replica(&keys, local(0)).await, Edge::replica(&keys, local(0)).await];
    let told = Told::default();
    told.say(&[one.addr]);
    let directory = named(&told, &one);
    call(&directory).await.unwrap();
    told.say(&[one.addr, two.addr]);
    shared(&directory, [&one.directory, &two.directory]).await;
    // And one that is said to be gone gets nothing more, although it is still there.
    told.say(&[two.addr]);
    eventually("the first is left alone", async || {
        let before = one.directory.calls();
        for _ in 0..10 {
            call(&directory).await.unwrap();
        }
        one.directory.calls() == before
    })
    .await;
}

#[tokio::test]
async fn address_that_nobody_answers_at_costs_no_call() {
    let keys = Keys::new();
    let one = Edge::replica(&keys, local(0)).await;
    // Bound and closed again: connections are refused. And one that the system accepts, and nobody answers on.
    let refused = TcpListener::bind(local(0)).await.unwrap().local_addr().unwrap();
    let silent = TcpListener::bind(local(0)).await.unwrap();
    let urls = format!("http://{refused},http://{},{}", silent.local_addr().unwrap(), one.url());
    let directory = Directory::new(&urls, keys.tokens()).unwrap();
    let asked = Instant::now();
    for _ in 0..20 {
        call(&directory).await.unwrap();
    }
    assert!(asked.elapsed() < Duration::from_secs(9), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn replicas_that_are_all_away_are_unavailable_at_once_and_used_when_back() {
    let keys = Keys::new();
    let one = Edge::replica(&keys, local(0)).await;
    let addr = one.addr;
    one.stop().await;
    let refused = TcpListener::bind(local(0)).await.unwrap().local_addr().unwrap();
    let directory = Directory::new(&format!("http://{addr},http://{refused}"), keys.tokens()).unwrap();
    let asked = Instant::now();
    assert_eq!(call(&directory).await, Err(Kind::Unavailable));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    let back = Edge::replica(&keys, addr).await;
    assert_eq!(call(&directory).await, Ok(()), "a call connects by itself");
    assert_eq!(back.directory.calls(), 1);
}

/// Callers that go on until they are stopped; a call that fails is a panic.
struct CallersUntil {
    made: Arc<std::sync::atomic::AtomicUsize>,
    stop: tokio_util::sync::CancellationToken,
    callers: tokio::task::JoinSet<()>,
}

impl CallersUntil {
    fn start(directory: &Directory, callers: usize) -> Self {
        let mut this = Self { made: Arc::default(), stop: Default::default(), callers: Default::default() };
        for _ in 0..callers {
            let (directory, made, stop) = (directory.clone(), this.made.clone(), this.stop.clone());
            this.callers.spawn(async move {
                while !stop.is_cancelled() {
                    directory.put_product(&tenant(), product("x")).await.unwrap();
                    made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
        this
    }

    fn made(&self) -> usize {
        self.made.load(std::sync::atomic::Ordering::Relaxed)
    }

    async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.callers.join_next().await {
            ended.unwrap();
        }
    }
}

#[tokio::test]
async fn replicas_over_tls_must_show_the_services_certificate() {
    let authority = crate::tls::Authority::new();
    let keys = Keys::new();
    let right = Edge::replica_in(&keys, local(0), authority.context("resolver")).await;
    let wrong = Edge::replica_in(&keys, local(0), authority.context("ratelimit")).await;
    let us: Context = authority.context("control-plane");
    let only_wrong = format!("https://{},https://{}", wrong.addr, wrong.addr);
    let directory = Directory::new(Target::new(&only_wrong, &us), keys.tokens()).unwrap();
    assert_eq!(call(&directory).await, Err(Kind::Unavailable));
    let both = format!("https://{},https://{}", wrong.addr, right.addr);
    let directory = Directory::new(Target::new(&both, &us), keys.tokens()).unwrap();
    for _ in 0..10 {
        call(&directory).await.unwrap();
    }
    assert_eq!((wrong.directory.calls(), right.directory.calls()), (0, 10));
}
