//! Incoming connections, in the clear or over TLS.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use mintmark_auth::ClientCertificate;
use mintmark_ids::ServiceName;
use mintmark_service::Shutdown;
use mintmark_service::tls::{Tls, alternative_names, names};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// Whoever opens a connection shakes hands within this, or is gone.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Handshakes at once: each costs a signature.
const HANDSHAKES: usize = 64;
/// After the system refused to accept, for want of descriptors perhaps.
const PAUSE: Duration = Duration::from_millis(50);

/// The connection that a request came on. In the request's extensions.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// Where it comes from, as far as the system knows.
    pub(crate) address: Option<IpAddr>,
    /// Whose it is, where it is over TLS.
    pub(crate) peer: Option<Peer>,
}

impl Connection {
    pub(crate) fn of<B>(request: &http::Request<B>) -> Option<&Self> {
        request.extensions().get()
    }
}

/// Whose connection a request came on.
#[derive(Clone, Debug)]
pub(crate) struct Peer(Arc<Shown>);

/// What the other end showed.
#[derive(Debug)]
struct Shown {
    /// Every service that the certificate names.
    services: Vec<ServiceName>,
    certificate: ClientCertificate,
}

impl Peer {
    /// Whether the certificate is this service's.
    pub(crate) fn is(&self, service: ServiceName) -> bool {
        self.0.services.contains(&service)
    }

    /// The certificate of somebody who is no service of ours: a service is what it is, whatever else its certificate is called.
    pub(crate) fn stranger(&self) -> Option<&ClientCertificate> {
        self.0.services.is_empty().then_some(&self.0.certificate)
    }
}

/// A connection that was accepted.
pub(crate) enum Stream {
    /// In the clear.
    Plain(TcpStream),
    /// Over TLS, with whom.
    Secure(Box<TlsStream<TcpStream>>, Peer),
}

impl Connected for Stream {
    type ConnectInfo = Connection;

    fn connect_info(&self) -> Connection {
        let (stream, peer) = match self {
            Stream::Plain(stream) => (stream, None),
            Stream::Secure(stream, peer) => (stream.get_ref().0, Some(peer.clone())),
        };
        Connection { address: stream.peer_addr().ok().map(|peer| peer.ip()), peer }
    }
}

/// Accepts until the end is requested; a connection that does not shake hands is dropped and said at level debug.
pub(crate) fn incoming(
    listener: TcpListener,
    tls: Option<Tls>,
    shutdown: Shutdown,
) -> ReceiverStream<io::Result<Stream>> {
    let (sender, accepted) = mpsc::channel(HANDSHAKES);
    tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(HANDSHAKES));
        loop {
            let stream = tokio::select! {
                () = shutdown.requested() => return,
                () = sender.closed() => return,
                stream = listener.accept() => stream,
            };
            let Ok((stream, _)) = stream else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let _unimportant = stream.set_nodelay(true);
            let Some(tls) = &tls else {
                if sender.send(Ok(Stream::Plain(stream))).await.is_err() {
                    return;
                }
                continue;
            };
            let (acceptor, sender) = (TlsAcceptor::from(tls.server()), sender.clone());
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            tokio::spawn(async move {
                match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => {
                        let Some(peer) = peer(&stream) else { return };
                        let _gone = sender.send(Ok(Stream::Secure(Box::new(stream), peer))).await;
                    }
                    Ok(Err(error)) => tracing::debug!(%error, "a connection did not shake hands"),
                    Err(_elapsed) => tracing::debug!("a connection did not shake hands in time"),
                }
                drop(place);
            });
        }
    });
    ReceiverStream::new(accepted)
}

/// What the other end's certificate says; its chain was verified in the handshake, which wants one.
fn peer(stream: &TlsStream<TcpStream>) -> Option<Peer> {
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates()?.first()?;
    let services = ServiceName::ALL.into_iter().filter(|service| names(certificate, service.as_str()));
    let called = alternative_names(certificate);
    Some(Peer(Arc::new(Shown {
        services: services.collect(),
        certificate: ClientCertificate::new(certificate, called.dns, called.uris),
    })))
}

macro_rules! both {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Plain($stream) => $call,
            Stream::Secure($stream, _) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        both!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        both!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        both!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Secure(stream, _) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        both!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        both!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
