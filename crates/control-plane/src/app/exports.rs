//! Exports: asked for, made in the background, fetched through URLs that live five minutes.

use std::collections::HashMap;
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use mintmark_audit::{self as audit, AuditEvent};
use mintmark_auth::policy::Permit;
use mintmark_auth::{Principal, action};
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Fault, Kind, Result};
use mintmark_ids::{BatchId, ExportId, JobId, TenantId};
use mintmark_jobs::JobStatus;
use mintmark_objects::{SignedUrl, Store};
use serde_json::{Value, json};

use super::access;
use super::batches::Progress;
use super::idempotency::{self, Answer, Request};
use super::pack::{Formats, INDEX_NAME, PartRange};
use crate::job_kinds::{ExpireExport, ExpireExportPayload, ExportPack, ExportPackPayload};
use crate::store::exports::{self, Export, ExportState, NewExport, StoredIndex, StoredPart};
use crate::store::page::{Slice, Window};

/// How long a download URL lives (spec/minting-security.md: five minutes).
pub const URL_TTL: Duration = Duration::from_secs(300);

/// What people do with exports.
#[derive(Clone)]
pub struct Exports {
    pool: Pool,
    store: Store,
    part_units: u32,
}

/// An export and how far it is.
#[derive(Clone, Debug)]
pub struct Tracked {
    /// The export.
    pub export: Export,
    /// How far it is.
    pub progress: Progress,
}

/// A ready export with a URL for each of its objects.
pub struct Download {
    /// The ZIP parts, in order.
    pub parts: Vec<(StoredPart, SignedUrl)>,
    /// The index over them.
    pub index: (StoredIndex, SignedUrl),
}

impl Exports {
    /// Packs lie in `store`; new ones are cut into parts of `part_units`.
    pub fn new(pool: Pool, store: Store, part_units: u32) -> Self {
        Exports { pool, store, part_units }
    }

