//! A recording proxy between two services, and what it understands of their talk.
//!
//! [`Recorder::between`] stands before a server on a port of its own and hands every byte on; [`Recorder::transcript`] reads what
//! passed: HTTP/2 with its compressed headers, gRPC messages, HTTP/1.1 with chunked bodies, gzip and deflate. What it does not
//! understand is a problem that the transcript names, so that nothing passes unread. [`Secrets`] says what must not be in it.
//!
//! It is threads and blocking sockets, so that it records the same under any runtime, or under none.

mod coding;
mod http1;
mod http2;
mod secrets;
mod transcript;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

pub use secrets::{Hit, Secrets};
pub use transcript::{Exchange, Field, Finding, Half, Transcript};

/// A proxy that listens until it is dropped. Connections that are open then live as long as their two ends.
pub struct Recorder {
    name: String,
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    upstream: SocketAddr,
    closed: AtomicBool,
    wires: Mutex<Vec<Arc<Wire>>>,
}

/// What passed on one connection, each direction for itself.
#[derive(Default)]
pub(crate) struct Wire {
    to_server: Mutex<Vec<u8>>,
    to_client: Mutex<Vec<u8>>,
}

impl Recorder {
    /// Stands before `upstream`, which need not answer yet. `name` is for people: `control-plane → directory`.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn between(name: &str, upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { upstream, closed: AtomicBool::new(false), wires: Mutex::default() });
        let accepting = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.closed.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&accepting);
                thread::spawn(move || state.connect(client));
            }
        });
        Ok(Self { name: name.to_owned(), address, state })
    }

    /// Where it listens: what the calling service is configured with.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that passed until now, decoded.
    #[must_use]
    pub fn transcript(&self) -> Transcript {
        let wires = self.state.wires.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut transcript = Transcript::new(&self.name);
        for wire in wires {
            let copy = |side: &Mutex<Vec<u8>>| side.lock().unwrap_or_else(PoisonError::into_inner).clone();
            // Answers first: then each answer's question is there as well.
            let answers = copy(&wire.to_client);
            transcript.read(copy(&wire.to_server), answers);
        }
        transcript
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts; when it is gone already there is nobody to wake.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    /// Joins a client with the server. A server that is away is a closed connection, as it would be without us.
    fn connect(&self, client: TcpStream) {
        let Ok(server) = TcpStream::connect(self.upstream) else { return };
        // Small frames go on at once: we do not want to be what is slow.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (Ok(back), Ok(forth)) = (client.try_clone(), server.try_clone()) else { return };
        let wire = Arc::new(Wire::default());
        self.wires.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&wire));
        let answers = Arc::clone(&wire);
        thread::spawn(move || carry(forth, back, &answers.to_client));
        carry(client, server, &wire.to_server);
    }
}

/// Writes each piece down before it goes on, so that nothing arrives unrecorded.
fn carry(mut from: TcpStream, mut to: TcpStream, record: &Mutex<Vec<u8>>) {
    let mut piece = [0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        record.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..length]);
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    let _ = (to.shutdown(Shutdown::Write), from.shutdown(Shutdown::Read));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that reads to the end and then says it backwards.
    fn mirror() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut text = Vec::new();
                stream.read_to_end(&mut text).unwrap();
                text.reverse();
                stream.write_all(&text).unwrap();
            }
        });
        address
    }

    #[test]
    fn recorder_hands_on_both_directions_and_what_is_not_http_is_a_problem() {
        let recorder = Recorder::between("a → b", mirror()).unwrap();
        let mut stream = TcpStream::connect(recorder.address()).unwrap();
        stream.write_all(b"\0not http: swordfish").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "hsifdrows :ptth ton\0");

        let transcript = recorder.transcript();
        assert_eq!(transcript.problems.len(), 2, "each direction: {:?}", transcript.problems);
        let mut secrets = Secrets::new();
        secrets.add("the word", b"swordfish");
        let found = transcript.find(&secrets);
        // The bytes themselves are searched too.
        let words: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["a → b: the word (as it is) in the bytes of the requests"]);
    }

    #[test]
    fn recorder_before_a_server_that_is_away_closes_the_connection() {
        let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let recorder = Recorder::between("a → nobody", nobody).unwrap();
        let mut stream = TcpStream::connect(recorder.address()).unwrap();
        assert!(matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_)));
        assert_eq!(recorder.transcript().exchanges.len(), 0);
    }

    #[test]
    fn recorder_that_is_dropped_listens_no_more() {
        let recorder = Recorder::between("a → b", mirror()).unwrap();
        let address = recorder.address();
        drop(recorder);
        let gone = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while TcpStream::connect(address).is_ok() {
            assert!(std::time::Instant::now() < gone, "it still listens");
            thread::yield_now();
        }
    }
}
