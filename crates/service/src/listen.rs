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
pub fn listen(variable: &str, addr: SocketAddr) -> Result<TcpListener, StartError> {
    try_listen(addr).map_err(|error| explain(variable, addr, error))
}

fn try_listen(addr: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Without it a restart within the minute of TIME_WAIT finds its own port taken.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)?.into_std()
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
    async fn listen_on_a_foreign_address_names_the_variable() {
        // 192.0.2.0/24 is reserved for documentation (RFC 5737): no machine has it.
        let error = listen("SCAN_HTTP_ADDR", "192.0.2.1:80".parse().unwrap()).unwrap_err();
        assert!(error.to_string().starts_with("SCAN_HTTP_ADDR 192.0.2.1:80 is not an address"), "{error}");
    }
}
