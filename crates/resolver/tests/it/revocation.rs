//! Recalls in the directory: what they beat, what they count, and whom they know.

use mintmark_fault::Kind;
use mintmark_ids::BatchId;
use mintmark_wire::directory::v1::{ActivationMode, PublicationState, RevokeCodesRequest};

use crate::stage::{Stage, chunk_of, chunks, codes, link, tenant, terms};

const STATIC: ActivationMode = ActivationMode::Static;

async fn counter(stage: &Stage) -> i64 {
    stage.superuser().await.query_one("SELECT value FROM change_counter", &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn revoke_batch_of_an_open_publication_beats_everything_that_follows() {
    let stage = Stage::new().await;
    let id = stage.product(None).await;
    let terms = terms(id, STATIC, 1, 8, 4);
    let partition = stage.open(&terms).await.unwrap().partition;
    let codes = codes(partition, 8);
    stage.publish(vec![chunk_of(&terms, 0, &codes[..4])]).await.unwrap();
    let at = stage.revoke_batch(&terms.batch_id).await.unwrap();
    let refused = stage.publish(chunks(&terms, &codes)).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (Kind::Unprocessable, "PUBLICATION_CLOSED"));
    assert_eq!(stage.seal(&terms.batch_id, 1).await.unwrap_err().code(), "PUBLICATION_CLOSED");
    let taken_over = mintmark_wire::directory::v1::OpenPublicationRequest { fence: 2, ..terms.clone() };
    assert_eq!(stage.open(&taken_over).await.unwrap().state(), PublicationState::Revoked);
    assert_eq!(stage.seal(&terms.batch_id, 2).await.unwrap_err().code(), "PUBLICATION_CLOSED");
    assert_eq!(stage.get(&terms.batch_id).await.unwrap().state(), PublicationState::Revoked);
    assert_eq!(stage.revoke_batch(&terms.batch_id).await.unwrap(), at, "the first time stands");
    // Once a replica has seen a batch that was sealed later it has seen the recall too.
    let later = stage.sealed(id, STATIC, 9, 4).await;
    stage.scan.becomes(&link(&later[0]), "genuine").await;
    assert_eq!(stage.scan.status(&link(&codes[0])).await, "unknown", "it was never recognised");
}

#[tokio::test(flavor = "multi_thread")]
async fn revoke_batch_of_a_sealed_publication_is_idempotent_and_moves_the_counter_once() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, STATIC, 1, 4, 4);
    stage.published(&terms).await;
    let sealed_at = stage.seal(&terms.batch_id, 1).await.unwrap();
    let before = counter(&stage).await;
    let recalls = futures::future::join_all((0..8).map(|_| stage.revoke_batch(&terms.batch_id))).await;
    let times: Vec<_> = recalls.into_iter().map(|recall| recall.unwrap()).collect();
    assert!(times.iter().all(|at| *at == times[0]), "{times:?}");
    assert!(times[0] >= sealed_at);
    assert_eq!(counter(&stage).await, before + 1);
    assert_eq!(stage.get(&terms.batch_id).await.unwrap().state(), PublicationState::Revoked);
}

#[tokio::test(flavor = "multi_thread")]
async fn revoke_codes_matches_inside_the_batch_alone_and_counts() {
    let stage = Stage::new().await;
    let id = stage.product(None).await;
    let terms = terms(id, STATIC, 1, 8, 4);
    let own = stage.published(&terms).await;
    stage.seal(&terms.batch_id, 1).await.unwrap();
    let others = stage.sealed(id, STATIC, 9, 4).await;
    let before = counter(&stage).await;
    let unknown = codes(0, 1)[0];
    let named = [own[1], own[2], own[1], others[0], unknown];
    assert_eq!(stage.revoke_codes(&terms.batch_id, &named).await.unwrap(), [2, 0, 2]);
    assert_eq!(counter(&stage).await, before + 1, "one move for all of a call");
    assert_eq!(stage.revoke_codes(&terms.batch_id, &named).await.unwrap(), [0, 2, 2]);
    assert_eq!(counter(&stage).await, before + 1, "and none when nothing changed");
    assert_eq!(stage.revoke_codes(&terms.batch_id, &own[2..4]).await.unwrap(), [1, 1, 0]);
    let rows = stage
        .superuser()
        .await
        .query("SELECT serial, revision FROM revoked_code ORDER BY serial", &[])
        .await
        .unwrap();
    let rows: Vec<(i64, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(rows, [(2, before + 1), (3, before + 1), (4, before + 2)]);
    stage.scan.becomes(&link(&own[3]), "recalled").await;
    for (code, status) in
        [(&own[0], "genuine"), (&own[1], "recalled"), (&own[2], "recalled"), (&others[0], "genuine")]
    {
        assert_eq!(stage.scan.status(&link(code)).await, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revoke_codes_of_an_open_publication_holds_after_the_seal() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, STATIC, 1, 8, 4);
    let partition = stage.open(&terms).await.unwrap().partition;
    let codes = codes(partition, 8);
    let all = chunks(&terms, &codes);
    stage.publish(vec![all[0].clone()]).await.unwrap();
    assert_eq!(
        stage.revoke_codes(&terms.batch_id, &[codes[3], codes[4]]).await.unwrap(),
        [1, 0, 1],
        "the fifth is not published yet"
    );
    stage.publish(vec![all[1].clone()]).await.unwrap();
    stage.seal(&terms.batch_id, 1).await.unwrap();
    stage.scan.becomes(&link(&codes[4]), "genuine").await;
    assert_eq!(stage.scan.status(&link(&codes[3])).await, "recalled");
}

#[tokio::test(flavor = "multi_thread")]
async fn revoke_codes_takes_ten_thousand_at_once_and_no_more() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, STATIC, 101, 10_001, 10_001);
    let codes = stage.published(&terms).await;
    stage.seal(&terms.batch_id, 1).await.unwrap();
    let refused = stage.revoke_codes(&terms.batch_id, &codes).await.unwrap_err();
    assert_eq!((refused.code(), refused.field_name()), ("DIGESTS_LENGTH", Some("digests")));
    assert_eq!(stage.revoke_codes(&terms.batch_id, &codes[..10_000]).await.unwrap(), [10_000, 0, 0]);
    for at in [0, 1, 63, 64, 9_999] {
        stage.scan.becomes(&link(&codes[at]), "recalled").await;
    }
    assert_eq!(stage.scan.status(&link(&codes[10_000])).await, "genuine");
}

