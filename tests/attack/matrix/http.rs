//! The attacks over HTTP.

use std::time::Duration;

use futures::StreamExt as _;
use mintmark_web::Access;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method, redirect};
use serde_json::Value;

use super::{Attackers, none_of};
use crate::forge::{Attack, Refusal};
use crate::stage::{Door, Reply, Shop, Stage, every_route, on_stage};
use crate::witness::{self, Sent};

/// Requests under way at once.
const AT_ONCE: usize = 16;
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

#[test]
fn every_guarded_route_refuses_every_attack() {
    on_stage(async |stage| {
        witness::listen().await;
        let attackers = Attackers::gather(stage).await;
        let client = client();
        let before = witness::state(stage, &attackers.shop.tenant).await;
        let (mut failures, mut sent, mut tried) = (Vec::new(), Sent::default(), 0);
        for door in every_route().iter().filter(|door| door.access.needs_credentials()) {
            // Made anew for each door: some of them are about to be valid, and must not become so on the way.
            let attacks = match door.access {
                Access::Session => attackers.on_session(),
                Access::SessionOrKey => attackers.on_session_or_key(),
                Access::ControlToken => attackers.on_control(),
                Access::Preflight => attackers.on_preflight(),
                other => panic!("{}: say here what is an attack on {other:?}", door.name()),
            };
            let path = door.path(&attackers.shop);
            let refused = |attack: &Attack, reply: &Reply| refused(door.access, attack, reply);
            let results = all_at(&client, stage, door, &path, &attacks, refused).await;
            failures.extend(results);
            tried += attacks.len();
            sent.add(attacks.iter().flat_map(Attack::secrets));
        }
        none_of(&failures);
        assert!(tried > 10_000, "only {tried} attacks were tried");
        assert_eq!(
            witness::state(stage, &attackers.shop.tenant).await,
            before,
            "an attack changed something"
        );
        sent.is_nowhere();
    });
}

#[test]
fn every_guarded_route_lets_the_untouched_credential_in() {
    on_stage(async |stage| {
        let attackers = Attackers::gather(stage).await;
        let (client, nothing) = (client(), nowhere(&attackers.shop));
        for door in every_route().iter().filter(|door| door.access.needs_credentials()) {
            let credential = match door.access {
                Access::ControlToken => stage.control_token.clone(),
                Access::Preflight => attackers.preflight_jwt().token(),
                // Signed again by the forger: it is the forgery's one difference that is refused, not the forger's hand.
                _ => attackers.session().token(),
            };
            let schemes = ["Bearer", "bearer", "BEARER"].map(|scheme| format!("{scheme} {credential}"));
            let mut rightful: Vec<_> = schemes.into_iter().map(|value| ("authorization", value)).collect();
            if door.access == Access::SessionOrKey {
                let key = &attackers.shop.api_key;
                rightful.extend([("authorization", format!("Bearer {key}")), ("x-api-key", key.clone())]);
            }
            for (name, value) in rightful {
                let mut headers = HeaderMap::new();
                headers.insert(name, value.parse().unwrap());
                // Things that are not there: whoever is let in hears so, and nothing comes of it.
                let reply = send(&client, stage, door, &door.path(&nothing), headers).await.unwrap();
                assert!(reply.status != 401 && reply.status < 500, "{}: {reply:?}", door.name());
            }
        }
    });
}

#[test]
fn every_open_route_answers_as_if_no_credential_had_come() {
    on_stage(async |stage| {
        witness::listen().await;
        let attackers = Attackers::gather(stage).await;
        let (client, mut failures, mut sent) = (client(), Vec::new(), Sent::default());
        for door in every_route().iter().filter(|door| !door.access.needs_credentials()) {
            let path = door.path(&attackers.shop);
            let anonymous = send(&client, stage, door, &path, HeaderMap::new()).await.unwrap();
            assert!(anonymous.status < 500, "{}: {anonymous:?}", door.name());
            let attacks = attackers.on_open();
            let as_without = |_: &Attack, reply: &Reply| {
                if reply.status == anonymous.status {
                    Ok(())
                } else {
                    Err(format!("{} and not {}", reply.status, anonymous.status))
                }
            };
            failures.extend(all_at(&client, stage, door, &path, &attacks, as_without).await);
            sent.add(attacks.iter().flat_map(Attack::secrets));
        }
        none_of(&failures);
        sent.is_nowhere();
    });
}

