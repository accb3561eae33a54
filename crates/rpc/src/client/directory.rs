use std::future::Future;
use std::time::Duration;

use futures::{Stream, StreamExt};
use mintmark_auth::{ServiceToken, TokenSource, audience, scope};
use mintmark_fault::{Fault, Kind, Result};
use mintmark_ids::{ServiceName, TenantId};
use mintmark_service::StartError;
use mintmark_wire::directory::v1::directory_service_client::DirectoryServiceClient;
use mintmark_wire::directory::v1::{
    AbortPublicationRequest, AbortPublicationResponse, GetPublicationRequest, GetPublicationResponse,
    OpenPublicationRequest, OpenPublicationResponse, Product, PublishRequest, PublishResponse,
    PullScansRequest, PullScansResponse, PutProductRequest, RevokeBatchRequest, RevokeBatchResponse,
    RevokeCodesRequest, RevokeCodesResponse, SealPublicationRequest, SealPublicationResponse,
};
use tokio::runtime::Handle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, Request, Response, Status, Streaming};
use tracing::{Instrument, Span};

use super::again::twice_if_unanswered;
use crate::callee::Callee;
use crate::outgoing::connect;
use crate::status::is_ours;
use crate::{Target, authorized, fault_of};

/// For a call that answers once, its retry apart.
const UNARY: Duration = Duration::from_secs(10);

type Client = DirectoryServiceClient<Callee>;

/// The resolver's directory, as the control plane calls it. Cheap to clone; connects at the first call.
///
/// Each call carries a token minted for its tenant and one scope. The unary methods are idempotent: they are tried a
/// second time when nobody answered. Faults keep the directory's code; one that cannot be reached in time is 503
/// `DIRECTORY_UNAVAILABLE`, and one that refuses our token is our own misconfiguration (500).
#[derive(Clone)]
pub struct Directory {
    client: Client,
    tokens: TokenSource,
}

