//! A round: work is ordered, faults come over it, all is healed, all work ends, everything is verified.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::fault::{Fault, lost, stale_fences};
use crate::stage::Stage;
use crate::verify::verify;
use crate::work::Work;

/// What a run came to.
pub struct Report {
    started: Instant,
    rounds: u64,
    times: BTreeMap<Fault, (u64, Duration)>,
}

impl Report {
    pub fn new() -> Self {
        Self { started: Instant::now(), rounds: 0, times: BTreeMap::new() }
    }

    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn say(&self, what: &str) {
        println!("chaos: {:7.1} s  {what}", self.elapsed().as_secs_f64());
    }

    /// The table at the end.
    pub async fn print(&self, stage: &Stage, work: &Work) {
        println!(
            "chaos: {} rounds in {:.0} s, seed {}",
            self.rounds,
            self.elapsed().as_secs_f64(),
            stage.seed
        );
        println!("chaos: {:<20} {:>6} {:>12}", "fault", "times", "seconds each");
        for (fault, (times, took)) in &self.times {
            let each = took.as_secs_f64() / *times as f64;
            println!("chaos: {:<20} {times:>6} {each:>12.1}", format!("{fault:?}"));
        }
        let cancelled = work.orders.iter().filter(|order| order.cancelled).count();
        let units: u64 = work.orders.iter().filter(|order| !order.cancelled).map(|order| order.units).sum();
        println!(
            "chaos: {} batches sealed whole ({units} units), {cancelled} cancelled and stayed so",
            work.orders.len() - cancelled
        );
        let directory = &stage.directory;
        let stale = stale_fences(stage).await;
        let repeated = directory.counter("publish_chunks_repeated_total", &[]).await as u64;
        let lost_claims = lost(stage, 0).await + lost(stage, 1).await;
        println!(
            "chaos: {lost_claims} claims lost, {stale} chunks with a stale fence refused; \
             {repeated} chunks sent twice; {} scans answered",
            stage.scans.made()
        );
    }
}

/// Plays one round with these faults, in their order; `wild`: others may come on top of them.
pub async fn play(
    stage: &mut Stage,
    work: &mut Work,
    dice: &mut Dice,
    report: &mut Report,
    (faults, batches, wild): (&[Fault], u64, bool),
) {
    report.rounds += 1;
    report.say(&format!("round {}: {batches} batches, {faults:?}", report.rounds));
    work.add(stage, dice, batches).await;
    let cancel_after = dice.roll(0..faults.len() as u64) as usize;
    for (position, fault) in faults.iter().enumerate() {
        if position == cancel_after {
            let said = work.cancel_one(stage, dice).await;
            report.say(&said);
        }
        work.export(stage).await;
        work.keep_busy(stage, dice).await;
        tokio::time::sleep(dice.millis(0..400)).await;
        let began = Instant::now();
        let said = fault.inject(stage, work, dice, wild).await;
        let (times, took) = report.times.entry(*fault).or_default();
        (*times, *took) = (*times + 1, *took + began.elapsed());
        report.say(&format!("{fault:?}: {said}"));
    }
    stage.heal().await;
    report.say("healed");
    work.ended(stage).await;
    report.say("all work has ended");
    verify(stage, work, dice).await;
    report.say("verified");
}
