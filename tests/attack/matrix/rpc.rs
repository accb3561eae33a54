//! The attacks over gRPC.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use mintmark_auth::scope;
use mintmark_control_plane::grpc::PreflightTokenRpc;
use mintmark_evidence_vault::grpc::EvidenceRpc;
use mintmark_preflight_gateway::grpc::PreflightRpc;
use mintmark_ratelimit::grpc::RatelimitRpc;
use mintmark_resolver::grpc::DirectoryRpc;
use mintmark_rpc::Channel;
use mintmark_wire::control::v1::ExchangePreflightTokenRequest;
use prost::Message as _;
use reqwest::header::HeaderMap;
use tokio::runtime::Handle;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{Attackers, none_of};
use crate::forge::{Attack, Refusal};
use crate::stage::{ENVOY_DOMAIN, RpcDoor, Stage, every_rpc, on_stage, open_rpcs, own_rpcs};
use crate::witness::{self, Sent};

/// Calls under way at once.
const AT_ONCE: usize = 16;

/// The scope of each method that wants one.
fn scopes() -> BTreeMap<&'static str, &'static str> {
    let rows =
        DirectoryRpc::METHODS.into_iter().chain(RatelimitRpc::METHODS).chain(PreflightTokenRpc::METHODS);
    rows.chain(PreflightRpc::METHODS).chain(EvidenceRpc::METHODS).map(|rpc| (rpc.path, rpc.scope)).collect()
}

/// What opens a method.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    /// A service token with this scope.
    Scope(&'static str),
    /// An Envoy's credential.
    Envoy,
    /// It answers anybody.
    Open,
}

fn key_of(door: &RpcDoor) -> Key {
    let path = door.path.as_str();
    let ways = [
        scopes().get(path).map(|scope| Key::Scope(scope)),
        own_rpcs().get(path).map(|_| Key::Envoy),
        open_rpcs().get(path).map(|_| Key::Open),
    ];
    let ways: Vec<Key> = ways.into_iter().flatten().collect();
    assert_eq!(ways.len(), 1, "{path}: it must have a row with a scope, take its own credential, or be open");
    ways[0]
}

#[test]
fn every_guarded_method_refuses_every_attack() {
    on_stage(async |stage| {
        witness::listen().await;
        let attackers = Attackers::gather(stage).await;
        let before = witness::state(stage, &attackers.shop.tenant).await;
        // Field 1 is the batch in most requests: were the gate open, RevokeBatch would act on it.
        let message = text_field(1, &attackers.shop.batch);
        let (mut failures, mut sent, mut tried) = (Vec::new(), Sent::default(), 0);
        for door in every_rpc(stage).await {
            let mut attacks = match key_of(&door) {
                Key::Scope(scope) => attackers.on_token(&attackers.service(scope)),
                Key::Envoy => attackers.on_envoy(),
                Key::Open => continue,
            };
            attacks.retain(|attack| attack.query.is_empty());
            let key = key_of(&door);
            let judge = |attack: &Attack, outcome: &Result<(), Status>| refused(attack, key, outcome);
            failures.extend(all_at(stage, &door, &message, &attacks, judge).await);
            tried += attacks.len();
            sent.add(attacks.iter().flat_map(Attack::secrets));
        }
        none_of(&failures);
        assert!(tried > 2_000, "only {tried} attacks were tried");
        assert_eq!(
            witness::state(stage, &attackers.shop.tenant).await,
            before,
            "an attack changed something"
        );
        sent.is_nowhere();
    });
}

#[test]
fn every_guarded_method_lets_the_untouched_token_in() {
    on_stage(async |stage| {
        let attackers = Attackers::gather(stage).await;
        for door in every_rpc(stage).await {
            let (tokens, message) = match key_of(&door) {
                Key::Scope(scope) => {
                    let rightful = attackers.service(scope);
                    let in_words = rightful.with_claim("scp", serde_json::json!(scope));
                    // An empty message says nothing that could be done; but what is presented here is judged too.
                    let presented = attackers.preflight.clone();
                    let exchange =
                        ExchangePreflightTokenRequest { presented_token: presented, ..Default::default() };
                    let message =
                        if scope == scope::TOKENS_EXCHANGE { exchange.encode_to_vec() } else { Vec::new() };
                    (vec![rightful.token(), in_words], message)
                }
                Key::Envoy => (vec![stage.envoy_credential.clone()], text_field(1, ENVOY_DOMAIN)),
                Key::Open => continue,
            };
            for token in tokens {
                if let Err(status) = stage.call(&door, &Stage::bearer(&token), &message).await {
                    let let_in = [Code::InvalidArgument, Code::NotFound, Code::FailedPrecondition];
                    assert!(let_in.contains(&status.code()), "{}: {status:?}", door.path);
                }
            }
        }
    });
}

