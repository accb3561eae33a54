//! A directory in memory: it keeps the ledger that `directory.proto` describes and fails when it is told to.

mod ledger;
mod service;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use mintmark_wire::directory::v1::directory_service_server::DirectoryServiceServer;
use mintmark_wire::directory::v1::{Product, ScanSummary};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;

use self::service::Service;

/// The partition that every publication gets.
pub const PARTITION: u32 = 709;

/// A running fake; it stops when dropped.
pub struct FakeDirectory {
    addr: SocketAddr,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for FakeDirectory {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// One publication as the ledger has it.
#[derive(Clone, Default)]
pub struct Publication {
    pub product_id: String,
    pub mode: i32,
    pub first_serial: u64,
    pub units: u64,
    pub chunk_units: u32,
    pub fence: i64,
    pub state: i32,
    pub chunks: BTreeMap<u32, Bytes>,
    /// Every chunk that arrived, refused ones too, in the order of arrival.
    pub arrived: Vec<u32>,
    /// The fence of each opening.
    pub openings: Vec<i64>,
    /// The digests of single codes that were recalled.
    pub revoked: BTreeSet<[u8; 32]>,
}

impl Publication {
    /// All digests in serial order.
    pub fn digests(&self) -> Vec<[u8; 32]> {
        self.chunks
            .values()
            .flat_map(|chunk| chunk.chunks(32))
            .map(|digest| digest.try_into().unwrap())
            .collect()
    }
}

/// What to do wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Refuse to open, each time.
    RefuseOpen(&'static str),
    /// Refuse this chunk once, with this code; `DIRECTORY_AWAY` is an unavailable service.
    RefuseChunkOnce(u32, &'static str),
    /// Refuse this chunk each time.
    RefuseChunk(u32, &'static str),
    /// Hand the publication to a higher fence when this chunk comes: another worker has it.
    TakeOverAt(u32),
    /// Seal, and never answer.
    HangAtSeal,
    /// Seal, and answer this many times that the service is away.
    LoseSealAnswers(u32),
}

#[derive(Default)]
pub struct Ledger {
    products: HashMap<(String, String), Product>,
    publications: HashMap<(String, String), Publication>,
    trouble: Vec<Trouble>,
    /// Sums of scans, by tenant.
    scans: Vec<(String, ScanSummary)>,
    /// The cursor of each pull, by tenant.
    pulls: Vec<(String, u64)>,
}

pub struct Shared {
    ledger: Mutex<Ledger>,
    /// While true, chunks are taken in and not acknowledged.
    held: watch::Sender<bool>,
}

impl FakeDirectory {
    /// Serves on a free port.
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    /// Serves on this address.
    pub async fn start_at(addr: SocketAddr) -> Self {
        let shared = Arc::new(Shared { ledger: Mutex::default(), held: watch::Sender::new(false) });
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let service = DirectoryServiceServer::new(Service(shared.clone()));
        let server = tokio::spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
        Self { addr, shared, server }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Adds a trouble.
    pub fn trouble(&self, trouble: Trouble) {
        self.ledger().trouble.push(trouble);
    }

    /// Stops acknowledging chunks, or goes on.
    pub fn hold(&self, held: bool) {
        self.shared.held.send_replace(held);
    }

    /// The publication of a batch.
    pub fn publication(&self, tenant: &str, batch: &str) -> Option<Publication> {
        self.ledger().publications.get(&(tenant.to_owned(), batch.to_owned())).cloned()
    }

    /// A product as it was put last.
    pub fn product(&self, tenant: &str, product: &str) -> Option<Product> {
        self.ledger().products.get(&(tenant.to_owned(), product.to_owned())).cloned()
    }

    /// Puts a sum of scans, in the place of an older one with its key.
    pub fn scanned(&self, tenant: &str, row: ScanSummary) {
        let key =
            |row: &ScanSummary| ScanSummary { scans: 0, first_activations: 0, revision: 0, ..row.clone() };
        let mut ledger = self.ledger();
        ledger.scans.retain(|(of, old)| of != tenant || key(old) != key(&row));
        ledger.scans.push((tenant.to_owned(), row));
    }

    /// The cursors that a tenant's sums were asked with.
    pub fn pulls(&self, tenant: &str) -> Vec<u64> {
        self.ledger().pulls.iter().filter(|(of, _)| of == tenant).map(|(_, cursor)| *cursor).collect()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.shared.ledger.lock().unwrap()
    }
}
