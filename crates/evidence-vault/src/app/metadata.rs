//! What is known of records without decrypting them.

use mintmark_fault::Result;
use mintmark_ids::EvidenceId;
use uuid::Uuid;

use super::access::{Caller, Operation, Reach, Refusal};
use super::evidence::Evidence;
use super::record::Record;
use crate::store::records::{self, Lock};

impl Evidence {
    /// A record's metadata.
    ///
    /// # Errors
    /// 403; 404.
    pub async fn find(&self, who: &Caller, id: EvidenceId) -> Result<Record> {
        let reach = self.allowed(who, Operation::Read, ("evidence", id.to_string())).await?;
        let record = records::find(&mut *self.conn().await?, &who.tenant, id, Lock::No).await?;
        self.covered(who, Operation::Read, reach, &record).await?;
        Ok(record)
    }

    /// Up to `limit` records of the call's dispute, newest first, older than `after`. USER sees what he uploaded.
    ///
    /// # Errors
    /// 403.
    pub async fn list(&self, who: &Caller, after: Option<Uuid>, limit: i64) -> Result<Vec<Record>> {
        let resource = ("dispute", who.dispute.map(|it| it.id.to_string()).unwrap_or_default());
        let reach = self.allowed(who, Operation::Read, resource).await?;
        let Some(subject) = who.subject() else {
            return Err(who.refused(Operation::Read, Refusal::NoDispute));
        };
        let actor = who.actor.to_string();
        let own = (reach == Reach::Own).then_some(actor.as_str());
        records::list(&mut *self.conn().await?, &who.tenant, &subject, own, after, limit).await
    }
}