    /// Where packs lie.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Asks for an export of a sealed batch: export, event, job and the claim of the key (if there is one) in one transaction.
    /// `formats` absent means [`Formats::USUAL`]. `render` makes the answer's body; `request` is asked after the caller's right.
    pub async fn create(
        &self,
        who: &Principal,
        batch: BatchId,
        formats: Option<&[String]>,
        request: impl FnOnce() -> Result<Option<Request>>,
        render: impl Fn(&Tracked) -> Value + Send + Sync,
    ) -> Result<Answer> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_batch::<action::GenerateExport>(&mut conn, who, batch).await?;
        let request = request()?;
        let formats = wanted(formats)?;
        transaction("export.create", &mut conn, async |conn: &mut AsyncPgConnection| {
            idempotency::once(conn, &permit, request.as_ref(), async |conn: &mut AsyncPgConnection| {
                let export = self.place(conn, &permit, batch, formats).await?;
                let progress = Progress { done: 0, total: export.units };
                Ok(Answer::fresh(202, render(&Tracked { export, progress })))
            })
            .await
        })
        .await
    }

    async fn place(
        &self,
        conn: &mut AsyncPgConnection,
        permit: &Permit<action::GenerateExport>,
        batch_id: BatchId,
        formats: Formats,
    ) -> Result<Export> {
        let id = ExportId::new();
        let payload = ExportPackPayload { export_id: id };
        let job_id =
            mintmark_jobs::enqueue::<ExportPack>(conn, permit.tenant(), permit.actor(), &payload).await?;
        let new = NewExport { id, batch_id, formats, part_units: self.part_units, job_id };
        let export = exports::insert(conn, permit, &new).await?;
        let detail = json!({ "batchId": batch_id, "formats": formats.names() });
        let (of, by) = (Some(permit.tenant()), permit.actor());
        audit::record(conn, &AuditEvent::allowed(of, by, "EXPORT_REQUESTED", ("export", id), detail)).await?;
        Ok(export)
    }

    /// One export.
    pub async fn find(&self, who: &Principal, id: ExportId) -> Result<Tracked> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_export::<action::ViewBatch>(&mut conn, who, id).await?;
        let export = exports::find(&mut conn, &permit, id).await?;
        let jobs = mintmark_jobs::statuses(&mut conn, &[export.job_id]).await?;
        Ok(tracked(export, &jobs))
    }

    /// The exports of a batch, newest first.
    pub async fn list(&self, who: &Principal, batch: BatchId, window: Window) -> Result<Slice<Tracked>> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_batch(&mut conn, who, batch).await?;
        let slice = exports::list(&mut conn, &permit, batch, window).await?;
        let ids: Vec<JobId> = slice.items.iter().map(|export| export.job_id).collect();
        let jobs = mintmark_jobs::statuses(&mut conn, &ids).await?;
        Ok(slice.map(|export| tracked(export, &jobs)))
    }

    /// Calls off an export that is not ready yet: it is cancelled at once, its worker stops within about a second, and what
    /// was made of it is deleted. Cancelling it again changes nothing.
    ///
    /// # Errors
    /// 409 `EXPORT_CLOSED` when it is ready, failed or expired.
    pub async fn cancel(&self, who: &Principal, id: ExportId) -> Result<Tracked> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_export::<action::GenerateExport>(&mut conn, who, id).await?;
        let job_id = exports::find(&mut conn, &permit, id).await?.job_id;
        let export = transaction("export.cancel", &mut conn, async |conn: &mut AsyncPgConnection| {
            // The job's row before the export's: its worker locks them in this order.
            mintmark_jobs::request_cancel(conn, job_id).await?;
            if exports::cancel(conn, &permit, id).await? {
                let payload = ExpireExportPayload { export_id: id };
                mintmark_jobs::enqueue::<ExpireExport>(conn, permit.tenant(), permit.actor(), &payload)
                    .await?;
                let (of, by) = (Some(permit.tenant()), permit.actor());
                let act = AuditEvent::allowed(of, by, "EXPORT_CANCELLED", ("export", id), json!({}));
                audit::record(conn, &act).await?;
            }
            exports::find(conn, &permit, id).await
        })
        .await?;
        let jobs = mintmark_jobs::statuses(&mut conn, &[job_id]).await?;
        Ok(tracked(export, &jobs))
    }

    /// URLs for the parts and the index of a ready export; the download stands in the batch's history afterwards.
    pub async fn download(&self, who: &Principal, id: ExportId) -> Result<Download> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_export::<action::DownloadExport>(&mut conn, who, id).await?;
        let export = exports::find(&mut conn, &permit, id).await?;
        fetchable(export.state)?;
        let (parts, index) =
            transaction("export.download", &mut conn, async |conn: &mut AsyncPgConnection| {
                let found = exports::download(conn, &permit, &export).await?;
                let detail = json!({ "batchId": export.batch_id, "parts": found.0.len() });
                let (of, by) = (Some(permit.tenant()), permit.actor());
                let act = AuditEvent::allowed(of, by, "EXPORT_DOWNLOADED", ("export", id), detail);
                audit::record(conn, &act).await?;
                Ok(found)
            })
            .await?;
        drop(conn);
        let index_url = self.sign(&export, &index.object_path, INDEX_NAME, &index.sha256).await?;
        let mut signed = Vec::with_capacity(parts.len());
        for stored in parts {
            let (name, sha256) = (stored.part.range.file_name(), &stored.part.sha256);
            let url = self.sign(&export, &stored.object_path, &name, sha256).await?;
            signed.push((stored, url));
        }
        Ok(Download { parts: signed, index: (index, index_url) })
    }

    /// On the person's disk an object is called after its batch, which keeps packs of two batches apart.
    async fn sign(
        &self,
        export: &Export,
        object_path: &str,
        name: &str,
        sha256: &[u8; 32],
    ) -> Result<SignedUrl> {
        self.store.signed_get(object_path, URL_TTL, &format!("{}-{name}", export.batch_id), sha256).await
    }
}

/// A ready export is done; of any other the job knows how far it came.
fn tracked(export: Export, jobs: &HashMap<JobId, JobStatus>) -> Tracked {
    let total = export.units;
    let done = match export.state {
        ExportState::Ready | ExportState::Expired => total,
        ExportState::Queued | ExportState::Running | ExportState::Failed | ExportState::Cancelled => {
            jobs.get(&export.job_id).map_or(0, |job| job.done.min(total))
        }
    };
    Tracked { export, progress: Progress { done, total } }
}

