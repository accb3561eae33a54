//! Legal holds.

use tonic::Code;

use crate::stage::{Cast, Stage, codes};

/// The purpose of the key that a record is wrapped under.
async fn purpose(stage: &Stage, id: &str) -> String {
    let sql =
        "SELECT purpose FROM kek JOIN evidence_key ON kek_id = kek.id WHERE evidence_key.record_id = $1";
    let id: mintmark_ids::EvidenceId = id.parse().unwrap();
    stage.sql().await.query_one(sql, &[&id.as_uuid()]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_gives_a_record_a_key_of_its_own_and_lifting_it_gives_it_back() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    let id = stage.upload(&cast.user, b"held").await.evidence_id;
    assert_eq!(purpose(&stage, &id).await, "period");
    for _ in 0..2 {
        assert!(stage.hold(&cast.governance, &id, true).await.unwrap().legal_hold);
        assert_eq!(purpose(&stage, &id).await, "hold");
        assert_eq!(stage.read(&cast.arbitrator, &id, None, None).await.unwrap().1, b"held");
    }
    for _ in 0..2 {
        assert!(!stage.hold(&cast.governance, &id, false).await.unwrap().legal_hold);
        assert_eq!(purpose(&stage, &id).await, "period");
        assert_eq!(stage.read(&cast.arbitrator, &id, None, None).await.unwrap().1, b"held");
    }
    let acts: Vec<String> = stage.audited(&id).await.into_iter().map(|(action, _, _)| action).collect();
    let holds = acts.iter().filter(|action| action.starts_with("LEGAL_HOLD")).collect::<Vec<_>>();
    assert_eq!(holds, ["LEGAL_HOLD_SET", "LEGAL_HOLD_LIFTED"], "what is so already is not done again");
    // Held anew, it has another key.
    assert!(stage.hold(&cast.governance, &id, true).await.unwrap().legal_hold);
    let sql = "SELECT count(*) FROM kek WHERE purpose = 'hold'";
    assert_eq!(stage.sql().await.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_of_a_record_whose_erasure_has_begun_is_refused() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    let id = stage.upload(&cast.user, b"going").await.evidence_id;
    let sql = "UPDATE evidence SET state = 'shredding', erased_at = now(), erasure_nonce = gen_random_uuid(),
        erased_by = 'service:evidence-vault'";
    stage.sql().await.execute(sql, &[]).await.unwrap();
    let refused = codes(stage.hold(&cast.governance, &id, true).await);
    assert_eq!(refused, (Code::FailedPrecondition, "EVIDENCE_SHREDDED".to_owned()));
    let refused = codes(stage.read(&cast.arbitrator, &id, None, None).await);
    assert_eq!(refused, (Code::FailedPrecondition, "EVIDENCE_SHREDDED".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_holds_at_once_are_one() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    let id = stage.upload(&cast.user, b"held").await.evidence_id;
    let holds = (0..8).map(|_| stage.hold(&cast.governance, &id, true));
    for held in futures::future::join_all(holds).await {
        assert!(held.unwrap().legal_hold);
    }
    let sql = "SELECT count(*) FROM kek WHERE purpose = 'hold'";
    assert_eq!(stage.sql().await.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 1);
    assert_eq!(stage.read(&cast.arbitrator, &id, None, None).await.unwrap().1, b"held");
}
