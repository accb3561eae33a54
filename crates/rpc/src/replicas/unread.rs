//! A request that can be sent again as long as nobody has read it.
//!
//! Whoever ends a connection in good order says which was the last request that it reads (GOAWAY). One that we write at that
//! moment comes after it: it is never read, and it is gone. Replicas are replaced all the time, so what was written is kept
//! until there is an answer, up to what a peer takes without having read anything; beyond that the request cannot be repeated.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Request;
use http::request::Parts;
use http_body::{Body as _, Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

use crate::outgoing::STREAM_WINDOW;

/// A request, for as many attempts as it takes until somebody reads it.
pub(super) struct Unread {
    head: Parts,
    message: Arc<Mutex<Message>>,
}

#[derive(Default)]
struct Message {
    /// What an attempt before has written, and this one has not.
    ahead: Vec<Bytes>,
    /// What this attempt has written; none where it was too much to keep.
    written: Option<Vec<Bytes>>,
    kept: usize,
    /// What no attempt has written; none when it belongs to a later attempt, or is at its end.
    rest: Option<Body>,
}

impl Unread {
    pub(super) fn new(request: Request<Body>) -> Self {
        let (head, body) = request.into_parts();
        let message = Message { written: Some(Vec::new()), rest: Some(body), ..Message::default() };
        Self { head, message: Arc::new(Mutex::new(message)) }
    }

    /// The request, for one attempt.
    pub(super) fn attempt(&self) -> Request<Body> {
        Request::from_parts(self.head.clone(), Body::new(Attempt(Arc::clone(&self.message))))
    }

    /// Takes everything back from the last attempt, for another one; not when it has written more than was kept.
    pub(super) fn take_back(&mut self) -> bool {
        let mut last = std::mem::take(&mut *lock(&self.message));
        let Some(mut ahead) = last.written.take() else { return false };
        ahead.append(&mut last.ahead);
        let message = Message { ahead, written: Some(Vec::new()), kept: 0, rest: last.rest };
        // Its own, so that whoever still holds the last attempt's body takes nothing from it.
        self.message = Arc::new(Mutex::new(message));
        true
    }
}

impl Drop for Unread {
    /// There was an answer, or nobody waits for one: what is still to be written need not be kept.
    fn drop(&mut self) {
        lock(&self.message).written = None;
    }
}

/// Whether the peer says that it has not read the request: it ends the connection with an earlier one, or refuses this one
/// unread (RFC 9113, 6.8 and 8.7).
pub(super) fn was_unread(error: &hyper::Error) -> bool {
    let Some(error) = error.source().and_then(|source| source.downcast_ref::<h2::Error>()) else {
        return false;
    };
    let said = |reason| error.is_remote() && error.reason() == Some(reason);
    error.is_go_away() && said(h2::Reason::NO_ERROR) || error.is_reset() && said(h2::Reason::REFUSED_STREAM)
}

/// The body of one attempt.
struct Attempt(Arc<Mutex<Message>>);

impl http_body::Body for Attempt {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        lock(&self.0).poll(cx)
    }

    fn is_end_stream(&self) -> bool {
        let message = lock(&self.0);
        message.ahead.is_empty() && message.rest.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let message = lock(&self.0);
        match &message.rest {
            Some(rest) if message.ahead.is_empty() => rest.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

impl Message {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if !self.ahead.is_empty() {
            let data = self.ahead.remove(0);
            self.keep(&data);
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(rest).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => match frame.data_ref() {
                Some(data) => self.keep(&data.clone()),
                // Nothing of ours has trailers.
                None => self.written = None,
            },
            Some(Err(_)) => self.written = None,
            None => {}
        }
        Poll::Ready(frame)
    }

    fn keep(&mut self, data: &Bytes) {
        self.kept += data.len();
        if self.kept > STREAM_WINDOW as usize {
            self.written = None;
        }
        if let Some(written) = &mut self.written {
            written.push(data.clone());
        }
    }
}

fn lock(message: &Mutex<Message>) -> MutexGuard<'_, Message> {
    message.lock().unwrap_or_else(PoisonError::into_inner)
}
