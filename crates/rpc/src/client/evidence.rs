use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use mintmark_auth::policy::Within;
use mintmark_auth::{Action, DisputeClaim, Permit, PersonCall, ServiceToken, TokenSource, audience, scope};
use mintmark_fault::{Fault, Kind, Result};
use mintmark_ids::{ServiceName, TenantId};
use mintmark_service::StartError;
use mintmark_wire::evidence::v1::evidence_service_client::EvidenceServiceClient;
use mintmark_wire::evidence::v1::{
    ContentHeader, ExportAuditRequest, GetAuditProofRequest, GetAuditProofResponse, GetErasureProofRequest,
    GetErasureProofResponse, GetEvidenceRequest, GetEvidenceResponse, GetOperationRequest,
    GetOperationResponse, GetVerifyingKeysRequest, GetVerifyingKeysResponse, ListAuditEntriesRequest,
    ListAuditEntriesResponse, ListEvidenceRequest, ListEvidenceResponse, ReadContentRequest,
    ReadContentResponse, SetLegalHoldRequest, SetLegalHoldResponse, StartOperationRequest,
    StartOperationResponse, UploadRequest, UploadResponse, read_content_response,
};
use tokio::runtime::Handle;
use tonic::{Request, Response, Status, Streaming};
use tracing::{Instrument, Span};

use super::again::twice_if_unanswered;
use crate::callee::Callee;
use crate::outgoing::connect;
use crate::status::is_ours;
use crate::{Target, authorized, fault_of};

/// For a call that answers once, its retry apart.
const UNARY: Duration = Duration::from_secs(10);

type Client = EvidenceServiceClient<Callee>;

/// The evidence vault, as the control plane calls it. Cheap to clone; connects at the first call.
///
/// Each attempt carries a token minted for it alone, in the name of whoever the permit was given to. Calls that change
/// nothing, or the same twice, are tried a second time when nobody answered. Faults keep the vault's code;
/// a vault that cannot be reached in time is 503 `EVIDENCE_UNAVAILABLE`, and one that refuses our token is our own
/// misconfiguration (500). What it refuses to the person stays 403.
#[derive(Clone)]
pub struct EvidenceVault {
    client: Client,
    tokens: TokenSource,
}

/// What a call is: its method, and whether it may be made twice.
struct Call {
    method: &'static str,
    twice: bool,
}

/// The content of a record, as it arrives: each piece was authenticated before the vault let it go.
pub struct Content {
    /// What follows.
    pub header: ContentHeader,
    answers: Streaming<ReadContentResponse>,
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $method:literal $scope:ident $twice:literal $request:ident $response:ident;)+) => {$(
        $(#[$doc])*
        pub async fn $name<A: Action>(
            &self,
            permit: &Permit<A>,
            dispute: Option<DisputeClaim>,
            message: $request,
        ) -> Result<$response>
        where
            A::On: Within,
        {
            let call = Call { method: $method, twice: $twice };
            let person = person_call(permit, dispute, scope::$scope)?;
            let mint = || self.tokens.for_person_call(audience::EVIDENCE, &person);
            self.unary(&call, mint, message, |mut client, request| async move { client.$name(request).await }).await
        }
    )+};
}

