//! What a captive tries.

use std::collections::HashMap;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

/// One thing that a captive tries.
pub struct Attempt {
    /// Its name on the command line.
    pub name: &'static str,
    /// Tries it.
    pub run: fn(&Prepared) -> Outcome,
}

/// What came of an attempt that the process survived.
pub enum Outcome {
    /// It worked.
    Succeeded,
    /// The kernel said no.
    Denied(String),
}

/// What must be there before the doors close.
pub struct Prepared {
    folder: PathBuf,
    listener: TcpListener,
    address: SocketAddr,
}

impl Prepared {
    /// A file in the folder, and somebody who listens.
    pub fn new(folder: &str) -> Self {
        let folder = PathBuf::from(folder);
        fs::write(folder.join("present"), b"bytes").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Self { folder, listener, address }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Each kills a captive.
pub const ESCAPES: &[Attempt] = &[
    Attempt { name: "open_file", run: |with| told(File::open(with.path("present"))) },
    Attempt { name: "write_file", run: |with| told(fs::write(with.path("fresh"), b"bytes")) },
    Attempt { name: "list_folder", run: |with| told(fs::read_dir(&with.folder)) },
    Attempt { name: "delete_file", run: |with| told(fs::remove_file(with.path("present"))) },
    Attempt { name: "make_folder", run: |with| told(fs::create_dir(with.path("folder"))) },
    Attempt { name: "link_file", run: |with| told(fs::hard_link(with.path("present"), with.path("second"))) },
    Attempt {
        name: "memory_file",
        run: |_| told(nix::sys::memfd::memfd_create(c"fresh", nix::sys::memfd::MFdFlags::empty())),
    },
    Attempt { name: "tcp_listen", run: |_| told(TcpListener::bind("127.0.0.1:0")) },
    Attempt { name: "tcp_connect", run: |with| told(TcpStream::connect(with.address)) },
    Attempt { name: "tcp_accept", run: |with| told(with.listener.set_nonblocking(true)) },
    Attempt { name: "udp_socket", run: |_| told(UdpSocket::bind("127.0.0.1:0")) },
    Attempt { name: "unix_listen", run: |with| told(UnixListener::bind(with.path("socket"))) },
    Attempt { name: "unix_pair", run: |_| told(UnixStream::pair()) },
    Attempt { name: "pipe", run: |_| told(io::pipe()) },
    Attempt { name: "fork", run: |_| told(Command::new("/bin/true").stdin(Stdio::null()).status()) },
    Attempt { name: "thread", run: |_| told(std::thread::Builder::new().spawn(|| ()).map(drop)) },
    Attempt { name: "exec", run: exec },
    Attempt { name: "ptrace", run: |_| told(nix::sys::ptrace::traceme()) },
    Attempt {
        name: "signal_to_another",
        run: |_| told(nix::sys::signal::kill(nix::unistd::getppid(), None)),
    },
    Attempt {
        name: "executable_memory",
        run: |_| told(region::alloc(4096, region::Protection::READ_WRITE_EXECUTE)),
    },
    Attempt { name: "limit_of_another_size", run: limit },
    Attempt { name: "dumpable_again", run: |_| told(nix::sys::prctl::set_dumpable(true)) },
    Attempt { name: "working_folder", run: |_| told(std::env::set_current_dir("/")) },
    Attempt { name: "host_name", run: |_| told(nix::sys::utsname::uname()) },
    Attempt { name: "duplicate_descriptor", run: |with| told(with.listener.try_clone()) },
];

/// What an engine needs.
pub const PERMITTED: &[Attempt] = &[
    Attempt { name: "nothing", run: |_| Outcome::Succeeded },
    Attempt { name: "reading", run: |_| told(io::stdin().read_to_end(&mut Vec::new())) },
    Attempt {
        name: "writing",
        run: |_| told(io::stdout().write_all(b"bytes").and_then(|()| io::stdout().flush())),
    },
    Attempt { name: "growing", run: growing },
    Attempt { name: "hashing", run: |_| told(Ok::<_, io::Error>(black_box(HashMap::from([(1, 2)])))) },
    Attempt { name: "time", run: |_| told(Ok::<_, io::Error>(black_box(Instant::now().elapsed()))) },
    Attempt { name: "catching", run: catching },
];

/// Those that end the process in another way.
const ENDS: &[Attempt] = &[
    Attempt { name: "panic", run: |_| panic!("on purpose") },
    Attempt { name: "memory", run: memory },
    Attempt { name: "recursion", run: |_| told(Ok::<_, io::Error>(recursion(black_box(0)))) },
    Attempt { name: "spin", run: |_| spin() },
];

/// The attempt of that name.
pub fn named(name: &str) -> &'static Attempt {
    [ESCAPES, PERMITTED, ENDS].into_iter().flatten().find(|attempt| attempt.name == name).unwrap()
}

fn told<T, E: std::fmt::Display>(outcome: Result<T, E>) -> Outcome {
    match outcome {
        Ok(_) => Outcome::Succeeded,
        Err(error) => Outcome::Denied(error.to_string()),
    }
}

/// Runs a shell in place of this process, whose code then says that it was run.
fn exec(_: &Prepared) -> Outcome {
    Outcome::Denied(Command::new("/bin/sh").args(["-c", "exit 10"]).exec().to_string())
}

fn limit(_: &Prepared) -> Outcome {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    told(getrlimit(Resource::RLIMIT_AS).and_then(|(soft, hard)| setrlimit(Resource::RLIMIT_AS, soft, hard)))
}

/// Small and large blocks, grown and freed: every path of the allocator.
fn growing(_: &Prepared) -> Outcome {
    let mut all: Vec<Vec<u8>> = Vec::new();
    for size in 1..2_000_usize {
        let mut bytes = vec![1_u8; size * 7 % 5_000];
        bytes.resize(size * 40, 2);
        if size % 3 == 0 {
            all.push(bytes);
        }
    }
    let mut one = vec![0_u8; 1 << 20];
    for doubling in 1..6 {
        one.resize(1 << (20 + doubling), 1);
    }
    drop(black_box((all, one)));
    Outcome::Succeeded
}

/// A panic that is caught, as the reader of a broken file does.
fn catching(_: &Prepared) -> Outcome {
    match std::panic::catch_unwind(|| assert!(black_box(0) == 1, "on purpose")) {
        Ok(()) => Outcome::Denied("there was no panic".to_owned()),
        Err(_) => Outcome::Succeeded,
    }
}

fn memory(_: &Prepared) -> Outcome {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        all.push(black_box(vec![1; 8 << 20]));
    }
}
#[expect(unconditional_recursion, reason = "the stack is meant to end")]
fn recursion(depth: u64) -> u64 {
    let page = black_box([depth; 512]);
    recursion(black_box(depth + 1)) + page[7]
}

fn spin() -> ! {
    let mut number = 0_u64;
    loop {
        number = black_box(number + 1);
    }
}
