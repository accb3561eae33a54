//! Role by operation by the state of the dispute, at the service itself; every refusal is audited.

use mintmark_auth::scope;
use mintmark_ids::{DisputeId, EvidenceId};
use mintmark_wire::evidence::v1::*;
use tonic::Code;

use crate::stage::{Cast, Stage, Who, codes, messages};

/// What a call may come to: nothing wrong with who asks, or one of the refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Allowed, whatever became of it.
    Yes,
    /// Another role is needed, or a dispute.
    Role,
    /// The dispute is closed.
    Closed,
}
use Answer::{Closed, Role, Yes};

fn answer<T: std::fmt::Debug>(answer: Result<T, tonic::Status>) -> Answer {
    match answer {
        Ok(_) => Yes,
        Err(status) => match codes::<()>(Err(status)) {
            (Code::PermissionDenied, code) if code == "EVIDENCE_ROLE_REQUIRED" => Role,
            (Code::PermissionDenied | Code::FailedPrecondition, code) if code == "DISPUTE_CLOSED" => Closed,
            (Code::NotFound | Code::Aborted, _) => Yes,
            (Code::FailedPrecondition, code) if code == "EVIDENCE_NOT_ERASED" => Yes,
            other => panic!("{other:?}"),
        },
    }
}

/// What the seven operations answer to `who` about a record of the dispute.
async fn all(stage: &Stage, who: &Who, record: &str) -> [Answer; 7] {
    let mut client = stage.client();
    let upload = stage.send(who, futures::stream::iter(messages(EvidenceId::new(), b"x"))).await;
    let read = stage.get(who, record).await;
    let content = stage.read(who, record, None, None).await;
    let hold = stage.hold(who, record, false).await;
    let proof = GetErasureProofRequest { evidence_id: record.to_owned() };
    let proof = client.get_erasure_proof(stage.request(who, scope::EVIDENCE_PROOF, proof)).await;
    let audit = ListAuditEntriesRequest::default();
    let audit = client.list_audit_entries(stage.request(who, scope::EVIDENCE_AUDIT, audit)).await;
    let operation = GetOperationRequest { operation_id: "job_00000000000000000000000001".to_owned() };
    let operate = client.get_operation(stage.request(who, scope::EVIDENCE_OPERATE, operation)).await;
    [
        answer(upload),
        answer(read),
        answer(content),
        answer(hold),
        answer(proof),
        answer(audit),
        answer(operate),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_may_do_exactly_what_the_table_says_and_refusals_are_audited() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    let user = cast.user.clone();
    let record = stage.upload(&user, b"evidence").await.evidence_id;
    let admin =
        Who { subject: format!("api-key:{}", mintmark_ids::ApiKeyId::new()), ..Who::person("admin:read") };
    let (open, closed) = ("open", "closed");
    let state = |who: &Who, state: &'static str| who.clone().about(cast.dispute, state);
    let bare = |who: &Who| Who { dispute: None, ..who.clone() };
    for (who, expected) in [
        (bare(&user), [Role, Role, Role, Role, Role, Role, Role]),
        (state(&user, open), [Yes, Yes, Role, Role, Role, Role, Role]),
        (state(&user, closed), [Closed, Yes, Role, Role, Role, Role, Role]),
        (bare(&cast.arbitrator), [Role, Role, Role, Role, Role, Role, Role]),
        (state(&cast.arbitrator, open), [Yes, Yes, Yes, Role, Role, Role, Role]),
        (state(&cast.arbitrator, closed), [Closed, Yes, Closed, Role, Role, Role, Role]),
        (bare(&cast.governance), [Role, Yes, Yes, Yes, Yes, Yes, Role]),
        (state(&cast.governance, open), [Yes, Yes, Yes, Yes, Yes, Yes, Role]),
        (state(&cast.governance, closed), [Closed, Yes, Yes, Yes, Yes, Yes, Role]),
        (bare(&admin), [Role, Role, Role, Role, Yes, Yes, Role]),
        (Who::operator(), [Role, Role, Role, Role, Role, Role, Yes]),
        (Who::service(), [Role, Role, Role, Role, Role, Yes, Role]),
    ] {
        let refused = async || -> i64 {
            let sql = "SELECT count(*) FROM audit_entry WHERE outcome = 'refused' AND actor = $1";
            stage.sql().await.query_one(sql, &[&who.subject]).await.unwrap().get(0)
        };
        let before = refused().await;
        assert_eq!(all(&stage, &who, &record).await, expected, "{who:?}");
        let refusals = expected.iter().filter(|answer| **answer != Yes).count();
        assert_eq!(refused().await - before, i64::try_from(refusals).unwrap(), "{who:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_takes_its_scope_and_no_other() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    let id = stage.upload(&cast.user, b"x").await.evidence_id;
    let governance = &cast.governance;
    for given in scope::EVIDENCE {
        let mut client = stage.client();
        let get = GetEvidenceRequest { evidence_id: id.clone() };
        let read = ReadContentRequest { evidence_id: id.clone(), offset: None, length: None };
        let hold = SetLegalHoldRequest { evidence_id: id.clone(), legal_hold: false };
        let proof = GetErasureProofRequest { evidence_id: id.clone() };
        let operation = StartOperationRequest { kind: OperationKind::Retention.into() };
        let upload = futures::stream::iter(messages(EvidenceId::new(), b"x"));
        let entry = GetAuditProofRequest { entry_id: "x".to_owned() };
        let answers = [
            (scope::EVIDENCE_UPLOAD, client.upload(stage.request(governance, given, upload)).await.err()),
            (scope::EVIDENCE_READ, client.get_evidence(stage.request(governance, given, get)).await.err()),
            (
                scope::EVIDENCE_READ,
                client
                    .list_evidence(stage.request(governance, given, ListEvidenceRequest::default()))
                    .await
                    .err(),
            ),
            (
                scope::EVIDENCE_CONTENT,
                client.read_content(stage.request(governance, given, read)).await.err(),
            ),
            (scope::EVIDENCE_HOLD, client.set_legal_hold(stage.request(governance, given, hold)).await.err()),
            (
                scope::EVIDENCE_PROOF,
                client.get_erasure_proof(stage.request(governance, given, proof)).await.err(),
            ),
            (
                scope::EVIDENCE_PROOF,
                client
                    .get_verifying_keys(stage.request(governance, given, GetVerifyingKeysRequest {}))
                    .await
                    .err(),
            ),
            (
                scope::EVIDENCE_AUDIT,
                client
                    .list_audit_entries(stage.request(governance, given, ListAuditEntriesRequest::default()))
                    .await
                    .err(),
            ),
            (
                scope::EVIDENCE_AUDIT,
                client.get_audit_proof(stage.request(governance, given, entry)).await.err(),
            ),
            (
                scope::EVIDENCE_AUDIT,
                client.export_audit(stage.request(governance, given, ExportAuditRequest {})).await.err(),
            ),
            (
                scope::EVIDENCE_OPERATE,
                client.start_operation(stage.request(governance, given, operation)).await.err(),
            ),
        ];
        for (at, (wanted, refused)) in answers.into_iter().enumerate() {
            let scope_is_missing = refused.is_some_and(|status| {
                let (code, reason) = codes::<()>(Err(status));
                code == Code::PermissionDenied && reason == "FORBIDDEN"
            });
            assert_eq!(scope_is_missing, wanted != given, "method {at} with {given}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_that_the_caller_names_does_not_open_a_record_of_another() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    let id = stage.upload(&cast.user, b"x").await.evidence_id;
    // An arbitrator of another open dispute, and the same of this one once it is closed.
    let elsewhere = cast.arbitrator.clone().about(DisputeId::new(), "open");
    assert_eq!(codes(stage.read(&elsewhere, &id, None, None).await).0, Code::NotFound);
    let late = cast.arbitrator.clone().about(cast.dispute, "closed");
    let refused = codes(stage.read(&late, &id, None, None).await);
    assert_eq!(refused, (Code::PermissionDenied, "DISPUTE_CLOSED".to_owned()));
    let reasons: Vec<String> = stage
        .audited(&id)
        .await
        .into_iter()
        .filter(|(action, outcome, _)| action == "EVIDENCE_ACCESSED" && outcome == "refused")
        .map(|(_, _, detail)| detail["reason"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(reasons, ["other_dispute", "dispute_closed"]);
}
