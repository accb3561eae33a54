//! Writing a tenant's audit log to a file that proves itself, page by page, and deleting it again.

use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use futures::{Stream, StreamExt as _};
use mintmark_audit::bundle::{FORMAT, Header, Line, Manifest, Writer};
use mintmark_auth::Actor;
use mintmark_fault::Fault;
use mintmark_ids::{ServiceName, TenantId};
use mintmark_jobs::{JobContext, JobFailure, enqueue_at};
use mintmark_objects::{ObjectWriter, Written, fault_of_io};
use tokio::task::spawn_blocking;

use super::{ExpireAudit, ExportAudit, ExportAuditPayload, JobDeps, explain, stopped};
use crate::app::audit_exports::object_path;
use crate::store::audit_exports;

/// Lines of the vault that are waited for at once.
const LONGEST_LINE: usize = 1 << 20;

/// Runs one claim: the file is small against a pack, so a claim that takes over writes it anew.
pub(super) async fn run(
    ctx: Arc<JobContext<ExportAudit>>,
    payload: ExportAuditPayload,
    deps: Arc<JobDeps>,
) -> Result<(), JobFailure> {
    let (permit, id) = (ctx.permit(), payload.export_id);
    let mut conn = deps.pool.get().await?;
    let export = audit_exports::to_make(&mut conn, permit, id).await?;
    let evidence = match deps.evidence.export_audit(permit.tenant()).await {
        Ok(lines) => Some(lines),
        // The file says what is missing; everything else of it is as good without.
        Err(fault) if fault.code() == "EVIDENCE_UNAVAILABLE" => None,
        Err(fault) => return Err(fault.into()),
    };
    let missing: Vec<ServiceName> =
        evidence.is_none().then_some(ServiceName::EvidenceVault).into_iter().collect();
    let header = Header {
        format: FORMAT.to_owned(),
        exporter: ServiceName::ControlPlane.to_string(),
        tenant: Some(permit.tenant().to_string()),
        from: export.from,
        to: Some(export.to),
        created_at: Utc::now(),
        missing: missing.iter().map(ToString::to_string).collect(),
    };
    let writer = deps.store.writer(&object_path(permit.tenant(), id))?;
    let mut file = File::begin(header, writer).await?;
    let mut log = audit_exports::log(&mut conn, permit, &export).await?;
    while let Some(lines) = log.next(&mut conn).await? {
        file = file.write(lines).await?;
        if ctx.lost().is_cancelled() || ctx.cancel_requested() {
            return Err(stopped());
        }
    }
    drop(conn);
    if let Some(lines) = evidence {
        file = file.copy(lines, || ctx.lost().is_cancelled() || ctx.cancel_requested()).await?;
    }
    let identity = deps.identity.current();
    let (count, written) = file.finish(|manifest| identity.signer().sign_audit_export(manifest)).await?;
    let expires_at = Utc::now() + TimeDelta::from_std(deps.retention).unwrap_or(TimeDelta::MAX);
    ctx.complete("audit_export.ready", async |conn: &mut AsyncPgConnection| {
        audit_exports::ready(conn, permit, id, count, &written, expires_at).await?;
        enqueue_at::<ExpireAudit>(conn, permit.tenant(), permit.actor(), &payload, expires_at).await?;
        Ok(())
    })
    .await?;
    Ok(())
}

/// The file that is being written.
struct File {
    bundle: Writer,
    object: ObjectWriter,
}

impl File {
    async fn begin(header: Header, object: ObjectWriter) -> Result<Self, Fault> {
        let (bundle, line) = Writer::begin(header);
        let object = append(object, line).await?;
        Ok(File { bundle, object })
    }

    async fn write(mut self, lines: Vec<Line>) -> Result<Self, JobFailure> {
        let mut text = String::new();
        for line in lines {
            match line {
                Line::Log(log) => text.push_str(&self.bundle.log(log).map_err(Fault::internal)?),
                Line::Entry(entry) => text.push_str(&self.bundle.entry(entry)),
                Line::Header(_) | Line::Trailer(_) => {
                    return Err(Fault::internal("a part of a bundle has a header or a trailer").into());
                }
            }
        }
        let File { bundle, object } = self;
        Ok(File { bundle, object: append(object, text).await? })
    }

    /// Takes over the lines of another service, which arrive in pieces of any length.
    async fn copy(
        mut self,
        pieces: impl Stream<Item = Result<Bytes, Fault>>,
        ended: impl Fn() -> bool,
    ) -> Result<Self, JobFailure> {
        let mut pieces = std::pin::pin!(pieces);
        let mut rest = Vec::new();
        while let Some(piece) = pieces.next().await {
            rest.extend_from_slice(&piece?);
            let mut lines = Vec::new();
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                let line = std::str::from_utf8(&line[..end]).map_err(Fault::internal)?;
                lines.push(Line::parse(line).map_err(Fault::internal)?);
            }
            if rest.len() > LONGEST_LINE {
                return Err(Fault::internal("a line of the vault's log has no end").into());
            }
            self = self.write(lines).await?;
            if ended() {
                return Err(stopped());
            }
        }
        if rest.is_empty() {
            return Ok(self);
        }
        Err(Fault::internal("the vault's log ends within a line").into())
    }

    async fn finish(self, sign: impl FnOnce(&serde_json::Value) -> String) -> Result<(u64, Written), Fault> {
        let count = self.bundle.entries();
        let signed = |manifest: &Manifest| sign(&serde_json::to_value(manifest).unwrap_or_default());
        let object = append(self.object, self.bundle.finish(signed)).await?;
        let written = spawn_blocking(move || object.finish()).await.map_err(Fault::internal)??;
        Ok((count, written))
    }
}

/// Off the runtime's threads: a full pipe to the store blocks.
async fn append(mut object: ObjectWriter, text: String) -> Result<ObjectWriter, Fault> {
    let write = move || object.write_all(text.as_bytes()).map(|()| object).map_err(fault_of_io);
    spawn_blocking(write).await.map_err(Fault::internal)?
}

/// Writes down why an export was not made.
pub(super) async fn dead(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    _actor: Actor,
    payload: ExportAuditPayload,
    reason: Fault,
) -> mintmark_fault::Result<()> {
    audit_exports::fail(conn, &tenant, payload.export_id, explain(&reason)).await
}

/// Deletes the file; deleting what is gone already is success.
pub(super) async fn expire(
    ctx: Arc<JobContext<ExpireAudit>>,
    payload: ExportAuditPayload,
    deps: Arc<JobDeps>,
) -> Result<(), JobFailure> {
    let (permit, id) = (ctx.permit(), payload.export_id);
    deps.store.delete(&object_path(permit.tenant(), id)).await?;
    ctx.complete("audit_export.expired", async |conn: &mut AsyncPgConnection| {
        audit_exports::expire(conn, permit, id).await
    })
    .await?;
    Ok(())
}
