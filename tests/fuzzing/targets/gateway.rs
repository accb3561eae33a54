//! The preflight gateway: every route, with and without a PREFLIGHT_JWT; no fault of its own, no credential in an answer.

use std::sync::LazyLock;

use mintmark_auth::{audience, scope};
use mintmark_ids::TenantId;

use super::http::{exchange, request};
use super::stage::{self, Door, every_route};

static DOORS: LazyLock<Vec<Door>> =
    LazyLock::new(|| every_route().into_iter().filter(|door| door.service == "preflight-gateway").collect());
/// A tenant that has a file and may be ruined.
static TENANT: LazyLock<TenantId> =
    LazyLock::new(|| TenantId::parse("fuzzed").unwrap_or_else(|error| panic!("{error}")));

/// The first byte chooses the route, the second the caller; the rest is in lines: parameter of the path, query, one
/// header, body.
pub fn run(data: &[u8]) {
    let [which, caller, rest @ ..] = data else { return };
    let stage = stage::started();
    let door = &DOORS[usize::from(*which) % DOORS.len()];
    let token = |scopes: &[&'static str]| {
        stage.tokens.for_tenant(audience::PREFLIGHT, &TENANT, scopes).expose().to_owned()
    };
    let rightful = match caller % 6 {
        0 => None,
        1 => Some("e30.e30.e30".to_owned()),
        2 => Some(stage.control_token.clone()),
        3 => Some(token(&[scope::PREFLIGHT_READ])),
        _ => Some(token(&scope::PREFLIGHT)),
    };
    let request = request(door, &door.path(&stage.ours), rightful.as_deref(), rest);
    let Some(answer) = exchange(stage::address(&stage.gateway), &request) else { return };
    assert!(answer.status < 500, "{answer:#?}\nto {}", super::text(&request));
    let text = answer.text();
    assert!(!text.contains("panicked") && !text.contains(&stage.control_token), "{text}");
    let stranger = caller % 6 < 3 && !super::text(rest).to_ascii_lowercase().contains("authorization");
    if stranger && door.access.needs_credentials() {
        assert!(
            matches!(answer.status, 400 | 401 | 404 | 405 | 413 | 431),
            "{answer:#?}\nto {}",
            super::text(&request)
        );
    }
}