#[tokio::test(flavor = "multi_thread")]
async fn revoke_codes_by_many_at_once_recalls_each_once() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, STATIC, 1, 200, 200);
    let codes = stage.published(&terms).await;
    let calls = (0..8).map(|at| stage.revoke_codes(&terms.batch_id, &codes[at * 10..at * 10 + 100]));
    let counts: Vec<[u32; 3]> =
        futures::future::join_all(calls).await.into_iter().map(|count| count.unwrap()).collect();
    assert_eq!(counts.iter().map(|[revoked, ..]| revoked).sum::<u32>(), 170, "{counts:?}");
    assert!(counts.iter().all(|[revoked, already, unmatched]| revoked + already == 100 && *unmatched == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn revoke_codes_refuses_what_is_not_digests() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, STATIC, 1, 4, 4);
    stage.published(&terms).await;
    for digests in [Vec::new(), vec![0; 31], vec![0; 33]] {
        let message = RevokeCodesRequest { batch_id: terms.batch_id.clone(), digests: digests.into() };
        let refused = stage.directory.revoke_codes(&stage.tenant, message).await.unwrap_err();
        assert_eq!((refused.code(), refused.field_name()), ("DIGESTS_LENGTH", Some("digests")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revoke_of_what_was_aborted_never_opened_or_of_another_tenant_is_refused() {
    let mut stage = Stage::new().await;
    let id = stage.product(None).await;
    let aborted = terms(id, STATIC, 1, 4, 4);
    let lost = stage.published(&aborted).await;
    stage.abort(&aborted.batch_id, 1).await.unwrap();
    assert_eq!(stage.revoke_batch(&aborted.batch_id).await.unwrap_err().code(), "PUBLICATION_CLOSED");
    let refused = stage.revoke_codes(&aborted.batch_id, &lost).await.unwrap_err();
    assert_eq!(refused.code(), "PUBLICATION_CLOSED");
    let open = terms(id, STATIC, 5, 4, 4);
    let codes = stage.published(&open).await;
    let never = BatchId::new().to_string();
    assert_eq!(stage.revoke_batch(&never).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(stage.revoke_codes(&never, &codes).await.unwrap_err().kind(), Kind::NotFound);
    stage.tenant = tenant("thief");
    assert_eq!(stage.revoke_batch(&open.batch_id).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(stage.revoke_codes(&open.batch_id, &codes).await.unwrap_err().kind(), Kind::NotFound);
    stage.tenant = tenant("acme");
    assert_eq!(stage.get(&open.batch_id).await.unwrap().state(), PublicationState::Open);
    assert_eq!(
        stage.revoke_codes(&open.batch_id, &codes).await.unwrap(),
        [4, 0, 0],
        "the thief's did nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recalled_code_is_never_activated_even_before_a_replica_knows() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, ActivationMode::FirstScan, 1, 40, 40);
    let codes = stage.published(&terms).await;
    stage.seal(&terms.batch_id, 1).await.unwrap();
    stage.scan.becomes(&link(&codes[0]), "genuine").await;
    stage.revoke_codes(&terms.batch_id, &codes[1..]).await.unwrap();
    // At once: the replica may not know yet, and the database does.
    for code in &codes[1..] {
        let (_, view) = stage.scan.json(&link(code)).await;
        assert!(view["status"] == "recalled" || view["status"] == "unconfirmed", "{view}");
    }
    let activated: i64 =
        stage.superuser().await.query_one("SELECT count(*) FROM activation", &[]).await.unwrap().get(0);
    assert_eq!(activated, 0);
    stage.scan.becomes(&link(&codes[1]), "recalled").await;
    let (_, view) = stage.scan.json(&link(&codes[1])).await;
    let (_, again) = stage.scan.json(&link(&codes[1])).await;
    assert!(view["recalledAt"].is_string() && view["activation"].is_null(), "{view}");
    assert_eq!(view, again, "also from the cache");
}
