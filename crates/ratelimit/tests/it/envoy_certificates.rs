//! `ShouldRateLimit` over TLS: which certificates it takes, and that they open nothing else.

use std::net::SocketAddr;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use mintmark_auth::{CertificateIdentity, audience, scope};
use mintmark_devstack::redis::RedisServer;
use mintmark_rpc::{authorized, connect_lazy};
use mintmark_service::tls::{Tls, server_name};
use mintmark_wire::envoy::service::ratelimit::v3::RateLimitRequest;
use mintmark_wire::envoy::service::ratelimit::v3::rate_limit_service_client::RateLimitServiceClient;
use mintmark_wire::ratelimit::v1::CheckRequest;
use mintmark_wire::ratelimit::v1::ratelimit_service_client::RatelimitServiceClient;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request};

use crate::certificates::{Authority, Issued};
use crate::envoy::proxy::Limited;
use crate::envoy_rpc::{caller, message, with};
use crate::stage::{self, Stage, tenant};

/// The name of the Envoy that most tests know.
const EDGE: &str = "edge.envoy.example";

fn dns(name: &str) -> CertificateIdentity {
    CertificateIdentity::DnsName(name.into())
}

/// A connection on which this certificate is shown.
fn channel(addr: SocketAddr, shown: &Issued) -> Channel {
    let tls = Tls::load(shown.files.clone()).unwrap();
    let connector = tower::service_fn(move |uri: Uri| {
        let tls = tls.clone();
        async move {
            let stream = TcpStream::connect((uri.host().unwrap(), uri.port_u16().unwrap())).await?;
            let name = server_name("ratelimit").unwrap();
            let stream = TlsConnector::from(tls.client()).connect(name, stream).await?;
            Ok::<_, std::io::Error>(TokioIo::new(stream))
        }
    });
    Endpoint::from_shared(format!("http://{addr}")).unwrap().connect_with_connector_lazy(connector)
}

async fn ask(channel: &Channel, request: Request<RateLimitRequest>) -> Code {
    let answer = RateLimitServiceClient::new(channel.clone()).should_rate_limit(request).await;
    answer.err().map_or(Code::Ok, |status| status.code())
}

fn of(domain: &str) -> RateLimitRequest {
    RateLimitRequest { domain: domain.to_owned(), ..message(&[caller("ann")]) }
}

/// Whether the connection ended before anybody answered: what becomes of the call then is the transport's to say, in one of
/// several codes, and none of them is an answer of ours.
fn is_cut_off(code: Code) -> bool {
    !matches!(code, Code::Ok | Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented)
}

/// What comes of asking for a domain with a certificate alone.
async fn answer(limited: &Limited, shown: &Issued, domain: &str) -> Code {
    ask(&channel(limited.replica.addr, shown), Request::new(of(domain))).await
}

/// A limiter over TLS that knows `envoys` and has found its Redis.
async fn limited(authority: &Authority, redis: &RedisServer, stage: Stage) -> Limited {
    let limited = Limited::start_in(stage, authority.context("ratelimit"), &redis.url(), &[]).await;
    let known = authority.context("control-plane");
    stage::ready(&limited.stage.caller_over_tls(&limited.replica, &known)).await;
    limited
}

