//! A bound server, and its life until the end is requested.

use std::fmt;
use std::net::SocketAddr;

use actix_web::dev::Server;
use mintmark_service::{Gate, Shutdown, StartError};
use tokio::runtime::Handle;

/// A bound server; connections wait in the kernel until `serve`.
pub struct Running {
    /// Where it listens; with port 0 asked for, the port it was given.
    pub addr: SocketAddr,
    server: Server,
    gate: Gate,
    home: Handle,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Running {
    pub(crate) fn new(addr: SocketAddr, server: Server, gate: Gate, home: Handle) -> Self {
        Self { addr, server, gate, home }
    }

    /// Answers until the end is requested; then accepts nothing more, closes idle connections, and returns when requests
    /// under way are answered, at the latest after the context's grace.
    ///
    /// # Errors
    /// When the server ended by itself.
    pub async fn serve(self, shutdown: Shutdown) -> Result<(), StartError> {
        let addr = self.addr;
        let ended = |error: std::io::Error| {
            StartError::new(format!("the HTTP server on {addr} ended")).caused_by(error)
        };
        let handle = self.server.handle();
        let mut server = self.home.spawn(self.server);
        self.gate.set(true);
        tracing::info!(http.addr = %addr, "listening");
        tokio::select! {
            () = shutdown.requested() => handle.stop(true).await,
            outcome = &mut server => {
                self.gate.set(false);
                return match outcome {
                    Ok(Ok(())) => Err(StartError::new(format!("the HTTP server on {addr} ended unasked"))),
                    Ok(Err(error)) => Err(ended(error)),
                    Err(panic) => Err(ended(std::io::Error::other(panic))),
                };
            }
        }
        self.gate.set(false);
        match server.await {
            Ok(outcome) => outcome.map_err(ended),
            Err(panic) => Err(ended(std::io::Error::other(panic))),
        }
    }
}
