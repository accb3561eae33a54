//! Resource limits: what a hostile file can take before the kernel ends its reader.

use mintmark_preflight_engine::envelope::Layer;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{SFlag, fstat};

/// The most that the main thread's stack may grow to. Recursion is bounded by budgets, this is the net below them. A limit
/// that is lower already stays: the overflow is recognised at the place where it was when the process started.
const STACK: u64 = 32 << 20;

/// What the process may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Address space, in bytes.
    pub memory: u64,
    /// Processor time, in seconds.
    pub cpu: u64,
    /// Bytes of output.
    pub output: u64,
}

impl Limits {
    /// Sets them, soft and hard alike, so that none can be raised again.
    pub fn apply(&self) -> Layer {
        let outcome = self.each().into_iter().try_for_each(|(name, resource, soft, hard)| {
            setrlimit(resource, soft, hard).map_err(|error| format!("{name}: {error}"))
        });
        let reach =
            format!("memory {} MiB, processor {} s, no files, no processes", self.memory >> 20, self.cpu);
        Layer::of("limits", outcome.map(|()| reach))
    }

    fn each(&self) -> [(&'static str, Resource, u64, u64); 7] {
        let stack = getrlimit(Resource::RLIMIT_STACK).map_or(STACK, |(soft, _)| soft.min(STACK));
        [
            ("memory", Resource::RLIMIT_AS, self.memory, self.memory),
            // At the soft limit the process is told by SIGXCPU, which names the reason to the parent.
            ("processor time", Resource::RLIMIT_CPU, self.cpu, self.cpu + 1),
            ("file size", Resource::RLIMIT_FSIZE, self.file_size(), self.file_size()),
            ("descriptors", Resource::RLIMIT_NOFILE, 0, 0),
            ("processes", Resource::RLIMIT_NPROC, 0, 0),
            ("core", Resource::RLIMIT_CORE, 0, 0),
            ("stack", Resource::RLIMIT_STACK, stack, stack),
        ]
    }

    /// A pipe is no file to this limit: a file grows only when the output itself was sent into one.
    fn file_size(&self) -> u64 {
        let regular = |stat: nix::sys::stat::FileStat| {
            SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG
        };
        if fstat(std::io::stdout()).is_ok_and(regular) { self.output } else { 0 }
    }
}
