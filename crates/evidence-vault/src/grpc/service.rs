//! `mintmark.evidence.v1.EvidenceService`: reads the caller out of the token, translates, and calls the use cases.

use futures::stream::{self, BoxStream, Stream, StreamExt as _};
use mintmark_audit::OutsideConfig;
use mintmark_auth::scope;
use mintmark_fault::{Fault, Result as Outcome};
use mintmark_ids::EvidenceId;
use mintmark_rpc::{Rpc, caller, unreadable};
use mintmark_wire::evidence::v1::evidence_service_server::{EvidenceService, EvidenceServiceServer};
use mintmark_wire::evidence::v1::*;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use super::status::status;
use super::views;
use crate::app::access::Caller;
use crate::app::evidence::Evidence;
use crate::app::read::Part;
use crate::app::upload::{NewEvidence, Sent, out_of_order};

/// The service, and the table of what its methods need.
pub struct EvidenceRpc {
    evidence: Evidence,
    /// What proofs and logs verify with, as of the start.
    keys: GetVerifyingKeysResponse,
    /// Where the log's name and keys are.
    audit: OutsideConfig,
}

/// The caller, and the message.
fn opened<T>(request: Request<T>) -> Result<(Caller, T), Status> {
    let who = Caller::of(&caller(&request)?).map_err(status)?;
    Ok((who, request.into_inner()))
}

fn evidence_id(text: &str) -> Result<EvidenceId, Status> {
    views::id(text, "evidence record").map_err(status)
}

impl EvidenceRpc {
    /// The method whose answer comes at the end of a long stream.
    pub const UPLOAD: &'static str = "/mintmark.evidence.v1.EvidenceService/Upload";

    /// What each method needs.
    pub const METHODS: [Rpc; 12] = [
        Rpc { path: Self::UPLOAD, scope: scope::EVIDENCE_UPLOAD },
        Rpc { path: "/mintmark.evidence.v1.EvidenceService/GetEvidence", scope: scope::EVIDENCE_READ },
        Rpc { path: "/mintmark.evidence.v1.EvidenceService/ListEvidence", scope: scope::EVIDENCE_READ },
        Rpc { path: "/mintmark.evidence.v1.EvidenceService/ReadContent", scope: scope::EVIDENCE_CONTENT },
        Rpc { path: "/mintmark.evidence.v1.EvidenceService/SetLegalHold", scope: scope::EVIDENCE_HOLD },
        Rpc { path: "/mintmark.evidence.v1.EvidenceService/GetErasureProof", scope: scope::EVIDENCE_PROOF },
        Rpc { path: "/mintmark.evidence.v1.EvidenceService/GetVerifyingKeys", scope: scope::EVIDENCE_PROOF },
        Rpc { path: "/mintmark.evidence.v1.EvidenceService/ListAuditEntries", scope: scope::EVIDENCE_AUDIT },
        Rpc { path: "/mintmark.evidence.v1.EvidenceService/GetAuditProof", scope: scope::EVIDENCE_AUDIT },
        Rpc { path: "/mintmark.evidence.v1.EvidenceService/ExportAudit", scope: scope::EVIDENCE_AUDIT },
        Rpc { path: "/mintmark.evidence.v1.EvidenceService/StartOperation", scope: scope::EVIDENCE_OPERATE },
        Rpc { path: "/mintmark.evidence.v1.EvidenceService/GetOperation", scope: scope::EVIDENCE_OPERATE },
    ];

    /// The tonic service.
    pub fn server(
        evidence: Evidence,
        keys: GetVerifyingKeysResponse,
        audit: OutsideConfig,
    ) -> EvidenceServiceServer<Self> {
        EvidenceServiceServer::new(EvidenceRpc { evidence, keys, audit })
    }
}

/// A stream of answers.
type Answers<T> = BoxStream<'static, Result<T, Status>>;

