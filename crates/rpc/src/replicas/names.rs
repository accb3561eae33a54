//! What the name of a service stands for.

use std::io;
use std::net::{IpAddr, SocketAddr};

use futures::future::BoxFuture;

/// How names become addresses: the system's resolver, unless somebody says otherwise.
pub trait Names: Send + Sync + 'static {
    /// Every address that the name stands for now.
    fn look_up(&self, host: &str, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver.
pub(crate) struct SystemNames;

impl Names for SystemNames {
    fn look_up(&self, host: &str, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let host = host.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// A host and port as configured.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// Stands for itself.
    Fixed(SocketAddr),
    /// Stands for what its name stands for at the moment.
    Named(String, u16),
}

impl Place {
    /// IPv6 addresses may stand in brackets, as in a URL.
    pub(crate) fn new(host: &str, port: u16) -> Self {
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => Place::Fixed(SocketAddr::new(ip, port)),
            Err(_) => Place::Named(host.to_owned(), port),
        }
    }

    /// Whether it can only ever be one process: an address, or this machine.
    pub(crate) fn is_one(&self) -> bool {
        match self {
            Place::Fixed(_) => true,
            Place::Named(host, _) => host == "localhost" || host.ends_with(".localhost"),
        }
    }

    pub(crate) async fn addresses(&self, names: &dyn Names) -> io::Result<Vec<SocketAddr>> {
        match self {
            Place::Fixed(addr) => Ok(vec![*addr]),
            Place::Named(host, port) => names.look_up(host, *port).await,
        }
    }
}