#[test]
fn every_open_method_answers_as_if_no_credential_had_come() {
    on_stage(async |stage| {
        witness::listen().await;
        let attackers = Attackers::gather(stage).await;
        let (mut failures, mut sent) = (Vec::new(), Sent::default());
        for door in every_rpc(stage).await {
            if key_of(&door) != Key::Open {
                continue;
            }
            let code =
                |outcome: &Result<(), Status>| outcome.as_ref().map_or_else(Status::code, |()| Code::Ok);
            let anonymous = code(&stage.call(&door, &MetadataMap::new(), &[]).await.map(drop));
            let mut attacks = attackers.on_open();
            attacks.retain(|attack| attack.query.is_empty());
            let judge = |_: &Attack, outcome: &Result<(), Status>| {
                if code(outcome) == anonymous {
                    Ok(())
                } else {
                    Err(format!("{outcome:?} and not {anonymous:?}"))
                }
            };
            failures.extend(all_at(stage, &door, &[], &attacks, judge).await);
            sent.add(attacks.iter().flat_map(Attack::secrets));
        }
        none_of(&failures);
        sent.is_nowhere();
    });
}

#[test]
fn a_control_token_in_any_metadata_is_a_security_event() {
    on_stage(async |stage| {
        witness::listen().await;
        let doors = every_rpc(stage).await;
        for (key, place) in
            [("authorization", "authorization"), ("x-api-key", "metadata"), ("x-upstream-token", "metadata")]
        {
            for (service, path) in [
                ("resolver-directory", "/mintmark.directory.v1.DirectoryService/Publish"),
                ("control-plane", "/grpc.health.v1.Health/Check"),
            ] {
                let door = doors.iter().find(|door| door.service == service && door.path == path).unwrap();
                let series = format!(
                    r#"security_events_total{{event="stray_control_token",place="{place}",service="{service}"}}"#
                );
                let before = witness::counted(&series);
                let mut headers = HeaderMap::new();
                headers.insert(key, format!("Bearer {}", stage.control_token).parse().unwrap());
                let _whatever = stage.call(door, &MetadataMap::from_headers(headers), &[]).await;
                assert!(witness::counted(&series) > before, "{series} after {key} at {path}");
            }
        }
        let mut sent = Sent::default();
        sent.add([stage.control_token.clone()]);
        sent.is_nowhere();
    });
}

async fn all_at(
    stage: &Stage,
    door: &RpcDoor,
    message: &[u8],
    attacks: &[Attack],
    judge: impl Fn(&Attack, &Result<(), Status>) -> Result<(), String>,
) -> Vec<String> {
    let channel = connection(door);
    let one = async |attack: &Attack| -> Result<(), String> {
        let headers = attack.headers.iter().cloned().fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        });
        // What is too large may cost the connection, which the others are using.
        let channel = if attack.refusal == Refusal::TooLarge { connection(door) } else { channel.clone() };
        let metadata = MetadataMap::from_headers(headers);
        let outcome = stage.call_over(channel, door, &metadata, message).await.map(drop);
        judge(attack, &outcome)?;
        let shown = format!("{outcome:?}");
        match attack.secrets().into_iter().find(|secret| shown.contains(secret.as_str())) {
            Some(_) => Err(format!("gave the credential back: {shown}")),
            None => Ok(()),
        }
    };
    let outcomes = futures::stream::iter(attacks)
        .map(|attack| {
            let outcome = one(attack);
            async move { (attack, outcome.await) }
        })
        .buffer_unordered(AT_ONCE);
    let told = |(attack, outcome): (&Attack, Result<(), String>)| {
        let name = format!("{} · {}", door.path, attack.name);
        std::future::ready(outcome.err().map(|error| format!("{name}: {error}")))
    };
    outcomes.filter_map(told).collect().await
}

fn connection(door: &RpcDoor) -> Channel {
    mintmark_rpc::connect_lazy(&format!("http://{}", door.addr), &Handle::current()).unwrap()
}

/// The status, and the `ErrorInfo` that programs read. No token is one where an Envoy's credential is wanted.
fn refused(attack: &Attack, key: Key, outcome: &Result<(), Status>) -> Result<(), String> {
    let Err(status) = outcome else { return Err("it was let in".to_owned()) };
    let scope = if let Key::Scope(scope) = key { scope } else { "" };
    let forbidden = attack.refusal == Refusal::Forbidden && key != Key::Envoy;
    let (code, reason) = match attack.refusal {
        Refusal::Forbidden if !forbidden => (Code::Unauthenticated, "AUTHENTICATION_REQUIRED"),
        Refusal::Unauthenticated => (Code::Unauthenticated, "AUTHENTICATION_REQUIRED"),
        Refusal::Forbidden => (Code::PermissionDenied, "FORBIDDEN"),
        Refusal::TooLarge => return Ok(()),
    };
    let right = status.get_details_error_info().is_some_and(|info| {
        let named = info.metadata.get("requiredScope").is_some_and(|required| required == scope);
        let complete = named || !forbidden;
        status.code() == code && info.reason == reason && info.domain == "mintmark" && complete
    });
    if right { Ok(()) } else { Err(format!("{status:?}")) }
}

/// A protobuf message of one text.
fn text_field(number: u8, text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    [&[number << 3 | 2, length], text.as_bytes()].concat()
}
