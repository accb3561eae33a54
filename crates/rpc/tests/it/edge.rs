//! A served edge, and the keys to it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mintmark_auth::{
    Grant, ServiceToken, ServiceVerifier, SigningKey, TokenSource, TrustBundle, TrustStore, TrustedKey,
    audience, scope,
};
use mintmark_ids::{ServiceName, TenantId};
use mintmark_rpc::{Channel, GrpcEdge, Rpc, authorized, connect_lazy};
use mintmark_service::{Context, StartError};
use mintmark_wire::directory::v1::directory_service_client::DirectoryServiceClient;
use mintmark_wire::directory::v1::directory_service_server::DirectoryServiceServer;
use mintmark_wire::directory::v1::*;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tonic::Request;

use crate::directory::TestDirectory;

const ISSUER: &str = "https://auth.example";
/// Every method but AbortPublication, which the service has and the table has not.
const ROWS: [Rpc; 8] = [
    Rpc { path: "/mintmark.directory.v1.DirectoryService/PutProduct", scope: scope::DIRECTORY_PUBLISH },
    Rpc { path: "/mintmark.directory.v1.DirectoryService/OpenPublication", scope: scope::DIRECTORY_PUBLISH },
    Rpc { path: "/mintmark.directory.v1.DirectoryService/Publish", scope: scope::DIRECTORY_PUBLISH },
    Rpc { path: "/mintmark.directory.v1.DirectoryService/SealPublication", scope: scope::DIRECTORY_PUBLISH },
    Rpc { path: "/mintmark.directory.v1.DirectoryService/RevokeBatch", scope: scope::DIRECTORY_REVOKE },
    Rpc { path: "/mintmark.directory.v1.DirectoryService/RevokeCodes", scope: scope::DIRECTORY_REVOKE },
    Rpc { path: "/mintmark.directory.v1.DirectoryService/GetPublication", scope: scope::DIRECTORY_READ },
    Rpc { path: "/mintmark.directory.v1.DirectoryService/PullScans", scope: scope::DIRECTORY_READ },
];

pub struct Edge {
    pub addr: SocketAddr,
    pub context: Context,
    pub directory: TestDirectory,
    pub tokens: TokenSource,
    pub served: JoinHandle<Result<(), StartError>>,
}

/// What replicas of one service have in common: whom they believe.
pub struct Keys {
    pem: String,
    trust: TrustStore,
}

impl Keys {
    pub fn new() -> Self {
        let pem = SigningKey::generate_pem().to_string();
        let key = SigningKey::from_pem(&pem).unwrap();
        let scopes = [scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ]
            .map(str::to_owned)
            .to_vec();
        // The key may also speak to another service, so that only the audience is wrong in a test of audiences.
        let grants = [audience::RESOLVER, audience::EVIDENCE]
            .map(|aud| Grant { aud: aud.to_owned(), scopes: scopes.clone() })
            .to_vec();
        let trusted = TrustedKey { jwk: key.public_jwk(), service: ServiceName::ControlPlane, grants };
        let trust = TrustStore::fixed(TrustBundle::new(ISSUER, vec![trusted]).unwrap());
        Self { pem, trust }
    }

    /// Tokens that they believe.
    pub fn tokens(&self) -> TokenSource {
        TokenSource::new(ServiceName::ControlPlane, SigningKey::from_pem(&self.pem).unwrap(), ISSUER)
    }
}

impl Edge {
    pub async fn start() -> Self {
        Self::start_with(Context::for_tests("directory"), |edge| edge).await
    }

    pub async fn start_with(context: Context, adjust: impl FnOnce(GrpcEdge) -> GrpcEdge) -> Self {
        Self::serve(&Keys::new(), local(0), context, adjust).await
    }

    /// One of several that believe the same.
    pub async fn replica(keys: &Keys, addr: SocketAddr) -> Self {
        Self::replica_in(keys, addr, Context::for_tests("directory")).await
    }

    pub async fn replica_in(keys: &Keys, addr: SocketAddr, context: Context) -> Self {
        Self::serve(keys, addr, context, |edge| edge).await
    }

    async fn serve(
        keys: &Keys,
        addr: SocketAddr,
        context: Context,
        adjust: impl FnOnce(GrpcEdge) -> GrpcEdge,
    ) -> Self {
        let directory = TestDirectory::default();
        let verifier = ServiceVerifier::new(keys.trust.clone(), audience::RESOLVER);
        let edge = GrpcEdge::new("directory", ROWS.to_vec(), verifier)
            .configured_by("DIRECTORY_GRPC_ADDR")
            .add(DirectoryServiceServer::new(directory.clone()))
            .reflection(mintmark_wire::DESCRIPTOR_SET);
        let running = adjust(edge).bind(addr, &context).await.unwrap();
        Self {
            addr: running.addr,
            context,
            directory,
            tokens: keys.tokens(),
            served: tokio::spawn(running.serve()),
        }
    }

    /// Asks it to end, and waits until it has: calls under way are answered.
    pub async fn stop(mut self) {
        self.context.shutdown.trigger();
        (&mut self.served).await.unwrap().unwrap();
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn channel(&self) -> Channel {
        connect_lazy(&self.url(), &Handle::current()).unwrap()
    }

    pub fn client(&self) -> DirectoryServiceClient<Channel> {
        DirectoryServiceClient::new(self.channel())
    }

    pub fn publisher(&self) -> ServiceToken {
        self.tokens.for_tenant(audience::RESOLVER, &tenant(), &[scope::DIRECTORY_PUBLISH])
    }

    /// A PutProduct of a product with this name, which the test directory takes as an order.
    pub fn put(&self, name: &str) -> Request<PutProductRequest> {
        authorized(put_message(name), &self.publisher(), Duration::from_secs(10))
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.context.shutdown.trigger();
    }
}

pub fn put_message(name: &str) -> PutProductRequest {
    PutProductRequest { product: Some(product(name)) }
}

pub fn product(name: &str) -> Product {
    Product { product_name: name.to_owned(), version: 4, ..Default::default() }
}

pub fn tenant() -> TenantId {
    TenantId::parse("acme").unwrap()
}

/// A key that no bundle knows.
pub fn stranger() -> TokenSource {
    let pem = SigningKey::generate_pem();
    TokenSource::new(ServiceName::ControlPlane, SigningKey::from_pem(&pem).unwrap(), ISSUER)
}

pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
