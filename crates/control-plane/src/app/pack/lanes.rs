//! Making something of every unit of a part on a few threads, taken in serial order.
//!
//! Block *n* is made by lane *n mod* [`LANES`], and the taker goes round the lanes: order needs no sorting, and a lane
//! that is ahead waits in its short channel.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::{PackError, PackSource, PartRange, Unit};

/// Drawing threads of one part; more would take the machine from the people who use it.
const LANES: u64 = 2;

/// Finished blocks that may wait in a lane.
const LANE_BLOCKS: usize = 2;

type Block<T> = Result<T, PackError>;

/// Calls `make` with blocks of `block_units` consecutive units (the last one perhaps shorter) on several threads, and
/// `take` with what came of each, in serial order.
pub(super) fn in_order<T: Send>(
    source: &PackSource,
    range: &PartRange,
    block_units: u64,
    make: impl Fn(Vec<Unit>) -> Block<T> + Sync,
    mut take: impl FnMut(T) -> Result<(), PackError>,
) -> Result<(), PackError> {
    let make = &make;
    thread::scope(|scope| {
        // An early return drops the receivers, and a lane ends when nobody receives.
        let lanes = (0..LANES)
            .map(|lane| {
                let (send, receive) = sync_channel(LANE_BLOCKS);
                thread::Builder::new().name(format!("export-draw-{lane}")).spawn_scoped(
                    scope,
                    move || {
                        work(source, range, block_units, lane, make, &send);
                    },
                )?;
                Ok(receive)
            })
            .collect::<Result<Vec<Receiver<Block<T>>>, std::io::Error>>()?;
        let blocks = usize::try_from(range.units.div_ceil(block_units)).unwrap_or(usize::MAX);
        for lane in lanes.iter().cycle().take(blocks) {
            take(lane.recv().map_err(|_| PackError::Drawing)??)?;
        }
        Ok(())
    })
}

fn work<T>(
    source: &PackSource,
    range: &PartRange,
    block_units: u64,
    lane: u64,
    make: &impl Fn(Vec<Unit>) -> Block<T>,
    send: &SyncSender<Block<T>>,
) {
    let deriver = source.secret.deriver(source.partition);
    let serials = range.serials();
    for start in serials.clone().step_by(block_units as usize).skip(lane as usize).step_by(LANES as usize) {
        let units = (start..serials.end.min(start + block_units))
            .map(|serial| Unit::new(source, serial, deriver.derive(serial)))
            .collect();
        let block = make(units);
        let failed = block.is_err();
        if send.send(block).is_err() || failed {
            return;
        }
    }
}
