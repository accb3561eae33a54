//! Erasure: to its end whatever happens in between, once, and never of what is held.

use futures::future::join_all;
use mintmark_wire::evidence::v1::*;
use serde_json::Value;
use tonic::Code;

use crate::binary::Process;
use crate::stage::{Cast, Stage, codes};

const DELETED: &str = "SELECT count(*) FROM evidence WHERE id = $1 AND deleted_at IS NOT NULL";
const ALWAYS: (&str, &str) = ("RETENTION_RUN_SECS", "1");
const NEVER: (&str, &str) = ("RETENTION_RUN_SECS", "86400");

/// A stage with a sequencer, whose vaults are processes that may die.
async fn stage_of_processes() -> (Stage, Cast) {
    let stage = Stage::prepare(&[NEVER]).await;
    stage.sequence();
    (stage, Cast::new())
}

/// Uploads through a process of its own, which is killed.
async fn uploaded(stage: &mut Stage, cast: &Cast, records: usize) -> Vec<String> {
    let vault = Process::start(stage, &[]).await;
    stage.addr.clone_from(&vault.addr);
    let mut ids = Vec::new();
    for _ in 0..records {
        ids.push(stage.upload(&cast.user, b"to be erased").await.evidence_id);
    }
    ids
}

async fn assert_erased(stage: &Stage, id: &str, recoveries: i64, step: &str) {
    let proofs = "SELECT count(*) FROM erasure_proof WHERE record_id = $1 AND kind = 'erasure'";
    assert_eq!(stage.count_of(proofs, id).await, 1, "{step}: proofs");
    let further = "SELECT count(*) FROM erasure_proof WHERE record_id = $1 AND kind = 'recovery'";
    assert_eq!(stage.count_of(further, id).await, recoveries, "{step}: further proofs");
    let keys = "SELECT count(*) FROM evidence_key WHERE record_id = $1";
    assert_eq!(stage.count_of(keys, id).await, 0, "{step}: a key is left");
    let left = "SELECT count(*) FROM evidence WHERE id = $1
        AND (state <> 'shredded' OR shredded_at IS NULL OR encrypted_blob IS NOT NULL OR sealed_digest IS NOT NULL)";
    assert_eq!(stage.count_of(left, id).await, 0, "{step}: something is left");
    assert!(
        !stage.objects().iter().any(|path| path.to_string_lossy().contains(id)),
        "{step}: an object is left"
    );
    assert_eq!(stage.audits(id, "EVIDENCE_SHREDDED").await, 1, "{step}: audit");
    let added = usize::try_from(recoveries).unwrap();
    assert_eq!(stage.audits(id, "ERASURE_PROOF_ADDED").await, added, "{step}: audit of further proofs");
    let entry = stage.audited(id).await.into_iter().find(|entry| entry.0 == "EVIDENCE_SHREDDED").unwrap();
    let sql = "SELECT count(*) FROM erasure_proof WHERE kind = 'erasure' AND jwt = $1";
    let audited = entry.2["proof"].as_str().unwrap().to_owned();
    assert_eq!(stage.count(sql, &[&audited]).await, 1, "{step}: the audit has another proof");
}

