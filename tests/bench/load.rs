//! The load generator: prepared requests over keep-alive connections, one under way on each, the same bytes to whoever
//! answers. Every answer is read whole and its status counted, so that an error is never taken for speed.

mod answer;
pub mod open;
pub mod trivial;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use self::answer::Answer;

/// Codes have twenty characters.
pub const CODE_BYTES: usize = 20;
/// An answer's head and a small body fit; larger ones take several reads.
const READ_BYTES: usize = 4096;
/// An answer that takes longer is an error of the run.
const PATIENCE: Duration = Duration::from_secs(20);

/// Telephones as they come: each connection is one of them.
const DEVICES: [&str; 8] = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Android 15; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0",
    "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 13; 2201117TG) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
];

/// What to ask for: one request a code.
pub struct Requests {
    gtin: String,
    codes: Vec<[u8; CODE_BYTES]>,
}

impl Requests {
    /// Scans of these codes of one product, by their long link.
    pub fn new(gtin: &str, codes: Vec<[u8; CODE_BYTES]>) -> Self {
        Self { gtin: gtin.to_owned(), codes }
    }

    /// How many codes there are.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// The request of a connection's telephone, and where in it the code stands. The address is the telephone's, as the
    /// proxy in front of us says it.
    fn prepared(&self, connection: usize) -> (Vec<u8>, usize) {
        let device = DEVICES[connection % DEVICES.len()];
        let before = format!("GET /01/{}/21/", self.gtin);
        let address = format!("{}.{}.{}.7", 62 + connection % 30, 10 + connection, 3 + connection * 5 % 250);
        let request = format!(
            "{before}{:0>CODE_BYTES$} HTTP/1.1\r\nHost: id.brand.example\r\nUser-Agent: {device}\r\n\
             Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
             Accept-Language: en-GB,en;q=0.9\r\nAccept-Encoding: gzip, deflate, br\r\n\
             X-Forwarded-For: {address}\r\n\r\n",
            ""
        );
        (request.into_bytes(), before.len())
    }
}

/// What came of a run.
#[derive(Default)]
pub struct Outcome {
    /// How long it took, from the first request to the last answer.
    pub took: Duration,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Microseconds of each request, in ascending order.
    latencies: Vec<u32>,
    /// Microseconds by which the generator itself was late: it had a free connection and did not get to send. They are part
    /// of the latencies, and no server's.
    late: Vec<u32>,
}

impl Outcome {
    /// Answers a second.
    pub fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    /// The latency in milliseconds that this share of requests does not exceed.
    pub fn latency_ms(&self, share: f64) -> f64 {
        quantile_ms(&self.latencies, share)
    }

    /// The same of what the generator was late by itself.
    pub fn late_ms(&self, share: f64) -> f64 {
        quantile_ms(&self.late, share)
    }

    /// How many requests were answered.
    pub fn answered(&self) -> u64 {
        self.latencies.len() as u64
    }

    /// How many had another status than this one.
    pub fn other_than(&self, status: u16) -> u64 {
        self.statuses.iter().filter(|(known, _)| **known != status).map(|(_, count)| count).sum()
    }

    fn record(&mut self, status: u16, since: Instant, now: Instant) {
        *self.statuses.entry(status).or_default() += 1;
        let micros = now.saturating_duration_since(since).as_micros();
        self.latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
    }

    fn late(&mut self, by: Duration) {
        self.late.push(u32::try_from(by.as_micros()).unwrap_or(u32::MAX));
    }

    fn absorb(&mut self, other: Self) {
        self.took = self.took.max(other.took);
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.latencies.extend(other.latencies);
        self.late.extend(other.late);
    }

    fn sorted(mut self) -> Self {
        self.latencies.sort_unstable();
        self.late.sort_unstable();
        self
    }
}

/// Of microseconds in ascending order.
fn quantile_ms(sorted: &[u32], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(last)).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
}

