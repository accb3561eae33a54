//! The console: every page and its route of the contract, with and without a token; no fault of its own, no credential in
//! an answer but in the cookie that was asked for.

use std::sync::LazyLock;

use mintmark_auth::{audience, scope};
use mintmark_ids::TenantId;

use super::http::{exchange, request};
use super::stage::{self, Door, every_route};

static DOORS: LazyLock<Vec<Door>> =
    LazyLock::new(|| every_route().into_iter().filter(|door| door.service == "console").collect());
static TENANT: LazyLock<TenantId> =
    LazyLock::new(|| TenantId::parse("fuzzed").unwrap_or_else(|error| panic!("{error}")));

/// The first byte chooses the route, the second the caller; the rest is in lines: parameter of the path, query, one
/// header (of a caller with a cookie: more of the cookie), body.
pub fn run(data: &[u8]) {
    let [which, caller, rest @ ..] = data else { return };
    let stage = stage::started();
    let door = &DOORS[usize::from(*which) % DOORS.len()];
    let token = stage.tokens.for_tenant(audience::PREFLIGHT, &TENANT, &scope::PREFLIGHT).expose().to_owned();
    let (bearer, cookie) = match caller % 5 {
        0 => (None, None),
        1 => (Some("e30.e30.e30"), Some("e30.e30.e30")),
        2 => (Some(stage.control_token.as_str()), Some(stage.control_token.as_str())),
        3 => (Some(token.as_str()), None),
        _ => (None, Some(token.as_str())),
    };
    let rest = cookie.map_or_else(|| rest.to_vec(), |cookie| with_cookie(rest, cookie));
    let request = request(door, &door.path(&stage.ours), bearer, &rest);
    let Some(answer) = exchange(stage::address(&stage.console), &request) else { return };
    assert!(answer.status < 500, "{answer:#?}\nto {}", super::text(&request));
    let body = String::from_utf8_lossy(&answer.body);
    assert!(!body.contains("panicked") && !body.contains(&token), "{body}");
    assert!(!answer.text().contains(&stage.control_token), "{answer:#?}");
    let head = answer.head.to_ascii_lowercase();
    // What is no request never reaches the edge: the server itself answers 400.
    if answer.status != 400 {
        assert!(head.contains("content-security-policy: default-src 'none'"), "{answer:#?}");
    }
    assert!(
        !head.contains("location: ") || head.contains("location: /"),
        "nobody is sent elsewhere: {answer:#?}"
    );
}

/// The cookie before whatever the third line has.
fn with_cookie(rest: &[u8], cookie: &str) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = rest.splitn(4, |byte| *byte == b'\n').collect();
    lines.resize(4, b"");
    let header = [format!("cookie: mintmark_preflight={cookie}; ").as_bytes(), lines[2]].concat();
    [lines[0], lines[1], &header, lines[3]].join(&b'\n')
}
