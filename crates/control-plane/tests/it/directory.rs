//! A directory in memory: it keeps the ledger that `directory.proto` describes and fails when it is told to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use mintmark_fault::Fault;
use mintmark_wire::directory::v1::directory_service_server::{DirectoryService, DirectoryServiceServer};
use mintmark_wire::directory::v1::*;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

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
struct Ledger {
    products: HashMap<(String, String), Product>,
    publications: HashMap<(String, String), Publication>,
    trouble: Vec<Trouble>,
    /// Sums of scans, by tenant.
    scans: Vec<(String, ScanSummary)>,
    /// The cursor of each pull, by tenant.
    pulls: Vec<(String, u64)>,
}

struct Shared {
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

impl Ledger {
    fn pull(&mut self, tenant: &str, asked: &PullScansRequest) -> PullScansResponse {
        self.pulls.push((tenant.to_owned(), asked.cursor));
        let mut rows: Vec<ScanSummary> = self
            .scans
            .iter()
            .filter(|(of, row)| of == tenant && row.revision > asked.cursor)
            .map(|(_, row)| row.clone())
            .collect();
        rows.sort_by_key(|row| row.revision);
        let more = rows.len() > asked.limit as usize;
        rows.truncate(asked.limit as usize);
        let next_cursor = rows.last().map_or(asked.cursor, |row| row.revision);
        PullScansResponse { summaries: rows, next_cursor, more, mark: String::new() }
    }

