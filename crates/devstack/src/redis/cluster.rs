//! A cluster of three masters.

use super::{RedisServer, until};
use crate::{DevstackError, free_port};

/// Hash slots of a cluster (the cluster specification).
const SLOTS: usize = 16_384;

/// The running cluster.
pub struct RedisCluster {
    /// The masters, in the order of their slots.
    pub nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts three nodes, shares the slots among them, and waits until each says that the cluster is whole.
    ///
    /// # Errors
    /// Redis is not installed, or the cluster does not come together.
    pub async fn start() -> Result<Self, DevstackError> {
        let mut nodes = Vec::new();
        let mut bus_ports = Vec::new();
        for _ in 0..3 {
            // By default the bus is at the port plus 10,000, which a free port may not leave room for.
            let bus = free_port().to_string();
            let settings =
                ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", &bus];
            nodes.push(RedisServer::start(&settings).await?);
            bus_ports.push(bus);
        }
        let cluster = Self { nodes };
        cluster.share_slots(&bus_ports).await?;
        until("the cluster", cluster.nodes[0].folder(), async || cluster.is_whole().await).await?;
        Ok(cluster)
    }

    /// The nodes' URLs, separated by commas.
    #[must_use]
    pub fn urls(&self) -> String {
        self.nodes.iter().map(RedisServer::url).collect::<Vec<_>>().join(",")
    }

    async fn share_slots(&self, bus_ports: &[String]) -> Result<(), DevstackError> {
        let count = self.nodes.len();
        for (index, node) in self.nodes.iter().enumerate() {
            let first = (SLOTS * index / count).to_string();
            let last = (SLOTS * (index + 1) / count - 1).to_string();
            expect_ok(node.ask(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await?)?;
            let epoch = (index + 1).to_string();
            expect_ok(node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await?)?;
        }
        for (node, bus) in self.nodes.iter().zip(bus_ports).skip(1) {
            let port = node.port().to_string();
            expect_ok(self.nodes[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]).await?)?;
        }
        Ok(())
    }

    async fn is_whole(&self) -> bool {
        for node in &self.nodes {
            let info = node.ask(&["CLUSTER", "INFO"]).await.unwrap_or_default();
            if !(info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")) {
                return false;
            }
        }
        true
    }
}

fn expect_ok(answer: String) -> Result<(), DevstackError> {
    if answer == "+OK" {
        return Ok(());
    }
    Err(DevstackError::io("form a cluster")(std::io::Error::other(answer)))
}
