//! The load generator for gRPC: unary calls over HTTP/2 without TLS, one under way on each connection. Header blocks and
//! messages are prepared; what lies between is as little as the protocol (RFC 9113, gRPC over HTTP/2) allows, because the
//! generator shares the machine with what it measures.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::load::Dice;

/// An answer that takes longer is an error of the run.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often the sockets are looked at while nothing can be sent; it is the resolution of an open loop's latencies. Waking at
/// each answer would be finer, and cost the server, which shares the processors, a switch for each.
const LOOK_EVERY: Duration = Duration::from_micros(100);
const READ_BYTES: usize = 16 * 1024;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
/// On HEADERS and DATA: nothing follows on this stream.
const END_STREAM: u8 = 0x1;
/// On SETTINGS and PING: this is the answer.
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// One prepared call.
pub struct Call {
    head: Vec<u8>,
    message: Vec<u8>,
}

impl Call {
    /// A call of `path` with a bearer token and an encoded message.
    pub fn new(path: &str, token: &str, message: &[u8]) -> Self {
        // Indices of HPACK's static table (RFC 7541, appendix A); nothing enters the dynamic one.
        let mut head = vec![0x83, 0x86];
        literal(&mut head, &[0x04], path);
        literal(&mut head, &[0x01], "limiter");
        literal(&mut head, &[0x0f, 0x10], "application/grpc");
        named(&mut head, "te", "trailers");
        named(&mut head, "grpc-timeout", "1000m");
        // `authorization`, never indexed: as a client sends a credential.
        literal(&mut head, &[0x1f, 0x08], &format!("Bearer {token}"));
        let mut framed = vec![0];
        framed.extend((message.len() as u32).to_be_bytes());
        framed.extend(message);
        Self { head, message: framed }
    }
}

fn literal(head: &mut Vec<u8>, name: &[u8], value: &str) {
    head.extend(name);
    text(head, value);
}

fn named(head: &mut Vec<u8>, name: &str, value: &str) {
    head.push(0x00);
    text(head, name);
    text(head, value);
}

/// A string without Huffman coding: a 7-bit prefix integer, then its bytes.
fn text(head: &mut Vec<u8>, value: &str) {
    let mut length = value.len();
    if length < 127 {
        head.push(length as u8);
    } else {
        head.push(127);
        length -= 127;
        while length >= 128 {
            head.push((length % 128) as u8 | 0x80);
            length /= 128;
        }
        head.push(length as u8);
    }
    head.extend(value.as_bytes());
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
}

/// What came of a run.
#[derive(Default)]
pub struct Outcome {
    /// From the first call to the last answer.
    pub took: Duration,
    /// Answers that were not what they should be.
    pub wrong: u64,
    latencies: Vec<u32>,
}

impl Outcome {
    /// Answers a second.
    pub fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    /// How many calls were answered.
    pub fn answered(&self) -> u64 {
        self.latencies.len() as u64
    }

    /// The latency in milliseconds that this share of calls does not exceed.
    pub fn latency_ms(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (self.latencies.len() as f64 * share) as usize;
        self.latencies.get(at.min(last)).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
    }

    fn record(&mut self, right: bool, since: Instant, now: Instant) {
        self.wrong += u64::from(!right);
        let micros = now.saturating_duration_since(since).as_micros();
        self.latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
    }

    fn sorted(mut self) -> Self {
        self.latencies.sort_unstable();
        self
    }
}

/// Calls in turn, as fast as they are answered, for so long.
pub fn closed_loop(
    addr: SocketAddr,
    calls: &[Call],
    connections: usize,
    lasting: Duration,
    right: impl Fn(&[u8]) -> bool,
) -> io::Result<Outcome> {
    let mut poll = Poll::new()?;
    let mut links = connect(addr, connections, &poll)?;
    let mut events = Events::with_capacity(connections);
    let (mut outcome, mut next) = (Outcome::default(), 0);
    let started = Instant::now();
    for link in &mut links {
        link.send(&calls[next % calls.len()], started)?;
        next += 1;
    }
    let mut busy = links.len();
    while busy > 0 {
        poll.poll(&mut events, Some(PATIENCE))?;
        if events.is_empty() {
            return Err(stopped("no answer came for 20 seconds"));
        }
        for event in &events {
            let link = &mut links[event.token().0];
            let Some(is_right) = link.ready(&right)? else { continue };
            let now = Instant::now();
            outcome.record(is_right, link.since, now);
            if now - started < lasting {
                link.send(&calls[next % calls.len()], now)?;
                next += 1;
            } else {
                busy -= 1;
            }
        }
    }
    outcome.took = started.elapsed();
    Ok(outcome.sorted())
}

