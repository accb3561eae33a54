//! Calls to other services.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};
use mintmark_auth::ServiceToken;
use mintmark_ids::ServiceName;
use mintmark_service::tls::Tls;
use mintmark_service::{StartError, telemetry};
use tokio::runtime::Handle;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tracing::Span;

use crate::callee::Callee;
use crate::client::ExchangedToken;
use crate::propagation::Outgoing;
use crate::replicas::names::{Place, SystemNames};
use crate::replicas::{Dial, Replicas};
use crate::secure::{Target, connector};

/// A peer in the same cluster answers in milliseconds, or it is away.
pub(crate) const CONNECT: Duration = Duration::from_secs(2);
/// A peer that vanished without a word is noticed within these two.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_ANSWER: Duration = Duration::from_secs(10);
/// Acknowledgements are small; the windows are for lists of later methods.
pub(crate) const STREAM_WINDOW: u32 = 1024 * 1024;

/// A channel to a service in the clear at `url` (`http://host:port`); driven on `home`.
///
/// # Errors
/// A sentence when `url` is not an `http` URL with a host.
pub fn connect_lazy(url: &str, home: &Handle) -> Result<Channel, StartError> {
    let refused = |what: &str| refused(url, what);
    let endpoint =
        Endpoint::from_shared(url.to_owned()).map_err(|_| refused("is not a URL of a gRPC service"))?;
    match (endpoint.uri().scheme_str(), endpoint.uri().host()) {
        (Some("http"), Some(_)) => {}
        (Some("https"), _) => return Err(refused("is https:// and no certificate of ours goes with it")),
        _ => return Err(refused("is not a URL of a gRPC service")),
    }
    // The channel's worker is spawned where it is made.
    let _home = home.enter();
    Ok(settled(endpoint).connect_lazy())
}

/// Calls to `service`. Over `https` both ends show certificates, and the other one must be that service's.
///
/// One address, or this machine, is one connection, made at the first call and again whenever it broke. A name, or several
/// URLs, are [`Replicas`].
///
/// Connections are driven on `home`, whichever thread calls: an actix worker that is busy must not stall them.
///
/// # Errors
/// A sentence when the target is no URL of a gRPC service, or is `https` where the process has no certificate.
pub(crate) fn connect(target: Target<'_>, service: ServiceName, home: &Handle) -> Result<Callee, StartError> {
    let mut origin = None;
    let mut places = Vec::new();
    for url in target.url.split(',') {
        let (scheme, authority, place) = read(url, target.tls.is_some())?;
        places.push(place);
        let (first, _) = origin.get_or_insert_with(|| (scheme.clone(), authority));
        if *first != scheme {
            return Err(refused(target.url, "has both http and https"));
        }
    }
    let Some(origin) = origin else { return Err(refused(target.url, "is empty")) };
    let tls = target.tls.filter(|_| origin.0 == Scheme::HTTPS);
    if let [only] = &places[..]
        && only.is_one()
    {
        return one(target.url, tls, service, home).map(Callee::One);
    }
    let names = target.names.cloned().unwrap_or_else(|| Arc::new(SystemNames));
    let dial = Dial { service, tls: tls.cloned(), origin, places, names };
    Ok(Callee::Many(Replicas::new(dial, home)))
}

/// One URL of those that calls may go to.
fn read(url: &str, certified: bool) -> Result<(Scheme, Authority, Place), StartError> {
    let refused = |what: &str| refused(url, what);
    let parts = url.parse::<Uri>().map_err(|_| refused("is not a URL of a gRPC service"))?.into_parts();
    let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
        return Err(refused("is not a URL of a gRPC service"));
    };
    let port = match scheme.as_str() {
        "http" => 80,
        "https" if certified => 443,
        "https" => return Err(refused("is https:// and no certificate of ours goes with it")),
        _ => return Err(refused("is not a URL of a gRPC service")),
    };
    let place = Place::new(authority.host(), authority.port_u16().unwrap_or(port));
    Ok((scheme, authority, place))
}