/// As many requests as `order` has places, as fast as they are answered, by `connections` clients on `threads` threads.
pub fn closed_loop(
    addr: SocketAddr,
    requests: &Requests,
    order: &[u32],
    connections: usize,
    threads: usize,
) -> io::Result<Outcome> {
    let share = order.len().div_ceil(threads);
    let outcomes = std::thread::scope(|scope| {
        let running: Vec<_> = order
            .chunks(share)
            .enumerate()
            .map(|(thread, part)| {
                let first = thread * connections / threads;
                let mine = first..(thread + 1) * connections / threads;
                scope.spawn(move || drive(addr, requests, part, mine))
            })
            .collect();
        running.into_iter().map(|thread| thread.join().map_err(|_| stopped("a thread panicked"))?).collect()
    });
    let outcomes: io::Result<Vec<Outcome>> = outcomes;
    let mut whole = Outcome::default();
    outcomes?.into_iter().for_each(|outcome| whole.absorb(outcome));
    Ok(whole.sorted())
}

fn drive(
    addr: SocketAddr,
    requests: &Requests,
    order: &[u32],
    connections: std::ops::Range<usize>,
) -> io::Result<Outcome> {
    let mut poll = Poll::new()?;
    let mut links = Vec::with_capacity(connections.len());
    for connection in connections {
        links.push(Link::connect(addr, requests, connection, &poll, Token(links.len()))?);
    }
    let mut events = Events::with_capacity(links.len().max(1));
    let mut next = order.iter();
    let mut outcome = Outcome { latencies: Vec::with_capacity(order.len()), ..Outcome::default() };
    let started = Instant::now();
    for link in &mut links {
        match next.next() {
            Some(code) => link.send(&requests.codes[*code as usize], started)?,
            None => break,
        }
    }
    while outcome.latencies.len() < order.len() {
        poll.poll(&mut events, Some(PATIENCE))?;
        if events.is_empty() {
            return Err(stopped("no answer came for 20 seconds"));
        }
        for event in &events {
            let link = &mut links[event.token().0];
            let Some(status) = link.ready()? else { continue };
            let now = Instant::now();
            outcome.record(status, link.since, now);
            if let Some(code) = next.next() {
                link.send(&requests.codes[*code as usize], now)?;
            }
        }
    }
    outcome.took = started.elapsed();
    Ok(outcome)
}

/// One connection.
struct Link {
    socket: TcpStream,
    request: Vec<u8>,
    code_at: usize,
    /// Bytes of the request that are out; all of them while nothing is under way.
    sent: usize,
    buffer: Vec<u8>,
    filled: usize,
    busy: bool,
    /// When the request began, or was due.
    since: Instant,
}

impl Link {
    fn connect(
        addr: SocketAddr,
        requests: &Requests,
        connection: usize,
        poll: &Poll,
        token: Token,
    ) -> io::Result<Self> {
        let socket = std::net::TcpStream::connect(addr)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        poll.registry().register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        let (request, code_at) = requests.prepared(connection);
        let sent = request.len();
        let (buffer, since) = (vec![0; READ_BYTES], Instant::now());
        Ok(Self { socket, request, code_at, sent, buffer, filled: 0, busy: false, since })
    }

    fn send(&mut self, code: &[u8; CODE_BYTES], since: Instant) -> io::Result<()> {
        self.request[self.code_at..self.code_at + CODE_BYTES].copy_from_slice(code);
        (self.sent, self.filled, self.busy, self.since) = (0, 0, true, since);
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        while self.sent < self.request.len() {
            match self.socket.write(&self.request[self.sent..]) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Goes on after the socket became ready: the status, once the answer is there as a whole.
    fn ready(&mut self) -> io::Result<Option<u16>> {
        self.write()?;
        while self.busy {
            if self.filled == self.buffer.len() {
                self.buffer.resize(self.filled * 2, 0);
            }
            match self.socket.read(&mut self.buffer[self.filled..]) {
                Ok(0) => return Err(stopped("the server closed a connection")),
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
            if let Some(answer) = Answer::read(&self.buffer[..self.filled])
                && answer.length == self.filled
            {
                self.busy = false;
                return Ok(Some(answer.status));
            }
        }
        Ok(None)
    }
}

fn stopped(sentence: &str) -> io::Error {
    io::Error::other(sentence.to_owned())
}

/// Numbers from a seed, so that a run can be repeated (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One below `bound`.
    pub fn below(&mut self, bound: usize) -> u32 {
        (self.next() % bound.max(1) as u64) as u32
    }

    /// Above 0 and at most 1.
    pub fn share(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 1.0) / (1_u64 << 53) as f64
    }
}
