//! Who may ask, and for whom; what a message must say.

use std::time::Duration;

use mintmark_auth::{IssuedKey, KeyEnvironment, ServiceToken, audience, scope};
use mintmark_devstack::redis::RedisServer;
use mintmark_rpc::{authorized, connect_lazy, fault_of};
use mintmark_wire::ratelimit::v1::ratelimit_service_client::RatelimitServiceClient;
use mintmark_wire::ratelimit::v1::{CheckRequest, CheckResponse, KeyKind, Reason, Tier};
use tokio::runtime::Handle;
use tonic::Request;

use crate::stage::{self, Replica, Stage, tenant};

fn message() -> CheckRequest {
    CheckRequest {
        namespace: "test".to_owned(),
        owner: "acme".to_owned(),
        key: "key_1".to_owned(),
        key_kind: KeyKind::ApiKey.into(),
        tier: Tier::Free.into(),
        cost: 1,
        passes_uncounted: false,
        also: Vec::new(),
    }
}

/// The answer, or the code of the refusal.
async fn ask(replica: &Replica, request: Request<CheckRequest>) -> Result<CheckResponse, String> {
    let channel = connect_lazy(&format!("http://{}", replica.addr), &Handle::current()).unwrap();
    match RatelimitServiceClient::new(channel).check(request).await {
        Ok(response) => Ok(response.into_inner()),
        Err(status) => Err(format!("{:?} {}", status.code(), fault_of(&status).code())),
    }
}

fn with(token: &ServiceToken, message: CheckRequest) -> Request<CheckRequest> {
    authorized(message, token, Duration::from_secs(5))
}

