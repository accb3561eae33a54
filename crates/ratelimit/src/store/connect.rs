//! From the configuration to a connection on which a decision can be asked for.

use std::time::Duration;

use mintmark_service::StartError;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    RedisError, RedisResult, TlsCertificates,
};

use super::config::{RedisConfig, Topology};

/// One attempt to connect to one server: a server that is there accepts and answers in milliseconds.
const ATTEMPT: Duration = Duration::from_millis(250);

/// A connection that is shared by all decisions: what they ask is pipelined on it.
pub(super) enum Connection {
    /// To a server that has all keys.
    One(MultiplexedConnection),
    /// To the nodes of a cluster.
    Cluster(ClusterConnection),
}

/// Makes connections.
pub(super) struct Connector {
    topology: Topology,
    user: Option<String>,
    password: Option<mintmark_service::config::Secret>,
    ca: Option<Vec<u8>>,
    budget: Duration,
}

impl Connector {
    pub(super) fn new(config: &RedisConfig) -> Result<Self, StartError> {
        let ca = match &config.ca_file {
            None => None,
            Some(path) => Some(std::fs::read(path).map_err(|error| {
                StartError::new(format!("RATE_LIMIT_REDIS_CA_FILE {} cannot be read", path.display()))
                    .caused_by(error)
            })?),
        };
        let topology = match &config.topology {
            Topology::Single(server) => Topology::Single(server.clone()),
            Topology::Sentinel { sentinels, master } => {
                Topology::Sentinel { sentinels: sentinels.clone(), master: master.clone() }
            }
            Topology::Cluster(nodes) => Topology::Cluster(nodes.clone()),
        };
        let (user, password) = (config.user.clone(), config.password.clone());
        let connector = Self { topology, user, password, ca, budget: config.budget };
        connector.check_certificates()?;
        Ok(connector)
    }

    /// Certificates that cannot be read are refused at the start, not at each attempt to connect.
    fn check_certificates(&self) -> Result<(), StartError> {
        let servers = match &self.topology {
            Topology::Single(server) => std::slice::from_ref(&**server),
            Topology::Sentinel { sentinels, .. } => sentinels,
            Topology::Cluster(nodes) => nodes,
        };
        let refused = |error| {
            let sentence = "the certificates for rediss:// cannot be used: check RATE_LIMIT_REDIS_CA_FILE";
            StartError::new(sentence).caused_by(error)
        };
        servers.iter().try_for_each(|server| self.client(server.clone()).map(drop).map_err(refused))
    }

    /// A new connection, with the address of the server where it is one.
    pub(super) async fn connect(&self) -> RedisResult<(Connection, Option<ConnectionAddr>)> {
        match &self.topology {
            Topology::Single(server) => Ok((Connection::One(self.open((**server).clone()).await?), None)),
            Topology::Sentinel { sentinels, master } => self.follow(sentinels, master).await,
            Topology::Cluster(nodes) => Ok((Connection::Cluster(self.cluster(nodes).await?), None)),
        }
    }

    /// Whether the connection still answers, and still goes to the server that it should.
    pub(super) async fn is_right(&self, connection: &Connection, address: Option<&ConnectionAddr>) -> bool {
        let answers = match connection {
            Connection::One(connection) => ping(&mut connection.clone()).await,
            Connection::Cluster(connection) => ping(&mut connection.clone()).await,
        };
        answers
            && match (&self.topology, address) {
                (Topology::Sentinel { sentinels, master }, Some(address)) => {
                    self.is_still_named(sentinels, master, address).await
                }
                _ => true,
            }
    }

