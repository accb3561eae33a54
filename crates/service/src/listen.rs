//! Opening a port, with the sentence that helps when it is taken.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use tokio::net::TcpSocket;

use crate::StartError;

/// Connections that the kernel may hold before we accept them: a burst of scans after a pause fits.
const BACKLOG: u32 = 2048;

/// Binds `addr` and listens; `variable` is the environment variable that the operator would change.
/// Port 0 picks a free one. Must be called inside a tokio runtime. The listener is non-blocking.
///
/// # Errors
/// A sentence that names the variable, the address and what to do: port taken, no right to it, not an address of this machine.
pub fn listen(variable: &'static str, addr: SocketAddr) -> Result<TcpListener, StartError> {
    reserve(variable, addr)?.listen()
}

/// The same, without listening yet: whoever connects is refused at once, and can go elsewhere.
///
/// # Errors
/// As [`listen`].
pub fn reserve(variable: &'static str, addr: SocketAddr) -> Result<Reserved, StartError> {
    let reserved = || {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // Without it a restart within the minute of TIME_WAIT finds its own port taken.
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        Ok(Reserved { addr: socket.local_addr()?, socket, variable })
    };
    reserved().map_err(|error| explain(variable, addr, error))
}

/// An address that is ours, on which nobody is answered yet.
#[derive(Debug)]
pub struct Reserved {
    socket: TcpSocket,
    addr: SocketAddr,
    variable: &'static str,
}

impl Reserved {
    /// The address, with the port that was picked.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Listens. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// A sentence as that of [`listen`]: another program may have begun to listen meanwhile.
    pub fn listen(self) -> Result<TcpListener, StartError> {
        let listening = self.socket.listen(BACKLOG).and_then(tokio::net::TcpListener::into_std);
        listening.map_err(|error| explain(self.variable, self.addr, error))
    }
}

fn explain(variable: &str, addr: SocketAddr, error: std::io::Error) -> StartError {
    let sentence = match error.kind() {
        ErrorKind::AddrInUse => {
            return StartError::new(format!(
                "{variable} {addr} is in use: stop the other program or set {variable} to a free address"
            ));
        }
        ErrorKind::PermissionDenied => format!(
            "{variable} {addr} is not allowed to this user: set {variable} to a port above 1023 or grant CAP_NET_BIND_SERVICE"
        ),
        ErrorKind::AddrNotAvailable => format!(
            "{variable} {addr} is not an address of this machine: set {variable} to one that is, 0.0.0.0 for all of them"
        ),
        _ => format!("{variable} {addr} cannot be listened on: set {variable} to another address"),
    };
    StartError::new(sentence).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn listen_on_a_taken_port_says_what_to_do() {
        let first = listen("OPS_ADDR", SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let taken = first.local_addr().unwrap();
        let error = listen("OPS_ADDR", taken).unwrap_err();
        assert_eq!(
            error.with_causes(),
            format!("OPS_ADDR {taken} is in use: stop the other program or set OPS_ADDR to a free address")
        );
    }

    #[tokio::test]
    async fn reserve_refuses_who_connects_until_it_listens() {
        let reserved = reserve("OPS_ADDR", SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let addr = reserved.addr();
        assert!(addr.port() > 0);
        let early = tokio::net::TcpStream::connect(addr).await.unwrap_err();
        assert_eq!(early.kind(), ErrorKind::ConnectionRefused);
        let listener = reserved.listen().unwrap();
        assert_eq!(listener.local_addr().unwrap(), addr);
        tokio::net::TcpStream::connect(addr).await.unwrap();
        assert!(reserve("OPS_ADDR", addr).unwrap_err().to_string().contains("is in use"));
    }

    #[tokio::test]
    async fn listen_on_a_foreign_address_names_the_variable() {
        // 192.0.2.0/24 is reserved for documentation (RFC 5737): no machine has it.
        let error = listen("SCAN_HTTP_ADDR", "192.0.2.1:80".parse().unwrap()).unwrap_err();
        assert!(error.to_string().starts_with("SCAN_HTTP_ADDR 192.0.2.1:80 is not an address"), "{error}");
    }
}
