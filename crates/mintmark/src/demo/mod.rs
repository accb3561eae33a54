//! The main job in front of the user: mint, publish, export, fetch, scan, preflight, evidence. Every step checks what it got.

mod evidence;
mod export;
mod keys;
mod mint;
mod preflight;
mod scan;
mod stage;

use std::path::Path;

use clap::Args;

use crate::failure::Failure;
use crate::home::Home;
use crate::screen;

pub use stage::Stage;

/// Options of the demonstration.
#[derive(Args, Clone)]
pub struct DemoOptions {
    /// How many units to mint (2 to 1,000,000).
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(2..=1_000_000))]
    pub units: u64,
}

/// Runs the demonstration against the platform that `mintmark up` started in `root`.
pub async fn demo(root: &Path, options: &DemoOptions) -> Result<(), Failure> {
    let home = Home::existing(root)?;
    let stage = Stage::recall(&home)?;
    run(&home, &stage, options).await
}

/// The journey itself; the first step that does not give what it should ends it.
pub async fn run(home: &Home, stage: &Stage, options: &DemoOptions) -> Result<(), Failure> {
    screen::heading("The main job");
    let batch = mint::mint(stage, &stage.product, options.units).await?;
    let pack = export::export(home, stage, &batch, options.units).await?;
    scan::scan(stage, &pack).await?;
    scan::numbers(stage, &batch).await?;
    preflight::preflight(stage).await?;
    keys::keys(stage).await?;
    evidence::evidence(home, stage).await?;
    let remembered = Stage { batch: Some(batch), code: Some(pack.codes[0].clone()), ..Stage::recall(home)? };
    remembered.remember(home)
}

/// The failure of a step that answered, but not as it should.
fn unexpected(step: &str, wanted: &str, got: impl std::fmt::Display) -> Failure {
    Failure::new(format!("{step}: {wanted} was expected, and the answer was {got}"))
}
