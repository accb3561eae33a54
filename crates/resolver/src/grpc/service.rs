//! `mintmark.directory.v1.DirectoryService`: authorises, translates, and calls the use cases.

use std::pin::Pin;

use futures::{Stream, StreamExt};
use mintmark_auth::action::{PublishCodes, ReadDirectory, RevokeCodes};
use mintmark_auth::{Action, OnTenant, Permit, authorize, scope};
use mintmark_fault::Fault;
use mintmark_rpc::{Rpc, caller, status, unreadable};
use mintmark_service::Shutdown;
use mintmark_wire::directory::v1::directory_service_server::{DirectoryService, DirectoryServiceServer};
use mintmark_wire::directory::v1::{
    AbortPublicationRequest, AbortPublicationResponse, GetPublicationRequest, GetPublicationResponse,
    OpenPublicationRequest, OpenPublicationResponse, PublishRequest, PublishResponse, PullScansRequest,
    PullScansResponse, PutProductRequest, PutProductResponse, RevokeBatchRequest, RevokeBatchResponse,
    RevokeCodesRequest, RevokeCodesResponse, SealPublicationRequest, SealPublicationResponse,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{summaries, views};
use crate::app::directory::Directory;
use crate::app::publish::publish;

/// The service, and the table of what its methods need.
pub struct DirectoryRpc {
    directory: Directory,
    shutdown: Shutdown,
}

impl DirectoryRpc {
    /// What each method needs.
    pub const METHODS: [Rpc; 9] = [
        Rpc { path: "/mintmark.directory.v1.DirectoryService/PutProduct", scope: scope::DIRECTORY_PUBLISH },
        Rpc {
            path: "/mintmark.directory.v1.DirectoryService/OpenPublication",
            scope: scope::DIRECTORY_PUBLISH,
        },
        Rpc { path: "/mintmark.directory.v1.DirectoryService/Publish", scope: scope::DIRECTORY_PUBLISH },
        Rpc {
            path: "/mintmark.directory.v1.DirectoryService/SealPublication",
            scope: scope::DIRECTORY_PUBLISH,
        },
        Rpc {
            path: "/mintmark.directory.v1.DirectoryService/AbortPublication",
            scope: scope::DIRECTORY_PUBLISH,
        },
        Rpc { path: "/mintmark.directory.v1.DirectoryService/RevokeBatch", scope: scope::DIRECTORY_REVOKE },
        Rpc { path: "/mintmark.directory.v1.DirectoryService/RevokeCodes", scope: scope::DIRECTORY_REVOKE },
        Rpc { path: "/mintmark.directory.v1.DirectoryService/GetPublication", scope: scope::DIRECTORY_READ },
        Rpc { path: "/mintmark.directory.v1.DirectoryService/PullScans", scope: scope::DIRECTORY_READ },
    ];

    /// The tonic service; streams end early when `shutdown` is requested.
    pub fn server(directory: Directory, shutdown: Shutdown) -> DirectoryServiceServer<Self> {
        DirectoryServiceServer::new(DirectoryRpc { directory, shutdown })
    }
}

/// The permit for the caller's own tenant: no message names one.
fn permit<A: Action<On = OnTenant>, T>(request: &Request<T>) -> Result<Permit<A>, Status> {
    let principal = caller(request)?;
    let tenant = principal.tenant().cloned().ok_or_else(|| status(Fault::unauthenticated()))?;
    authorize::<A>(&principal, OnTenant(tenant)).map_err(status)
}

#[tonic::async_trait]
impl DirectoryService for DirectoryRpc {
    async fn put_product(
        &self,
        request: Request<PutProductRequest>,
    ) -> Result<Response<PutProductResponse>, Status> {
        let permit = permit::<PublishCodes, _>(&request)?;
        let new = views::new_product(request.into_inner()).map_err(status)?;
        let version = self.directory.put_product(&permit, &new).await.map_err(status)?;
        Ok(Response::new(PutProductResponse { version: version.unsigned_abs() }))
    }

    async fn open_publication(
        &self,
        request: Request<OpenPublicationRequest>,
    ) -> Result<Response<OpenPublicationResponse>, Status> {
        let permit = permit::<PublishCodes, _>(&request)?;
        let (terms, fence) = views::terms(&request.into_inner()).map_err(status)?;
        let opened = self.directory.open_publication(&permit, &terms, fence).await.map_err(status)?;
        Ok(Response::new(views::opened(&opened)))
    }

    type PublishStream = Pin<Box<dyn Stream<Item = Result<PublishResponse, Status>> + Send>>;

    async fn publish(
        &self,
        request: Request<Streaming<PublishRequest>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        let permit = permit::<PublishCodes, _>(&request)?;
        let chunks = request.into_inner().map(|message| match message {
            Ok(message) => views::chunk(message),
            Err(broken) => Err(unreadable(&broken)),
        });
        let answers = publish(self.directory.clone(), permit, chunks, self.shutdown.clone());
        let answers = ReceiverStream::new(answers).map(|answer| match answer {
            Ok(acknowledged) => Ok(PublishResponse { chunk: acknowledged.number, units: acknowledged.units }),
            Err(fault) => Err(status(fault)),
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn seal_publication(
        &self,
        request: Request<SealPublicationRequest>,
    ) -> Result<Response<SealPublicationResponse>, Status> {
        let permit = permit::<PublishCodes, _>(&request)?;
        let message = request.into_inner();
        let (batch, fence) = views::batch_and_fence(&message.batch_id, message.fence).map_err(status)?;
        let sealed_at = self.directory.seal_publication(&permit, batch, fence).await.map_err(status)?;
        Ok(Response::new(SealPublicationResponse { sealed_at: Some(views::timestamp(sealed_at)) }))
    }

    async fn abort_publication(
        &self,
        request: Request<AbortPublicationRequest>,
    ) -> Result<Response<AbortPublicationResponse>, Status> {
        let permit = permit::<PublishCodes, _>(&request)?;
        let message = request.into_inner();
        let (batch, fence) = views::batch_and_fence(&message.batch_id, message.fence).map_err(status)?;
        self.directory.abort_publication(&permit, batch, fence).await.map_err(status)?;
        Ok(Response::new(AbortPublicationResponse {}))
    }

    async fn revoke_batch(
        &self,
        request: Request<RevokeBatchRequest>,
    ) -> Result<Response<RevokeBatchResponse>, Status> {
        let permit = permit::<RevokeCodes, _>(&request)?;
        let batch = views::batch(&request.into_inner().batch_id).map_err(status)?;
        let revoked_at = self.directory.revoke_batch(&permit, batch).await.map_err(status)?;
        Ok(Response::new(RevokeBatchResponse { revoked_at: Some(views::timestamp(revoked_at)) }))
    }

    async fn revoke_codes(
        &self,
        request: Request<RevokeCodesRequest>,
    ) -> Result<Response<RevokeCodesResponse>, Status> {
        let permit = permit::<RevokeCodes, _>(&request)?;
        let (batch, digests) = views::recalled_codes(request.get_ref()).map_err(status)?;
        let recalled = self.directory.revoke_codes(&permit, batch, digests).await.map_err(status)?;
        Ok(Response::new(views::recalled(&recalled)))
    }

    async fn get_publication(
        &self,
        request: Request<GetPublicationRequest>,
    ) -> Result<Response<GetPublicationResponse>, Status> {
        let permit = permit::<ReadDirectory, _>(&request)?;
        let batch = views::batch(&request.into_inner().batch_id).map_err(status)?;
        let publication = self.directory.get_publication(&permit, batch).await.map_err(status)?;
        Ok(Response::new(views::publication(&publication)))
    }

    async fn pull_scans(
        &self,
        request: Request<PullScansRequest>,
    ) -> Result<Response<PullScansResponse>, Status> {
        let permit = permit::<ReadDirectory, _>(&request)?;
        let (cursor, mark, limit) = summaries::window(&request.into_inner()).map_err(status)?;
        let pulled = self.directory.pull_scans(&permit, cursor, mark, limit).await.map_err(status)?;
        Ok(Response::new(summaries::pulled(pulled).map_err(status)?))
    }
}