impl EvidenceVault {
    /// A client of the vault at `target` (a URL alone, or a [`Target`]), driven on the runtime it is made on.
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
        let callee = connect(target.into(), ServiceName::EvidenceVault, &Handle::current())?;
        Ok(Self { client: Client::new(callee), tokens })
    }

    methods! {
        /// Reads a record's metadata.
        get_evidence "GetEvidence" EVIDENCE_READ true GetEvidenceRequest GetEvidenceResponse;
        /// A page of the dispute's records.
        list_evidence "ListEvidence" EVIDENCE_READ true ListEvidenceRequest ListEvidenceResponse;
        /// Sets or lifts a legal hold.
        set_legal_hold "SetLegalHold" EVIDENCE_HOLD true SetLegalHoldRequest SetLegalHoldResponse;
        /// The proof of a record's erasure.
        get_erasure_proof "GetErasureProof" EVIDENCE_PROOF true GetErasureProofRequest GetErasureProofResponse;
        /// A page of the vault's audit entries.
        list_audit_entries "ListAuditEntries" EVIDENCE_AUDIT true ListAuditEntriesRequest ListAuditEntriesResponse;
        /// The proof that the vault's log holds an entry.
        get_audit_proof "GetAuditProof" EVIDENCE_AUDIT true GetAuditProofRequest GetAuditProofResponse;
        /// Starts work on all of the tenant's records.
        start_operation "StartOperation" EVIDENCE_OPERATE false StartOperationRequest StartOperationResponse;
        /// How far such work is.
        get_operation "GetOperation" EVIDENCE_OPERATE true GetOperationRequest GetOperationResponse;
    }

    /// The keys that proofs verify with; in the control plane's own name, because anybody may have them.
    pub async fn get_verifying_keys(&self, tenant: &TenantId) -> Result<GetVerifyingKeysResponse> {
        let call = Call { method: "GetVerifyingKeys", twice: true };
        let mint = || self.tokens.for_tenant(audience::EVIDENCE, tenant, &[scope::EVIDENCE_PROOF]);
        self.unary(&call, mint, GetVerifyingKeysRequest {}, |mut client, request| async move {
            client.get_verifying_keys(request).await
        })
        .await
    }

    /// Sends a record: the header, the pieces, and the end, without which nothing is stored. Never tried twice, and without
    /// a deadline: whoever sends bounds the silence between two pieces.
    pub async fn upload<A: Action>(
        &self,
        permit: &Permit<A>,
        dispute: DisputeClaim,
        pieces: impl Stream<Item = UploadRequest> + Send + 'static,
    ) -> Result<UploadResponse>
    where
        A::On: Within,
    {
        let person = person_call(permit, Some(dispute), scope::EVIDENCE_UPLOAD)?;
        let token = self.tokens.for_person_call(audience::EVIDENCE, &person);
        let (span, mut client) = (span("Upload"), self.client.clone());
        let call = async { client.upload(authorized(pieces, &token, None)).await };
        let answered = call.instrument(span.clone()).await;
        answered.map(Response::into_inner).map_err(|status| failed(&span, &status))
    }

    /// Opens a record's content, or a range of it. Never tried twice: each attempt is an entry in the audit.
    pub async fn read_content<A: Action>(
        &self,
        permit: &Permit<A>,
        dispute: DisputeClaim,
        message: ReadContentRequest,
    ) -> Result<Content>
    where
        A::On: Within,
    {
        let person = person_call(permit, Some(dispute), scope::EVIDENCE_CONTENT)?;
        let token = self.tokens.for_person_call(audience::EVIDENCE, &person);
        let (span, mut client) = (span("ReadContent"), self.client.clone());
        let call = async {
            let mut answers = client.read_content(authorized(message, &token, None)).await?.into_inner();
            let first = answers.message().await?.and_then(|answer| answer.piece);
            Ok((first, answers))
        };
        // The whole stream has no bound of its own; how long a vault may think before its first word has.
        let opened = tokio::time::timeout(UNARY, call.instrument(span.clone())).await;
        match opened.map_err(|_elapsed| unavailable())? {
            Ok((Some(read_content_response::Piece::Header(header)), answers)) => {
                Ok(Content { header, answers })
            }
            Ok(_) => Err(Fault::internal("the vault's content does not begin with its header")),
            Err(status) => Err(failed(&span, &status)),
        }
    }

    /// The tenant's part of the vault's audit log, as lines of the bundle that `mintmark audit verify` reads; in the control
    /// plane's own name, because the job that writes the file has no person behind it.
    pub async fn export_audit(
        &self,
        tenant: &TenantId,
    ) -> Result<impl Stream<Item = Result<Bytes>> + Send + 'static + use<>> {
        let token = self.tokens.for_tenant(audience::EVIDENCE, tenant, &[scope::EVIDENCE_AUDIT]);
        let (span, mut client) = (span("ExportAudit"), self.client.clone());
        let call = async { client.export_audit(authorized(ExportAuditRequest {}, &token, None)).await };
        match call.instrument(span.clone()).await {
            Ok(answers) => Ok(answers.into_inner().map(|answer| match answer {
                Ok(piece) => Ok(Bytes::from(piece.lines)),
                Err(status) => Err(Self::fault(&status)),
            })),
            Err(status) => Err(failed(&span, &status)),
        }
    }

    /// The fault behind a status of the vault, as its caller should see it.
    fn fault(status: &Status) -> Fault {
        let fault = fault_of(status);
        match fault.kind() {
            Kind::Unauthenticated => Fault::internal(fault),
            // The person was judged here before: it is our own token that lacks the scope.
            Kind::Forbidden if fault.members().contains_key("requiredScope") => Fault::internal(fault),
            Kind::Timeout => unavailable().caused_by(fault),
            Kind::Unavailable if !is_ours(status) => unavailable().caused_by(fault),
            _ => fault,
        }
    }

    async fn unary<Q, R, F>(
        &self,
        call: &Call,
        mint: impl Fn() -> ServiceToken,
        message: Q,
        send: impl Fn(Client, Request<Q>) -> F,
    ) -> Result<R>
    where
        Q: Clone,
        F: Future<Output = std::result::Result<Response<R>, Status>>,
    {
        let span = span(call.method);
        let attempt = || send(self.client.clone(), authorized(message.clone(), &mint(), UNARY));
        let attempts =
            async { if call.twice { twice_if_unanswered(attempt).await } else { attempt().await } };
        let answered = attempts.instrument(span.clone()).await;
        answered.map(Response::into_inner).map_err(|status| failed(&span, &status))
    }
}

impl Content {
    /// The next piece; `None` after the last one. Dropping the content ends the call.
    ///
    /// # Errors
    /// What ended it early: what was handed out before is good, and it is not all.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        match self.answers.message().await {
            Ok(None) => Ok(None),
            Ok(Some(ReadContentResponse { piece: Some(read_content_response::Piece::Data(data)) })) => {
                Ok(Some(data))
            }
            Ok(Some(_)) => Err(Fault::internal("the vault's content has a piece that is no data")),
            Err(status) => Err(EvidenceVault::fault(&status)),
        }
    }
}

/// The call, in the name of whoever the permit was given to.
fn person_call<A: Action>(
    permit: &Permit<A>,
    dispute: Option<DisputeClaim>,
    scope: &'static str,
) -> Result<PersonCall>
where
    A::On: Within,
{
    let call = PersonCall::new(permit, scope)?;
    Ok(match dispute {
        Some(dispute) => call.about(dispute),
        None => call,
    })
}

fn unavailable() -> Fault {
    let sentence = "the evidence vault cannot be reached now; the same request may work later";
    Fault::unavailable("EVIDENCE_UNAVAILABLE", sentence).retry_after(Duration::from_secs(2))
}

fn span(method: &'static str) -> Span {
    tracing::info_span!(
        "rpc.client",
        otel.name = format!("mintmark.evidence.v1.EvidenceService/{method}"),
        otel.kind = "client",
        rpc.system = "grpc",
        rpc.service = "mintmark.evidence.v1.EvidenceService",
        rpc.method = method,
        rpc.grpc.status_code = tracing::field::Empty,
    )
}

fn failed(span: &Span, status: &Status) -> Fault {
    span.record("rpc.grpc.status_code", i32::from(status.code()));
    EvidenceVault::fault(status)
}
