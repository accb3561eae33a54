//! One replica: its connection, and how busy it is.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::{CONTENT_TYPE, TE};
use http::{Request, Uri};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tonic::body::Body;
use tonic::codegen::StdError;

use super::Dial;
use crate::outgoing::{CONNECT, STREAM_WINDOW};
use crate::secure::secured;

/// A replica that vanished without a word is noticed within these two, and others take its calls.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_ANSWER: Duration = Duration::from_secs(5);
/// Between attempts to connect to one that does not answer: doubled each time, up to the second.
const SOON: Duration = Duration::from_millis(100);
const LATER: Duration = Duration::from_secs(1);
/// A connection that lived shorter says nothing good of the next attempt.
const STEADY: Duration = Duration::from_secs(1);

const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// What calls are sent with.
pub(super) type Sender = SendRequest<Body>;

/// A replica at one address.
pub(super) struct Member {
    pub(super) addr: SocketAddr,
    connection: Mutex<Option<Sender>>,
    dialling: AsyncMutex<()>,
    lost: Notify,
    under_way: Arc<AtomicUsize>,
}

impl Member {
    pub(super) fn new(addr: SocketAddr) -> Self {
        Self {
            addr,
            connection: Mutex::default(),
            dialling: AsyncMutex::default(),
            lost: Notify::new(),
            under_way: Arc::default(),
        }
    }

    /// Its connection, if there is one.
    pub(super) fn sender(&self) -> Option<Sender> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection.as_ref().filter(|it| it.is_ready()).cloned()
    }

    /// Calls whose answers have not been read to their end.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// A call begins.
    pub(super) fn hold(&self) -> Held {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Held(Arc::clone(&self.under_way))
    }

    /// The connection that is there, or a new one, driven where this is called.
    pub(super) async fn dial(self: &Arc<Self>, dial: &Dial) -> Result<Sender, StdError> {
        let _one_at_a_time = self.dialling.lock().await;
        if let Some(sender) = self.sender() {
            return Ok(sender);
        }
        let (sender, driven) = tokio::time::timeout(CONNECT, connect(self.addr, dial)).await??;
        let member = Arc::clone(self);
        tokio::spawn(async move {
            driven.await;
            member.lost.notify_one();
        });
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        *connection = Some(sender.clone());
        Ok(sender)
    }

    /// Connects, and again whenever the connection ended, for ever; each failure is told.
    pub(super) async fn keep(self: Arc<Self>, dial: &Dial, failed: &Notify) {
        let mut pause = SOON;
        loop {
            match self.dial(dial).await {
                Ok(_up) => {
                    let since = Instant::now();
                    self.lost.notified().await;
                    failed.notify_one();
                    if since.elapsed() >= STEADY {
                        pause = SOON;
                        continue;
                    }
                }
                Err(error) => {
                    tracing::debug!(addr = %self.addr, error, "a replica does not answer");
                    failed.notify_one();
                }
            }
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(LATER);
        }
    }
}

/// A connection on which somebody answered, and what drives it until it ends.
async fn connect(addr: SocketAddr, dial: &Dial) -> Result<(Sender, BoxFuture<'static, ()>), StdError> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let (mut sender, mut driven) = match &dial.tls {
        None => greet(TokioIo::new(stream)).await?,
        Some(tls) => greet(TokioIo::new(secured(stream, tls, dial.service).await?)).await?,
    };
    // The system accepts connections for a process that hangs, and over TLS we are told last that we are refused: it counts
    // when there was an answer, whatever it is.
    tokio::select! {
        answer = sender.send_request(question(dial)?) => drop(answer?),
        () = &mut driven => return Err("the connection ended before there was an answer".into()),
    }
    Ok((sender, driven))
}

/// The health of the whole server, which is told without a token.
fn question(dial: &Dial) -> Result<Request<Body>, StdError> {
    let (scheme, authority) = dial.origin.clone();
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(HEALTH).build()?;
    // An empty message: not compressed, no bytes.
    let message = Body::new(Whole(Some(Bytes::from_static(&[0; 5]))));
    Ok(Request::post(uri).header(CONTENT_TYPE, "application/grpc").header(TE, "trailers").body(message)?)
}

/// A body that is there.
struct Whole(Option<Bytes>);

impl http_body::Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

async fn greet<I>(stream: TokioIo<I>) -> Result<(Sender, BoxFuture<'static, ()>), StdError>
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_ANSWER)
        .keep_alive_while_idle(true)
        .handshake(stream)
        .await?;
    let driven = async {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to a replica ended");
        }
    };
    Ok((sender, Box::pin(driven)))
}

/// A call that is under way.
pub(super) struct Held(Arc<AtomicUsize>);

impl Held {
    /// It is under way until its answer was read.
    pub(super) fn until_read(self, body: Incoming) -> Body {
        Body::new(Counted { body, _held: self })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Counted {
    body: Incoming,
    _held: Held,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
