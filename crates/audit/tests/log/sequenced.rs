//! What a healthy sequencer makes of entries.

use std::time::{Duration, Instant};

use mintmark_audit::log::{self, Query};
use mintmark_audit::note::Verifiers;
use mintmark_audit::proof::{Inclusion, to_line};
use mintmark_fault::Kind;
use mintmark_ids::TenantId;
use uuid::Uuid;

use crate::world::{World, until};

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_chained_signed_and_provable() {
    let world = World::new().await;
    // More than one stored node, several tenants, and what came before the sequencer did.
    world.record(Some("acme"), 300).await;
    let running = world.sequencer();
    world.record(None, 5).await;
    world.record(Some("other"), 40).await;
    world.until_signed().await;
    world.check_nothing_lost_or_twice().await;
    assert_eq!(world.check_log(1).await, 345);
    assert_eq!(world.number("SELECT count(*) FROM audit_node").await, 1);
    assert_eq!(world.number("SELECT fence FROM audit_head").await, 1, "it led once and went on");
    assert!(running.context.health.ready(), "{:?}", running.context.health.gates());

    let keys = Verifiers::from(world.signer.verifier().clone());
    let mut conn = world.pool.get().await.unwrap();
    let listed =
        log::entries(&mut conn, &tenant("acme"), &Query::default(), Uuid::max(), 1000).await.unwrap();
    let mut numbers: Vec<u64> = listed.iter().map(|entry| entry.position.unwrap().tenant_number).collect();
    numbers.reverse();
    assert_eq!(numbers, (1..=300).collect::<Vec<u64>>());
    for entry in listed.iter().step_by(37) {
        let proof = log::proof(&mut conn, Some(&tenant("acme")), entry.id).await.unwrap();
        let proof = Inclusion::parse(&to_line(&proof)).unwrap();
        assert_eq!(proof.verify(&keys).unwrap().size, 345);
        let foreign = log::proof(&mut conn, Some(&tenant("other")), entry.id).await.unwrap_err();
        assert_eq!(foreign.kind(), Kind::NotFound);
    }
    // An entry is not provable before it is signed.
    running.stop().await;
    world.record(Some("acme"), 1).await;
    let newest = log::entries(&mut conn, &tenant("acme"), &Query::default(), Uuid::max(), 1).await.unwrap();
    assert_eq!(newest[0].position, None);
    let refused = log::proof(&mut conn, Some(&tenant("acme")), newest[0].id).await.unwrap_err();
    assert_eq!(refused.code(), "AUDIT_ENTRY_PENDING");
}

#[tokio::test(flavor = "multi_thread")]
async fn sequencer_of_a_log_that_is_signed_whole_becomes_ready() {
    let world = World::new().await;
    world.record(Some("acme"), 3).await;
    for _ in 0..2 {
        let running = world.sequencer();
        until("it is ready", async || running.context.health.ready()).await;
        world.until_signed().await;
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_found_by_actor_resource_and_time_carry_their_leaf() {
    let world = World::new().await;
    let running = world.sequencer();
    world.record(Some("acme"), 10).await;
    world.until_signed().await;
    let mut conn = world.pool.get().await.unwrap();
    let all = log::entries(&mut conn, &tenant("acme"), &Query::default(), Uuid::max(), 100).await.unwrap();
    let (middle, last) = (&all[5], &all[9]);
    let queries = [
        (Query { actor: Some(middle.actor.clone()), ..Query::default() }, 10),
        (Query { actor: Some("user:nobody".to_owned()), ..Query::default() }, 0),
        (Query { resource_id: Some("4".to_owned()), ..Query::default() }, 1),
        (Query { from: Some(middle.at), ..Query::default() }, 6),
        (Query { from: Some(last.at), to: Some(middle.at), ..Query::default() }, 4),
    ];
    for (query, expected) in queries {
        let found = log::entries(&mut conn, &tenant("acme"), &query, Uuid::max(), 100).await.unwrap();
        assert_eq!(found.len(), expected, "{query:?}");
        assert!(found.iter().all(|entry| entry.position.is_some()));
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_follow_within_a_second_and_each_continues_the_last() {
    let world = World::new().await;
    let running = world.sequencer();
    world.until_signed().await;
    let mut conn = world.pool.get().await.unwrap();
    let keys = Verifiers::from(world.signer.verifier().clone());
    let mut kept = None;
    for round in 1..=3 {
        world.record(Some("acme"), 50).await;
        let recorded = Instant::now();
        until("the newest checkpoint covers it", async || {
            world.newest_outside().is_some_and(|checkpoint| checkpoint.size == round * 50)
        })
        .await;
        assert!(recorded.elapsed() < Duration::from_secs(1), "{:?}", recorded.elapsed());
        world.until_signed().await;
        let newest = log::newest_checkpoint(&mut conn, 1).await.unwrap().unwrap();
        if let Some((size, note)) = kept {
            let proof = log::consistency(&mut conn, 1, size, note).await.unwrap();
            proof.verify(&keys).unwrap();
        }
        kept = Some((newest.size, newest.note));
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_checkpoints_are_thinned_to_one_a_day_inside_and_outside() {
    let world = World::new().await;
    let running = world.sequencer();
    world.record(Some("acme"), 200).await;
    world.until_signed().await;
    // A hundred and fifty of three days long past; their roots are looked at by nobody.
    let past = "INSERT INTO audit_checkpoint (epoch, size, root, note, at)
        SELECT 1, n, decode(repeat('00', 32), 'hex'), 'past', now() - interval '9 days' + (n / 50) * interval '1 day'
        FROM generate_series(1, 149) AS n ON CONFLICT DO NOTHING";
    world.raw().await.execute(past, &[]).await.unwrap();
    for size in 1..=149 {
        let file = world.checkpoints().join(format!("{:010}-{size:020}", 1));
        if !file.exists() {
            std::fs::write(file, "past").unwrap();
        }
    }
    world.record(Some("acme"), 400).await;
    until("the old ones are gone", async || {
        let left = world.number("SELECT count(*) FROM audit_checkpoint").await;
        let outside = std::fs::read_dir(world.checkpoints()).unwrap().count();
        left <= 110 && outside <= 110
    })
    .await;
    world.until_signed().await;
    assert_eq!(world.number("SELECT count(*) FROM audit_checkpoint WHERE size BETWEEN 40 AND 49").await, 1);
    assert_eq!(world.newest_outside().unwrap().size, 600);
    running.stop().await;
}
