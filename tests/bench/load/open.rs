//! Scans that come when they come: requests at random moments of a fixed rate, whether or not earlier ones are answered.
//!
//! A latency runs from the moment at which its request was due, so that a pause of the server counts for every request
//! that would have come during it (no coordinated omission).

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use super::{Dice, Link, Outcome, PATIENCE, Requests, stopped};

/// How often the sockets are looked at while nothing is due; it is the resolution of the latencies.
const LOOK_EVERY: Duration = Duration::from_micros(100);

/// What to send.
pub struct Plan {
    /// Requests a second, on the average.
    pub rate: f64,
    /// Where the random moments and codes come from.
    pub seed: u64,
    /// Connections; a request that finds none free waits, and its clock runs.
    pub connections: usize,
}

/// Sends requests for random codes until `ended` says so, and waits for the last answers.
pub fn open_loop(
    addr: SocketAddr,
    requests: &Requests,
    plan: &Plan,
    ended: impl Fn(Duration) -> bool,
) -> io::Result<Outcome> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(plan.connections.max(1));
    let mut links = Vec::with_capacity(plan.connections);
    for connection in 0..plan.connections {
        links.push(Link::connect(addr, requests, connection, &poll, Token(connection))?);
    }
    // In turn: a server may close a connection that it hears nothing from.
    let mut free: VecDeque<usize> = (0..links.len()).collect();
    let mut dice = Dice(plan.seed);
    let mut outcome = Outcome::default();
    let started = Instant::now();
    let mut due = started;
    let mut heard = started;
    let mut sending = true;
    while sending || free.len() < links.len() {
        // With every connection taken nothing can be sent: to look again and again would take a core from the server.
        let patience = if free.is_empty() { PATIENCE } else { Duration::ZERO };
        poll.poll(&mut events, Some(patience))?;
        for event in &events {
            let link = &mut links[event.token().0];
            let Some(status) = link.ready()? else { continue };
            heard = Instant::now();
            outcome.record(status, link.since, heard);
            free.push_back(event.token().0);
        }
        let now = Instant::now();
        sending = sending && !ended(now - started);
        let mut waited = patience > Duration::ZERO;
        while sending && due <= now {
            let Some(link) = free.pop_front() else { break };
            if !waited {
                outcome.late(now - due);
            }
            waited |= free.is_empty();
            let code = dice.below(requests.len());
            links[link].send(&requests.codes[code as usize], due)?;
            // Moments of a Poisson process: independent visitors.
            due += Duration::from_secs_f64(-dice.share().ln() / plan.rate);
        }
        if free.len() < links.len() && now.saturating_duration_since(heard) > PATIENCE {
            return Err(stopped("no answer came for 20 seconds"));
        }
        let pause = due.saturating_duration_since(now).min(LOOK_EVERY);
        if !free.is_empty() && !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }
    outcome.took = started.elapsed();
    Ok(outcome.sorted())
}
