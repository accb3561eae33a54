//! pgbench with a script, as the baseline of what a service does in its database.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tokio_postgres::Client;

use crate::Result;
use crate::stage::RESOLVER;

const SCRIPT: &str = include_str!("scan-cold.sql");
/// Codes of which each transaction looks up a random one.
const CODES: usize = 4_000;

/// What one run reached.
pub struct Looked {
    /// Transactions a second, the time to connect left out.
    pub per_second: f64,
    /// Milliseconds, on the average.
    pub latency_ms: f64,
}

/// A script for one table.
pub struct Pgbench {
    program: PathBuf,
    script: PathBuf,
    socket: PathBuf,
    login: &'static str,
    database: &'static str,
}

impl Pgbench {
    /// Look-ups, with codes that the table has.
    ///
    /// # Errors
    /// pgbench is missing, or the table cannot be read.
    pub async fn new(database: &Client, table: &str, socket: &Path, folder: &Path) -> Result<Self> {
        let sql = format!(
            "SELECT hash::text FROM (SELECT hash FROM {table} TABLESAMPLE BERNOULLI (5)) s ORDER BY random() LIMIT {CODES}"
        );
        let rows = database.query(&sql, &[]).await?;
        let hashes: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let text = SCRIPT
            .replace("{table}", table)
            .replace("{count}", &hashes.len().to_string())
            .replace("{hashes}", &format!("{{{}}}", hashes.join(",")));
        Self::of(&text, "scan-cold.sql", (socket, folder), "resolver_scan", RESOLVER)
    }

    /// Any script, which is written into `folder`.
    ///
    /// # Errors
    /// pgbench is missing.
    pub fn of(
        text: &str,
        name: &str,
        (socket, folder): (&Path, &Path),
        login: &'static str,
        database: &'static str,
    ) -> Result<Self> {
        let script = folder.join(name);
        std::fs::write(&script, text)?;
        Ok(Self { program: program()?, script, socket: socket.to_owned(), login, database })
    }

    /// 64 clients on two threads, prepared, for so long.
    ///
    /// # Errors
    /// pgbench fails.
    pub fn run(&self, seconds: u32) -> Result<Looked> {
        let output = Command::new(&self.program)
            .args(["-M", "prepared", "-c", "64", "-j", "2", "-n", "-U", self.login, "-h"])
            .arg(&self.socket)
            .args(["-T", &seconds.to_string(), "-f"])
            .arg(&self.script)
            .arg(self.database)
            // Planning the constant anew for each client's first executions would be what is measured.
            .env("PGOPTIONS", "-c plan_cache_mode=force_generic_plan")
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            return Err(format!("pgbench failed: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let number = |before: &str| -> Result<f64> {
            let line = said
                .lines()
                .find_map(|line| line.strip_prefix(before))
                .ok_or("pgbench said something else")?;
            Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
        };
        Ok(Looked { per_second: number("tps = ")?, latency_ms: number("latency average = ")? })
    }
}

/// The newest of the installed servers has it beside it.
fn program() -> Result<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin/pgbench"))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found.pop().ok_or_else(|| "pgbench is missing: run deploy/setup/setup.sh bench".into())
}
