//! Calls over every address that a service's names stand for.
//!
//! A connection of HTTP/2 lasts as long as both ends do: with one connection all calls of a caller would go to one replica.
//! So there is one to each, and a call goes to whichever has the fewest under way. The names are looked up every few seconds,
//! and at once when something fails.
//!
//! What nobody has read (nobody answers at that address, or the connection ended before the call's turn, or its end says that the
//! call came too late: [`unread`]) goes to another replica, within the call's deadline. What may have been read fails: only the
//! client knows whether it may be repeated (`crate::client`), and its second attempt finds the broken connection gone.

mod member;
pub(crate) mod names;
mod unread;

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::select_ok;
use http::uri::{Authority, Scheme};
use http::{Request, Response};
use mintmark_ids::ServiceName;
use mintmark_service::tls::Tls;
use tokio::runtime::Handle;
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::body::Body;
use tonic::codegen::StdError;
use tonic::{ConnectError, TimeoutExpired};

use self::member::{Member, Sender};
use self::names::{Names, Place};
use self::unread::{Unread, was_unread};
use crate::deadline;
use crate::outgoing::CONNECT;

/// How often the names are looked up: a replica that came is used within this.
const LOOK_UP: Duration = Duration::from_secs(3);
/// Between two look-ups, whatever fails.
const APART: Duration = Duration::from_millis(250);
/// A look-up that takes longer has failed.
const LOOKED: Duration = Duration::from_secs(4);
/// Connections that one call may find ended under its hands; then the service is away.
const ATTEMPTS: usize = 8;

/// What is called, and as whom.
pub(crate) struct Dial {
    /// Which service the other end's certificate must name.
    pub(crate) service: ServiceName,
    /// What we show; none where we speak in the clear.
    pub(crate) tls: Option<Tls>,
    /// Whom requests say they are for.
    pub(crate) origin: (Scheme, Authority),
    /// Every address is one that one of these stands for.
    pub(crate) places: Vec<Place>,
    /// What the names stand for.
    pub(crate) names: Arc<dyn Names>,
}

/// Every replica of a service. Cheap to clone; connections and look-ups end with the last clone.
#[derive(Clone)]
pub(crate) struct Replicas {
    known: Arc<Known>,
    _end: Arc<DropGuard>,
}

/// What is known of a service's replicas.
struct Known {
    dial: Dial,
    home: Handle,
    /// Nobody holds it any more.
    end: CancellationToken,
    members: Mutex<Vec<Entry>>,
    /// The next to be asked among equals.
    turn: AtomicUsize,
    /// Something failed: the names may stand for something else by now.
    again: Notify,
    /// When the last look-up that a call waited for failed; one at a time.
    looking: AsyncMutex<Option<Instant>>,
}

struct Entry {
    member: Arc<Member>,
    /// Its connection is kept until this goes.
    _kept: DropGuard,
}

impl Replicas {
    /// Looks the names up and connects, on `home`, as long as somebody holds it.
    pub(crate) fn new(dial: Dial, home: &Handle) -> Self {
        let end = CancellationToken::new();
        let known = Arc::new(Known {
            dial,
            home: home.clone(),
            end: end.clone(),
            members: Mutex::default(),
            turn: AtomicUsize::new(0),
            again: Notify::new(),
            looking: AsyncMutex::default(),
        });
        home.spawn(end.clone().run_until_cancelled_owned(follow(Arc::clone(&known))));
        Self { known, _end: Arc::new(end.drop_guard()) }
    }

    /// Sends a request to a replica, within the request's own deadline.
    pub(crate) fn call(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Body>, StdError>> + Send + 'static {
        // The look-ups must not end under a call whose client went away.
        let this = self.clone();
        let deadline = deadline::asked(request.headers());
        async move {
            let answer = this.known.send(request);
            match deadline {
                Some(deadline) => {
                    tokio::time::timeout(deadline, answer).await.map_err(|_elapsed| TimeoutExpired(()))?
                }
                None => answer.await,
            }
        }
    }
}

async fn follow(known: Arc<Known>) {
    loop {
        let look = known.look().await;
        if let Err(error) = look {
            tracing::debug!(service = %known.dial.service, %error, "no replicas can be found");
        }
        tokio::time::sleep(APART).await;
        tokio::select! {
            () = known.again.notified() => {}
            () = tokio::time::sleep(LOOK_UP) => {}
        }
    }
}