impl Directory {
    /// A client of the directory at `target` (a URL alone, or a [`Target`]), driven on the runtime it is made on.
    ///
    /// # Errors
    /// A sentence when its URL cannot be one.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new<'a>(
        target: impl Into<Target<'a>>,
        tokens: TokenSource,
    ) -> std::result::Result<Self, StartError> {
        let callee = connect(target.into(), ServiceName::Resolver, &Handle::current())?;
        Ok(Self { client: Client::new(callee), tokens })
    }

    /// Stores what scans show of a product; an older version changes nothing.
    pub async fn put_product(&self, tenant: &TenantId, product: Product) -> Result<()> {
        let token = self.token(tenant, scope::DIRECTORY_PUBLISH);
        let message = PutProductRequest { product: Some(product) };
        self.unary("PutProduct", &token, message, |mut client, request| async move {
            client.put_product(request).await
        })
        .await
        .map(|_version| ())
    }

    /// Opens a batch's publication or takes it over; says where to go on.
    pub async fn open_publication(
        &self,
        tenant: &TenantId,
        message: OpenPublicationRequest,
    ) -> Result<OpenPublicationResponse> {
        let token = self.token(tenant, scope::DIRECTORY_PUBLISH);
        self.unary("OpenPublication", &token, message, |mut client, request| async move {
            client.open_publication(request).await
        })
        .await
    }

    /// Streams chunks; each response acknowledges one, in order. There is no deadline: drop the answer to end the call.
    pub async fn publish(
        &self,
        tenant: &TenantId,
        chunks: impl Stream<Item = PublishRequest> + Send + 'static,
    ) -> Result<Acknowledgements> {
        let token = self.token(tenant, scope::DIRECTORY_PUBLISH);
        let span = span("Publish");
        let mut client = self.client.clone();
        let ended = CancellationToken::new();
        // Before the call, so that giving up while it opens ends it too.
        let open = ended.clone().drop_guard();
        let chunks = chunks.take_until(ended.cancelled_owned());
        let call = async {
            let request = authorized(chunks, &token, None);
            client.publish(request).await
        };
        match call.instrument(span.clone()).await {
            Ok(response) => Ok(Acknowledgements { answers: response.into_inner(), span, _open: open }),
            Err(status) => Err(failed(&span, &status)),
        }
    }

    /// Makes a complete publication recognisable.
    pub async fn seal_publication(
        &self,
        tenant: &TenantId,
        message: SealPublicationRequest,
    ) -> Result<SealPublicationResponse> {
        let token = self.token(tenant, scope::DIRECTORY_PUBLISH);
        self.unary("SealPublication", &token, message, |mut client, request| async move {
            client.seal_publication(request).await
        })
        .await
    }

    /// Gives a publication up for ever.
    pub async fn abort_publication(
        &self,
        tenant: &TenantId,
        message: AbortPublicationRequest,
    ) -> Result<AbortPublicationResponse> {
        let token = self.token(tenant, scope::DIRECTORY_PUBLISH);
        self.unary("AbortPublication", &token, message, |mut client, request| async move {
            client.abort_publication(request).await
        })
        .await
    }

    /// Recalls a batch for ever.
    pub async fn revoke_batch(
        &self,
        tenant: &TenantId,
        message: RevokeBatchRequest,
    ) -> Result<RevokeBatchResponse> {
        let token = self.token(tenant, scope::DIRECTORY_REVOKE);
        self.unary("RevokeBatch", &token, message, |mut client, request| async move {
            client.revoke_batch(request).await
        })
        .await
    }

    /// Recalls codes of a batch for ever. A call that was tried twice may answer that codes were recalled before.
    pub async fn revoke_codes(
        &self,
        tenant: &TenantId,
        message: RevokeCodesRequest,
    ) -> Result<RevokeCodesResponse> {
        let token = self.token(tenant, scope::DIRECTORY_REVOKE);
        self.unary("RevokeCodes", &token, message, |mut client, request| async move {
            client.revoke_codes(request).await
        })
        .await
    }

    /// The tenant's sums of scans that changed since a cursor.
    pub async fn pull_scans(
        &self,
        tenant: &TenantId,
        message: PullScansRequest,
    ) -> Result<PullScansResponse> {
        let token = self.token(tenant, scope::DIRECTORY_READ);
        self.unary("PullScans", &token, message, |mut client, request| async move {
            client.pull_scans(request).await
        })
        .await
    }

    /// Where a publication stands.
    pub async fn get_publication(
        &self,
        tenant: &TenantId,
        message: GetPublicationRequest,
    ) -> Result<GetPublicationResponse> {
        let token = self.token(tenant, scope::DIRECTORY_READ);
        self.unary("GetPublication", &token, message, |mut client, request| async move {
            client.get_publication(request).await
        })
        .await
    }

    /// The fault behind a status of the directory, as its caller should see it.
    pub fn fault(status: &Status) -> Fault {
        let fault = fault_of(status);
        match fault.kind() {
            // The person who asked is signed in; it is us whom the directory does not believe.
            Kind::Unauthenticated | Kind::Forbidden => Fault::internal(fault),
            // The one who must hear of a time-out is the operator, not the person who asked: to them we are away.
            Kind::Timeout => unavailable().caused_by(fault),
            Kind::Unavailable if !is_ours(status) => unavailable().caused_by(fault),
            _ => fault,
        }
    }

    fn token(&self, tenant: &TenantId, scope: &'static str) -> ServiceToken {
        self.tokens.for_tenant(audience::RESOLVER, tenant, &[scope])
    }

    async fn unary<Q, A, F>(
        &self,
        method: &'static str,
        token: &ServiceToken,
        message: Q,
        call: impl Fn(Client, Request<Q>) -> F,
    ) -> Result<A>
    where
        Q: Clone,
        F: Future<Output = std::result::Result<Response<A>, Status>>,
    {
        let span = span(method);
        let attempts =
            twice_if_unanswered(|| call(self.client.clone(), authorized(message.clone(), token, UNARY)));
        match attempts.instrument(span.clone()).await {
            Ok(response) => {
                span.record("rpc.grpc.status_code", i32::from(Code::Ok));
                Ok(response.into_inner())
            }
            Err(status) => Err(failed(&span, &status)),
        }
    }
}

/// The answers to a stream of chunks. Dropping it ends the call: the directory keeps what it has acknowledged.
pub struct Acknowledgements {
    answers: Streaming<PublishResponse>,
    /// The call's: it ends with the stream.
    span: Span,
    /// HTTP/2 keeps a call open as long as either side may still send, so the stream of chunks ends with this.
    _open: DropGuard,
}

impl Acknowledgements {
    /// The next acknowledgement; `None` after the last one.
    ///
    /// # Errors
    /// The directory's status, which [`Directory::fault`] turns into a fault.
    pub async fn message(&mut self) -> std::result::Result<Option<PublishResponse>, Status> {
        let message = self.answers.message().await;
        let ended = match &message {
            Ok(Some(_)) => return message,
            Ok(None) => Code::Ok,
            Err(status) => status.code(),
        };
        self.span.record("rpc.grpc.status_code", i32::from(ended));
        message
    }
}

fn unavailable() -> Fault {
    let sentence = "the directory of codes cannot be reached now; the same request may work later";
    Fault::unavailable("DIRECTORY_UNAVAILABLE", sentence).retry_after(Duration::from_secs(2))
}

fn span(method: &'static str) -> Span {
    tracing::info_span!(
        "rpc.client",
        otel.name = format!("mintmark.directory.v1.DirectoryService/{method}"),
        otel.kind = "client",
        rpc.system = "grpc",
        rpc.service = "mintmark.directory.v1.DirectoryService",
        rpc.method = method,
        rpc.grpc.status_code = tracing::field::Empty,
    )
}

fn failed(span: &Span, status: &Status) -> Fault {
    span.record("rpc.grpc.status_code", i32::from(status.code()));
    Directory::fault(status)
}
