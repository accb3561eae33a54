//! What the tests of the lifecycle share: an operator's commands, and rows behind the service's back.

use std::time::{Duration, Instant};

use mintmark_auth::scope;
use mintmark_ids::EvidenceId;
use mintmark_wire::evidence::v1::*;
use tokio_postgres::types::ToSql;

use crate::stage::{Stage, Who};

impl Stage {
    /// Starts an operator's command.
    pub async fn begin(&self, kind: OperationKind) -> String {
        let message = StartOperationRequest { kind: kind.into() };
        let request = self.request(&Who::operator(), scope::EVIDENCE_OPERATE, message);
        let answer = self.client().start_operation(request).await.unwrap().into_inner();
        answer.operation.unwrap().operation_id
    }

    /// Runs an operator's command to its end.
    pub async fn operate(&self, kind: OperationKind) -> Operation {
        let operation_id = self.begin(kind).await;
        let begun = Instant::now();
        loop {
            let message = GetOperationRequest { operation_id: operation_id.clone() };
            let request = self.request(&Who::operator(), scope::EVIDENCE_OPERATE, message);
            let answer = self.client().get_operation(request).await.unwrap().into_inner().operation.unwrap();
            if !matches!(answer.state.as_str(), "queued" | "running") {
                assert_eq!(answer.state, "succeeded", "{}", answer.last_error);
                return answer;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{answer:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The proofs that are served of a record.
    pub async fn proof(&self, who: &Who, id: &str) -> Result<GetErasureProofResponse, tonic::Status> {
        let message = GetErasureProofRequest { evidence_id: id.to_owned() };
        let request = self.request(who, scope::EVIDENCE_PROOF, message);
        Ok(self.client().get_erasure_proof(request).await?.into_inner())
    }

    /// A record becomes due.
    pub async fn expire(&self, id: &str) {
        self.change("UPDATE evidence SET expires_at = now() - interval '1 second' WHERE id = $1", id).await;
    }

    /// Runs a statement about a record.
    pub async fn change(&self, sql: &str, id: &str) {
        self.sql().await.execute(sql, &[&uuid(id)]).await.unwrap();
    }

    /// A number out of the database.
    pub async fn count(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> i64 {
        self.sql().await.query_one(sql, values).await.unwrap().get(0)
    }

    /// The same of one record.
    pub async fn count_of(&self, sql: &str, id: &str) -> i64 {
        self.count(sql, &[&uuid(id)]).await
    }

    /// Waits until a count of one record is this.
    pub async fn until(&self, sql: &str, id: &str, wanted: i64) {
        let begun = Instant::now();
        while self.count_of(sql, id).await != wanted {
            assert!(begun.elapsed() < Duration::from_secs(60), "{sql} is not {wanted}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How often something is in the audit of a record or a key.
    pub async fn audits(&self, id: &str, action: &str) -> usize {
        self.audited(id).await.into_iter().filter(|entry| entry.0 == action).count()
    }
}

pub fn uuid(id: &str) -> uuid::Uuid {
    id.parse::<EvidenceId>().unwrap().as_uuid()
}
