//! The control plane: every route, with and without credentials; no fault of its own, no secret in an answer.

use std::sync::LazyLock;

use super::http::{exchange, request};
use super::stage::{self, Door, Shop, every_route};

static DOORS: LazyLock<Vec<Door>> =
    LazyLock::new(|| every_route().into_iter().filter(|door| door.service == "control-plane").collect());
/// A tenant that may be ruined.
static SHOP: LazyLock<Shop> = LazyLock::new(|| stage::wait_for(stage::started().shop()));

/// The first byte chooses the route, the second the caller; the rest is in lines: parameter of the path, query, one
/// header, body.
pub fn run(data: &[u8]) {
    let [which, caller, rest @ ..] = data else { return };
    let stage = stage::started();
    let door = &DOORS[usize::from(*which) % DOORS.len()];
    let callers = [
        None,
        Some("e30.e30.e30"),
        Some(SHOP.owner.session.as_str()),
        Some(SHOP.member.session.as_str()),
        Some(stage.theirs.owner.session.as_str()),
        Some(SHOP.api_key.as_str()),
        Some(stage.control_token.as_str()),
    ];
    let bearer = callers[usize::from(*caller) % callers.len()];
    let request = request(door, &door.path(&SHOP), bearer, rest);
    let Some(answer) = exchange(stage::address(&stage.control), &request) else { return };
    assert!(answer.status < 500, "{answer:#?}\nto {}", super::text(&request));
    let text = answer.text();
    assert!(!text.contains("panicked") && !text.contains(&stage.control_token), "{text}");
    // Whoever brings nothing gets nothing but what is public; what HTTP itself cannot read is 400.
    let stranger = bearer.is_none() || bearer == Some("e30.e30.e30");
    let has_header = text_has_credentials(rest);
    if stranger && !has_header && door.access.needs_credentials() {
        assert!(
            matches!(answer.status, 400 | 401 | 404 | 405 | 413 | 431),
            "{answer:#?}\nto {}",
            super::text(&request)
        );
    }
}

/// The fuzzed header may be a second `Authorization`, or a key.
fn text_has_credentials(rest: &[u8]) -> bool {
    let text = super::text(rest).to_ascii_lowercase();
    text.contains("authorization") || text.contains("x-api-key")
}
