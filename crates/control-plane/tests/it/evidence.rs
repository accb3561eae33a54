//! `/v1/evidence` in front of a vault in memory: streams, ranges, keys, and whose name calls bear.

use std::time::Duration;

use futures::stream;
use mintmark_auth::{Actor, CallRole, DisputeState};
use mintmark_fault::Kind;
use reqwest::{Body, Client, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::disputes::{close, open, person};
use crate::harness::{Person, Plane, Reply, next, text};
use crate::stage::eventually;
use crate::vault::FakeVault;

/// A vault, a plane, and one person for each role with a dispute that is open.
pub struct Scene {
    pub vault: FakeVault,
    pub plane: Plane,
    pub tenant: String,
    pub user: Person,
    pub arbitrator: Person,
    pub governor: Person,
    pub dispute: String,
}

impl Scene {
    pub async fn set() -> Self {
        let vault = FakeVault::start().await;
        let plane = vault.plane().await;
        let tenant = plane.tenant().await;
        let user = person(&plane, &tenant, &["USER"]).await;
        let arbitrator = person(&plane, &tenant, &["ARBITRATOR"]).await;
        let governor = person(&plane, &tenant, &["GOVERNANCE"]).await;
        let dispute = open(&plane, &user).await;
        Scene { vault, plane, tenant, user, arbitrator, governor, dispute }
    }

    async fn send(&self, who: &Person, key: &str, media_type: &str, body: impl Into<Body>) -> Response {
        Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .post(format!("{}/v1/evidence?dispute={}", self.plane.base, self.dispute))
            .bearer_auth(&who.session)
            .header("Idempotency-Key", key)
            .header("Content-Type", media_type)
            .body(body)
            .send()
            .await
            .unwrap()
    }

    /// Uploads and expects it stored: the record's view.
    pub async fn upload(&self, who: &Person, body: impl Into<Body>) -> Value {
        let response = self.send(who, &format!("key-{}", next()), "image/png", body).await;
        assert_eq!(response.status(), 201);
        response.json().await.unwrap()
    }

    async fn content(&self, who: &Person, id: &str, range: Option<&str>) -> Response {
        let path = format!("{}/v1/evidence/{id}/content", self.plane.base);
        let client = Client::builder().no_proxy().build().unwrap();
        let mut request = client.get(path).bearer_auth(&who.session);
        if let Some(range) = range {
            request = request.header("Range", range);
        }
        request.send().await.unwrap()
    }

    async fn hold(&self, who: &Person, id: &str, held: bool) -> Reply {
        let path = format!("/v1/evidence/{id}/legal-hold");
        self.plane.as_person(who, "PUT", &path, json!({ "legalHold": held })).await
    }
}

async fn problem(response: Response, status: u16) -> Value {
    assert_eq!(response.status(), status);
    response.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_streams_any_size_in_the_persons_name() {
    let scene = Scene::set().await;
    let content: Vec<u8> = (0..5_000_000_u32).map(|n| n as u8).collect();
    // In chunks of unknown number: nobody can say how long it is before it ends.
    let chunks: Vec<Result<Vec<u8>, std::io::Error>> =
        content.chunks(70_000).map(|c| Ok(c.to_vec())).collect();
    let stored = scene.upload(&scene.user, Body::wrap_stream(stream::iter(chunks))).await;
    assert_eq!((stored["bytes"].as_u64(), text(&stored, "mediaType")), (Some(5_000_000), "image/png"));
    assert_eq!((text(&stored, "disputeId"), text(&stored, "state")), (scene.dispute.as_str(), "stored"));
    assert_eq!(text(&stored, "uploadedBy"), format!("user:{}", scene.user.id));
    assert_eq!(scene.vault.state().records[text(&stored, "id")].1, content);
    assert!(scene.vault.state().pieces > 5, "in pieces");

    let claims = scene.vault.person("Upload");
    assert_eq!(claims.actor(), Actor::User(scene.user.id.parse().unwrap()));
    assert_eq!(claims.role(), Some(CallRole::User));
    let about = claims.dispute().unwrap();
    assert_eq!((about.id.to_string(), about.state), (scene.dispute.clone(), DisputeState::Open));
    // What the person presented stays here.
    assert!(!scene.vault.state().tokens.contains(&scene.user.session));
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_that_breaks_off_stores_nothing_and_succeeds_when_repeated() {
    let scene = Scene::set().await;
    let address = scene.plane.base.trim_start_matches("http://").to_owned();
    let framings = ["Content-Length: 1000000", "Transfer-Encoding: chunked"];
    for (broken_off, framing) in framings.into_iter().enumerate() {
        let mut socket = TcpStream::connect(&address).await.unwrap();
        let head = format!(
            "POST /v1/evidence?dispute={} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
             Idempotency-Key: again\r\nContent-Type: image/png\r\n{framing}\r\nExpect: 100-continue\r\n\r\n",
            scene.dispute, scene.user.session
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 25];
        socket.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
        socket.write_all(b"4\r\nabcd\r\n").await.unwrap();
        let uploads = || scene.vault.state().seen.iter().filter(|(method, _)| *method == "Upload").count();
        eventually("the vault is called", async || (uploads() > broken_off).then_some(())).await;
        drop(socket);
        eventually("the vault hears of it", async || {
            (scene.vault.state().broken_off == broken_off + 1).then_some(())
        })
        .await;
        assert!(scene.vault.state().records.is_empty(), "{framing}");
    }
    let stored = scene.send(&scene.user, "again", "image/png", "whole").await;
    assert_eq!(stored.status(), 201);
    assert_eq!(stored.headers().get("idempotent-replayed"), None);
    let stored: Value = stored.json().await.unwrap();
    // The same key answers with the same record, and stores nothing more.
    let again = scene.send(&scene.user, "again", "image/png", "whole").await;
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(again.json::<Value>().await.unwrap(), stored);
    let other = scene.send(&scene.user, "again", "image/png", "something else").await;
    assert_eq!(problem(other, 422).await["code"], "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(scene.vault.state().records.len(), 1);
    // A key is its person's own.
    let theirs = scene.send(&scene.arbitrator, "again", "image/png", "whole").await;
    assert_eq!(theirs.status(), 201);
    assert_eq!(scene.vault.state().records.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_is_refused_before_the_vault_hears_of_it() {
    let scene = Scene::set().await;
    let nobody = scene.plane.person(&scene.tenant, true).await;
    let refused = problem(scene.send(&nobody, "k", "image/png", "x").await, 403).await;
    assert_eq!((text(&refused, "code"), text(&refused, "requiredRole")), ("FORBIDDEN", "USER"));
    let path = format!("/v1/evidence?dispute={}", scene.dispute);
    let keyless = scene.plane.send("POST", &path, Some(&scene.user.session), &[], None).await;
    assert_eq!(keyless.problem(400), "IDEMPOTENCY_KEY_REQUIRED");
    let lost = scene.plane.send("POST", "/v1/evidence", Some(&scene.user.session), &[], None).await;
    assert_eq!(lost.problem(400), "INVALID_QUERY");
    close(&scene.plane, &scene.governor, &scene.dispute).await;
    let late = problem(scene.send(&scene.user, "k", "image/png", "x").await, 409).await;
    assert_eq!(text(&late, "code"), "DISPUTE_CLOSED");
    assert!(scene.vault.state().seen.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_that_the_vault_refuses_midway_ends_with_its_reason() {
    let scene = Scene::set().await;
    scene.vault.state().refusals.insert("Upload", (Kind::TooLarge, "EVIDENCE_TOO_LARGE"));
    let endless = stream::iter((0..2_000).map(|_| Ok::<_, std::io::Error>(vec![0_u8; 64 << 10])));
    let client = Client::builder().no_proxy().build().unwrap();
    let sent = client
        .post(format!("{}/v1/evidence?dispute={}", scene.plane.base, scene.dispute))
        .bearer_auth(&scene.user.session)
        .header("Idempotency-Key", "k")
        .header("Content-Type", "image/png")
        .body(Body::wrap_stream(endless))
        .send();
    // A client may hear of a closed connection instead, while it still sends.
    if let Ok(response) = tokio::time::timeout(Duration::from_secs(30), sent).await.unwrap() {
        assert_eq!(problem(response, 413).await["code"], "EVIDENCE_TOO_LARGE");
    }
    assert!(scene.vault.state().records.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn content_is_for_its_roles_whole_or_in_ranges_and_never_rendered() {
    let scene = Scene::set().await;
    let content: Vec<u8> = (0..100_000_u32).map(|n| (n / 7) as u8).collect();
    let stored = scene.upload(&scene.user, content.clone()).await;
    let id = text(&stored, "id");

    let refused = problem(scene.content(&scene.user, id, None).await, 403).await;
    assert_eq!((text(&refused, "code"), text(&refused, "requiredRole")), ("FORBIDDEN", "ARBITRATOR"));
    let whole = scene.content(&scene.arbitrator, id, None).await;
    assert_eq!(whole.status(), 200);
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-disposition", &format!("attachment; filename=\"{id}\"")),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("accept-ranges", "bytes"),
        ("content-length", "100000"),
        ("content-security-policy", "default-src 'none'; sandbox"),
    ] {
        assert_eq!(whole.headers()[name], *value, "{name}");
    }
    assert_eq!(whole.bytes().await.unwrap(), content);
    let person = scene.vault.person("ReadContent");
    assert_eq!(person.role(), Some(CallRole::Arbitrator));

    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=16380-16390", 16_380, 16_391),
        ("bytes=99990-", 99_990, 100_000),
        ("bytes=99990-200000", 99_990, 100_000),
        ("bytes=-10", 99_990, 100_000),
        ("bytes=-200000", 0, 100_000),
    ] {
        let part = scene.content(&scene.governor, id, Some(range)).await;
        assert_eq!(part.status(), 206, "{range}");
        assert_eq!(part.headers()["content-range"], format!("bytes {from}-{}/100000", to - 1), "{range}");
        assert_eq!(part.bytes().await.unwrap(), content[from..to], "{range}");
    }
    for range in ["bytes=0-1,5-6", "lines=1-2", "bytes=9-1", "nonsense"] {
        assert_eq!(scene.content(&scene.governor, id, Some(range)).await.status(), 200, "{range}");
    }
    let beyond = scene.content(&scene.governor, id, Some("bytes=100000-")).await;
    assert_eq!(beyond.headers()["content-range"], "bytes */100000");
    let beyond = problem(beyond, 416).await;
    assert_eq!((text(&beyond, "code"), &beyond["bytes"]), ("RANGE_NOT_SATISFIABLE", &json!(100_000)));

    // What breaks off is seen to have broken off.
    scene.vault.state().breaks = true;
    assert!(scene.content(&scene.governor, id, None).await.bytes().await.is_err());
    // The vault is told how the dispute stands, and decides itself.
    scene.vault.state().breaks = false;
    close(&scene.plane, &scene.arbitrator, &scene.dispute).await;
    scene.vault.state().refusals.insert("ReadContent", (Kind::Forbidden, "DISPUTE_CLOSED"));
    let refused = problem(scene.content(&scene.arbitrator, id, None).await, 403).await;
    assert_eq!(text(&refused, "code"), "DISPUTE_CLOSED");
    assert_eq!(scene.vault.person("ReadContent").dispute().unwrap().state, DisputeState::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_list_and_hold_ask_the_vault_in_the_persons_name() {
    let scene = Scene::set().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(text(&scene.upload(&scene.user, format!("evidence {n}")).await, "id").to_owned());
    }
    ids.reverse();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/evidence?dispute={}&limit=2{cursor}", scene.dispute);
        let page = scene.plane.get(&scene.user, &path).await.expect(200);
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| text(item, "id").to_owned()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    let one = scene.plane.get(&scene.user, &format!("/v1/evidence/{}", ids[0])).await.expect(200);
    assert_eq!(text(&one, "ciphertextSha256"), "07".repeat(32));
    assert_eq!(scene.vault.person("GetEvidence").role(), Some(CallRole::User));

    assert_eq!(scene.hold(&scene.arbitrator, &ids[0], true).await.problem(403), "FORBIDDEN");
    assert_eq!(scene.hold(&scene.governor, &ids[0], true).await.expect(200)["legalHold"], true);
    assert_eq!(scene.hold(&scene.governor, &ids[0], false).await.expect(200)["legalHold"], false);
    assert_eq!(scene.vault.person("SetLegalHold").role(), Some(CallRole::Governance));
    // Erasing is the vault's own affair.
    let path = format!("/v1/evidence/{}", ids[0]);
    assert_eq!(
        scene.plane.as_person(&scene.governor, "DELETE", &path, Value::Null).await.problem(405),
        "METHOD_NOT_ALLOWED"
    );

    let stranger = person(&scene.plane, &scene.plane.tenant().await, &["GOVERNANCE"]).await;
    let calls = scene.vault.state().seen.len();
    for path in [path.clone(), format!("{path}/content"), format!("/v1/evidence?dispute={}", scene.dispute)] {
        assert_eq!(scene.plane.get(&stranger, &path).await.problem(404), "NOT_FOUND", "{path}");
    }
    assert_eq!(scene.hold(&stranger, &ids[0], true).await.problem(404), "NOT_FOUND");
    assert_eq!(scene.vault.state().seen.len(), calls, "the vault hears of none of it");
}