#[tokio::test(flavor = "multi_thread")]
async fn check_is_for_service_tokens_with_its_audience_scope_and_tenant() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let stage = Stage::new();
    let replica = stage.replica(&[("RATE_LIMIT_REDIS_URL", &redis.url())]).await;
    stage::ready(&stage.caller(&replica)).await;
    let token = |audience, owner, scope| stage.tokens.for_tenant(audience, &tenant(owner), &[scope]);

    let rightful = token(audience::RATELIMIT, "acme", scope::RATELIMIT_CHECK);
    assert!(ask(&replica, with(&rightful, message())).await.unwrap().allowed);
    for (token, refusal) in [
        (token(audience::RATELIMIT, "other", scope::RATELIMIT_CHECK), "NotFound NOT_FOUND"),
        (token(audience::RESOLVER, "acme", scope::DIRECTORY_READ), "Unauthenticated AUTHENTICATION_REQUIRED"),
        // The bundle does not grant it, so the token is none.
        (
            token(audience::RATELIMIT, "acme", scope::DIRECTORY_READ),
            "Unauthenticated AUTHENTICATION_REQUIRED",
        ),
    ] {
        assert_eq!(ask(&replica, with(&token, message())).await.unwrap_err(), refusal);
    }
    let refusal = ask(&replica, Request::new(message())).await.unwrap_err();
    assert_eq!(refusal, "Unauthenticated AUTHENTICATION_REQUIRED");
    assert_eq!(redis.ask(&["GET", "anything"]).await.unwrap(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_refuses_a_message_that_is_not_clear() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let stage = Stage::new();
    let replica = stage.replica(&[("RATE_LIMIT_REDIS_URL", &redis.url())]).await;
    stage::ready(&stage.caller(&replica)).await;
    redis.ask(&["FLUSHALL"]).await.unwrap();
    let token = stage.tokens.for_tenant(audience::RATELIMIT, &tenant("acme"), &[scope::RATELIMIT_CHECK]);
    let key = IssuedKey::generate(KeyEnvironment::Test).expose().to_owned();
    for (message, code) in [
        (CheckRequest { namespace: "a:b".to_owned(), ..message() }, "NAME_INVALID"),
        (CheckRequest { namespace: String::new(), ..message() }, "NAME_INVALID"),
        (CheckRequest { owner: "acme:key:x".to_owned(), ..message() }, "NAME_INVALID"),
        (CheckRequest { key: "x:1".to_owned(), ..message() }, "NAME_INVALID"),
        (CheckRequest { key: key.clone(), ..message() }, "NAME_INVALID"),
        (CheckRequest { owner: key.clone(), ..message() }, "NAME_INVALID"),
        (CheckRequest { tier: 0, ..message() }, "TIER_REQUIRED"),
        (CheckRequest { tier: 9, ..message() }, "TIER_REQUIRED"),
        (CheckRequest { key_kind: 0, ..message() }, "KEY_KIND_REQUIRED"),
        (CheckRequest { cost: 0, ..message() }, "COST_OUT_OF_RANGE"),
        (CheckRequest { cost: 1_000_001, ..message() }, "COST_OUT_OF_RANGE"),
    ] {
        let refusal = ask(&replica, with(&token, message.clone())).await.unwrap_err();
        assert_eq!(refusal, format!("InvalidArgument {code}"), "{message:?}");
    }
    assert_eq!(redis.ask(&["DBSIZE"]).await.unwrap(), ":0", "nothing was charged");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_of_several_judges_each_for_itself_or_charges_none() {
    let mut redis = RedisServer::start(&[]).await.unwrap();
    let stage = Stage::new();
    let url = redis.url();
    let variables = [
        ("RATE_LIMIT_REDIS_URL", url.as_str()),
        ("RATE_LIMIT_MAX_FREE", "3"),
        ("RATE_LIMIT_WINDOW_SEC", "86400"),
        ("RATE_LIMIT_REDIS_BUDGET_MS", "200"),
    ];
    let replica = stage.replica(&variables).await;
    stage::ready(&stage.caller(&replica)).await;
    redis.ask(&["FLUSHALL"]).await.unwrap();
    let token = stage.tokens.for_tenant(audience::RATELIMIT, &tenant("acme"), &[scope::RATELIMIT_CHECK]);
    let of = |key: &str| CheckRequest { key: key.to_owned(), ..message() };
    let with_others = |also: Vec<CheckRequest>| with(&token, CheckRequest { also, ..message() });

    // None of these charges anything, whichever of them is wrong.
    let strange = CheckRequest { owner: "other".to_owned(), ..message() };
    let nested = CheckRequest { also: vec![message()], ..message() };
    for (others, refusal) in [
        (vec![of("key_2"), strange], "NotFound NOT_FOUND"),
        (vec![of("key_2"), CheckRequest { tier: 0, ..message() }], "InvalidArgument TIER_REQUIRED"),
        (vec![nested], "InvalidArgument TOO_MANY_REQUESTS"),
        (vec![message(); 65], "InvalidArgument TOO_MANY_REQUESTS"),
    ] {
        assert_eq!(ask(&replica, with_others(others)).await.unwrap_err(), refusal);
    }
    assert_eq!(redis.ask(&["DBSIZE"]).await.unwrap(), ":0", "nothing was charged");

    let names = ["key_2", "key_3", "key_4", "key_5"];
    redis.ask(&["CONFIG", "RESETSTAT"]).await.unwrap();
    let answer = ask(&replica, with_others(names.map(of).to_vec())).await.unwrap();
    assert_eq!(answer.also.len(), names.len());
    let commands = redis.ask(&["INFO", "commandstats"]).await.unwrap();
    assert!(commands.contains("cmdstat_evalsha:calls=1,"), "one for all: {commands}");
    let allowed = [&answer].into_iter().chain(&answer.also).map(|one| one.allowed);
    assert_eq!(
        allowed.collect::<Vec<_>>(),
        [true, true, true, false, false],
        "three of the tenant, in order"
    );
    assert_eq!(answer.also[3].reason(), Reason::TenantLimit);
    assert_eq!((answer.key_remaining, answer.also[0].key_remaining), (2, 2), "each key has its own");

    redis.pause();
    // Another tenant, which nothing is known of; who asks for one alone hears an error.
    let token = stage.tokens.for_tenant(audience::RATELIMIT, &tenant("beta"), &[scope::RATELIMIT_CHECK]);
    let passes =
        CheckRequest { passes_uncounted: true, ..CheckRequest { owner: "beta".to_owned(), ..message() } };
    let plain = CheckRequest { passes_uncounted: false, ..passes.clone() };
    let asked = with(&token, CheckRequest { also: vec![passes], ..plain });
    let answer = ask(&replica, asked).await.unwrap();
    assert_eq!((answer.allowed, answer.reason()), (false, Reason::RedisUnavailable));
    assert_eq!((answer.also[0].allowed, answer.also[0].reason()), (true, Reason::RedisUnavailable));
    redis.resume();
}

#[tokio::test(flavor = "multi_thread")]
async fn check_with_limiting_off_passes_and_says_so() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let stage = Stage::new();
    let variables = [("RATE_LIMIT_REDIS_URL", redis.url()), ("RATE_LIMIT_ENABLED", "false".to_owned())];
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let replica = stage.replica(&variables).await;
    let token = stage.tokens.for_tenant(audience::RATELIMIT, &tenant("acme"), &[scope::RATELIMIT_CHECK]);
    let answer = ask(&replica, with(&token, message())).await.unwrap();
    assert_eq!((answer.allowed, answer.counted, answer.reason()), (true, false, Reason::Disabled));
    assert_eq!(redis.ask(&["DBSIZE"]).await.unwrap(), ":0");
}