#[tonic::async_trait]
impl EvidenceService for EvidenceRpc {
    type ReadContentStream = Answers<ReadContentResponse>;
    type ExportAuditStream = Answers<ExportAuditResponse>;

    async fn upload(
        &self,
        request: Request<Streaming<UploadRequest>>,
    ) -> Result<Response<UploadResponse>, Status> {
        let (who, mut messages) = opened(request)?;
        let first = messages.message().await.map_err(|error| status(unreadable(&error)))?;
        let Some(upload_request::Piece::Header(header)) = first.and_then(|message| message.piece) else {
            return Err(status(out_of_order("the first message of an upload is its header")));
        };
        let new = NewEvidence {
            id: header.evidence_id.parse().map_err(|_| {
                let sentence = "evidenceId is an id like evd_… that the control plane chose";
                status(Fault::invalid("EVIDENCE_ID_INVALID", "evidenceId", sentence))
            })?,
            media_type: header.media_type,
            bytes: header.bytes,
        };
        let record = self.evidence.upload(&who, new, pieces(messages)).await.map_err(status)?;
        Ok(Response::new(UploadResponse { evidence: Some(views::evidence(record)) }))
    }

    async fn get_evidence(
        &self,
        request: Request<GetEvidenceRequest>,
    ) -> Result<Response<GetEvidenceResponse>, Status> {
        let (who, message) = opened(request)?;
        let id = evidence_id(&message.evidence_id)?;
        let record = self.evidence.find(&who, id).await.map_err(status)?;
        Ok(Response::new(GetEvidenceResponse { evidence: Some(views::evidence(record)) }))
    }

    async fn list_evidence(
        &self,
        request: Request<ListEvidenceRequest>,
    ) -> Result<Response<ListEvidenceResponse>, Status> {
        let (who, message) = opened(request)?;
        let (size, after) = views::page(message.page_size, &message.page_token).map_err(status)?;
        let records = self.evidence.list(&who, after, size as i64 + 1).await.map_err(status)?;
        let (records, next_page_token) = views::cut(records, size, |record| record.id.as_uuid());
        let evidence = records.into_iter().map(views::evidence).collect();
        Ok(Response::new(ListEvidenceResponse { evidence, next_page_token }))
    }

    async fn read_content(
        &self,
        request: Request<ReadContentRequest>,
    ) -> Result<Response<Self::ReadContentStream>, Status> {
        let (who, message) = opened(request)?;
        let id = evidence_id(&message.evidence_id)?;
        let part = Part { offset: message.offset, length: message.length };
        let content = self.evidence.read(&who, id, part).await.map_err(status)?;
        let header = ContentHeader {
            media_type: content.record.media_type,
            bytes: content.record.bytes,
            offset: content.offset,
            length: content.length,
        };
        let header = ReadContentResponse { piece: Some(read_content_response::Piece::Header(header)) };
        let data = |piece| ReadContentResponse { piece: Some(read_content_response::Piece::Data(piece)) };
        let pieces = content.pieces.map(move |piece| piece.map(data).map_err(status));
        Ok(Response::new(stream::once(async { Ok(header) }).chain(pieces).boxed()))
    }

    async fn set_legal_hold(
        &self,
        request: Request<SetLegalHoldRequest>,
    ) -> Result<Response<SetLegalHoldResponse>, Status> {
        let (who, message) = opened(request)?;
        let id = evidence_id(&message.evidence_id)?;
        let record = self.evidence.set_hold(&who, id, message.legal_hold).await.map_err(status)?;
        Ok(Response::new(SetLegalHoldResponse { evidence: Some(views::evidence(record)) }))
    }

    async fn get_erasure_proof(
        &self,
        request: Request<GetErasureProofRequest>,
    ) -> Result<Response<GetErasureProofResponse>, Status> {
        let (who, message) = opened(request)?;
        let id = evidence_id(&message.evidence_id)?;
        let proof = self.evidence.erasure_proof(&who, id).await.map_err(status)?;
        Ok(Response::new(views::erasure(message.evidence_id, proof)))
    }

