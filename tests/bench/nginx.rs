//! nginx with the configuration beside this file, as the baseline of redirects.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mintmark_devstack::{Process, free_port};

use crate::Result;
use crate::report::Report;

const CONFIGURATION: &str = include_str!("nginx.conf");

/// A running nginx; it ends when it is dropped.
pub struct Nginx {
    /// Where it answers.
    pub addr: SocketAddr,
    _process: Process,
}

impl Nginx {
    /// Starts it on a free port, in a folder that goes with the benchmark.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub fn start(folder: &Path, report: &Report) -> Result<Self> {
        let program = program()?;
        let version = std::process::Command::new(&program).arg("-v").output()?;
        report.note(String::from_utf8_lossy(&version.stderr).trim());
        let addr = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let own = folder.join("nginx");
        std::fs::create_dir_all(&own)?;
        std::fs::write(own.join("nginx.conf"), CONFIGURATION)?;
        std::fs::write(own.join("listen.conf"), format!("listen {addr};\n"))?;
        let (prefix, configuration) = (shown(&own), shown(&own.join("nginx.conf")));
        let arguments = ["-p", &prefix, "-c", &configuration];
        let mut process = Process::spawn(&program, &arguments, &[], &folder.join("nginx.log"))?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(addr).is_err() {
            if process.ended().is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(folder.join("nginx.log")).unwrap_or_default();
                return Err(format!("nginx did not start: {log}").into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { addr, _process: process })
    }
}

/// Debian keeps it where ordinary users do not look.
fn program() -> Result<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("nginx"))
        .find(|path| path.is_file())
        .ok_or_else(|| "nginx is missing: run deploy/setup/setup.sh bench".into())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
