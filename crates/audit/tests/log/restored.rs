//! A database that was restored, and a store outside that is away or lies.

use mintmark_audit::checkpoint::{Checkpoint, Origin};
use mintmark_audit::note::Signer;
use mintmark_audit::{Outside, log, resume};
use mintmark_auth::Actor;
use mintmark_db::{DbConfig, Pool};
use mintmark_service::Context;
use tokio::runtime::Handle;

use crate::world::{ORIGIN, World, new_key, until};

async fn gate_says(world: &World, gate: &mintmark_audit::Gate, code: &str) {
    until(&format!("the gate says {code}"), async || {
        let mut conn = world.pool.get().await.unwrap();
        gate.check(&mut conn).await.err().map(|fault| fault.code().to_owned()).as_deref() == Some(code)
    })
    .await;
}

async fn refused(world: &World, code: &str) {
    let fault = resume(&world.config().database, &world.config().outside, &Actor::ControlToken).await;
    let said = fault.unwrap_err().with_causes();
    let expected = match code {
        "AUDIT_NOT_BEHIND" => "continues what was signed",
        other => other,
    };
    assert!(said.contains(expected), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn restored_database_signs_nothing_until_it_is_resumed() {
    let mut world = World::new().await;
    let context = Context::for_tests("gate");
    let gate = world.gate(&context);
    gate_says(&world, &gate, "AUDIT_UNKNOWN").await;
    let running = world.sequencer();
    world.record(Some("acme"), 10).await;
    world.until_signed().await;
    gate.opened().await;
    gate.check(&mut world.pool.get().await.unwrap()).await.unwrap();
    refused(&world, "AUDIT_NOT_BEHIND").await;
    let backup = world.folder.path().join("backup");
    world.db.dump(&backup);
    world.record(Some("acme"), 10).await;
    world.until_signed().await;
    let before = world.newest_outside().unwrap();
    assert_eq!(before.size, 20);

    // The sequencer runs on: it must notice by itself.
    world.db.restore(&backup).await;
    world.pool = Pool::new(&DbConfig::new(world.db.url("control_app")), &Handle::current()).unwrap();
    let second = Context::for_tests("gate");
    let after = world.gate(&second);
    gate_says(&world, &after, "AUDIT_BEHIND").await;
    until("the running gate closes", async || !gate.is_open()).await;
    world.record(Some("acme"), 15).await;
    world.until_looked().await;
    assert_eq!(world.number("SELECT size FROM audit_head").await, 10, "nothing is appended");
    assert_eq!(world.newest_outside().unwrap(), before, "nothing is signed");

    let config = world.config();
    let resumed = resume(&config.database, &config.outside, &Actor::ControlToken).await.unwrap();
    assert_eq!(resumed.origin, Origin::new(ORIGIN, 2));
    world.until_signed().await;
    after.opened().await;
    gate.opened().await;
    after.check(&mut world.pool.get().await.unwrap()).await.unwrap();
    assert_eq!(world.check_log(2).await, 16);
    let newest = world.newest_outside().unwrap();
    assert_eq!((newest.origin.epoch, newest.size), (2, 16));
    let first = "SELECT entry.detail->>'checkpoint', entry.action FROM audit_leaf AS leaf
        JOIN audit_entry AS entry ON entry.id = leaf.entry_id WHERE leaf.epoch = 2 AND leaf.idx = 0";
    let row = world.raw().await.query_one(first, &[]).await.unwrap();
    assert_eq!((row.get::<_, Option<String>>(0), row.get(1)), (resumed.named, "AUDIT_LOG_RESUMED"));
    assert_eq!(log::epochs(&mut world.pool.get().await.unwrap()).await.unwrap(), [1, 2]);
    refused(&world, "AUDIT_NOT_BEHIND").await;
    running.stop().await;
    context.shutdown.trigger();
    second.shutdown.trigger();
}

#[tokio::test(flavor = "multi_thread")]
async fn emptied_database_is_behind_too() {
    let mut world = World::new().await;
    let empty = world.folder.path().join("empty");
    world.db.dump(&empty);
    let running = world.sequencer();
    world.record(Some("acme"), 3).await;
    world.until_signed().await;
    running.stop().await;
    world.db.restore(&empty).await;
    world.pool = Pool::new(&DbConfig::new(world.db.url("control_app")), &Handle::current()).unwrap();
    let before = world.newest_outside().unwrap();
    let running = world.sequencer();
    world.record(Some("acme"), 9).await;
    world.until_looked().await;
    assert_eq!(world.newest_outside().unwrap(), before);
    resume(&world.config().database, &world.config().outside, &Actor::ControlToken).await.unwrap();
    world.until_signed().await;
    assert_eq!(world.check_log(2).await, 10);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_that_are_gone_close_the_gate_until_they_are_back() {
    let world = World::new().await;
    let running = world.sequencer();
    world.record(Some("acme"), 3).await;
    world.until_signed().await;
    let context = Context::for_tests("gate");
    let gate = world.gate(&context);
    gate.opened().await;
    let elsewhere = world.folder.path().join("elsewhere");
    std::fs::rename(world.checkpoints(), &elsewhere).unwrap();
    gate_says(&world, &gate, "AUDIT_CHECKPOINTS_LOST").await;
    // Also for one that has never seen any.
    let fresh = Context::for_tests("gate");
    gate_says(&world, &world.gate(&fresh), "AUDIT_CHECKPOINTS_LOST").await;
    world.record(Some("acme"), 3).await;
    world.until_looked().await;
    assert!(!world.checkpoints().exists(), "nothing is signed into an empty place");
    std::fs::rename(&elsewhere, world.checkpoints()).unwrap();
    gate.opened().await;
    world.until_signed().await;
    assert_eq!(world.check_log(1).await, 6);
    running.stop().await;
    context.shutdown.trigger();
    fresh.shutdown.trigger();
}

#[tokio::test(flavor = "multi_thread")]
async fn gate_that_looks_while_the_first_checkpoint_is_made_calls_none_lost() {
    let world = World::new().await;
    let running = world.sequencer();
    world.record(Some("acme"), 3).await;
    world.until_signed().await;
    running.stop().await;
    // A look finds nothing outside; when it comes to the database, the first checkpoint is kept and recorded.
    let elsewhere = world.folder.path().join("elsewhere");
    std::fs::rename(world.checkpoints(), &elsewhere).unwrap();
    let between = world.raw().await;
    between.batch_execute("BEGIN; LOCK TABLE audit_head").await.unwrap();
    let context = Context::for_tests("gate");
    let gate = world.gate(&context);
    let waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'audit_head'::regclass AND NOT granted";
    until("the gate waits for the database", async || world.number(waiting).await >= 1).await;
    std::fs::rename(&elsewhere, world.checkpoints()).unwrap();
    between.batch_execute("COMMIT").await.unwrap();
    gate.compared().await;
    gate.check(&mut world.pool.get().await.unwrap()).await.unwrap();
    context.shutdown.trigger();
}

#[tokio::test(flavor = "multi_thread")]
async fn store_outside_that_is_away_closes_the_gate_and_signs_nothing() {
    let world = World::new().await;
    let running = world.sequencer();
    world.record(Some("acme"), 3).await;
    world.until_signed().await;
    let context = Context::for_tests("gate");
    let gate = world.gate(&context);
    gate.opened().await;
    // A file where the folder was: whoever asks gets an error and no empty list.
    let (outside, elsewhere) = (world.folder.path().join("outside"), world.folder.path().join("elsewhere"));
    std::fs::rename(&outside, &elsewhere).unwrap();
    std::fs::write(&outside, b"").unwrap();
    world.record(Some("acme"), 4).await;
    gate_says(&world, &gate, "AUDIT_UNKNOWN").await;
    std::fs::remove_file(&outside).unwrap();
    std::fs::rename(&elsewhere, &outside).unwrap();
    gate.opened().await;
    world.until_signed().await;
    assert_eq!(world.check_log(1).await, 7);
    running.stop().await;
    context.shutdown.trigger();
}

/// Puts a note outside under the name that a checkpoint of this epoch and size has.
fn plant(world: &World, epoch: u64, size: u64, note: &str) {
    std::fs::write(world.checkpoints().join(format!("{epoch:010}-{size:020}")), note).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_or_foreign_checkpoints_are_refused() {
    let world = World::new().await;
    let running = world.sequencer();
    world.record(Some("acme"), 3).await;
    world.until_signed().await;
    running.stop().await;
    let root = [7; 32];
    let stranger = Signer::from_pem(ORIGIN, &new_key()).unwrap();
    let of = |origin: Origin, size| Checkpoint { origin, size, root };
    let forged = of(Origin::new(ORIGIN, 1), 9).sign(&stranger);
    let elsewhere = Signer::from_pem("mintmark.invalid/elsewhere", &new_key()).unwrap();
    let foreign = of(Origin::new("mintmark.invalid/elsewhere", 1), 9).sign(&elsewhere);
    let misnamed = of(Origin::new(ORIGIN, 1), 8).sign(&world.signer);
    for note in [forged, foreign, misnamed, String::new()] {
        plant(&world, 1, 9, &note);
        let outside = Outside::open(&world.config().outside).unwrap();
        assert_eq!(outside.newest().await.unwrap_err().code(), "AUDIT_CHECKPOINT_FORGED");
        let context = Context::for_tests("gate");
        gate_says(&world, &world.gate(&context), "AUDIT_CHECKPOINT_FORGED").await;
        context.shutdown.trigger();
    }
    // A sequencer that starts now signs nothing.
    let running = world.sequencer();
    world.record(Some("acme"), 2).await;
    world.until_looked().await;
    assert_eq!(world.number("SELECT size FROM audit_head").await, 3);
    std::fs::remove_file(world.checkpoints().join(format!("{:010}-{:020}", 1, 9))).unwrap();
    world.until_signed().await;
    assert_eq!(world.check_log(1).await, 5);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_history_under_our_own_key_stops_the_signing() {
    let world = World::new().await;
    let running = world.sequencer();
    world.record(Some("acme"), 3).await;
    world.until_signed().await;
    let split = Checkpoint { origin: Origin::new(ORIGIN, 1), size: 4, root: [7; 32] }.sign(&world.signer);
    plant(&world, 1, 4, &split);
    world.record(Some("acme"), 1).await;
    let context = Context::for_tests("gate");
    let gate = world.gate(&context);
    until("the gate is closed for good", async || {
        let mut conn = world.pool.get().await.unwrap();
        let code = gate.check(&mut conn).await.err().map(|fault| fault.code().to_owned());
        // Behind for as long as the fourth entry is not in the log, split from then on.
        matches!(code.as_deref(), Some("AUDIT_SPLIT" | "AUDIT_BEHIND"))
    })
    .await;
    world.record(Some("acme"), 5).await;
    world.until_looked().await;
    let kept = std::fs::read_dir(world.checkpoints()).unwrap().filter(|file| {
        let name = file.as_ref().unwrap().file_name().into_string().unwrap();
        name.as_str() > format!("{:010}-{:020}", 1, 4).as_str()
    });
    assert_eq!(kept.count(), 0, "nothing is signed after it");
    running.stop().await;
    context.shutdown.trigger();
}
