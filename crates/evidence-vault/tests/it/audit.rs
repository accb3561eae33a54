//! The vault's audit as its readers see it: entries, proofs, export, and the keys that all of it verifies with.

use std::time::{Duration, Instant};

use mintmark_audit::note::Verifiers;
use mintmark_audit::proof::Inclusion;
use mintmark_auth::scope;
use mintmark_wire::evidence::v1::*;
use tonic::Code;

use crate::stage::{Cast, OTHER, Stage, Who, codes};

async fn keys(stage: &Stage) -> GetVerifyingKeysResponse {
    let request = stage.request(&Who::service().of(OTHER), scope::EVIDENCE_PROOF, GetVerifyingKeysRequest {});
    stage.client().get_verifying_keys(request).await.unwrap().into_inner()
}

async fn entries(stage: &Stage, who: &Who, wanted: ListAuditEntriesRequest) -> ListAuditEntriesResponse {
    let request = stage.request(who, scope::EVIDENCE_AUDIT, wanted);
    stage.client().list_audit_entries(request).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_has_a_proof_that_the_published_keys_verify() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    let id = stage.upload(&cast.user, b"x").await.evidence_id;
    stage.read(&cast.arbitrator, &id, None, None).await.unwrap();
    let wanted = ListAuditEntriesRequest { resource_id: Some(id.clone()), ..Default::default() };
    let found = entries(&stage, &cast.governance, wanted.clone()).await.entries;
    let actions: Vec<&str> = found.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["EVIDENCE_ACCESSED", "EVIDENCE_UPLOADED"], "newest first");
    assert_eq!(found[0].actor, cast.arbitrator.subject);
    let keys = keys(&stage).await;
    let verifiers = Verifiers::parse(&keys.audit_verifier_keys).unwrap();
    for entry in &found {
        let deadline = Instant::now() + Duration::from_secs(30);
        let line = loop {
            let message = GetAuditProofRequest { entry_id: entry.entry_id.clone() };
            let request = stage.request(&cast.governance, scope::EVIDENCE_AUDIT, message);
            match stage.client().get_audit_proof(request).await {
                Ok(answer) => break answer.into_inner().proof,
                Err(status) => assert_eq!(status.code(), Code::Aborted, "{status:?}"),
            }
            assert!(Instant::now() < deadline, "no checkpoint covers the entry");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let proof = Inclusion::parse(line.trim_end()).unwrap();
        let checkpoint = proof.verify(&verifiers).unwrap();
        assert_eq!(proof.entry.id.to_string(), entry.entry_id);
        let again = entries(&stage, &cast.governance, wanted.clone()).await.entries;
        let leaf = again.iter().find(|it| it.entry_id == entry.entry_id).unwrap().leaf.clone().unwrap();
        assert_eq!(leaf.origin, checkpoint.origin.to_string());
    }
    // Another tenant's entry is not there for him, and a made-up one for nobody.
    for (who, entry) in [
        (cast.governance.clone().of(OTHER), found[0].entry_id.clone()),
        (cast.governance.clone(), uuid::Uuid::now_v7().to_string()),
    ] {
        let request = stage.request(&who, scope::EVIDENCE_AUDIT, GetAuditProofRequest { entry_id: entry });
        assert_eq!(codes(stage.client().get_audit_proof(request).await).0, Code::NotFound);
    }
    let jwks: serde_json::Value = serde_json::from_str(&keys.jwks).unwrap();
    assert_eq!(jwks["keys"][0]["alg"], "PS256");
    assert!(jwks["keys"][0].get("d").is_none(), "no private part");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_narrowed_and_paged_and_exported_whole() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    for _ in 0..4 {
        stage.upload(&cast.user, b"x").await;
    }
    let uploads = ListAuditEntriesRequest {
        page_size: 3,
        action: Some("EVIDENCE_UPLOADED".to_owned()),
        actor: Some(cast.user.subject.clone()),
        ..Default::default()
    };
    let first = entries(&stage, &cast.governance, uploads.clone()).await;
    assert_eq!(first.entries.len(), 3);
    let next = ListAuditEntriesRequest { page_token: first.next_page_token, ..uploads.clone() };
    let second = entries(&stage, &cast.governance, next).await;
    assert_eq!((second.entries.len(), second.next_page_token.as_str()), (1, ""));
    let nobody = ListAuditEntriesRequest { actor: Some("user:usr_x".to_owned()), ..uploads };
    assert_eq!(entries(&stage, &cast.governance, nobody).await.entries.len(), 0);
    let request = stage.request(&Who::service(), scope::EVIDENCE_AUDIT, ExportAuditRequest {});
    let mut answers = stage.client().export_audit(request).await.unwrap().into_inner();
    let mut text = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        text.extend_from_slice(&answer.lines);
    }
    let lines: Vec<serde_json::Value> = text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(lines[0]["kind"], "log");
    let uploaded = lines.iter().filter(|line| line["action"] == "EVIDENCE_UPLOADED").count();
    assert_eq!(uploaded, 4);
}
