//! The routes.

use mintmark_auth::{audience, scope};
use mintmark_ids::TenantId;
use mintmark_web::Access;
use serde_json::json;

use crate::stage::{Door, Reply, Shop, Stage, every_route};

/// A kind of caller, and the bearer it brings.
struct Caller {
    name: &'static str,
    bearer: Option<String>,
}

/// One way to ask.
#[derive(Debug)]
struct Probe {
    query: String,
    content_type: Option<&'static str>,
    body: Option<Vec<u8>>,
}

/// Measures every route for every caller, on a tenant of its own: some callers are let in and change things.
pub async fn measure(stage: &Stage) -> Vec<Vec<String>> {
    let shop = stage.shop().await;
    let callers = callers(stage, &shop).await;
    let names = callers.iter().map(|caller| caller.name.to_owned());
    let mut table =
        vec![["service", "route", "asks for"].map(str::to_owned).into_iter().chain(names).collect()];
    let mut wrong = Vec::new();
    for door in every_route() {
        let mut row = vec![door.service.to_owned(), door.name(), format!("{:?}", door.access)];
        for caller in &callers {
            row.push(cell(stage, &shop, &door, caller, &mut wrong).await);
        }
        if !door.access.needs_credentials() {
            let answer = &row[3];
            assert!(
                row[3..].iter().all(|cell| cell == answer),
                "{}: open to some only: {row:?}",
                door.name()
            );
        }
        table.push(row);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    table
}

async fn callers(stage: &Stage, shop: &Shop) -> Vec<Caller> {
    let tenant = TenantId::parse(&shop.tenant).unwrap();
    let scopes = [scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ];
    let service = stage.tokens.for_tenant(audience::RESOLVER, &tenant, &scopes).expose().to_owned();
    let order = json!({ "tenantId": shop.tenant, "scopes": scope::PREFLIGHT }).to_string();
    let bearer = format!("Bearer {}", stage.control_token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let path = "/api/admin/preflight-tokens";
    let issued = stage.send("POST", &stage.control, path, &headers, Some(order.as_bytes())).await;
    let preflight = issued.body["token"].as_str().unwrap().to_owned();
    let caller = |name, bearer: &str| Caller { name, bearer: Some(bearer.to_owned()) };
    vec![
        Caller { name: "anonymous", bearer: None },
        caller("control", &stage.control_token),
        caller("owner", &shop.owner.session),
        caller("admin", &shop.admin.session),
        caller("member", &shop.member.session),
        caller("colleague", &shop.colleague.session),
        caller("chief", &shop.chief.session),
        caller("stranger", &stage.theirs.owner.session),
        caller("key", &shop.api_key),
        caller("service", &service),
        caller("preflight", &preflight),
    ]
}

/// How the door answers the caller: the same for every way to ask, or `in`.
async fn cell(stage: &Stage, shop: &Shop, door: &Door, caller: &Caller, wrong: &mut Vec<String>) -> String {
    let about = || format!("{} as {}", door.name(), caller.name);
    let mut answer: Option<String> = None;
    for probe in probes(door, shop) {
        let reply = ask(stage, shop, door, caller, &probe).await;
        assert!(reply.status < 500, "{}: {reply:#?}", about());
        let cell = if door.access.needs_credentials() { judged(&reply, &about()) } else { "open".to_owned() };
        let first = answer.get_or_insert_with(|| cell.clone());
        if *first != cell {
            wrong.push(format!("{}: {first}, and {cell} to {probe:?}: {}", about(), reply.body));
        }
        if cell == "in" {
            break;
        }
    }
    let answer = answer.unwrap();
    if let Some((expected, reason)) = must_be(door, caller)
        && !expected.contains(&answer.as_str())
    {
        wrong.push(format!("{}: {answer} and not {expected:?}: {reason}", about()));
    }
    answer
}

async fn ask(stage: &Stage, shop: &Shop, door: &Door, caller: &Caller, probe: &Probe) -> Reply {
    let bearer = caller.bearer.as_ref().map(|token| format!("Bearer {token}"));
    let mut headers = Vec::new();
    headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    headers.extend(probe.content_type.map(|content_type| ("content-type", content_type)));
    let path = format!("{}{}", door.path(shop), probe.query);
    stage.send(&door.method, stage.base(door.service), &path, &headers, probe.body.as_deref()).await
}

/// `in`, or the status of the refusal, which must be one that DESIGN §3 knows.
fn judged(reply: &Reply, about: &str) -> String {
    let said = |name: &str| !reply.body[name].is_null();
    match reply.status {
        401 => assert_eq!(reply.code(), "AUTHENTICATION_REQUIRED", "{about}"),
        403 => assert!(
            (said("requiredScope") && said("grantedScopes"))
                || (said("requiredRole") && said("grantedRoles")),
            "{about}: a 403 says what is missing: {reply:#?}"
        ),
        404 => assert_eq!(reply.code(), "NOT_FOUND", "{about}"),
        _ => return "in".to_owned(),
    }
    reply.status.to_string()
}

/// What no table may say otherwise, and why.
fn must_be(door: &Door, caller: &Caller) -> Option<(&'static [&'static str], &'static str)> {
    let names_a_thing = door.template.starts_with("/v1/") && door.template.contains('{');
    // Somebody else's key is as unknown as another tenant's.
    let is_personal = door.template.contains("{keyId}");
    // A right of the whole tenant, of things that the stage does not have: the table alone says what is answered.
    let is_administration = door.template.starts_with("/v1/admin/");
    match (door.access, caller.name) {
        (Access::Public | Access::Signed, _) => None,
        (Access::Preflight, "preflight") => {
            Some((&["in", "404"], "a token with all scopes, and no such job"))
        }
        (Access::Preflight, _) => Some((&["401"], "the wrong kind of credential")),
        (Access::ControlToken, "control") => Some((&["in"], "the operator may")),
        (Access::ControlToken, _) | (_, "anonymous" | "control" | "service" | "preflight") => {
            Some((&["401"], "the wrong kind of credential"))
        }
        (Access::Session, "key") => Some((&["401"], "this wants a person")),
        (_, _) if is_administration => None,
        (_, "stranger") if names_a_thing => Some((&["404"], "another tenant's thing")),
        (_, "owner") => Some((&["in"], "the owner may do everything in the tenant")),
        (_, _) if names_a_thing && !is_personal => {
            Some((&["in", "403"], "that a thing of one's own tenant exists is no secret"))
        }
        (_, _) => None,
    }
}

/// Garbage first, so that a caller who is let in changes as little as can be.
fn probes(door: &Door, shop: &Shop) -> Vec<Probe> {
    let json = |value: serde_json::Value| Probe {
        query: String::new(),
        content_type: Some("application/json"),
        body: Some(value.to_string().into_bytes()),
    };
    match door.name().as_str() {
        // Here the thing stands in what is sent: with garbage there is none that could be refused.
        "POST /v1/products" => vec![json(json!({ "brandId": shop.brand, "gtin": "1", "name": "" }))],
        "GET /v1/products" => {
            let query = format!("?brandId={}&limit=0", shop.brand);
            vec![Probe { query, content_type: None, body: None }]
        }
        "POST /v1/api-keys/{keyId}/rotate" => vec![json(json!({}))],
        "POST /v1/preflight-tokens" => {
            vec![json(json!({ "brandId": shop.brand, "scopes": ["preflight:write"] }))]
        }
        _ => {
            let plain = |query: &str| Probe { query: query.to_owned(), content_type: None, body: None };
            let garbage = Probe {
                query: String::new(),
                content_type: Some("text/html"),
                body: Some(b"\xff\xfe{<!".to_vec()),
            };
            let mut probes = vec![plain("?limit=none&cursor=%00&from=x&to=%FF&%5B%5D=1")];
            if !matches!(door.method.as_str(), "GET" | "HEAD") {
                probes.extend([garbage, json(json!({ "unknown": true })), json(json!([]))]);
                // Bodies first: where one is read, the bare request would not be garbage.
                probes.rotate_left(1);
            }
            probes.push(plain(""));
            probes
        }
    }
}
