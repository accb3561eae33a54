//! The fake directory as its callers meet it: each method asks for its token and does what the ledger says.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::{Stream, StreamExt};
use mintmark_wire::directory::v1::directory_service_server::DirectoryService;
use mintmark_wire::directory::v1::*;
use serde_json::Value;
use tonic::{Request, Response, Status, Streaming};

use super::ledger::refusal;
use super::{Ledger, Shared, Trouble};

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

/// The generated interface, on the ledger.
pub struct Service(pub Arc<Shared>);

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