impl Known {
    async fn send(self: &Arc<Self>, mut request: Request<Body>) -> Result<Response<Body>, StdError> {
        let (scheme, authority) = self.dial.origin.clone();
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        (parts.scheme, parts.authority) = (Some(scheme), Some(authority));
        *request.uri_mut() = http::Uri::from_parts(parts)?;

        let mut request = Unread::new(request);
        let mut tried = Vec::new();
        loop {
            let (member, mut sender) = match self.idlest(&tried) {
                Some(up) => up,
                None => self.connected().await.map_err(ConnectError)?,
            };
            let held = member.hold();
            match sender.try_send_request(request.attempt()).await {
                Ok(answer) => return Ok(answer.map(|body| held.until_read(body))),
                Err(mut broken) => {
                    self.again.notify_one();
                    let unread = broken.take_message().is_some() || was_unread(broken.error());
                    if !unread || tried.len() >= ATTEMPTS || !request.take_back() {
                        return Err(broken.into_error().into());
                    }
                    tried.push(member.addr);
                }
            }
        }
    }

    /// The connected replica with the fewest calls under way; among equals each in turn.
    fn idlest(&self, tried: &[std::net::SocketAddr]) -> Option<(Arc<Member>, Sender)> {
        let members = self.members();
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % members.len().max(1);
        let (before, after) = members.split_at(first);
        let up = after.iter().chain(before).filter(|it| !tried.contains(&it.member.addr));
        up.filter_map(|it| Some((Arc::clone(&it.member), it.member.sender()?)))
            .min_by_key(|(member, _)| member.under_way())
    }

    /// Connects to whichever replica answers first: for a call that finds none connected.
    async fn connected(self: &Arc<Self>) -> Result<(Arc<Member>, Sender), StdError> {
        if self.members().is_empty() {
            tokio::time::timeout(CONNECT, self.look_for_a_call()).await??;
        }
        let dials: Vec<_> = self.members().iter().map(|it| self.dialled(&it.member)).collect();
        if dials.is_empty() {
            return Err(nobody().into());
        }
        match select_ok(dials.into_iter().map(Box::pin)).await {
            Ok((up, _others)) => Ok(up),
            Err(error) => {
                self.again.notify_one();
                Err(error)
            }
        }
    }

    /// A connection to this replica: the one that is there, or a new one, which is driven on the home runtime.
    fn dialled(
        self: &Arc<Self>,
        member: &Arc<Member>,
    ) -> impl Future<Output = Result<(Arc<Member>, Sender), StdError>> + Send + use<> {
        let (this, member) = (Arc::clone(self), Arc::clone(member));
        let dialled = self.home.spawn(async move {
            let sender = member.dial(&this.dial).await?;
            Ok((member, sender))
        });
        async { dialled.await? }
    }

    /// Looks up for a call that knows of no replica. Those that come together, or right after a failure, share one.
    async fn look_for_a_call(self: &Arc<Self>) -> io::Result<()> {
        let mut failed = self.looking.lock().await;
        if !self.members().is_empty() {
            return Ok(());
        }
        if failed.is_some_and(|at| at.elapsed() < APART) {
            return Err(nobody());
        }
        let looked = self.look().await;
        *failed = looked.is_err().then(Instant::now);
        looked
    }

    /// Puts what the names stand for in the place of what was known. While nothing can be learned, what was known stays: it
    /// may well be there still.
    async fn look(self: &Arc<Self>) -> io::Result<()> {
        let (mut found, mut failure) = (BTreeSet::new(), None);
        for place in &self.dial.places {
            let looked = tokio::time::timeout(LOOKED, place.addresses(&*self.dial.names)).await;
            match looked.unwrap_or_else(|elapsed| Err(elapsed.into())) {
                Ok(addresses) => found.extend(addresses),
                Err(error) => failure = Some(error),
            }
        }
        if found.is_empty() {
            return Err(failure.unwrap_or_else(nobody));
        }
        let mut members = self.members();
        // What one name stood for cannot be told from the others' addresses.
        if failure.is_none() {
            members.retain(|it| found.contains(&it.member.addr));
        }
        for it in members.iter() {
            found.remove(&it.member.addr);
        }
        for addr in found {
            tracing::debug!(service = %self.dial.service, %addr, "a replica was found");
            members.push(self.enter(addr));
        }
        Ok(())
    }

    /// A replica whose connection is kept as long as it is entered.
    fn enter(self: &Arc<Self>, addr: std::net::SocketAddr) -> Entry {
        let member = Arc::new(Member::new(addr));
        let end = self.end.child_token();
        let (kept, known) = (Arc::clone(&member), Arc::clone(self));
        let keep = async move { kept.keep(&known.dial, &known.again).await };
        self.home.spawn(end.clone().run_until_cancelled_owned(keep));
        Entry { member, _kept: end.drop_guard() }
    }

    fn members(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nobody() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the name of the service stands for no address")
}
