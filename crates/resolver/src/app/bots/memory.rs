//! What User-Agents were found to be, so that the same telephone model is read once and not at each scan.
//!
//! A User-Agent is remembered as sixty bits of a hash with a key that this process drew by lot: none can be read back from
//! it, and nobody outside can find two that meet. Two that meet by chance, once in 2^60, would swap a side effect.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::app::visitor::DeviceClass;

/// Places; each is one number. Most visitors have one of some hundreds of User-Agents.
const PLACES: usize = 8_192;
/// The bits of a place that say what was found; the others are the hash's.
const FOUND: u64 = 0b1111;
/// Of a place that holds something.
const TAKEN: u64 = 0b1000;
const MACHINE: u64 = 0b100;
const CLASSES: [DeviceClass; 4] =
    [DeviceClass::Phone, DeviceClass::Tablet, DeviceClass::Desktop, DeviceClass::Other];

/// What a User-Agent says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// It is a machine's.
    pub machine: bool,
    /// The kind of device.
    pub device: DeviceClass,
}

/// The places, shared by all threads without a lock.
pub(super) struct Memory {
    places: Box<[AtomicU64]>,
    keys: RandomState,
}

impl Memory {
    pub(super) fn new() -> Self {
        Memory { places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(), keys: RandomState::new() }
    }

    /// What is known of a User-Agent, or else what `read` finds. `generation` is the list's that it is read with.
    pub(super) fn said(&self, generation: u64, user_agent: &[u8], read: impl FnOnce() -> Said) -> Said {
        let hash = self.keys.hash_one((generation, user_agent));
        let place = &self.places[(hash >> 4) as usize % PLACES];
        let known = place.load(Ordering::Relaxed);
        if known & !FOUND == hash & !FOUND && known & TAKEN != 0 {
            let device = CLASSES[(known & 0b11) as usize];
            return Said { machine: known & MACHINE != 0, device };
        }
        let said = read();
        let class = CLASSES.iter().position(|class| *class == said.device).unwrap_or_default() as u64;
        let found = TAKEN | if said.machine { MACHINE } else { 0 } | class;
        place.store(hash & !FOUND | found, Ordering::Relaxed);
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn said_reads_once_for_each_list() {
        let memory = Memory::new();
        for (machine, device) in [(true, DeviceClass::Other), (false, DeviceClass::Tablet)] {
            let said = Said { machine, device };
            let user_agent = format!("{said:?}");
            assert_eq!(memory.said(1, user_agent.as_bytes(), || said), said);
            assert_eq!(memory.said(1, user_agent.as_bytes(), || unreachable!()), said);
            let other = Said { machine: !machine, device: DeviceClass::Phone };
            assert_eq!(memory.said(2, user_agent.as_bytes(), || other), other, "another list");
        }
    }
}
