//! A control plane that misbehaves on purpose: it answers what it is told to, or hangs up, or is not there.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What came.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET /v1/brands`.
    pub line: String,
    /// Of `Idempotency-Key`.
    pub key: Option<String>,
    /// Of `Range`.
    pub range: Option<String>,
    /// Of `Authorization`.
    pub credential: Option<String>,
}

/// What is answered; nothing hangs up.
pub type Answer = Option<Vec<u8>>;

/// A server on a port of its own.
pub struct Pretender {
    port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
    running: Option<Running>,
}

struct Running {
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Pretender {
    /// Holds a port, where nothing answers yet.
    pub fn new() -> Self {
        Self { port: mintmark_devstack::free_port(), seen: Arc::default(), running: None }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What came so far.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// Answers from now on; `script` is given how many requests came before.
    pub fn answer(&mut self, script: impl Fn(usize, &Request) -> Answer + Send + 'static) {
        self.leave();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        let (over, seen) = (Arc::new(AtomicBool::new(false)), Arc::clone(&self.seen));
        let ended = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let Some(request) = read(&stream) else { continue };
                let before = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(request.clone());
                    seen.len() - 1
                };
                if let Some(answer) = script(before, &request) {
                    let _ = (&stream).write_all(&answer);
                }
            }
        });
        self.running = Some(Running { over, thread });
    }

    /// Is not there from now on.
    pub fn leave(&mut self) {
        let Some(Running { over, thread }) = self.running.take() else { return };
        over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        thread.join().unwrap();
    }
}

impl Drop for Pretender {
    fn drop(&mut self) {
        self.leave();
    }
}

/// An answer with a JSON body.
pub fn json(status: &str, more: &str, body: &serde_json::Value) -> Answer {
    bytes(status, &format!("Content-Type: application/json\r\n{more}"), body.to_string().as_bytes())
}

/// An answer with any body.
pub fn bytes(status: &str, more: &str, body: &[u8]) -> Answer {
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{more}\r\n", body.len());
    Some([head.as_bytes(), body].concat())
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut request = Request { line: line.rsplit_once(' ')?.0.to_owned(), ..Request::default() };
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        let value = value.to_owned();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "idempotency-key" => request.key = Some(value),
            "range" => request.range = Some(value),
            "authorization" => request.credential = Some(value),
            _ => {}
        }
    }
    reader.take(length).read_to_end(&mut Vec::new()).ok()?;
    Some(request)
}
