//! A master, a replica, and three sentinels that promote the replica when the master is gone.

use super::{RedisServer, until};
use crate::DevstackError;

/// The name under which the sentinels know the master.
const NAME: &str = "mintmark";
/// Milliseconds without an answer after which a sentinel believes that a server is down.
const DOWN_AFTER_MS: &str = "500";

/// The running group.
pub struct RedisGroup {
    /// The master at the start.
    pub master: RedisServer,
    /// Its replica, which is promoted.
    pub replica: RedisServer,
    /// Those who watch; two of the three must agree.
    pub sentinels: Vec<RedisServer>,
}

impl RedisGroup {
    /// Starts all five and waits until the sentinels know each other and the replica.
    ///
    /// # Errors
    /// Redis is not installed, or the group does not come together.
    pub async fn start() -> Result<Self, DevstackError> {
        let master = RedisServer::start(&[]).await?;
        let port = master.port().to_string();
        let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &port]).await?;
        until("the replica", replica.folder(), async || {
            let info = replica.ask(&["INFO", "replication"]).await.unwrap_or_default();
            info.contains("master_link_status:up")
        })
        .await?;
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            sentinels.push(sentinel(&port).await?);
        }
        let group = Self { master, replica, sentinels };
        until("the failover group", group.replica.folder(), async || group.knows_itself().await).await?;
        Ok(group)
    }

    /// The name under which the sentinels know the master.
    #[must_use]
    pub fn name(&self) -> &'static str {
        NAME
    }

    /// The sentinels' URLs, separated by commas.
    #[must_use]
    pub fn urls(&self) -> String {
        self.sentinels.iter().map(RedisServer::url).collect::<Vec<_>>().join(",")
    }

    async fn knows_itself(&self) -> bool {
        for sentinel in &self.sentinels {
            let info = sentinel.ask(&["INFO", "sentinel"]).await.unwrap_or_default();
            if !(info.contains("status=ok") && info.contains("slaves=1") && info.contains("sentinels=3")) {
                return false;
            }
        }
        true
    }
}

async fn sentinel(master_port: &str) -> Result<RedisServer, DevstackError> {
    let sentinel = RedisServer::start(&["--sentinel"]).await?;
    for words in [
        &["SENTINEL", "MONITOR", NAME, "127.0.0.1", master_port, "2"][..],
        &["SENTINEL", "SET", NAME, "down-after-milliseconds", DOWN_AFTER_MS],
        &["SENTINEL", "SET", NAME, "failover-timeout", "3000"],
    ] {
        let answer = sentinel.ask(words).await?;
        if answer != "+OK" {
            return Err(DevstackError::io("set up a sentinel")(std::io::Error::other(answer)));
        }
    }
    Ok(sentinel)
}
