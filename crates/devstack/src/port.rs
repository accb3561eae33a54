//! Ports that stay ours: nobody else is handed them, neither by the system nor by another run beside this one.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Below the range that Linux takes the near end of outgoing connections from (32768 and up): a port of that range that is
/// free now may be somebody's connection when the service binds it.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// The locks of the ports that this process was given; a lock ends with the process.
static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A free port of 127.0.0.1 that no other caller of this function is given while this process lives.
///
/// # Panics
/// When all ports are taken, or the folder of the locks cannot be written.
#[must_use]
pub fn free_port() -> u16 {
    let folder = locks();
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    // Processes start at places of their own, so that they seldom meet.
    let start = (std::process::id().wrapping_mul(2_654_435_761) >> 16) % u32::from(COUNT);
    let given = u32::try_from(held.len()).unwrap_or(0);
    for step in 0..u32::from(COUNT) {
        let place = (start + given + step) % u32::from(COUNT);
        let port = FIRST + u16::try_from(place).unwrap_or(0);
        let file = folder.join(port.to_string());
        // Another user's lock cannot be opened: that port is theirs.
        let Ok(lock) = OpenOptions::new().create(true).write(true).truncate(false).open(file) else {
            continue;
        };
        if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            held.push(lock);
            return port;
        }
    }
    panic!("no port from {FIRST} on is free for a test or a private server");
}

fn locks() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("mintmark-ports.{}", nix::unistd::getuid()));
    if let Err(e) = std::fs::create_dir_all(&folder) {
        panic!("{} cannot be made: {e}", folder.display());
    }
    folder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_port_is_given_once_and_outside_the_range_of_outgoing_connections() {
        let ports: Vec<u16> = (0..50).map(|_| free_port()).collect();
        let mut unique = ports.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), ports.len());
        assert!(ports.iter().all(|port| (FIRST..FIRST + COUNT).contains(port)));
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, ports[0])).is_ok());
    }
}
