use std::path::PathBuf;
use std::time::Duration;

use mintmark_service::config::{AppEnv, Reader, Secret};
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

/// Where the counters are, and how long a decision may wait for them.
pub struct RedisConfig {
    /// How the servers belong together.
    pub topology: Topology,
    /// The user of servers that sentinels name.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// Certificates that `rediss://` servers must be signed by; none: those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// The longest that a decision may wait for Redis.
    pub budget: Duration,
}

/// How the servers belong together.
pub enum Topology {
    /// One server.
    Single(Box<ConnectionInfo>),
    /// A master that sentinels name, and another after a failover.
    Sentinel {
        /// The sentinels.
        sentinels: Vec<ConnectionInfo>,
        /// Their name for the master.
        master: String,
    },
    /// A cluster, known by some of its nodes.
    Cluster(Vec<ConnectionInfo>),
}

impl RedisConfig {
    /// Reads it; problems are kept by the reader.
    pub fn read(reader: &mut Reader, app_env: Option<AppEnv>) -> Option<Self> {
        let about = "single, sentinel or cluster";
        let mode = reader.string("RATE_LIMIT_REDIS_MODE", "single", about);
        let about = "the server, or the sentinels or nodes separated by commas, like redis://user:password@127.0.0.1:6379, rediss://… (TLS) or unix:///run/redis.sock";
        let urls =
            reader.secret("RATE_LIMIT_REDIS_URL", about).and_then(|urls| servers(reader, app_env, &urls));
        let about = "the sentinels' name for the master";
        let master = reader.string("RATE_LIMIT_REDIS_MASTER", "mymaster", about);
        let user = reader.optional("RATE_LIMIT_REDIS_USER", "user of the master that the sentinels name");
        let password = reader.optional_secret("RATE_LIMIT_REDIS_PASSWORD", "its password");
        let about = "PEM file of the certificates that rediss:// servers must be signed by; unset: those that the system trusts";
        let ca_file = reader.optional_path("RATE_LIMIT_REDIS_CA_FILE", about);
        let about = "milliseconds that a decision may wait for Redis; then RATE_LIMIT_FAIL_OPEN decides";
        let budget = reader.number("RATE_LIMIT_REDIS_BUDGET_MS", 25, 1..=1_000, about);
        let topology = topology(reader, &mode?, urls?, master?);
        Some(Self {
            topology: topology?,
            user: user?,
            password: password?,
            ca_file: ca_file?,
            budget: Duration::from_millis(budget?),
        })
    }
}

fn topology(
    reader: &mut Reader,
    mode: &str,
    mut servers: Vec<ConnectionInfo>,
    master: String,
) -> Option<Topology> {
    match mode {
        "single" => match (servers.pop(), servers.is_empty()) {
            (Some(server), true) => Some(Topology::Single(Box::new(server))),
            _ => {
                reader.problem(
                    "RATE_LIMIT_REDIS_URL",
                    "names several servers: name one, or set RATE_LIMIT_REDIS_MODE to sentinel or cluster",
                );
                None
            }
        },
        "sentinel" => Some(Topology::Sentinel { sentinels: servers, master }),
        "cluster" => Some(Topology::Cluster(servers)),
        other => {
            let sentence = format!("\"{other}\" is not a mode: write single, sentinel or cluster");
            reader.problem("RATE_LIMIT_REDIS_MODE", sentence);
            None
        }
    }
}

/// The sentences do not repeat the value: it may hold passwords.
fn servers(reader: &mut Reader, app_env: Option<AppEnv>, urls: &Secret) -> Option<Vec<ConnectionInfo>> {
    let mut servers = Vec::new();
    for url in urls.expose().split(',') {
        let Ok(server) = url.trim().into_connection_info() else {
            let sentence = "is not a list of Redis URLs: write each like redis://127.0.0.1:6379";
            reader.problem("RATE_LIMIT_REDIS_URL", sentence);
            return None;
        };
        // An APP_ENV that could not be read is reported by itself.
        if is_exposed(server.addr()) && app_env.is_some_and(AppEnv::is_production) {
            let sentence = "is redis:// to another machine: use rediss://, or set APP_ENV=development";
            reader.problem("RATE_LIMIT_REDIS_URL", sentence);
            return None;
        }
        servers.push(server);
    }
    Some(servers)
}

/// Plain text on a network.
fn is_exposed(address: &ConnectionAddr) -> bool {
    match address {
        ConnectionAddr::Tcp(host, _) => {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            !(host == "localhost"
                || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback()))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<RedisConfig, String> {
        let mut reader = Reader::from_pairs(pairs.iter().copied());
        let app_env = reader.app_env();
        let config = RedisConfig::read(&mut reader, app_env);
        reader.finish(config).map_err(|errors| errors.to_string())
    }

    #[test]
    fn read_knows_the_three_topologies() {
        let one = read(&[("RATE_LIMIT_REDIS_URL", "unix:///run/redis.sock")]).unwrap();
        assert!(matches!(one.topology, Topology::Single(_)));
        let servers = ("RATE_LIMIT_REDIS_URL", "redis://127.0.0.1:1, redis://[::1]:2");
        let many = read(&[servers, ("RATE_LIMIT_REDIS_MODE", "sentinel")]).unwrap();
        let Topology::Sentinel { sentinels, master } = many.topology else { panic!("not sentinels") };
        assert_eq!((sentinels.len(), master.as_str()), (2, "mymaster"));
        let many = read(&[servers, ("RATE_LIMIT_REDIS_MODE", "cluster")]).unwrap();
        assert!(matches!(many.topology, Topology::Cluster(nodes) if nodes.len() == 2));
        let said = read(&[servers]).err().unwrap();
        assert!(said.starts_with("RATE_LIMIT_REDIS_URL: names several servers"), "{said}");
    }
}
