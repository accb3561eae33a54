//! The end of key-encryption keys: rotation, destruction, budgets, and what goes on meanwhile.

use std::path::Path;

use futures::future::join_all;
use mintmark_wire::evidence::v1::*;

use crate::binary::Process;
use crate::stage::{Cast, Stage};

const NEVER: (&str, &str) = ("RETENTION_RUN_SECS", "86400");
/// References to keys that take or open nothing any more.
const DANGLING: &str = "SELECT count(*) FROM evidence_key JOIN kek ON kek.id = kek_id WHERE kek.state NOT IN ('active', 'closing')";

/// The key that a record is wrapped under, by its text id.
async fn kek_of(stage: &Stage, id: &str) -> String {
    let sql = "SELECT kek_id FROM evidence_key WHERE record_id = $1";
    let row = stage.sql().await.query_one(sql, &[&crate::operate::uuid(id)]).await.unwrap();
    mintmark_ids::KekId::from_uuid(row.get(0)).to_string()
}

/// How many files the provider keeps of a kind.
fn files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.flatten().map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn key_killed_at_any_step_of_its_end_is_ended_by_the_next_run() {
    let mut stage = Stage::prepare(&[NEVER]).await;
    stage.sequence();
    let cast = Cast::new();
    let vault = Process::start(&stage, &[]).await;
    stage.addr.clone_from(&vault.addr);
    let id = stage.upload(&cast.user, b"survivor").await.evidence_id;
    drop(vault);
    for step in [
        "rewrap.after_wrap",
        "rewrap.after_step",
        "destroy.before_provider",
        "destroy.after_provider",
        "destroy.after_commit",
    ] {
        let old = kek_of(&stage, &id).await;
        let close = "UPDATE kek SET state = 'closing', closed_at = now() WHERE state = 'active'";
        stage.sql().await.batch_execute(close).await.unwrap();
        Process::spawn(&stage, &[("RETENTION_RUN_SECS", "1"), ("EVIDENCE_FAIL_AT", step)]).died().await;
        let vault = Process::start(&stage, &[("RETENTION_RUN_SECS", "1")]).await;
        stage.addr.clone_from(&vault.addr);
        let alive =
            "SELECT count(*) FROM evidence CROSS JOIN kek WHERE evidence.id = $1 AND kek.state = 'closing'";
        stage.until(alive, &id, 0).await;
        assert_eq!(stage.audits(&old, "KEK_DESTROYED").await, 1, "{step}");
        assert_ne!(kek_of(&stage, &id).await, old, "{step}");
        assert_eq!(stage.count(DANGLING, &[]).await, 0, "{step}");
        let certified = "SELECT count(*) FROM kek WHERE state = 'destroyed' AND certificate IS NULL";
        assert_eq!(stage.count(certified, &[]).await, 0, "{step}");
        assert_eq!(stage.read(&cast.arbitrator, &id, None, None).await.unwrap().1, b"survivor", "{step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_moves_every_record_and_destroys_the_old_keys() {
    let (stage, cast) = (Stage::start_with(&[NEVER]).await, Cast::new());
    let mut ids = Vec::new();
    for _ in 0..70 {
        ids.push(stage.upload(&cast.user, b"kept").await.evidence_id);
    }
    let old = kek_of(&stage, &ids[0]).await;
    let done = stage.operate(OperationKind::RotateKeys).await;
    assert_eq!((done.done, done.total), (70, 70));
    for id in &ids {
        assert_ne!(kek_of(&stage, id).await, old);
        assert_eq!(stage.read(&cast.arbitrator, id, None, None).await.unwrap().1, b"kept");
    }
    assert_eq!(stage.audits(&old, "KEK_CLOSED").await, 1);
    assert_eq!(stage.audits(&old, "KEK_DESTROYED").await, 1);
    assert_eq!(stage.count("SELECT count(*) FROM kek WHERE state <> 'destroyed'", &[]).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_and_holds_race_rotations_and_nothing_is_lost() {
    let (stage, cast) = (Stage::start_with(&[NEVER]).await, Cast::new());
    let work = async {
        let one = |at: usize| {
            let (stage, cast) = (&stage, &cast);
            async move {
                let id = stage.upload(&cast.user, b"kept").await.evidence_id;
                if at.is_multiple_of(2) {
                    stage.hold(&cast.governance, &id, true).await.unwrap();
                }
                if at.is_multiple_of(4) {
                    stage.hold(&cast.governance, &id, false).await.unwrap();
                }
                id
            }
        };
        let mut ids = Vec::new();
        for round in 0..6 {
            ids.extend(join_all((round * 8..round * 8 + 8).map(one)).await);
        }
        ids
    };
    let rotations = async {
        for _ in 0..6 {
            stage.operate(OperationKind::RotateKeys).await;
        }
    };
    let (ids, ()) = tokio::join!(work, rotations);
    stage.operate(OperationKind::RotateKeys).await;
    assert_eq!(stage.count(DANGLING, &[]).await, 0);
    assert_eq!(stage.count("SELECT count(*) FROM kek WHERE state = 'closing'", &[]).await, 0);
    for id in &ids {
        assert_eq!(stage.read(&cast.arbitrator, id, None, None).await.unwrap().1, b"kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spent_key_has_a_successor_and_still_opens_what_it_holds() {
    let (stage, cast) = (Stage::start_with(&[NEVER, ("EVIDENCE_KEK_MAX_WRAPS", "2")]).await, Cast::new());
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(stage.upload(&cast.user, b"kept").await.evidence_id);
    }
    assert_eq!(stage.count("SELECT count(*) FROM kek", &[]).await, 3);
    assert_eq!(stage.count("SELECT max(invocations) FROM kek", &[]).await, 2);
    stage.operate(OperationKind::Retention).await;
    assert_eq!(stage.count("SELECT count(*) FROM kek WHERE state = 'destroyed'", &[]).await, 0);
    for id in &ids {
        assert_eq!(stage.read(&cast.arbitrator, id, None, None).await.unwrap().1, b"kept");
    }
    // Once they hold nothing they go.
    stage.sql().await.batch_execute("UPDATE evidence SET expires_at = now()").await.unwrap();
    stage.operate(OperationKind::Retention).await;
    assert_eq!(stage.count("SELECT count(*) FROM kek WHERE state = 'destroyed'", &[]).await, 2);
    let proof = stage.proof(&cast.governance, &ids[0]).await.unwrap();
    assert!(proof.keys_destroyed && proof.key_certificates.len() == 1, "{proof:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_whose_period_is_over_go_and_their_tombstones_with_them() {
    let (stage, cast) = (Stage::start_with(&[NEVER]).await, Cast::new());
    let gone = stage.upload(&cast.user, b"gone").await.evidence_id;
    let kept = stage.upload(&cast.user, b"kept").await.evidence_id;
    stage.expire(&gone).await;
    stage.operate(OperationKind::Retention).await;
    let keystore = stage.folder.path().join("keystore");
    let keys_and_tombstones = || (files(&keystore.join("keks")), files(&keystore.join("tombstones")));
    assert_eq!(keys_and_tombstones(), (1, 1));
    // The period of their key is over, and one of its records is kept longer than it was thought.
    let over = "UPDATE kek SET period_start = period_start - 10000, period_end = current_date";
    stage.sql().await.batch_execute(over).await.unwrap();
    stage.operate(OperationKind::Retention).await;
    assert_eq!(keys_and_tombstones(), (1, 0), "only the successor is left");
    assert!(stage.proof(&cast.governance, &gone).await.unwrap().keys_destroyed);
    assert_eq!(stage.read(&cast.arbitrator, &kept, None, None).await.unwrap().1, b"kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn recomputed_retention_moves_expiries_and_keys_and_is_audited() {
    let (stage, cast) =
        (Stage::start_with(&[NEVER, ("RETENTION_TTL_EVIDENCE_DAYS", "30")]).await, Cast::new());
    let id = stage.upload(&cast.user, b"kept").await.evidence_id;
    let held = stage.upload(&cast.user, b"held").await.evidence_id;
    stage.hold(&cast.governance, &held, true).await.unwrap();
    // As if they had been uploaded under a retention of ten years.
    let longer = "UPDATE evidence SET retention_days = 3650, expires_at = created_at + interval '3650 days';
        UPDATE kek SET period_start = period_start + 3600, period_end = period_end + 3600 WHERE purpose = 'period'";
    stage.sql().await.batch_execute(longer).await.unwrap();
    let old = kek_of(&stage, &id).await;
    let done = stage.operate(OperationKind::RecomputeRetention).await;
    assert!(done.done >= 2, "{done:?}");
    let right = "SELECT count(*) FROM evidence WHERE retention_days = 30 AND expires_at = created_at + interval '30 days'";
    assert_eq!(stage.count(right, &[]).await, 2);
    assert_eq!(stage.audits(&id, "EVIDENCE_RETENTION_CHANGED").await, 1);
    // A key that lives ten years longer than the record would open a backup of it for ten years.
    assert_ne!(kek_of(&stage, &id).await, old);
    assert_eq!(stage.audits(&old, "KEK_DESTROYED").await, 1);
    for (id, content) in [(&id, b"kept"), (&held, b"held")] {
        assert_eq!(stage.read(&cast.arbitrator, id, None, None).await.unwrap().1, content);
    }
}