    async fn get_verifying_keys(
        &self,
        request: Request<GetVerifyingKeysRequest>,
    ) -> Result<Response<GetVerifyingKeysResponse>, Status> {
        opened(request)?;
        let mut keys = self.keys.clone();
        // A rotation adds a key while we run. A file that is away for a moment is as it was.
        if let Ok(text) = tokio::fs::read_to_string(&self.audit.verifier_keys).await {
            keys.audit_verifier_keys = text;
        }
        Ok(Response::new(keys))
    }

    async fn list_audit_entries(
        &self,
        request: Request<ListAuditEntriesRequest>,
    ) -> Result<Response<ListAuditEntriesResponse>, Status> {
        let (who, message) = opened(request)?;
        let (size, below) = views::page(message.page_size, &message.page_token).map_err(status)?;
        let query = views::query(&message).map_err(status)?;
        let entries = self.evidence.audit_entries(&who, &query, below, size as i64 + 1).await;
        let (entries, next_page_token) = views::cut(entries.map_err(status)?, size, |entry| entry.id);
        let entries = entries.into_iter().map(|entry| views::entry(&self.audit.origin, entry)).collect();
        Ok(Response::new(ListAuditEntriesResponse { entries, next_page_token }))
    }

    async fn get_audit_proof(
        &self,
        request: Request<GetAuditProofRequest>,
    ) -> Result<Response<GetAuditProofResponse>, Status> {
        let (who, message) = opened(request)?;
        let entry: Uuid = views::id(&message.entry_id, "audit entry").map_err(status)?;
        let proof = self.evidence.audit_proof(&who, entry).await.map_err(status)?;
        Ok(Response::new(GetAuditProofResponse { proof: mintmark_audit::proof::to_line(&proof) }))
    }

    async fn export_audit(
        &self,
        request: Request<ExportAuditRequest>,
    ) -> Result<Response<Self::ExportAuditStream>, Status> {
        let (who, ExportAuditRequest {}) = opened(request)?;
        let lines = self.evidence.export_audit(&who).await.map_err(status)?;
        let answers = lines.map(|lines| lines.map(|lines| ExportAuditResponse { lines }).map_err(status));
        Ok(Response::new(answers.boxed()))
    }

    async fn start_operation(
        &self,
        request: Request<StartOperationRequest>,
    ) -> Result<Response<StartOperationResponse>, Status> {
        let (who, message) = opened(request)?;
        let kind = views::operation_kind(message.kind()).map_err(status)?;
        let operation = self.evidence.start_operation(&who, kind).await.map_err(status)?;
        Ok(Response::new(StartOperationResponse { operation: Some(views::operation(operation)) }))
    }

    async fn get_operation(
        &self,
        request: Request<GetOperationRequest>,
    ) -> Result<Response<GetOperationResponse>, Status> {
        let (who, message) = opened(request)?;
        let id = views::id(&message.operation_id, "operation").map_err(status)?;
        let operation = self.evidence.operation(&who, id).await.map_err(status)?;
        Ok(Response::new(GetOperationResponse { operation: Some(views::operation(operation)) }))
    }
}

/// What follows the header of an upload.
fn pieces(messages: Streaming<UploadRequest>) -> impl Stream<Item = Outcome<Sent>> + Send {
    messages.map(|message| match message.map_err(|error| unreadable(&error))?.piece {
        Some(upload_request::Piece::Data(piece)) => Ok(Sent::Data(piece)),
        Some(upload_request::Piece::End(end)) => Ok(Sent::End(end.bytes)),
        Some(upload_request::Piece::Header(_)) => {
            Err(out_of_order("an upload has one header, which comes first"))
        }
        None => Err(out_of_order("a message of an upload has a header, data or its end")),
    })
}
