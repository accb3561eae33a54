//! A replica that ends its connections: what it never read goes to another one, and what it may have read does not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mintmark_fault::Fault;
use mintmark_rpc::client::Directory;
use mintmark_wire::directory::v1::{PublishRequest, PublishResponse};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::edge::{Edge, local, tenant};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM_AND_HEADERS: u8 = 5;
/// `:status: 200` in HPACK's static table.
const STATUS_200: u8 = 0x88;

/// A replica that answers the question about its health, and says with the first call that it goes: frame by frame, because no
/// library leaves to chance what it has read.
#[derive(Clone)]
struct Leaver {
    addr: SocketAddr,
    /// Whether it says that it has read the call.
    reads: bool,
    left: Arc<AtomicUsize>,
}

impl Leaver {
    async fn start(reads: bool) -> Self {
        let listener = TcpListener::bind(local(0)).await.unwrap();
        let this = Self { addr: listener.local_addr().unwrap(), reads, left: Arc::default() };
        let leaver = this.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let leaver = leaver.clone();
                tokio::spawn(async move { leaver.leave(stream).await });
            }
        });
        this
    }

    /// Ends when the other side does.
    async fn leave(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.read_exact(&mut [0; 24]).await?;
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await?;
            let [a, b, c, kind, flags, id @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            stream.read_exact(&mut payload).await?;
            match (kind, u32::from_be_bytes(id)) {
                (SETTINGS, _) if flags & ACK == 0 => stream.write_all(&frame(SETTINGS, ACK, 0, &[])).await?,
                (HEADERS, 1) => {
                    stream.write_all(&frame(HEADERS, END_STREAM_AND_HEADERS, 1, &[STATUS_200])).await?;
                }
                (DATA, call) if call > 1 => {
                    let last: u32 = if self.reads { call } else { 1 };
                    let no_error = [0; 4];
                    let payload = [last.to_be_bytes(), no_error].concat();
                    stream.write_all(&frame(GO_AWAY, 0, 0, &payload)).await?;
                    self.left.fetch_add(1, Ordering::SeqCst);
                    if self.reads {
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
    }

    fn left(&self) -> usize {
        self.left.load(Ordering::SeqCst)
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    [&[a, b, c, kind, flags], &stream.to_be_bytes()[..], payload].concat()
}

/// Publishes chunks of so many digests: a call that the client makes once, whatever happens.
async fn publish(directory: &Directory, chunks: [usize; 2]) -> Result<Vec<PublishResponse>, Fault> {
    let chunks = (0..).zip(chunks).map(|(chunk, digests)| PublishRequest {
        chunk,
        digests: vec![7; digests * 32].into(),
        ..Default::default()
    });
    let mut answers = directory.publish(&tenant(), tokio_stream::iter(chunks)).await?;
    let mut acknowledged = Vec::new();
    while let Some(answer) = answers.message().await.map_err(|status| Directory::fault(&status))? {
        acknowledged.push(answer);
    }
    Ok(acknowledged)
}

fn both(edge: &Edge, leaver: &Leaver) -> Directory {
    Directory::new(&format!("http://{},{}", leaver.addr, edge.url()), edge.tokens.clone()).unwrap()
}

#[tokio::test]
async fn call_that_a_replica_never_read_goes_to_another_one_whole() {
    let (edge, leaver) = (Edge::start().await, Leaver::start(false).await);
    let directory = both(&edge, &leaver);
    let whole = [PublishResponse { chunk: 0, units: 1 }, PublishResponse { chunk: 1, units: 2 }];
    let made = AtomicUsize::new(0);
    crate::eventually("the leaver left some calls unread", async || {
        assert_eq!(publish(&directory, [1, 2]).await.unwrap(), whole);
        made.fetch_add(1, Ordering::SeqCst);
        leaver.left() >= 3
    })
    .await;
    assert_eq!(edge.directory.calls(), made.into_inner(), "each was read once");
}

/// Calls until some have failed; none of those reached the other replica.
async fn fails_where_it_leaves(leaver: Leaver, chunks: [usize; 2]) {
    let edge = Edge::start().await;
    let directory = both(&edge, &leaver);
    let (succeeded, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    crate::eventually("the leaver left some calls unanswered", async || {
        let count = if publish(&directory, chunks).await.is_ok() { &succeeded } else { &failed };
        count.fetch_add(1, Ordering::SeqCst);
        leaver.left() >= 2 && failed.load(Ordering::SeqCst) >= 2
    })
    .await;
    assert_eq!(edge.directory.calls(), succeeded.into_inner(), "none of those that failed was sent again");
}

#[tokio::test]
async fn call_that_a_replica_may_have_read_is_not_sent_again() {
    fails_where_it_leaves(Leaver::start(true).await, [1, 2]).await;
}

#[tokio::test]
async fn call_that_has_written_more_than_is_kept_is_not_sent_again() {
    fails_where_it_leaves(Leaver::start(false).await, [50_000, 1]).await;
}
