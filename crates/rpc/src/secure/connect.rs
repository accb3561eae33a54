//! Outgoing connections over TLS.

use std::io::{Error, ErrorKind};

use http::Uri;
use hyper_util::rt::TokioIo;
use mintmark_ids::ServiceName;
use mintmark_service::tls::{Tls, server_name};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::util::BoxCloneService;
use tower::{ServiceExt, service_fn};

/// Makes connections that only `service` can answer: its certificate must name it, whatever address was dialled. The
/// certificate in force at that moment is shown.
pub(crate) fn connector(
    tls: &Tls,
    service: ServiceName,
) -> BoxCloneService<Uri, TokioIo<TlsStream<TcpStream>>, Error> {
    let tls = tls.clone();
    service_fn(move |uri: Uri| connect(tls.clone(), service, uri)).boxed_clone()
}

async fn connect(tls: Tls, service: ServiceName, uri: Uri) -> Result<TokioIo<TlsStream<TcpStream>>, Error> {
    let host = uri.host().ok_or_else(|| Error::new(ErrorKind::InvalidInput, "the URL has no host"))?;
    // IPv6 addresses stand in brackets in a URL.
    let host = host.trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(443))).await?;
    stream.set_nodelay(true)?;
    Ok(TokioIo::new(secured(stream, &tls, service).await?))
}

/// Shakes hands on a connection with `service`, and with nobody else.
pub(crate) async fn secured(
    stream: TcpStream,
    tls: &Tls,
    service: ServiceName,
) -> Result<TlsStream<TcpStream>, Error> {
    let name = server_name(service.as_str())
        .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "the service has no name in a certificate"))?;
    TlsConnector::from(tls.client()).connect(name, stream).await
}
