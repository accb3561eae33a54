//! Configuration of the three commands, from the environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use mintmark_db::DbConfig;
use mintmark_service::config::Reader;

use crate::app::network::Network;
use crate::app::peppers::Peppers;
use crate::app::telemetry::SpoolConfig;

/// Configuration of `resolver scan`.
pub struct ScanConfig {
    /// Where scans are answered.
    pub http_addr: SocketAddr,
    /// The database, as the login `resolver_scan`.
    pub database: DbConfig,
    /// Connections on which scans' questions are pipelined.
    pub connections: usize,
    /// The keys under which codes are stored.
    pub peppers: Peppers,
    /// Codes that the cache holds at most.
    pub cache_entries: u64,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Where telemetry waits while the database is away; none: in memory alone.
    pub spool: Option<SpoolConfig>,
    /// A list of crawlers; none: the one that is compiled in.
    pub bot_list: Option<PathBuf>,
    /// A country or city database in MaxMind's format; none: the table that is compiled in.
    pub geo_file: Option<PathBuf>,
}

impl ScanConfig {
    /// Reads it; problems are kept by the reader.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let http_addr = reader.addr("SCAN_HTTP_ADDR", "127.0.0.1:8081", "where scans are answered");
        let database = DbConfig::read(
            reader,
            "SCAN_DATABASE_URL",
            "the resolver's Postgres database, as the login resolver_scan",
        );
        let connections = reader.number(
            "SCAN_DATABASE_CONNECTIONS",
            4,
            1..=64,
            "database connections on which the questions of all scans are pipelined",
        );
        let peppers = peppers(reader);
        let cache_entries = reader.number(
            "SCAN_CACHE_ENTRIES",
            1_000_000,
            1..=100_000_000,
            "codes that the cache holds at most, about 150 bytes each",
        );
        let trusted_proxies = Network::read_proxies(reader, "SCAN_TRUSTED_PROXIES");
        let spool = spool(reader);
        let geo_about = "a country or city database in MaxMind's format, read again when it changes; unset: the table that is compiled in";
        let geo_file = reader.optional_path("SCAN_GEO_FILE", geo_about);
        let bots_about = "a list of crawlers like crawler-user-agents.json, read again when it changes; unset: the one that is compiled in";
        let bot_list = reader.optional_path("SCAN_BOT_LIST_FILE", bots_about);
        Some(ScanConfig {
            http_addr: http_addr?,
            database: database?.named("resolver-scan"),
            connections: connections?,
            peppers: peppers?,
            cache_entries: cache_entries?,
            trusted_proxies: trusted_proxies?,
            spool: spool?,
            geo_file: geo_file?,
            bot_list: bot_list?,
        })
    }
}

/// Configuration of `resolver directory`.
pub struct DirectoryConfig {
    /// Where the control plane publishes.
    pub grpc_addr: SocketAddr,
    /// The database, as the login `resolver_directory`.
    pub database: DbConfig,
    /// The keys under which codes are stored; the highest number is for new partitions.
    pub peppers: Peppers,
    /// The trust bundle.
    pub trust_bundle: PathBuf,
    /// Whole days of telemetry that are kept beside today's.
    pub scan_retention_days: i32,
}

impl DirectoryConfig {
    /// Reads it; problems are kept by the reader.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let app_env = reader.app_env();
        let grpc_addr = reader.grpc_addr(
            app_env,
            "DIRECTORY_GRPC_ADDR",
            "127.0.0.1:9081",
            "where the control plane publishes",
        );
        let database = DbConfig::read(
            reader,
            "DIRECTORY_DATABASE_URL",
            "the resolver's Postgres database, as the login resolver_directory",
        );
        let peppers = peppers(reader);
        let trust_bundle = reader.path(
            "TRUST_BUNDLE_FILE",
            "keys of the services, and what each of them may grant; reloaded when it changes",
        );
        let scan_retention_days = reader.number(
            "RETENTION_TTL_SCANS_DAYS",
            90,
            1..=3650,
            "days after which the telemetry of scans is dropped",
        );
        Some(DirectoryConfig {
            grpc_addr: grpc_addr?,
            database: database?.named("resolver-directory"),
            peppers: peppers?,
            trust_bundle: trust_bundle?,
            scan_retention_days: scan_retention_days?,
        })
    }
}

fn peppers(reader: &mut Reader) -> Option<Peppers> {
    let about =
        "number:key pairs like 1:BASE64,2:BASE64, each key 32 bytes; the highest number is for new codes";
    let text = reader.secret("CODE_PEPPERS", about)?;
    Peppers::parse(text.expose()).map_err(|sentence| reader.problem("CODE_PEPPERS", sentence)).ok()
}

fn spool(reader: &mut Reader) -> Option<Option<SpoolConfig>> {
    let about =
        "a folder of this process alone, where telemetry waits while the database is away; unset: in memory";
    let folder = reader.optional_path("SCAN_SPOOL_DIR", about);
    let max_bytes = reader.number(
        "SCAN_SPOOL_MAX_BYTES",
        256 << 20,
        64 << 10..=1 << 40,
        "what SCAN_SPOOL_DIR may hold at most, in bytes; what comes then is dropped and counted",
    );
    let max_bytes = max_bytes?;
    Some(folder?.map(|folder| SpoolConfig { folder, max_bytes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_names_every_variable_that_is_wrong() {
        let mut reader = Reader::from_pairs([
            ("APP_ENV", "test"),
            ("SCAN_HTTP_ADDR", "here"),
            ("SCAN_DATABASE_URL", "postgres://resolver_scan@/r?host=/tmp"),
            ("CODE_PEPPERS", "1:c2VjcmV0"),
            ("SCAN_TRUSTED_PROXIES", "10.0.0.0/8, proxy"),
        ]);
        let config = ScanConfig::read(&mut reader);
        let errors = reader.finish(config).err().unwrap();
        let names: Vec<&str> = errors.problems().map(|(name, _)| name).collect();
        assert_eq!(names, ["SCAN_HTTP_ADDR", "CODE_PEPPERS", "SCAN_TRUSTED_PROXIES"]);
        assert!(!errors.to_string().contains("c2VjcmV0"), "{errors}");
    }

    #[test]
    fn read_of_the_least_configuration_has_the_defaults() {
        let mut reader = Reader::from_pairs([
            ("SCAN_DATABASE_URL", "postgres://resolver_scan@/r?host=/tmp"),
            ("CODE_PEPPERS", "1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ]);
        let config = ScanConfig::read(&mut reader).unwrap();
        assert_eq!(config.http_addr.to_string(), "127.0.0.1:8081");
        assert_eq!(config.cache_entries, 1_000_000);
        assert!(config.trusted_proxies.is_empty());
        assert!(config.spool.is_none() && config.geo_file.is_none());
    }
}
