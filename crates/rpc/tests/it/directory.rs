//! A directory whose behaviour is asked for by the request.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use futures::{Stream, StreamExt};
use mintmark_auth::Principal;
use mintmark_fault::Fault;
use mintmark_rpc::{caller, status};
use mintmark_service::telemetry;
use mintmark_wire::directory::v1::directory_service_server::DirectoryService;
use mintmark_wire::directory::v1::*;
use tokio::sync::Notify;
use tonic::{Request, Response, Status, Streaming};

/// What the handlers saw.
#[derive(Default)]
pub struct Seen {
    pub tenants: Vec<String>,
    pub tokens: usize,
    pub traces: Vec<Option<String>>,
}

#[derive(Clone, Default)]
pub struct TestDirectory {
    pub seen: Arc<Mutex<Seen>>,
    /// Lets a product named `held` go on.
    pub release: Arc<Notify>,
}

impl TestDirectory {
    fn note<T>(&self, request: &Request<T>) -> Result<Principal, Status> {
        let caller = caller(request)?;
        let mut seen = self.seen.lock().unwrap();
        seen.tenants.push(caller.tenant().unwrap().to_string());
        seen.tokens += usize::from(request.metadata().contains_key("authorization"));
        seen.traces.push(telemetry::trace_id(&tracing::Span::current()));
        Ok(caller)
    }

    pub fn calls(&self) -> usize {
        self.seen.lock().unwrap().tenants.len()
    }
}

#[tonic::async_trait]
impl DirectoryService for TestDirectory {
    async fn put_product(
        &self,
        request: Request<PutProductRequest>,
    ) -> Result<Response<PutProductResponse>, Status> {
        self.note(&request)?;
        let product = request.into_inner().product.unwrap_or_default();
        match product.product_name.as_str() {
            "stuck" => std::future::pending().await,
            "held" => self.release.notified().await,
            "conflict" => {
                return Err(status(
                    Fault::conflict("STALE_FENCE", "somebody else has taken over")
                        .field("fence")
                        .with("current", 7),
                ));
            }
            "internal" => return Err(status(Fault::internal("password in the log only"))),
            "raw" => return Err(Status::unknown("SELECT * FROM code")),
            _ => {}
        }
        Ok(Response::new(PutProductResponse { version: product.version }))
    }

    async fn open_publication(
        &self,
        request: Request<OpenPublicationRequest>,
    ) -> Result<Response<OpenPublicationResponse>, Status> {
        self.note(&request)?;
        let state = PublicationState::Open.into();
        Ok(Response::new(OpenPublicationResponse { partition: 3, next_chunk: 1, state }))
    }

    type PublishStream = Pin<Box<dyn Stream<Item = Result<PublishResponse, Status>> + Send>>;

    async fn publish(
        &self,
        request: Request<Streaming<PublishRequest>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        self.note(&request)?;
        let acknowledged = request.into_inner().map(|chunk| {
            let chunk = chunk?;
            match chunk.digests.len() {
                0 => Err(status(Fault::conflict(
                    "CHUNK_DIFFERS",
                    "this chunk was published with other digests",
                ))),
                bytes => Ok(PublishResponse { chunk: chunk.chunk, units: (bytes / 32) as u32 }),
            }
        });
        Ok(Response::new(Box::pin(acknowledged)))
    }

    async fn seal_publication(
        &self,
        request: Request<SealPublicationRequest>,
    ) -> Result<Response<SealPublicationResponse>, Status> {
        self.note(&request)?;
        Ok(Response::new(SealPublicationResponse::default()))
    }

    async fn abort_publication(
        &self,
        request: Request<AbortPublicationRequest>,
    ) -> Result<Response<AbortPublicationResponse>, Status> {
        self.note(&request)?;
        Ok(Response::new(AbortPublicationResponse {}))
    }

    async fn revoke_batch(
        &self,
        request: Request<RevokeBatchRequest>,
    ) -> Result<Response<RevokeBatchResponse>, Status> {
        self.note(&request)?;
        Ok(Response::new(RevokeBatchResponse::default()))
    }

    async fn revoke_codes(
        &self,
        request: Request<RevokeCodesRequest>,
    ) -> Result<Response<RevokeCodesResponse>, Status> {
        self.note(&request)?;
        let revoked = (request.get_ref().digests.len() / 32) as u32;
        Ok(Response::new(RevokeCodesResponse { revoked, ..Default::default() }))
    }

    async fn pull_scans(
        &self,
        request: Request<PullScansRequest>,
    ) -> Result<Response<PullScansResponse>, Status> {
        self.note(&request)?;
        let next_cursor = request.into_inner().cursor + 1;
        Ok(Response::new(PullScansResponse { next_cursor, ..Default::default() }))
    }

    async fn get_publication(
        &self,
        request: Request<GetPublicationRequest>,
    ) -> Result<Response<GetPublicationResponse>, Status> {
        self.note(&request)?;
        Ok(Response::new(GetPublicationResponse { units: 10, ..Default::default() }))
    }
}