#[test]
fn a_control_token_where_none_is_wanted_is_a_security_event() {
    on_stage(async |stage| {
        witness::listen().await;
        let client = client();
        let doors = every_route();
        let door = |name: &str| doors.iter().find(|door| door.name() == name).unwrap();
        for (service, place, door, header) in [
            ("control-plane", "authorization", door("GET /v1/brands"), "authorization"),
            ("control-plane", "header", door("GET /v1/brands"), "x-api-key"),
            ("control-plane", "header", door("GET /api/admin/tenants"), "x-upstream-token"),
            ("control-plane", "authorization", door("GET /openapi.json"), "authorization"),
            ("resolver-scan", "authorization", door("GET /"), "authorization"),
            ("resolver-scan", "header", door("GET /"), "cookie"),
            ("resolver-scan", "header", door("GET /"), "x-request-id"),
            ("preflight-gateway", "authorization", door("GET /api/preflight/jobs/policies"), "authorization"),
            ("preflight-gateway", "header", door("POST /api/v2/jobs"), "x-upstream-token"),
            ("console", "header", door("GET /jobs"), "cookie"),
            ("console", "authorization", door("GET /policies"), "authorization"),
        ] {
            let series = format!(
                r#"security_events_total{{event="stray_control_token",place="{place}",service="{service}"}}"#
            );
            let before = witness::counted(&series);
            let mut headers = HeaderMap::new();
            let value =
                if header == "authorization" { "Bearer " } else { "" }.to_owned() + &stage.control_token;
            headers.insert(header, value.parse().unwrap());
            let reply = send(&client, stage, door, &door.path(&stage.ours), headers).await.unwrap();
            assert!(!shown(&reply).contains(&stage.control_token), "{header}: {reply:?}");
            assert!(witness::counted(&series) > before, "{series} after {} with {header}", door.name());
        }
        let log = witness::log();
        assert!(log.contains("a control token was sent where none is accepted"), "{log}");
        let mut sent = Sent::default();
        sent.add([stage.control_token.clone()]);
        sent.is_nowhere();
    });
}

/// One attack after another on a door, some at once; what did not end as `judge` wants, or gave the credential back.
async fn all_at(
    client: &Client,
    stage: &Stage,
    door: &Door,
    path: &str,
    attacks: &[Attack],
    judge: impl Fn(&Attack, &Reply) -> Result<(), String>,
) -> Vec<String> {
    let one = async |attack: &Attack| -> Result<(), String> {
        let path = format!("{path}{}", attack.query);
        let headers = attack.headers.iter().cloned().fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        });
        match send(client, stage, door, &path, headers).await {
            Ok(reply) => {
                judge(attack, &reply)?;
                let shown = shown(&reply);
                match attack.secrets().into_iter().find(|secret| shown.contains(secret.as_str())) {
                    Some(_) => Err(format!("gave the credential back: {shown}")),
                    None => Ok(()),
                }
            }
            // The edge stopped reading.
            Err(_) if attack.refusal == Refusal::TooLarge => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    };
    let outcomes = futures::stream::iter(attacks)
        .map(|attack| {
            let outcome = one(attack);
            async move { (attack, outcome.await) }
        })
        .buffer_unordered(AT_ONCE);
    let told = |(attack, outcome): (&Attack, Result<(), String>)| {
        let name = format!("{} · {}", door.name(), attack.name);
        std::future::ready(outcome.err().map(|error| format!("{name}: {error}")))
    };
    outcomes.filter_map(told).collect().await
}

/// 401 with the platform's problem document; 400 where there are two credentials and it would have to choose.
fn refused(access: Access, attack: &Attack, reply: &Reply) -> Result<(), String> {
    if attack.refusal == Refusal::TooLarge && [400, 401, 413, 431].contains(&reply.status) {
        return Ok(());
    }
    let content_type = reply.headers.get("content-type").map(HeaderValue::as_bytes);
    let (status, code) = if attack.disagrees() && access != Access::ControlToken {
        (400, "CREDENTIALS_CONFLICT")
    } else {
        (401, "AUTHENTICATION_REQUIRED")
    };
    let right = reply.status == status
        && reply.code() == code
        && content_type == Some(b"application/problem+json")
        && reply.headers.contains_key("www-authenticate") == (status == 401);
    if right { Ok(()) } else { Err(format!("{reply:?}")) }
}

async fn send(
    client: &Client,
    stage: &Stage,
    door: &Door,
    path: &str,
    mut headers: HeaderMap,
) -> Result<Reply, reqwest::Error> {
    let method: Method = door.method.parse().unwrap();
    let url = format!("{}{path}", stage.base(door.service));
    headers.insert("idempotency-key", HeaderValue::from_static("attack"));
    let mut request = client.request(method.clone(), url).headers(headers);
    if !matches!(method, Method::GET | Method::HEAD) {
        request = request.header("content-type", "application/json").body("{}");
    }
    // An edge that refuses before it has read the body may close the connection on which the next request is just coming.
    let again = request.try_clone();
    let response = match (request.send().await, again) {
        (Err(_), Some(again)) => again.send().await?,
        (outcome, _) => outcome?,
    };
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await?;
    let body =
        serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes)));
    Ok(Reply { status, headers, body })
}

fn client() -> Client {
    mintmark_service::install_crypto();
    let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(ANSWERED_WITHIN);
    client.build().unwrap()
}

/// Everything of an answer in which a credential could stand.
fn shown(reply: &Reply) -> String {
    format!("{:?} {}", reply.headers, reply.body)
}

/// The people of a shop, and names of things that are not there.
fn nowhere(shop: &Shop) -> Shop {
    let id = |prefix: &str| format!("{prefix}_01h45ytscbebyvny4gc8cr8ma2");
    Shop {
        tenant: "nobody-has-this".to_owned(),
        brand: id("brd"),
        product: id("prd"),
        batch: id("bat"),
        export: id("exp"),
        spare_user: id("usr"),
        spare_membership: id("mem"),
        spare_key: id("key"),
        ..shop.clone()
    }
}