#[tokio::test(flavor = "multi_thread")]
async fn shred_killed_after_any_step_is_finished_by_the_next_run() {
    let steps = [
        ("shred.after_begin", 0),
        ("shred.after_tombstone", 0),
        ("shred.after_sign", 0),
        ("shred.after_proof", 0),
        ("shred.after_keys", 0),
        ("shred.in_blobs", 0),
        ("shred.after_blobs", 0),
        ("shred.after_shredded", 1),
        ("shred.after_delete", 0),
    ];
    let (mut stage, cast) = stage_of_processes().await;
    let ids = uploaded(&mut stage, &cast, steps.len()).await;
    for ((step, recoveries), id) in steps.into_iter().zip(&ids) {
        stage.expire(id).await;
        Process::spawn(&stage, &[ALWAYS, ("EVIDENCE_FAIL_AT", step)]).died().await;
        let vault = Process::start(&stage, &[ALWAYS]).await;
        stage.addr.clone_from(&vault.addr);
        stage.until(DELETED, id, 1).await;
        assert_erased(&stage, id, recoveries, step).await;
        let refused = codes(stage.read(&cast.arbitrator, id, None, None).await);
        assert_eq!(refused, (Code::FailedPrecondition, "EVIDENCE_SHREDDED".to_owned()), "{step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_killed_before_its_end_adds_one_proof() {
    let (mut stage, cast) = stage_of_processes().await;
    let ids = uploaded(&mut stage, &cast, 1).await;
    stage.expire(&ids[0]).await;
    Process::spawn(&stage, &[ALWAYS, ("EVIDENCE_FAIL_AT", "shred.after_shredded")]).died().await;
    Process::spawn(&stage, &[ALWAYS, ("EVIDENCE_FAIL_AT", "shred.after_recovery")]).died().await;
    let vault = Process::start(&stage, &[ALWAYS]).await;
    stage.addr.clone_from(&vault.addr);
    stage.until(DELETED, &ids[0], 1).await;
    assert_erased(&stage, &ids[0], 1, "recovery").await;
    let served = stage.proof(&cast.governance, &ids[0]).await.unwrap();
    assert_eq!(served.recovery_proofs.len(), 1);
    assert_ne!(nonce(&served.proof), nonce(&served.recovery_proofs[0]), "each has a nonce of its own");
}

fn nonce(jwt: &str) -> String {
    use base64::Engine as _;
    let body = jwt.split('.').nth(1).unwrap();
    let body = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(body).unwrap();
    serde_json::from_slice::<Value>(&body).unwrap()["nonce"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn sweep_killed_in_the_middle_is_finished_by_the_next_run() {
    let (mut stage, cast) = stage_of_processes().await;
    let ids = uploaded(&mut stage, &cast, 1).await;
    // As an upload leaves it whose process was killed before it committed, a day ago.
    let sql =
        "UPDATE evidence SET state = 'uploading', created_at = now() - interval '25 hours' WHERE id = $1";
    stage.change(sql, &ids[0]).await;
    Process::spawn(&stage, &[ALWAYS, ("EVIDENCE_FAIL_AT", "sweep.after_blob")]).died().await;
    let vault = Process::start(&stage, &[ALWAYS]).await;
    let forgotten = "SELECT count(*) FROM evidence WHERE id = $1 AND encrypted_blob IS NULL";
    stage.until(forgotten, &ids[0], 1).await;
    assert!(stage.objects().is_empty());
    drop(vault);
}

/// The tables of a record as a backup has them, and its object.
async fn backed_up(stage: &Stage, id: &str) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    for (copy, table, column) in [("saved", "evidence", "id"), ("saved_key", "evidence_key", "record_id")] {
        let sql = format!(
            "CREATE TABLE {copy} AS SELECT * FROM {table} WHERE {column} = '{}'",
            super::operate::uuid(id)
        );
        stage.sql().await.batch_execute(&sql).await.unwrap();
    }
    stage.objects().into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Brings the record back as it was, without a word of its erasure or its hold.
async fn restored(stage: &Stage, objects: &[(std::path::PathBuf, Vec<u8>)]) {
    let sql = "DELETE FROM erasure_proof; DELETE FROM evidence_key; DELETE FROM evidence_wrapping; DELETE FROM evidence;
        INSERT INTO evidence SELECT * FROM saved; INSERT INTO evidence_key SELECT * FROM saved_key;
        DROP TABLE saved; DROP TABLE saved_key";
    stage.sql().await.batch_execute(sql).await.unwrap();
    for (path, bytes) in objects {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reconcile_erases_again_what_a_restored_row_brought_back() {
    let (mut stage, cast) = stage_of_processes().await;
    let id = uploaded(&mut stage, &cast, 1).await.remove(0);
    let objects = backed_up(&stage, &id).await;
    stage.expire(&id).await;
    let vault = Process::start(&stage, &[ALWAYS]).await;
    stage.until(DELETED, &id, 1).await;
    drop(vault);
    restored(&stage, &objects).await;
    // Nobody asks for an erasure: the tombstone does. Not even a vault that only answers decrypts it.
    Process::spawn(&stage, &[NEVER, ("EVIDENCE_FAIL_AT", "reconcile.after_tombstones")]).died().await;
    let vault = Process::start(&stage, &[NEVER]).await;
    stage.addr.clone_from(&vault.addr);
    let refused = codes(stage.read(&cast.arbitrator, &id, None, None).await);
    assert_eq!(refused, (Code::FailedPrecondition, "EVIDENCE_SHREDDED".to_owned()));
    stage.until(DELETED, &id, 1).await;
    assert!(stage.objects().is_empty(), "the restored object is left");
    assert_eq!(stage.audits(&id, "ERASURE_RESUMED").await, 1);
    assert_eq!(stage.proof(&cast.governance, &id).await.unwrap().recovery_proofs, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn reconcile_holds_what_was_held_after_the_backup() {
    let (mut stage, cast) = stage_of_processes().await;
    let id = uploaded(&mut stage, &cast, 1).await.remove(0);
    let objects = backed_up(&stage, &id).await;
    let vault = Process::start(&stage, &[]).await;
    stage.addr.clone_from(&vault.addr);
    stage.hold(&cast.governance, &id, true).await.unwrap();
    drop(vault);
    restored(&stage, &objects).await;
    stage.sql().await.batch_execute("DELETE FROM kek WHERE purpose = 'hold'").await.unwrap();
    stage.expire(&id).await;
    Process::spawn(&stage, &[ALWAYS, ("EVIDENCE_FAIL_AT", "reconcile.after_holds")]).died().await;
    let vault = Process::start(&stage, &[ALWAYS]).await;
    stage.addr.clone_from(&vault.addr);
    let held = "SELECT count(*) FROM evidence JOIN evidence_key ON record_id = evidence.id JOIN kek ON kek.id = kek_id
        WHERE evidence.id = $1 AND legal_hold AND kek.purpose = 'hold'";
    stage.until(held, &id, 1).await;
    assert_eq!(stage.read(&cast.arbitrator, &id, None, None).await.unwrap().1, b"to be erased");
    // Lifted, it is due.
    stage.hold(&cast.governance, &id, false).await.unwrap();
    stage.until(DELETED, &id, 1).await;
    assert_erased(&stage, &id, 0, "lifted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_and_shred_at_once_never_both_win() {
    let (stage, cast) = (Stage::start_with(&[NEVER]).await, Cast::new());
    let mut ids = Vec::new();
    for _ in 0..24 {
        ids.push(stage.upload(&cast.user, b"held or erased").await.evidence_id);
    }
    stage.sql().await.batch_execute("UPDATE evidence SET expires_at = now()").await.unwrap();
    let holds = async { join_all(ids.iter().map(|id| stage.hold(&cast.governance, id, true))).await };
    let (answers, _) = tokio::join!(holds, stage.operate(OperationKind::Retention));
    // What was refused in the very moment of the run is due still.
    stage.operate(OperationKind::Retention).await;
    for (id, answer) in ids.iter().zip(answers) {
        if answer.is_ok() {
            assert!(stage.get(&cast.governance, id).await.unwrap().legal_hold);
            assert_eq!(stage.read(&cast.arbitrator, id, None, None).await.unwrap().1, b"held or erased");
            assert_eq!(stage.audits(id, "EVIDENCE_SHREDDED").await, 0);
            let refused = codes(stage.proof(&cast.governance, id).await);
            assert_eq!(refused, (Code::FailedPrecondition, "EVIDENCE_HELD".to_owned()));
        } else {
            assert_erased(&stage, id, 0, "shred won").await;
            assert_eq!(stage.audits(id, "LEGAL_HOLD_SET").await, 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn proof_is_the_same_bytes_for_ever_and_no_later_run_makes_another() {
    let (stage, cast) = (Stage::start_with(&[NEVER]).await, Cast::new());
    let id = stage.upload(&cast.user, b"gone").await.evidence_id;
    let kept = stage.upload(&cast.user, b"kept").await.evidence_id;
    assert_eq!(codes(stage.proof(&cast.governance, &id).await).1, "EVIDENCE_NOT_ERASED");
    stage.expire(&id).await;
    stage.operate(OperationKind::Retention).await;
    let first = stage.proof(&cast.governance, &id).await.unwrap();
    stage.operate(OperationKind::Retention).await;
    assert_eq!(stage.proof(&cast.governance, &id).await.unwrap(), first);
    assert_erased(&stage, &id, 0, "operator").await;
    let shredded = stage.audited(&id).await.into_iter().find(|entry| entry.0 == "EVIDENCE_SHREDDED").unwrap();
    assert!(shredded.2["proofSha256"].as_str().is_some_and(|hex| hex.len() == 64));
    assert_eq!(stage.read(&cast.arbitrator, &kept, None, None).await.unwrap().1, b"kept");
}

#[test]
fn every_fail_point_is_walked_by_a_test() {
    let tests = [include_str!("binary.rs"), include_str!("lifecycle.rs"), include_str!("keys.rs")].concat();
    for step in mintmark_evidence_vault::failpoint::ALL {
        assert!(tests.contains(&format!("\"{step}\"")), "{step} is walked by no test");
    }
}