    /// Whether this trouble is to be had now; a `once` trouble is used up.
    fn strikes(&mut self, matching: impl Fn(&Trouble) -> Option<&'static str>) -> Option<&'static str> {
        let place = self.trouble.iter().position(|trouble| matching(trouble).is_some())?;
        let code = matching(&self.trouble[place]);
        if matches!(self.trouble[place], Trouble::RefuseChunkOnce(..)) {
            self.trouble.remove(place);
        }
        code
    }

    fn open(
        &mut self,
        tenant: &str,
        asked: OpenPublicationRequest,
    ) -> Result<OpenPublicationResponse, Status> {
        if let Some(code) = self.strikes(|trouble| match trouble {
            Trouble::RefuseOpen(code) => Some(code),
            _ => None,
        }) {
            return Err(refusal(code));
        }
        if !self.products.contains_key(&(tenant.to_owned(), asked.product_id.clone())) {
            return Err(mintmark_rpc::status(Fault::not_found("product")));
        }
        let key = (tenant.to_owned(), asked.batch_id.clone());
        let publication = self.publications.entry(key).or_insert_with(|| Publication {
            product_id: asked.product_id.clone(),
            mode: asked.mode,
            first_serial: asked.first_serial,
            units: asked.units,
            chunk_units: asked.chunk_units,
            state: PublicationState::Open.into(),
            ..Publication::default()
        });
        if asked.fence < publication.fence {
            return Err(refusal("STALE_FENCE"));
        }
        publication.fence = asked.fence;
        publication.openings.push(asked.fence);
        Ok(OpenPublicationResponse {
            partition: PARTITION,
            next_chunk: publication.chunks.len() as u32,
            state: publication.state,
        })
    }

    fn chunk(&mut self, tenant: &str, sent: PublishRequest) -> Result<PublishResponse, Status> {
        let refused = self.strikes(|trouble| match trouble {
            Trouble::RefuseChunkOnce(chunk, code) | Trouble::RefuseChunk(chunk, code)
                if *chunk == sent.chunk =>
            {
                Some(code)
            }
            _ => None,
        });
        let place = self.trouble.iter().position(|trouble| *trouble == Trouble::TakeOverAt(sent.chunk));
        let key = (tenant.to_owned(), sent.batch_id.clone());
        let publication = self.publications.get_mut(&key).ok_or_else(|| refusal("NOT_FOUND"))?;
        publication.arrived.push(sent.chunk);
        if let Some(code) = refused {
            return Err(refusal(code));
        }
        if let Some(place) = place {
            self.trouble.remove(place);
            publication.fence += 1;
        }
        if sent.fence < publication.fence {
            return Err(refusal("STALE_FENCE"));
        }
        if sent.chunk as usize != publication.chunks.len() {
            return Err(refusal("CHUNK_OUT_OF_ORDER"));
        }
        let units = sent.digests.len() as u32 / 32;
        publication.chunks.insert(sent.chunk, sent.digests);
        Ok(PublishResponse { chunk: sent.chunk, units })
    }

    fn seal(
        &mut self,
        tenant: &str,
        asked: &SealPublicationRequest,
    ) -> Result<SealPublicationResponse, Status> {
        let key = (tenant.to_owned(), asked.batch_id.clone());
        let publication = self.publications.get_mut(&key).ok_or_else(|| refusal("NOT_FOUND"))?;
        if publication.digests().len() as u64 != publication.units {
            return Err(refusal("PUBLICATION_INCOMPLETE"));
        }
        publication.state = PublicationState::Sealed.into();
        for trouble in &mut self.trouble {
            if let Trouble::LoseSealAnswers(left) = trouble
                && *left > 0
            {
                *left -= 1;
                return Err(Status::unavailable("the answer was lost"));
            }
        }
        Ok(SealPublicationResponse { sealed_at: None })
    }
}

impl Ledger {
    /// The publication of this batch that may be recalled.
    fn recallable(&mut self, tenant: String, batch: String) -> Result<&mut Publication, Status> {
        let publication = self
            .publications
            .get_mut(&(tenant, batch))
            .ok_or_else(|| mintmark_rpc::status(Fault::not_found("publication")))?;
        let aborted = publication.state == i32::from(PublicationState::Aborted);
        if aborted { Err(refusal("PUBLICATION_CLOSED")) } else { Ok(publication) }
    }
}

fn refusal(code: &'static str) -> Status {
    match code {
        "DIRECTORY_AWAY" => Status::unavailable("away"),
        _ => mintmark_rpc::status(Fault::conflict(code, "refused by the fake directory")),
    }
}

/// The tenant of the token, which must be made for the directory and for publishing.
fn tenant<T>(request: &Request<T>) -> Result<String, Status> {
    tenant_with("directory:publish", request)
}

/// The tenant of the token, which must be made for the directory and this scope. (That signatures are verified is
/// tested where they are.)
fn tenant_with<T>(scope: &str, request: &Request<T>) -> Result<String, Status> {
    let unauthenticated = || Status::unauthenticated("no token for the directory");
    let header = request
        .metadata()
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .ok_or_else(unauthenticated)?;
    let payload = header
        .strip_prefix("Bearer ")
        .and_then(|token| token.split('.').nth(1))
        .ok_or_else(unauthenticated)?;
    let claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).map_err(|_| unauthenticated())?).unwrap();
    if claims["aud"] != "ppos:resolver" || !claims["scp"].to_string().contains(scope) {
        return Err(Status::permission_denied(claims.to_string()));
    }
    Ok(claims["tenantId"].as_str().unwrap().to_owned())
}

struct Service(Arc<Shared>);

impl Service {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.ledger.lock().unwrap()
    }
}

#[tonic::async_trait]
impl DirectoryService for Service {
    type PublishStream = Pin<Box<dyn Stream<Item = Result<PublishResponse, Status>> + Send>>;

    async fn put_product(
        &self,
        request: Request<PutProductRequest>,
    ) -> Result<Response<PutProductResponse>, Status> {
        let tenant = tenant(&request)?;
        let product = request.into_inner().product.unwrap();
        let version = product.version;
        self.ledger().products.insert((tenant, product.product_id.clone()), product);
        Ok(Response::new(PutProductResponse { version }))
    }

    async fn open_publication(
        &self,
        request: Request<OpenPublicationRequest>,
    ) -> Result<Response<OpenPublicationResponse>, Status> {
        let tenant = tenant(&request)?;
        self.ledger().open(&tenant, request.into_inner()).map(Response::new)
    }