fn wanted(formats: Option<&[String]>) -> Result<Formats> {
    let Some(names) = formats else { return Ok(Formats::USUAL) };
    let refused = |kind, code: &'static str, message: &'static str| {
        Fault::new(kind, code, message).field("formats").with("supportedFormats", Formats::NAMES.to_vec())
    };
    if names.is_empty() {
        return Err(refused(
            Kind::InvalidInput,
            "FORMATS_EMPTY",
            "formats names at least one of csv, svg, png and pdf; leave it out for csv and svg",
        ));
    }
    Formats::of(names.iter().map(String::as_str)).ok_or_else(|| {
        refused(
            Kind::Unprocessable,
            "FORMAT_NOT_SUPPORTED",
            "formats is a list of csv, svg, png and pdf; leave it out for csv and svg",
        )
    })
}

/// Only what is ready can be fetched; the answer says whether waiting, a new export or an operator helps.
fn fetchable(state: ExportState) -> Result<()> {
    match state {
        ExportState::Ready => Ok(()),
        ExportState::Queued | ExportState::Running => Err(Fault::conflict(
            "EXPORT_NOT_READY",
            "the export is still being made: ask again when its state is ready",
        )),
        ExportState::Failed => Err(Fault::conflict(
            "EXPORT_NOT_READY",
            "the export failed and will not become ready: ask for a new one",
        )),
        ExportState::Cancelled => Err(Fault::conflict(
            "EXPORT_CANCELLED",
            "the export was cancelled and will not become ready: ask for a new one",
        )),
        ExportState::Expired => Err(Fault::new(
            Kind::Gone,
            "EXPORT_EXPIRED",
            "the export was deleted at the end of its retention: ask for a new one, which gives the same files",
        )),
    }
}

/// The object of a part: `exports/{tenant}/{export}/part-0001.zip`.
pub fn part_path(tenant: &TenantId, id: ExportId, range: &PartRange) -> String {
    format!("exports/{tenant}/{id}/{}", range.file_name())
}

/// The object of the index: `exports/{tenant}/{export}/index.json`.
pub fn index_path(tenant: &TenantId, id: ExportId) -> String {
    format!("exports/{tenant}/{id}/{INDEX_NAME}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_without_a_wish_is_the_table_and_svg() {
        assert_eq!(wanted(None).unwrap().names(), ["csv", "svg"]);
        assert_eq!(wanted(Some(&["pdf".to_owned(), "png".to_owned()])).unwrap().names(), ["png", "pdf"]);
    }

    #[test]
    fn wanted_with_no_or_unknown_formats_names_the_field_and_the_supported_ones() {
        for (names, kind, code) in [
            (vec![], Kind::InvalidInput, "FORMATS_EMPTY"),
            (vec!["zip".to_owned()], Kind::Unprocessable, "FORMAT_NOT_SUPPORTED"),
            (vec!["csv".to_owned(), "CSV".to_owned()], Kind::Unprocessable, "FORMAT_NOT_SUPPORTED"),
        ] {
            let fault = wanted(Some(&names)).unwrap_err();
            assert_eq!(
                (fault.kind(), fault.code(), fault.field_name()),
                (kind, code, Some("formats")),
                "{names:?}"
            );
            assert_eq!(fault.members()["supportedFormats"], json!(["csv", "svg", "png", "pdf"]));
        }
    }

    #[test]
    fn fetchable_tells_not_yet_from_no_longer() {
        assert!(fetchable(ExportState::Ready).is_ok());
        for (state, kind, code) in [
            (ExportState::Queued, Kind::Conflict, "EXPORT_NOT_READY"),
            (ExportState::Running, Kind::Conflict, "EXPORT_NOT_READY"),
            (ExportState::Failed, Kind::Conflict, "EXPORT_NOT_READY"),
            (ExportState::Cancelled, Kind::Conflict, "EXPORT_CANCELLED"),
            (ExportState::Expired, Kind::Gone, "EXPORT_EXPIRED"),
        ] {
            let fault = fetchable(state).unwrap_err();
            assert_eq!((fault.kind(), fault.code()), (kind, code));
        }
    }
}
