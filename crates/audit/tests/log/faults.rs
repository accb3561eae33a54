//! Sequencers that die at every step, are killed, stopped past their lease, or run twice: one history, nothing lost.

use mintmark_audit::STEPS;
use nix::sys::signal::Signal;

use crate::world::{World, until};

#[tokio::test(flavor = "multi_thread")]
async fn death_at_any_step_loses_and_forks_nothing() {
    // Worlds of their own, because what one step leaves must not help the next; a few at a time.
    for steps in STEPS.chunks(3) {
        let walks = steps.iter().map(|step| async move {
            let world = World::new().await;
            world.record(Some("acme"), 20).await;
            world.record(None, 3).await;
            let mut dying = world.process(Some(step));
            until("it dies", async || !dying.is_running()).await;
            assert_eq!(dying.ended_by(), Some(Signal::SIGABRT), "where it should: {step}");
            world.record(Some("acme"), 7).await;
            let running = world.sequencer();
            world.until_signed().await;
            world.check_nothing_lost_or_twice().await;
            assert_eq!(world.check_log(1).await, 30, "{step}");
            running.stop().await;
        });
        futures::future::join_all(walks).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sequencers_that_are_killed_again_and_again_make_one_history() {
    let world = World::new().await;
    let mut processes = vec![world.process(None), world.process(None)];
    for round in 0..4 {
        let before = world.number("SELECT size FROM audit_head").await;
        let writers = ["acme", "other", "third"].map(|tenant| world.record(Some(tenant), 60));
        let killer = async {
            // In the middle of the work, each time later in it.
            let enough = before + 10 + 30 * round;
            until("it works", async || world.number("SELECT size FROM audit_head").await >= enough).await;
            // Whoever leads or waits: the oldest.
            processes.remove(0).kill();
            processes.push(world.process(None));
        };
        tokio::join!(futures::future::join_all(writers), killer);
    }
    world.until_signed().await;
    world.check_nothing_lost_or_twice().await;
    assert_eq!(world.check_log(1).await, 4 * 180);
}

#[tokio::test(flavor = "multi_thread")]
async fn sequencer_stopped_past_its_lease_changes_nothing_when_it_wakes() {
    let world = World::new().await;
    let mut first = world.process(None);
    world.record(Some("acme"), 10).await;
    world.until_signed().await;
    let fence = world.number("SELECT fence FROM audit_head").await;
    first.signal(Signal::SIGSTOP);
    let sessions = world.sequencer_sessions().await;
    let mut second = world.process(None);
    until("the second leads", async || world.number("SELECT fence FROM audit_head").await > fence).await;
    world.record(Some("acme"), 10).await;
    world.until_signed().await;
    world.record(Some("other"), 50).await;
    first.signal(Signal::SIGCONT);
    // It gives its connection up as soon as it sees that it does not lead any more.
    until("the first has looked", async || {
        let now = world.sequencer_sessions().await;
        sessions.iter().any(|pid| !now.contains(pid))
    })
    .await;
    world.record(Some("other"), 50).await;
    world.until_signed().await;
    assert!(first.is_running() && second.is_running());
    world.check_nothing_lost_or_twice().await;
    assert_eq!(world.check_log(1).await, 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_fence_appends_nothing() {
    let world = World::new().await;
    let running = world.sequencer();
    world.record(Some("acme"), 5).await;
    world.until_signed().await;
    let mut raw = world.raw().await;
    // Somebody else leads, for longer than this test takes; what is new is there before the sequencer can see that.
    let taken =
        "UPDATE audit_head SET fence = fence + 1, holder = 'other', lease_until = now() + interval '1 hour'";
    let taking = raw.transaction().await.unwrap();
    taking.execute(taken, &[]).await.unwrap();
    world.record(Some("acme"), 5).await;
    taking.commit().await.unwrap();
    // It fails with its old fence, and a second later it finds that it has to wait.
    running.until_ready(false).await;
    running.until_ready(true).await;
    assert_eq!(world.number("SELECT size FROM audit_head").await, 5);
    assert_eq!(world.number("SELECT count(*) FROM audit_pending").await, 5);
    raw.execute("UPDATE audit_head SET lease_until = now()", &[]).await.unwrap();
    world.until_signed().await;
    assert_eq!(world.check_log(1).await, 10);
    running.stop().await;
}
