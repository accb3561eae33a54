//! Which key-encryption key takes a record: its budget, and its closing in the very moment.

use futures::stream;
use mintmark_ids::EvidenceId;
use uuid::Uuid;

use crate::stage::{Cast, Stage, messages};

/// The key under which a record lies, and its state.
async fn kek(stage: &Stage, id: &str) -> (Uuid, String) {
    let id: EvidenceId = id.parse().unwrap();
    let sql = "SELECT kek.id, state FROM kek JOIN evidence_key ON kek_id = kek.id WHERE evidence_key.record_id = $1";
    let row = stage.sql().await.query_one(sql, &[&id.as_uuid()]).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_spent_is_closed_and_has_a_successor() {
    let (stage, cast) = (Stage::start_with(&[("EVIDENCE_KEK_MAX_WRAPS", "2")]).await, Cast::new());
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(stage.upload(&cast.user, b"x").await.evidence_id);
    }
    let sql = "SELECT state, invocations FROM kek WHERE purpose = 'period' ORDER BY id";
    let rows = stage.sql().await.query(sql, &[]).await.unwrap();
    let keks: Vec<(String, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let states: Vec<&str> = keks.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(states, ["closing", "closing", "active"]);
    assert!(keks.iter().all(|(_, invocations)| *invocations <= 2), "{keks:?}");
    for id in &ids {
        assert_eq!(stage.read(&cast.arbitrator, id, None, None).await.unwrap().1, b"x");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_and_lifted_hold_that_race_the_closing_of_their_key_take_its_successor() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    let held = stage.upload(&cast.user, b"held").await.evidence_id;
    stage.hold(&cast.governance, &held, true).await.unwrap();
    for lifts in [false, true] {
        let (open, _) = kek(&stage, &stage.upload(&cast.user, b"x").await.evidence_id).await;
        // It is being closed, and nobody can see that yet.
        let sql = stage.sql().await;
        let close = format!("BEGIN; UPDATE kek SET state = 'closing', closed_at = now() WHERE id = '{open}'");
        sql.batch_execute(&close).await.unwrap();
        let id = EvidenceId::new();
        let racing = async {
            if lifts {
                stage.hold(&cast.governance, &held, false).await.map(|record| record.evidence_id)
            } else {
                let messages = stream::iter(messages(id, b"raced"));
                stage.send(&cast.user, messages).await.map(|record| record.evidence_id)
            }
        };
        let closing = async {
            // Until it waits for the key's row.
            let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
            let watcher = stage.sql().await;
            let begun = std::time::Instant::now();
            while watcher.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
                assert!(begun.elapsed().as_secs() < 30, "nobody waits for the key");
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            sql.batch_execute("COMMIT").await.unwrap();
        };
        let (raced, ()) = tokio::join!(racing, closing);
        let raced = raced.unwrap();
        let (taken, state) = kek(&stage, &raced).await;
        assert_ne!(taken, open, "it lies under a key that takes nothing any more");
        assert_eq!(state, "active");
        let expected: &[u8] = if lifts { b"held" } else { b"raced" };
        assert_eq!(stage.read(&cast.arbitrator, &raced, None, None).await.unwrap().1, expected);
    }
}
