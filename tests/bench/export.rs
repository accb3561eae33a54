//! Exporting a pack: the same speed and the same memory at 100,000 units and at a million.

use std::time::Instant;

use serde_json::json;

use crate::memory::Memory;
use crate::person::{Person, text};
use crate::report::{Better, Report, Round};
use crate::stage::{Role, Stage};
use crate::{Result, block_on};

const SMALL: u64 = 100_000;
const LARGE: u64 = 1_000_000;
/// Five alternations would take a quarter of an hour.
const ROUNDS: usize = 3;

/// Units a second, and the control plane's peak of resident memory in MiB.
struct Measured {
    rate: f64,
    peak_mib: f64,
}

/// CSV and SVG of a million units (ours) against the same of 100,000 (the baseline).
pub fn export(report: &mut Report) -> Result {
    block_on(async {
        let mut stage = Stage::open(report).await?;
        stage.serve(Role::Directory, &[]).await?;
        stage.serve(Role::ControlPlane, &[]).await?;
        let mut person = Person::new(&stage).await?;
        let small = person.mint(SMALL).await?.batch;
        let large = person.mint(LARGE).await?.batch;
        let (mut rates, mut peaks) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let ours = pack(&mut stage, &mut person, &large, LARGE).await?;
            let baseline = pack(&mut stage, &mut person, &small, SMALL).await?;
            rates.push(Round { ours: ours.rate, baseline: baseline.rate });
            peaks.push(Round { ours: ours.peak_mib, baseline: baseline.peak_mib });
        }
        report.note(
            "a CSV file and an SVG symbol for each unit; ours is a million units, the baseline 100,000",
        );
        report.figure("export", "units/s", Better::More, &rates)?;
        report.figure("export-memory", "MiB resident, peak of the control plane", Better::Less, &peaks)
    })
}

/// Makes one pack in a control plane that has done nothing else: what an earlier pack left on the heap must not hide
/// what this one needs.
async fn pack(stage: &mut Stage, person: &mut Person, batch: &str, units: u64) -> Result<Measured> {
    stage.restart(Role::ControlPlane).await?;
    person.follow(stage);
    let started = Instant::now();
    let asked =
        person.post(&format!("/v1/batches/{batch}/exports"), &json!({ "formats": ["csv", "svg"] })).await?;
    person.until(&format!("/v1/exports/{}", text(&asked, "id")?), "ready").await?;
    let rate = units as f64 / started.elapsed().as_secs_f64();
    let peak = Memory::of(stage.service(Role::ControlPlane))?.peak;
    // The next pack needs the room.
    std::fs::remove_dir_all(stage.folder().join("objects"))?;
    std::fs::create_dir(stage.folder().join("objects"))?;
    Ok(Measured { rate, peak_mib: peak as f64 / 1024.0 / 1024.0 })
}