    async fn publish(
        &self,
        request: Request<Streaming<PublishRequest>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        let tenant = tenant(&request)?;
        let shared = self.0.clone();
        let answers = request.into_inner().then(move |sent| {
            let outcome = sent.and_then(|sent| shared.ledger.lock().unwrap().chunk(&tenant, sent));
            std::future::ready(outcome)
        });
        // Chunks are taken in as they come; acknowledgements wait in order while they are held.
        let (send, receive) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(answers.for_each(move |answer| {
            let _ = send.send(answer);
            std::future::ready(())
        }));
        let held = self.0.held.subscribe();
        let released = tokio_stream::wrappers::UnboundedReceiverStream::new(receive).then(move |answer| {
            let mut held = held.clone();
            async move {
                let _ = held.wait_for(|held| !held).await;
                answer
            }
        });
        Ok(Response::new(Box::pin(released)))
    }

    async fn seal_publication(
        &self,
        request: Request<SealPublicationRequest>,
    ) -> Result<Response<SealPublicationResponse>, Status> {
        let tenant = tenant(&request)?;
        let sealed = self.ledger().seal(&tenant, request.get_ref());
        let hangs = self.ledger().trouble.contains(&Trouble::HangAtSeal);
        if hangs {
            std::future::pending::<()>().await;
        }
        sealed.map(Response::new)
    }

    async fn abort_publication(
        &self,
        request: Request<AbortPublicationRequest>,
    ) -> Result<Response<AbortPublicationResponse>, Status> {
        let tenant = tenant(&request)?;
        let mut ledger = self.ledger();
        let key = (tenant, request.into_inner().batch_id);
        let publication = ledger.publications.get_mut(&key).ok_or_else(|| refusal("NOT_FOUND"))?;
        if publication.state == i32::from(PublicationState::Sealed) {
            return Err(refusal("PUBLICATION_CLOSED"));
        }
        publication.state = PublicationState::Aborted.into();
        Ok(Response::new(AbortPublicationResponse {}))
    }

    async fn revoke_batch(
        &self,
        request: Request<RevokeBatchRequest>,
    ) -> Result<Response<RevokeBatchResponse>, Status> {
        let tenant = tenant_with("directory:revoke", &request)?;
        let mut ledger = self.ledger();
        let publication = ledger.recallable(tenant, request.into_inner().batch_id)?;
        publication.state = PublicationState::Revoked.into();
        // The tests ask whether it is recalled, not when.
        let revoked_at = Some(std::time::UNIX_EPOCH.into());
        Ok(Response::new(RevokeBatchResponse { revoked_at }))
    }

    async fn revoke_codes(
        &self,
        request: Request<RevokeCodesRequest>,
    ) -> Result<Response<RevokeCodesResponse>, Status> {
        let tenant = tenant_with("directory:revoke", &request)?;
        let asked = request.into_inner();
        let mut ledger = self.ledger();
        let publication = ledger.recallable(tenant, asked.batch_id)?;
        let known: BTreeSet<[u8; 32]> = publication.digests().into_iter().collect();
        let named: BTreeSet<[u8; 32]> =
            asked.digests.chunks(32).map(|digest| digest.try_into().unwrap()).collect();
        let mut answer = RevokeCodesResponse::default();
        for digest in named {
            match (known.contains(&digest), publication.revoked.insert(digest)) {
                (true, true) => answer.revoked += 1,
                (true, false) => answer.already_revoked += 1,
                (false, _) => {
                    publication.revoked.remove(&digest);
                    answer.unmatched += 1;
                }
            }
        }
        Ok(Response::new(answer))
    }

    async fn pull_scans(
        &self,
        request: Request<PullScansRequest>,
    ) -> Result<Response<PullScansResponse>, Status> {
        let tenant = tenant_with("directory:read", &request)?;
        let asked = request.into_inner();
        Ok(Response::new(self.ledger().pull(&tenant, &asked)))
    }

    async fn get_publication(
        &self,
        _: Request<GetPublicationRequest>,
    ) -> Result<Response<GetPublicationResponse>, Status> {
        Err(Status::unimplemented("the control plane does not ask"))
    }
}
