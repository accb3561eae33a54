//! What an attack left behind: rows, log lines, metrics.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use mintmark_service::telemetry::{Telemetry, metrics_text};
use tokio::sync::OnceCell;

use crate::stage::Stage;

/// Words that are shorter than this are no credential.
const WORD: usize = 32;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

static LINES: LazyLock<Lines> = LazyLock::new(Lines::default);
static TELEMETRY: OnceCell<Telemetry> = OnceCell::const_new();

/// Keeps every log line of this process from now on, down to `debug`.
pub async fn listen() {
    let install = async || {
        let install = |sink| {
            Telemetry::install_to("attack", "debug".parse().unwrap(), None, move || Lines::clone(sink))
        };
        install(&*LINES).unwrap()
    };
    TELEMETRY.get_or_init(install).await;
}

/// The log lines so far.
pub fn log() -> String {
    String::from_utf8(LINES.0.lock().unwrap().clone()).unwrap()
}

/// Credentials that were sent, in words.
#[derive(Default)]
pub struct Sent(HashSet<String>);

impl Sent {
    pub fn add(&mut self, words: impl IntoIterator<Item = String>) {
        self.0.extend(words.into_iter().filter(|word| word.len() >= WORD));
    }

    /// No log line and no metric has a word of what was sent, the beginning of a token, or of a control token.
    ///
    /// # Panics
    /// When one has.
    pub fn is_nowhere(&self) {
        for (place, text) in [("the log", log()), ("the metrics", metrics_text())] {
            for line in text.lines() {
                let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
                for word in words {
                    let begun = word.starts_with("eyJ") || (word.starts_with("mmct_") && word.len() > 5);
                    assert!(!begun && !self.0.contains(word), "a credential in {place}: {line}");
                }
            }
        }
    }
}

/// Tables whose rows change although nobody asks for it.
const RESTLESS: [&str; 2] = ["jobs", "scan_cursor"];

/// A digest of all rows of a tenant in each table that has a tenant.
pub async fn state(stage: &Stage, tenant: &str) -> BTreeMap<String, String> {
    let mut state = BTreeMap::new();
    for db in &stage.databases {
        let (client, connection) =
            tokio_postgres::connect(&db.superuser_url(), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let tables = "SELECT c.relname FROM pg_class c \
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped \
             WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace";
        for row in client.query(tables, &[]).await.unwrap() {
            let table: String = row.get(0);
            if RESTLESS.contains(&table.as_str()) {
                continue;
            }
            let digest = format!(
                "SELECT count(*) || ' ' || md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) \
                 FROM {table} t WHERE tenant_id = $1"
            );
            state.insert(table, client.query_one(&digest, &[&tenant]).await.unwrap().get(0));
        }
    }
    assert!(state.len() >= 8, "few tables know a tenant: {state:?}");
    state
}

/// A counter's value by its line in the metrics; 0 before the first.
pub fn counted(series: &str) -> u64 {
    let text = metrics_text();
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
    value.unwrap_or(0)
}
