//! The public resolver: whatever stands in a path, a query, a header or a body, it answers, and never with a fault of its own.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use super::http::{exchange, request};
use super::stage::{self, Door, every_route};

/// How long the resolver may take to read the state of the directory again.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(10);

static DOORS: LazyLock<Vec<Door>> =
    LazyLock::new(|| every_route().into_iter().filter(|door| door.service == "resolver-scan").collect());

/// The first byte chooses the route; the rest is in lines: parameter of the path, query, one header, body.
pub fn run(data: &[u8]) {
    let Some((which, rest)) = data.split_first() else { return };
    let stage = stage::started();
    let door = &DOORS[usize::from(*which) % DOORS.len()];
    let request = request(door, &door.path(&stage.ours), None, rest);
    let addr = stage::address(&stage.scan);
    let Some(mut answer) = exchange(addr, &request) else { return };
    // The state of the directory may be stale on a machine that is busy; it must not stay so.
    let deadline = Instant::now() + CONFIRMED_WITHIN;
    while answer.status == 503 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
        let Some(again) = exchange(addr, &request) else { return };
        answer = again;
    }
    assert!(answer.status < 500, "{answer:#?}\nto {}", super::text(&request));
    assert!(!answer.text().contains("panicked"), "{answer:#?}");
    if answer.status != 400 {
        let head = answer.head.to_ascii_lowercase();
        assert!(head.contains("referrer-policy: no-referrer"), "{answer:#?}\nto {}", super::text(&request));
    }
}
