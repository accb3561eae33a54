//! What a process holds in memory.

use crate::Result;
use crate::stage::Service;

/// Resident memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// The highest since the start.
    pub peak: u64,
    /// At the moment.
    pub now: u64,
}

impl Memory {
    /// That of a service, from `VmHWM` and `VmRSS` (proc(5)).
    ///
    /// # Errors
    /// The process has ended.
    pub fn of(service: &Service) -> Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", service.pid()))?;
        let bytes = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
        };
        match (bytes("VmHWM"), bytes("VmRSS")) {
            (Some(peak), Some(now)) => Ok(Self { peak, now }),
            _ => Err(format!("{:?} has ended", service.role()).into()),
        }
    }
}