    /// The first master that a sentinel names and that is one. Right after a failover some still name the old one.
    async fn follow(
        &self,
        sentinels: &[ConnectionInfo],
        name: &str,
    ) -> RedisResult<(Connection, Option<ConnectionAddr>)> {
        let mut last = RedisError::from((ErrorKind::EmptySentinelList, "no sentinel is configured"));
        for sentinel in sentinels {
            let attempt = async {
                let server = self.named_by(sentinel, name).await?;
                let address = server.addr().clone();
                let mut connection = self.open(server).await?;
                let role: Vec<redis::Value> =
                    within(Cmd::new().arg("ROLE").query_async(&mut connection)).await?;
                if role.first() != Some(&redis::Value::BulkString(b"master".to_vec())) {
                    return Err((ErrorKind::Client, "the server that a sentinel names is no master").into());
                }
                Ok((Connection::One(connection), Some(address)))
            };
            match attempt.await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Sentinels that are all away say nothing about the master; one that names ours is enough.
    async fn is_still_named(
        &self,
        sentinels: &[ConnectionInfo],
        name: &str,
        address: &ConnectionAddr,
    ) -> bool {
        let mut silent = true;
        for sentinel in sentinels {
            match self.named_by(sentinel, name).await {
                Ok(server) if server.addr() == address => return true,
                Ok(_another) => silent = false,
                Err(_away) => {}
            }
        }
        silent
    }

    async fn open(&self, server: ConnectionInfo) -> RedisResult<MultiplexedConnection> {
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ATTEMPT))
            // The budget bounds each decision as a whole.
            .set_response_timeout(None);
        let opened = async {
            let mut connection =
                self.client(server)?.get_multiplexed_async_connection_with_config(&settings).await?;
            // One that accepts and says nothing (paused, or loading) is not there yet.
            Cmd::new().arg("PING").query_async::<()>(&mut connection).await?;
            Ok(connection)
        };
        within(opened).await
    }

    fn client(&self, server: ConnectionInfo) -> RedisResult<Client> {
        match server.addr() {
            ConnectionAddr::TcpTls { .. } => Client::build_with_tls(server, self.certificates()),
            _ => Client::open(server),
        }
    }

    fn certificates(&self) -> TlsCertificates {
        TlsCertificates { client_tls: None, root_cert: self.ca.clone() }
    }

    async fn cluster(&self, nodes: &[ConnectionInfo]) -> RedisResult<ClusterConnection> {
        let mut builder = ClusterClient::builder(nodes.to_vec())
            .connection_timeout(ATTEMPT)
            .response_timeout(self.budget)
            // A moved slot is followed at once; everything else is bounded by the budget of the decision.
            .retries(2)
            .min_retry_wait(1)
            .max_retry_wait(5);
        if nodes.iter().any(|node| matches!(node.addr(), ConnectionAddr::TcpTls { .. })) {
            builder = builder.certs(self.certificates());
        }
        let opened = async {
            let mut connection = builder.build()?.get_async_connection().await?;
            Cmd::new().arg("PING").query_async::<()>(&mut connection).await?;
            Ok(connection)
        };
        within(opened).await
    }

    /// The server that a sentinel calls the master.
    async fn named_by(&self, sentinel: &ConnectionInfo, name: &str) -> RedisResult<ConnectionInfo> {
        let mut connection = self.open(sentinel.clone()).await?;
        let words = ["GET-MASTER-ADDR-BY-NAME", name];
        let asked = Cmd::new().arg("SENTINEL").arg(&words).to_owned();
        let place: Option<(String, u16)> = within(asked.query_async(&mut connection)).await?;
        let (host, port) = place.ok_or((ErrorKind::MasterNameNotFoundBySentinel, "no such master"))?;
        self.data_server(sentinel, host, port)
    }

    /// TLS as to the sentinel that named it, with credentials of its own.
    fn data_server(&self, sentinel: &ConnectionInfo, host: String, port: u16) -> RedisResult<ConnectionInfo> {
        let address = match sentinel.addr() {
            ConnectionAddr::TcpTls { .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        let server = address.into_connection_info()?;
        let mut settings = server.redis_settings().clone();
        if let Some(user) = &self.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.password {
            settings = settings.set_password(password.expose());
        }
        Ok(server.set_redis_settings(settings))
    }
}

async fn within<T>(attempt: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let late = |_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    tokio::time::timeout(ATTEMPT, attempt).await.map_err(late)?
}

async fn ping<C: ConnectionLike>(connection: &mut C) -> bool {
    within(Cmd::new().arg("PING").query_async::<()>(connection)).await.is_ok()
}