/// Calls at random moments of a fixed rate, whether or not earlier ones are answered. A latency runs from the moment at
/// which its call was due (no coordinated omission).
pub fn open_loop(
    addr: SocketAddr,
    calls: &[Call],
    connections: usize,
    rate: f64,
    lasting: Duration,
    right: impl Fn(&[u8]) -> bool,
) -> io::Result<Outcome> {
    let mut poll = Poll::new()?;
    let mut links = connect(addr, connections, &poll)?;
    let mut events = Events::with_capacity(connections);
    let mut free: Vec<usize> = (0..links.len()).collect();
    let (mut outcome, mut dice) = (Outcome::default(), Dice(7));
    let started = Instant::now();
    let (mut due, mut heard, mut sending) = (started, started, true);
    while sending || free.len() < links.len() {
        poll.poll(&mut events, Some(Duration::ZERO))?;
        for event in &events {
            let link = &mut links[event.token().0];
            let Some(is_right) = link.ready(&right)? else { continue };
            heard = Instant::now();
            outcome.record(is_right, link.since, heard);
            free.push(event.token().0);
        }
        let now = Instant::now();
        sending = now - started < lasting;
        while sending && due <= now {
            let Some(link) = free.pop() else { break };
            links[link].send(&calls[dice.below(calls.len()) as usize], due)?;
            due += Duration::from_secs_f64(-dice.share().ln() / rate);
        }
        if free.len() < links.len() && now.saturating_duration_since(heard) > PATIENCE {
            return Err(stopped("no answer came for 20 seconds"));
        }
        let pause =
            if free.is_empty() { LOOK_EVERY } else { due.saturating_duration_since(now).min(LOOK_EVERY) };
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }
    outcome.took = started.elapsed();
    Ok(outcome.sorted())
}

fn connect(addr: SocketAddr, connections: usize, poll: &Poll) -> io::Result<Vec<Link>> {
    (0..connections).map(|at| Link::connect(addr, poll, Token(at))).collect()
}

/// One connection.
struct Link {
    socket: TcpStream,
    out: Vec<u8>,
    sent: usize,
    buffer: Vec<u8>,
    filled: usize,
    /// The stream of the call under way, and what of its answer is there.
    stream: u32,
    answer: Vec<u8>,
    since: Instant,
}

impl Link {
    fn connect(addr: SocketAddr, poll: &Poll, token: Token) -> io::Result<Self> {
        let socket = std::net::TcpStream::connect(addr)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        poll.registry().register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        let mut out = PREFACE.to_vec();
        // No dynamic table for the answers' headers, and no pushes.
        frame(&mut out, SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
        // All that a connection may ever be sent, at once: no accounts to keep.
        frame(&mut out, WINDOW_UPDATE, 0, 0, &(0x7fff_ffff_u32 - 65_535).to_be_bytes());
        let (buffer, answer, since) = (vec![0; READ_BYTES], Vec::new(), Instant::now());
        Ok(Self { socket, out, sent: 0, buffer, filled: 0, stream: 1, answer, since })
    }

    fn send(&mut self, call: &Call, since: Instant) -> io::Result<()> {
        self.since = since;
        self.answer.clear();
        frame(&mut self.out, HEADERS, END_HEADERS, self.stream, &call.head);
        frame(&mut self.out, DATA, END_STREAM, self.stream, &call.message);
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        while self.sent < self.out.len() {
            match self.socket.write(&self.out[self.sent..]) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(())
    }

    /// Goes on after the socket became ready: whether the answer is right, once it is there as a whole.
    fn ready(&mut self, right: &impl Fn(&[u8]) -> bool) -> io::Result<Option<bool>> {
        self.write()?;
        let mut answered = None;
        loop {
            match self.socket.read(&mut self.buffer[self.filled..]) {
                Ok(0) => return Err(stopped("the server closed a connection")),
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(answered),
                Err(error) => return Err(error),
            }
            if self.take_frames()? {
                // A message without its five bytes of head is none: the call ended with an error.
                answered = Some(self.answer.get(5..).is_some_and(right));
            }
        }
    }

    /// Reads what frames are whole; whether the call under way has ended.
    fn take_frames(&mut self) -> io::Result<bool> {
        let (mut at, mut ended) = (0, false);
        while let Some(head) = self.buffer[at..self.filled].first_chunk::<FRAME_HEAD>() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let (kind, flags) = (head[3], head[4]);
            let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
            let Some(payload) = self.buffer[at + FRAME_HEAD..self.filled].get(..length) else { break };
            match kind {
                DATA if stream == self.stream => self.answer.extend(payload),
                SETTINGS if flags & ACK == 0 => frame(&mut self.out, SETTINGS, ACK, 0, &[]),
                PING if flags & ACK == 0 => frame(&mut self.out, PING, ACK, 0, payload),
                RST_STREAM | GOAWAY => return Err(stopped("the server gave a call or a connection up")),
                _ => {}
            }
            if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 && stream == self.stream {
                ended = true;
            }
            at += FRAME_HEAD + length;
        }
        self.buffer.copy_within(at..self.filled, 0);
        self.filled -= at;
        if ended {
            self.stream += 2;
        }
        self.write()?;
        Ok(ended)
    }
}

fn stopped(sentence: &str) -> io::Error {
    io::Error::other(sentence.to_owned())
}