fn one(url: &str, tls: Option<&Tls>, service: ServiceName, home: &Handle) -> Result<Channel, StartError> {
    let (Some(tls), Some(authority)) = (tls, url.strip_prefix("https://")) else {
        return connect_lazy(url, home);
    };
    let refused = || refused(url, "is not a URL of a gRPC service");
    // Our connector speaks TLS itself: tonic's own would not see a certificate that was renewed.
    let endpoint = Endpoint::from_shared(format!("http://{authority}")).map_err(|_| refused())?;
    let origin: Uri = url.parse().map_err(|_| refused())?;
    let _home = home.enter();
    Ok(settled(endpoint.origin(origin)).connect_with_connector_lazy(connector(tls, service)))
}

fn refused(url: &str, what: &str) -> StartError {
    StartError::new(format!("\"{url}\" {what}: write it like http://127.0.0.1:9081"))
}

fn settled(endpoint: Endpoint) -> Endpoint {
    endpoint
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_ANSWER)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
}

mod sealed {
    pub trait Sealed {}
}

/// What an outgoing call may carry: a token of this service's own, or one that the control plane made for it. Nothing that
/// came in with a request is one.
pub trait OutgoingToken: sealed::Sealed {
    /// The raw token, for the `authorization` of a call.
    fn raw(&self) -> &str;
}

impl sealed::Sealed for ServiceToken {}
impl OutgoingToken for ServiceToken {
    fn raw(&self) -> &str {
        self.expose()
    }
}

impl sealed::Sealed for ExchangedToken {}
impl OutgoingToken for ExchangedToken {
    fn raw(&self) -> &str {
        self.expose()
    }
}

/// A request that carries the token, the deadline (none for a stream that its caller ends) and the current trace.
pub fn authorized<T>(
    message: T,
    token: &impl OutgoingToken,
    deadline: impl Into<Option<Duration>>,
) -> Request<T> {
    let mut request = Request::new(message);
    if let Ok(mut bearer) = format!("Bearer {}", token.raw()).parse::<MetadataValue<Ascii>>() {
        // Kept out of debug output and of HPACK's shared table.
        bearer.set_sensitive(true);
        request.metadata_mut().insert("authorization", bearer);
    }
    if let Some(deadline) = deadline.into() {
        request.set_timeout(deadline);
    }
    telemetry::inject(&Span::current(), &mut Outgoing(request.metadata_mut()));
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connect_lazy_with_a_bad_url_says_how_to_write_it() {
        let home = Handle::current();
        for url in ["", "127.0.0.1:9081", "ftp://127.0.0.1", "https://directory:9081", "http://", "not a url"]
        {
            let error = connect_lazy(url, &home).err().unwrap_or_else(|| panic!("{url:?} was accepted"));
            assert!(error.to_string().contains("write it like http://"), "{error}");
        }
        assert!(connect_lazy("http://127.0.0.1:1", &home).is_ok());
    }

    #[tokio::test]
    async fn connect_takes_names_and_several_urls_as_replicas() {
        let home = Handle::current();
        let many = |url: &str| {
            let callee = connect(Target::from(url), ServiceName::Resolver, &home);
            callee.map(|callee| matches!(callee, Callee::Many(_)))
        };
        for (url, replicas) in [
            ("http://127.0.0.1:9081", false),
            ("http://[::1]:9081", false),
            ("http://localhost:9081", false),
            ("http://resolver-directory:9081", true),
            ("http://127.0.0.1:9081,http://[::1]:9082", true),
        ] {
            assert_eq!(many(url).unwrap(), replicas, "{url}");
        }
        for url in ["", ",", "http://a:1,", "a:1,b:2", "http://a:1,https://b:2", "https://directory:9081"] {
            let error = many(url).err().unwrap_or_else(|| panic!("{url:?} was accepted"));
            assert!(error.to_string().contains("write it like http://"), "{error}");
        }
    }
}
