//! Drawing the symbols of a part on a few threads, taken in serial order.
//!
//! Block *n* is drawn by lane *n mod* [`LANES`], and the taker goes round the lanes: order needs no sorting, and a lane
//! that is ahead waits in its short channel.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use mintmark_minting::symbol::qr_svg;
use zip::write::PreparedZipFile;

use super::archive::{FileFacts, prepare};
use super::{PackError, PackSource, PartRange, Unit, svg_name};

/// Drawing threads of one part; more would take the machine from the people who use it.
const LANES: u64 = 2;

/// Symbols in a block: enough that handing one over costs nothing beside drawing it (about 0.1 ms a symbol), few enough
/// that a stop is prompt.
const BLOCK_UNITS: u64 = 64;

/// Finished blocks that may wait in a lane.
const LANE_BLOCKS: usize = 2;

/// One symbol, compressed.
pub(super) struct Drawn {
    pub entry: PreparedZipFile,
    pub file: FileFacts,
    pub version: u8,
    pub modules: u32,
    pub min_mm: f32,
}

type Block = Result<Vec<Drawn>, PackError>;

/// Calls `take` with each block of symbols, in serial order.
pub(super) fn draw(
    source: &PackSource,
    range: &PartRange,
    mut take: impl FnMut(Vec<Drawn>) -> Result<(), PackError>,
) -> Result<(), PackError> {
    thread::scope(|scope| {
        // An early return drops the receivers, and a lane ends when nobody receives.
        let lanes = (0..LANES)
            .map(|lane| {
                let (send, receive) = sync_channel(LANE_BLOCKS);
                thread::Builder::new()
                    .name(format!("export-draw-{lane}"))
                    .spawn_scoped(scope, move || draw_lane(source, range, lane, &send))?;
                Ok(receive)
            })
            .collect::<Result<Vec<Receiver<Block>>, std::io::Error>>()?;
        let blocks = usize::try_from(range.units.div_ceil(BLOCK_UNITS)).unwrap_or(usize::MAX);
        for lane in lanes.iter().cycle().take(blocks) {
            take(lane.recv().map_err(|_| PackError::Drawing)??)?;
        }
        Ok(())
    })
}

fn draw_lane(source: &PackSource, range: &PartRange, lane: u64, send: &SyncSender<Block>) {
    let deriver = source.secret.deriver(source.partition);
    let serials = range.serials();
    for start in serials.clone().step_by(BLOCK_UNITS as usize).skip(lane as usize).step_by(LANES as usize) {
        let block = (start..serials.end.min(start + BLOCK_UNITS))
            .map(|serial| draw_one(&Unit::new(source, serial, deriver.derive(serial))))
            .collect::<Block>();
        let failed = block.is_err();
        if send.send(block).is_err() || failed {
            return;
        }
    }
}

fn draw_one(unit: &Unit) -> Result<Drawn, PackError> {
    let symbol = qr_svg(&unit.qr_uri).map_err(|error| PackError::Symbol(Box::new(error)))?;
    Ok(Drawn {
        entry: prepare(&svg_name(unit.serial), symbol.svg.as_bytes())?,
        file: FileFacts::of(symbol.svg.as_bytes()),
        version: symbol.version,
        modules: symbol.modules,
        min_mm: symbol.min_mm,
    })
}
