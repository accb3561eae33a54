//! An evidence vault in memory: it judges tokens as the true one does, keeps what it was sent in the clear, and fails when
//! told to. The true one is met by the workspace's own tests.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures::{Stream, stream};
use mintmark_auth::{PersonClaims, ServiceCaller, ServiceVerifier, TrustStore, audience};
use mintmark_fault::{Fault, Kind};
use mintmark_rpc::status;
use mintmark_wire::evidence::v1::evidence_service_server::{EvidenceService, EvidenceServiceServer};
use mintmark_wire::evidence::v1::upload_request::Piece;
use mintmark_wire::evidence::v1::*;
use prost_types::Timestamp;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

use crate::harness::{Plane, trust_bundle};

/// A running fake; it stops when dropped.
pub struct FakeVault {
    addr: SocketAddr,
    shared: Arc<Mutex<State>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for FakeVault {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What it has and what it saw.
#[derive(Default)]
pub struct State {
    /// By id, with their contents.
    pub records: BTreeMap<String, (Evidence, Vec<u8>)>,
    /// Callers of each call, with its method.
    pub seen: Vec<(&'static str, ServiceCaller)>,
    /// Raw tokens, in the order of the calls.
    pub tokens: Vec<String>,
    /// Pieces that the largest upload came in.
    pub pieces: usize,
    /// Uploads that broke off before their end.
    pub broken_off: usize,
    /// What a method answers instead: kind and code.
    pub refusals: HashMap<&'static str, (Kind, &'static str)>,
    /// Whether content breaks after its first piece.
    pub breaks: bool,
    trust: Option<TrustStore>,
}

impl FakeVault {
    pub async fn start() -> Self {
        let shared = Arc::new(Mutex::new(State::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let service = EvidenceServiceServer::new(Service(shared.clone()));
        let server = tokio::spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
        FakeVault { addr, shared, server }
    }

    /// A plane that asks this vault.
    pub async fn plane(&self) -> Plane {
        let plane = Plane::start_with(&[("EVIDENCE_VAULT_GRPC_URL", &format!("http://{}", self.addr))]).await;
        self.state().trust = Some(TrustStore::fixed(trust_bundle(plane.folder.path())));
        plane
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap()
    }

    /// The person of the last call to a method.
    pub fn person(&self, method: &str) -> PersonClaims {
        let state = self.state();
        let (_, caller) = state.seen.iter().rev().find(|(name, _)| *name == method).unwrap();
        *caller.person().unwrap()
    }
}

struct Service(Arc<Mutex<State>>);

/// An upload under way: dropped before its end, it broke off, whether its stream ended or was reset.
struct UnderWay(Arc<Mutex<State>>, bool);

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let (false, Ok(mut state)) = (self.1, self.0.lock()) {
            state.broken_off += 1;
        }
    }
}

type Pieces<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Service {
    fn admit<T>(
        &self,
        method: &'static str,
        scope: &str,
        request: &Request<T>,
    ) -> Result<ServiceCaller, Status> {
        let mut state = self.0.lock().unwrap();
        let bearer = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let token = bearer.and_then(|bearer| bearer.strip_prefix("Bearer ")).unwrap_or_default().to_owned();
        let trust = state.trust.clone().ok_or_else(|| status(Fault::unauthenticated()))?;
        let caller = ServiceVerifier::new(trust, audience::EVIDENCE).verify(&token);
        let caller = caller.map_err(|error| status(error.into()))?;
        assert_eq!(caller.scopes(), [scope], "{method} carries one scope");
        state.tokens.push(token);
        state.seen.push((method, caller.clone()));
        match state.refusals.get(method) {
            Some((kind, code)) => Err(status(Fault::new(*kind, *code, "as the test wants it"))),
            None => Ok(caller),
        }
    }

    fn record(&self, caller: &ServiceCaller, id: &str) -> Result<(Evidence, Vec<u8>), Status> {
        let state = self.0.lock().unwrap();
        let dispute = caller.person().and_then(PersonClaims::dispute).map(|dispute| dispute.id.to_string());
        let found =
            state.records.get(id).filter(|(evidence, _)| Some(&evidence.subject_id) == dispute.as_ref());
        found.cloned().ok_or_else(|| status(Fault::not_found("evidence")))
    }
}

fn now() -> Option<Timestamp> {
    Some(Timestamp { seconds: 1_763_800_000, nanos: 0 })
}

#[tonic::async_trait]
impl EvidenceService for Service {
    async fn upload(
        &self,
        request: Request<Streaming<UploadRequest>>,
    ) -> Result<Response<UploadResponse>, Status> {
        let caller = self.admit("Upload", "evidence:upload", &request)?;
        let person = *caller.person().unwrap();
        let mut pieces = request.into_inner();
        let mut under_way = UnderWay(self.0.clone(), false);
        let (mut header, mut content, mut ended, mut count) = (None, Vec::new(), None, 0);
        while let Some(message) = pieces.message().await? {
            match message.piece.unwrap() {
                Piece::Header(first) => header = Some(first),
                Piece::Data(data) => {
                    assert!(data.len() <= 1 << 20, "a piece of {} bytes", data.len());
                    content.extend_from_slice(&data);
                    count += 1;
                }
                Piece::End(end) => ended = Some(end.bytes),
            }
        }
        let header = header.unwrap();
        under_way.1 = ended == Some(content.len() as u64);
        let mut state = self.0.lock().unwrap();
        if !under_way.1 {
            drop(state);
            return Err(status(Fault::invalid("UPLOAD_INCOMPLETE", "end", "it broke off")));
        }
        if state.records.contains_key(&header.evidence_id) {
            return Err(status(Fault::conflict("EVIDENCE_EXISTS", "it is there")));
        }
        state.pieces = state.pieces.max(count);
        let evidence = Evidence {
            evidence_id: header.evidence_id.clone(),
            subject_kind: SubjectKind::Dispute.into(),
            subject_id: person.dispute().unwrap().id.to_string(),
            media_type: header.media_type,
            bytes: content.len() as u64,
            ciphertext_sha256: vec![7; 32],
            uploaded_by: person.actor().to_string(),
            created_at: now(),
            expires_at: now(),
            legal_hold: false,
            state: EvidenceState::Stored.into(),
            shredded_at: None,
        };
        state.records.insert(header.evidence_id, (evidence.clone(), content));
        Ok(Response::new(UploadResponse { evidence: Some(evidence) }))
    }

    async fn get_evidence(
        &self,
        request: Request<GetEvidenceRequest>,
    ) -> Result<Response<GetEvidenceResponse>, Status> {
        let caller = self.admit("GetEvidence", "evidence:read", &request)?;
        let (evidence, _) = self.record(&caller, &request.get_ref().evidence_id)?;
        Ok(Response::new(GetEvidenceResponse { evidence: Some(evidence) }))
    }

    async fn list_evidence(
        &self,
        request: Request<ListEvidenceRequest>,
    ) -> Result<Response<ListEvidenceResponse>, Status> {
        let caller = self.admit("ListEvidence", "evidence:read", &request)?;
        let dispute = caller.person().unwrap().dispute().unwrap().id.to_string();
        let asked = request.into_inner();
        let state = self.0.lock().unwrap();
        let newest = state.records.values().rev().map(|(evidence, _)| evidence);
        let mut page: Vec<Evidence> = newest
            .filter(|evidence| evidence.subject_id == dispute)
            .filter(|evidence| asked.page_token.is_empty() || evidence.evidence_id < asked.page_token)
            .take(asked.page_size as usize + 1)
            .cloned()
            .collect();
        let more = page.len() > asked.page_size as usize;
        page.truncate(asked.page_size as usize);
        let next_page_token = page.last().filter(|_| more).map(|last| last.evidence_id.clone());
        let next_page_token = next_page_token.unwrap_or_default();
        Ok(Response::new(ListEvidenceResponse { evidence: page, next_page_token }))
    }

    type ReadContentStream = Pieces<ReadContentResponse>;

    async fn read_content(
        &self,
        request: Request<ReadContentRequest>,
    ) -> Result<Response<Self::ReadContentStream>, Status> {
        let caller = self.admit("ReadContent", "evidence:content", &request)?;
        let asked = request.into_inner();
        let (evidence, content) = self.record(&caller, &asked.evidence_id)?;
        let offset = asked.offset.unwrap_or_default();
        if offset >= evidence.bytes {
            let fault = Fault::new(Kind::OutOfRange, "RANGE_NOT_SATISFIABLE", "beyond the end");
            return Err(status(fault.with("bytes", evidence.bytes)));
        }
        let length = asked.length.unwrap_or(u64::MAX).min(evidence.bytes - offset);
        let header = ContentHeader { media_type: evidence.media_type, bytes: evidence.bytes, offset, length };
        let part = content[offset as usize..(offset + length) as usize].to_vec();
        let piece = |piece| Ok(ReadContentResponse { piece: Some(piece) });
        let mut answers = vec![piece(read_content_response::Piece::Header(header))];
        for chunk in part.chunks(16 << 10) {
            answers.push(piece(read_content_response::Piece::Data(Bytes::copy_from_slice(chunk))));
        }
        if self.0.lock().unwrap().breaks {
            answers.truncate(2);
            answers.push(Err(Status::data_loss("damaged")));
        }
        Ok(Response::new(Box::pin(stream::iter(answers))))
    }

    async fn set_legal_hold(
        &self,
        request: Request<SetLegalHoldRequest>,
    ) -> Result<Response<SetLegalHoldResponse>, Status> {
        let caller = self.admit("SetLegalHold", "evidence:hold", &request)?;
        let asked = request.into_inner();
        self.record(&caller, &asked.evidence_id)?;
        let mut state = self.0.lock().unwrap();
        let (evidence, _) = state.records.get_mut(&asked.evidence_id).unwrap();
        evidence.legal_hold = asked.legal_hold;
        Ok(Response::new(SetLegalHoldResponse { evidence: Some(evidence.clone()) }))
    }

    async fn get_erasure_proof(
        &self,
        request: Request<GetErasureProofRequest>,
    ) -> Result<Response<GetErasureProofResponse>, Status> {
        self.admit("GetErasureProof", "evidence:proof", &request)?;
        Ok(Response::new(GetErasureProofResponse {
            evidence_id: request.into_inner().evidence_id,
            proof: "a.b.c".to_owned(),
            assurance: "logical".to_owned(),
            ..GetErasureProofResponse::default()
        }))
    }

    async fn get_verifying_keys(
        &self,
        request: Request<GetVerifyingKeysRequest>,
    ) -> Result<Response<GetVerifyingKeysResponse>, Status> {
        let caller = self.admit("GetVerifyingKeys", "evidence:proof", &request)?;
        assert_eq!(caller.person(), None);
        Ok(Response::new(GetVerifyingKeysResponse {
            jwks: r#"{"keys":[]}"#.to_owned(),
            audit_verifier_keys: "vault+00000000+AQ==\n".to_owned(),
        }))
    }

    async fn list_audit_entries(
        &self,
        request: Request<ListAuditEntriesRequest>,
    ) -> Result<Response<ListAuditEntriesResponse>, Status> {
        self.admit("ListAuditEntries", "evidence:audit", &request)?;
        let asked = request.into_inner();
        let entry = AuditEntry {
            entry_id: "0198f6c0-0000-7000-8000-000000000001".to_owned(),
            at: asked.from,
            actor: asked.actor.unwrap_or_default(),
            action: "EVIDENCE_ACCESSED".to_owned(),
            detail: r#"{"bytes":3}"#.to_owned(),
            leaf: Some(LeafPosition { origin: "vault/1".to_owned(), index: 4, tenant_number: 2 }),
            ..AuditEntry::default()
        };
        let next_page_token = if asked.page_token.is_empty() { "next" } else { "" }.to_owned();
        Ok(Response::new(ListAuditEntriesResponse { entries: vec![entry], next_page_token }))
    }

    async fn get_audit_proof(
        &self,
        request: Request<GetAuditProofRequest>,
    ) -> Result<Response<GetAuditProofResponse>, Status> {
        self.admit("GetAuditProof", "evidence:audit", &request)?;
        let proof = format!(r#"{{"entry":"{}"}}"#, request.into_inner().entry_id);
        Ok(Response::new(GetAuditProofResponse { proof }))
    }

    type ExportAuditStream = Pieces<ExportAuditResponse>;

    async fn export_audit(
        &self,
        _: Request<ExportAuditRequest>,
    ) -> Result<Response<Self::ExportAuditStream>, Status> {
        Err(Status::unimplemented("not of this fake"))
    }

    async fn start_operation(
        &self,
        request: Request<StartOperationRequest>,
    ) -> Result<Response<StartOperationResponse>, Status> {
        self.admit("StartOperation", "evidence:operate", &request)?;
        let kind = request.into_inner().kind;
        let operation = Operation {
            operation_id: JOB.to_owned(),
            kind,
            state: "queued".to_owned(),
            ..Operation::default()
        };
        Ok(Response::new(StartOperationResponse { operation: Some(operation) }))
    }

    async fn get_operation(
        &self,
        request: Request<GetOperationRequest>,
    ) -> Result<Response<GetOperationResponse>, Status> {
        self.admit("GetOperation", "evidence:operate", &request)?;
        let operation = Operation {
            operation_id: request.into_inner().operation_id,
            kind: OperationKind::Retention.into(),
            state: "succeeded".to_owned(),
            done: 3,
            total: 3,
            ..Operation::default()
        };
        Ok(Response::new(GetOperationResponse { operation: Some(operation) }))
    }
}

/// The operation that it starts.
pub const JOB: &str = "job_01h45ytscbebyvny4gc8cr8ma2";
