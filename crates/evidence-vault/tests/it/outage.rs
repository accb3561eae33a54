//! Something that the vault needs is away: it says so, refuses, loses nothing, and goes on by itself.

use std::time::{Duration, Instant};

use futures::stream;
use mintmark_evidence_vault::config::VaultConfig;
use mintmark_evidence_vault::vault;
use mintmark_ids::EvidenceId;
use mintmark_service::config::Reader;
use tokio_postgres::config::Host;
use tonic::Code;

use crate::stage::{Cast, Stage, codes, messages};

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Until it can be asked, whatever it then says.
async fn listening(stage: &Stage) {
    until("the port is open", async || stage.context.health.gates()["grpc"]).await;
}

async fn upload(stage: &Stage, cast: &Cast) -> (Code, String) {
    codes(stage.send(&cast.user, stream::iter(messages(EvidenceId::new(), b"x"))).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_or_read_before_the_audit_has_a_witness() {
    let stage = Stage::prepare(&[]).await.vault().await;
    let cast = Cast::new();
    listening(&stage).await;
    let (code, reason) = upload(&stage, &cast).await;
    assert_eq!(code, Code::Unavailable);
    assert!(reason.starts_with("AUDIT_"), "{reason}");
    assert!(!stage.context.health.ready());
    stage.sequence();
    stage.ready().await;
    stage.upload(&cast.user, b"x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_behind_its_witness_closes_upload_read_and_hold() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    let id = stage.upload(&cast.user, b"x").await.evidence_id;
    // As a restored backup would have it, in the very moment of its return. A sequencer would not write this, so its table
    // is held against it.
    let mut sql = stage.sql().await;
    let signed = "SELECT size >= 2 AND NOT EXISTS (SELECT FROM audit_pending)
            AND size = (SELECT max(size) FROM audit_checkpoint)
        FROM audit_head";
    until("all is signed", async || {
        sql.query_one(signed, &[]).await.unwrap().get::<_, Option<bool>>(0) == Some(true)
    })
    .await;
    // The vault has seen that when it has looked again: without checkpoints it closes, and it opens by a look at the newest.
    let (there, away) =
        (stage.folder.path().join("checkpoints/checkpoints"), stage.folder.path().join("checkpoints/away"));
    std::fs::rename(&there, &away).unwrap();
    until("the vault misses them", async || !stage.context.health.gates()["audit"]).await;
    std::fs::rename(&away, &there).unwrap();
    stage.ready().await;
    let restore = sql.transaction().await.unwrap();
    restore.execute("UPDATE audit_head SET size = 0", &[]).await.unwrap();
    restore.commit().await.unwrap();
    for (code, reason) in [
        upload(&stage, &cast).await,
        codes(stage.read(&cast.arbitrator, &id, None, None).await.map(drop)),
        codes(stage.hold(&cast.governance, &id, true).await),
    ] {
        assert_eq!((code, reason.as_str()), (Code::Unavailable, "AUDIT_BEHIND"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_waits_for_the_port_from_the_beginning() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stage = Stage::prepare(&[]).await;
    stage.set("EVIDENCE_GRPC_ADDR", &taken.local_addr().unwrap().to_string());
    let mut reader = Reader::from_pairs(stage.variables().to_vec());
    let config = VaultConfig::read(&mut reader);
    let config = reader.finish(config).unwrap();
    assert!(vault::build(config, &stage.context).await.is_err(), "the port is taken");
    // Whatever else there is by now: nobody was told that the vault answers.
    assert_eq!(stage.context.health.gates().get("grpc"), Some(&false));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_the_vault_starts_and_answers_nobody_until_it_comes() {
    let mut stage = Stage::prepare(&[]).await;
    let usual: tokio_postgres::Config = stage.db.url("evidence_vault").parse().unwrap();
    let [Host::Unix(socket)] = usual.get_hosts() else { panic!("{usual:?}") };
    let socket_later = stage.folder.path().join("later");
    let (name, folder) = (usual.get_dbname().unwrap(), socket_later.display());
    stage.set("EVIDENCE_DATABASE_URL", &format!("postgres://evidence_vault@/{name}?host={folder}"));
    let stage = stage.vault().await;
    let (code, _) = upload(&stage, &Cast::new()).await;
    assert_eq!(code, Code::Unavailable);
    let address = stage.addr.strip_prefix("http://").unwrap();
    // Some looks at the log have failed by now, and nobody was let in for that.
    until("the other parts are there", async || stage.context.health.gates()["keys"]).await;
    tokio::net::TcpStream::connect(address).await.unwrap_err();
    let gates = stage.context.health.gates();
    assert_eq!((gates["postgres"], gates["audit"], gates["grpc"]), (false, false, false));
    assert_eq!(stage.objects().len(), 0);

    std::os::unix::fs::symlink(socket, &socket_later).unwrap();
    listening(&stage).await;
    let (code, reason) = upload(&stage, &Cast::new()).await;
    assert_eq!((code, reason.as_str()), (Code::Unavailable, "AUDIT_UNKNOWN"), "nothing is signed yet");
    stage.sequence();
    stage.ready().await;
    stage.upload(&Cast::new().user, b"x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_store_the_vault_starts_and_refuses_uploads() {
    let endpoint = format!("http://127.0.0.1:{}", mintmark_devstack::free_port());
    let variables = [
        ("EVIDENCE_STORE_URL", "s3://evidence/x"),
        ("S3_ENDPOINT", endpoint.as_str()),
        ("S3_ACCESS_KEY_ID", "id"),
        ("S3_SECRET_ACCESS_KEY", "secret"),
    ];
    let stage = Stage::prepare(&variables).await.vault().await;
    listening(&stage).await;
    let (code, reason) = upload(&stage, &Cast::new()).await;
    assert_eq!((code, reason.as_str()), (Code::Unavailable, "STORE_UNAVAILABLE"));
    assert!(!stage.context.health.gates()["store"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_nothing_is_taken_or_read_and_with_them_all_is_there_again() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    let id = stage.upload(&cast.user, b"kept").await.evidence_id;
    let (keys, away) = (stage.folder.path().join("keystore"), stage.folder.path().join("away"));
    std::fs::rename(&keys, &away).unwrap();
    let (code, reason) = upload(&stage, &cast).await;
    assert_eq!((code, reason.as_str()), (Code::Unavailable, "KEYS_UNAVAILABLE"));
    let (code, reason) = codes(stage.read(&cast.arbitrator, &id, None, None).await.map(drop));
    assert_eq!((code, reason.as_str()), (Code::Unavailable, "KEYS_UNAVAILABLE"));
    let (code, reason) = codes(stage.hold(&cast.governance, &id, true).await);
    assert_eq!((code, reason.as_str()), (Code::Unavailable, "KEYS_UNAVAILABLE"));
    std::fs::rename(&away, &keys).unwrap();
    assert_eq!(stage.read(&cast.arbitrator, &id, None, None).await.unwrap().1, b"kept");
    stage.upload(&cast.user, b"x").await;
    assert_eq!(stage.objects().len(), 2, "what could not be stored left nothing");
}