#[tokio::test(flavor = "multi_thread")]
async fn should_rate_limit_takes_a_certificate_that_the_trust_bundle_names_for_its_domains() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let (authority, stage) = (Authority::new(), Stage::new());
    let pinned = authority.issue("somebody.example");
    stage.name_envoys(&[
        (dns(EDGE), &["edge"]),
        (CertificateIdentity::Uri("spiffe://example/edge".into()), &["edge", "idle"]),
        (CertificateIdentity::Sha256(pinned.sha256), &["idle"]),
    ]);
    let limited = limited(&authority, &redis, stage).await;
    let edge = authority.issue(EDGE);
    assert_eq!(answer(&limited, &edge, "edge").await, Code::Ok);
    assert_eq!(answer(&limited, &edge, "idle").await, Code::PermissionDenied);
    let by_uri = authority.issue("spiffe://example/edge");
    assert_eq!(answer(&limited, &by_uri, "idle").await, Code::Ok);
    assert_eq!(answer(&limited, &by_uri, "other").await, Code::PermissionDenied);
    assert_eq!(answer(&limited, &pinned, "idle").await, Code::Ok);
    let renewed = authority.issue("somebody.example");
    assert_eq!(answer(&limited, &renewed, "idle").await, Code::Unauthenticated, "it was pinned");

    // A connection is as good as the bundle is now.
    let held = channel(limited.replica.addr, &edge);
    assert_eq!(ask(&held, Request::new(of("idle"))).await, Code::PermissionDenied);
    limited.stage.name_envoys(&[]);
    crate::eventually("the bundle is read again", || async {
        ask(&held, Request::new(of("idle"))).await == Code::Unauthenticated
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn should_rate_limit_refuses_foreign_unnamed_and_our_services_certificates_and_plaintext() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let (authority, foreign, stage) = (Authority::new(), Authority::new(), Stage::new());
    // Somebody wrote a service of ours into the bundle: that makes no Envoy of it.
    stage.name_envoys(&[(dns(EDGE), &["edge"]), (dns("resolver.mintmark.internal"), &["edge"])]);
    let limited = limited(&authority, &redis, stage).await;
    for (shown, expected, what) in [
        (authority.issue("other.envoy.example"), Code::Unauthenticated, "a name that the bundle has not"),
        (authority.issue("*.envoy.example"), Code::Unauthenticated, "any name of the zone"),
        (authority.service("resolver"), Code::Unauthenticated, "a service of ours"),
    ] {
        assert_eq!(answer(&limited, &shown, "edge").await, expected, "{what}");
    }
    // The handshake fails: at the client, who does not know us, or at our end, which it hears of a moment later.
    for shown in [foreign.issue(EDGE), foreign.issue_for_one_who_trusts(&authority, EDGE)] {
        assert!(is_cut_off(answer(&limited, &shown, "edge").await), "of a foreign authority");
    }
    let plain = connect_lazy(&format!("http://{}", limited.replica.addr), &Handle::current()).unwrap();
    assert!(is_cut_off(ask(&plain, with(of("edge"), limited.credential())).await), "in the clear");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_an_envoy_opens_its_one_method_and_hides_no_wrong_credential() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let (authority, stage) = (Authority::new(), Stage::new());
    stage.name_envoys(&[(dns(EDGE), &["edge"])]);
    let limited = limited(&authority, &redis, stage).await;
    let edge = channel(limited.replica.addr, &authority.issue(EDGE));
    for bearer in ["", "mmenv_", limited.issued.sha256.as_str()] {
        assert_eq!(ask(&edge, with(of("edge"), bearer)).await, Code::Unauthenticated, "{bearer}");
    }
    let mut twice = with(of("edge"), limited.credential());
    twice.metadata_mut().append("authorization", "Bearer x".parse().unwrap());
    assert_eq!(ask(&edge, twice).await, Code::Unauthenticated, "two");
    // A static credential does as well over TLS, whoever's the certificate is: its own domains count, and no others.
    let unnamed = channel(limited.replica.addr, &authority.issue("other.envoy.example"));
    for channel in [&edge, &unnamed] {
        assert_eq!(ask(channel, with(of("idle"), limited.credential())).await, Code::Ok);
        assert_eq!(ask(channel, with(of("other"), limited.credential())).await, Code::PermissionDenied);
    }

    let mut check = RatelimitServiceClient::new(edge.clone());
    let refused = check.check(CheckRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "Check takes service tokens only");
    let token =
        limited.stage.tokens.for_tenant(audience::RATELIMIT, &tenant("acme"), &[scope::RATELIMIT_CHECK]);
    let stolen = authorized(CheckRequest::default(), &token, Duration::from_secs(5));
    let refused = check.check(stolen).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "the control plane's token on another's connection");
}
