//! Storing a record: sealed on the way, in constant memory, evidence only when everything of it is kept.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Days, Utc};
use diesel::dsl::sql;
use diesel::sql_types::Timestamptz;
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use futures::{Stream, StreamExt as _};
use mintmark_audit::AuditEvent;
use mintmark_db::{Meaning as _, transaction};
use mintmark_fault::{Chain, Fault, Kind, Result};
use mintmark_ids::EvidenceId;
use mintmark_objects::{ObjectWriter, Written, fault_of_io};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::json;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::access::{Caller, Operation};
use super::evidence::Evidence;
use super::media;
use super::record::{Record, Subject};
use super::{content_context, digest_context};
use crate::blob::Blobs;
use crate::failpoint;
use crate::provider::{Bound, DEK_LEN, Dek};
use crate::seal::{self, Digests, Sealed, Sealer};
use crate::store::records::{self, Lock, NewRecord, Stored};
use crate::store::{keks, keys};

/// The longest piece.
const PIECE: usize = 1 << 20;
/// Pieces that wait while one is being sealed.
const AHEAD: usize = 2;
/// Nothing came for this long: nobody is there any more.
const SILENCE: Duration = Duration::from_secs(30);
/// A key may be closed between wrapping and committing; more often than this in a row it is not chance.
const ROUNDS: usize = 4;

/// What is uploaded.
#[derive(Clone, Debug)]
pub struct NewEvidence {
    /// `evd_…`, chosen by the control plane.
    pub id: EvidenceId,
    /// What it is.
    pub media_type: String,
    /// Its length, where it is known.
    pub bytes: Option<u64>,
}

/// An upload that was admitted.
struct Upload {
    who: Caller,
    new: NewEvidence,
    subject: Subject,
    place: String,
    retention_days: i32,
}

/// One message of an upload after its header.
#[derive(Debug)]
pub enum Sent {
    /// A piece of the content.
    Data(Bytes),
    /// All of it has been sent, and it was so many bytes: whoever is cut off cannot say so.
    End(u64),
}

/// What goes to the thread that seals.
enum Piece {
    More(Bytes),
    /// The end was meant: a channel that closes without it is an abort.
    Last,
}

impl Evidence {
    /// Stores a record.
    ///
    /// # Errors
    /// 403; 409 `DISPUTE_CLOSED`, `EVIDENCE_EXISTS`; 400 `MEDIA_TYPE_INVALID`, `EVIDENCE_EMPTY`,
    /// `UPLOAD_INCOMPLETE`, `UPLOAD_OUT_OF_ORDER`; 413 `EVIDENCE_TOO_LARGE`; 408 when nothing comes; 503.
    pub async fn upload(
        &self,
        who: &Caller,
        new: NewEvidence,
        pieces: impl Stream<Item = Result<Sent>> + Send,
    ) -> Result<Record> {
        self.allowed(who, Operation::Upload, ("evidence", new.id.to_string())).await?;
        media::checked(&new.media_type)?;
        self.judge_length(new.bytes)?;
        let Some(subject) = who.subject() else {
            return Err(Fault::internal("an upload without a dispute was allowed"));
        };
        self.blobs.usable()?;
        // Held until the upload has ended, however it ends.
        let _place = Arc::clone(&self.uploads).try_acquire_owned().map_err(|_| {
            let sentence = "too many uploads run at once; try again in a moment";
            Fault::unavailable("OVERLOADED", sentence).retry_after(Duration::from_secs(2))
        })?;
        let upload = Upload {
            who: who.clone(),
            place: Blobs::place(&who.tenant, new.id),
            retention_days: self.retention.days(&who.tenant, subject.kind),
            subject,
            new,
        };
        self.begin(&upload).await?;
        failpoint::hit("upload.after_row");
        let outcome = self.seal_into_store(&upload, pieces).await;
        let this = self.clone();
        // From here on it ends by itself, whether the caller waits for it or not.
        let end = tokio::spawn(async move {
            let result = match outcome {
                Ok((dek, sealed, written)) => this.complete(&upload, &dek, &sealed, &written).await,
                Err(fault) => Err(fault),
            };
            if result.is_err() {
                this.undo(&upload).await;
            }
            result
        });
        end.await.map_err(Fault::internal)?
    }

    /// Writes down where the bytes will go before one is written, and erases what an upload of this id left behind.
    async fn begin(&self, upload: &Upload) -> Result<()> {
        let row = NewRecord {
            id: upload.new.id,
            tenant: &upload.who.tenant,
            subject: &upload.subject,
            media_type: &upload.new.media_type,
            blob: &upload.place,
            uploaded_by: &upload.who.actor.to_string(),
            retention_days: upload.retention_days,
        };
        let (row, gate) = (&row, &self.gate);
        let mut conn = self.conn().await?;
        let left = transaction("evidence.upload_begin", &mut conn, async |conn: &mut AsyncPgConnection| {
            gate.check(conn).await?;
            records::begin(conn, row).await
        })
        .await?;
        match left {
            Some(place) => self.blobs.erase(&place).await,
            None => Ok(()),
        }
    }

    /// Passes the pieces to a thread that seals, digests and writes them; nothing is visible before all are there.
    async fn seal_into_store(
        &self,
        upload: &Upload,
        pieces: impl Stream<Item = Result<Sent>> + Send,
    ) -> Result<(Dek, Sealed, Written)> {
        let dek = fresh_dek()?;
        let context = content_context(&upload.who.tenant, upload.new.id);
        let writer = self.blobs.writer(&upload.place)?;
        let (sender, receiver) = mpsc::channel(AHEAD);
        let sealing = tokio::task::spawn_blocking(move || {
            let sealed = seal_all(&dek, &context, receiver, writer);
            sealed.map(|(sealed, written)| (dek, sealed, written))
        });
        let sent = self.send(upload, pieces, &sender).await;
        drop(sender);
        // The thread's own failure is the reason why nothing could be sent.
        match (sealing.await.map_err(Fault::internal)?, sent) {
            (_, Err(Some(fault))) | (Err(fault), _) => Err(fault),
            (Ok(_), Err(None)) => Err(Fault::internal("a piece could not be passed on, and nothing failed")),
            (Ok(sealed), Ok(())) => Ok(sealed),
        }
    }

    /// `Err(None)`: the sealing thread is gone, and knows why.
    async fn send(
        &self,
        upload: &Upload,
        pieces: impl Stream<Item = Result<Sent>> + Send,
        to: &mpsc::Sender<Piece>,
    ) -> std::result::Result<(), Option<Fault>> {
        let (mut pieces, mut total) = (std::pin::pin!(pieces), 0u64);
        loop {
            let piece = match next(&mut pieces).await? {
                Some(Sent::Data(piece)) => piece,
                Some(Sent::End(bytes)) if bytes == total => break,
                Some(Sent::End(bytes)) => return Err(Some(incomplete(bytes, total))),
                None => return Err(Some(incomplete(upload.new.bytes.unwrap_or(total + 1), total))),
            };
            if piece.len() > PIECE {
                return Err(Some(out_of_order("a piece of an upload is at most 1 MiB")));
            }
            total += piece.len() as u64;
            self.judge_length(Some(total.max(1)))?;
            if let Some(bytes) = upload.new.bytes.filter(|bytes| total > *bytes) {
                return Err(Some(incomplete(bytes, total)));
            }
            if !piece.is_empty() && to.send(Piece::More(piece)).await.is_err() {
                return Err(None);
            }
            failpoint::hit("upload.in_stream");
        }
        if let Some(bytes) = upload.new.bytes.filter(|bytes| total != *bytes) {
            return Err(Some(incomplete(bytes, total)));
        }
        self.judge_length(Some(total))?;
        if next(&mut pieces).await?.is_some() {
            return Err(Some(out_of_order("nothing follows the end of an upload")));
        }
        to.send(Piece::Last).await.map_err(|_| None)
    }

    fn judge_length(&self, bytes: Option<u64>) -> Result<()> {
        match bytes {
            Some(0) => Err(Fault::invalid(
                "EVIDENCE_EMPTY",
                "data",
                "a record has at least one byte: nothing was uploaded",
            )),
            Some(bytes) if bytes > self.max_bytes => {
                let sentence = format!("a record has at most {} bytes", self.max_bytes);
                Err(Fault::new(Kind::TooLarge, "EVIDENCE_TOO_LARGE", sentence).with("limit", self.max_bytes))
            }
            _ => Ok(()),
        }
    }

    /// Wraps the key and makes the row evidence.
    async fn complete(
        &self,
        upload: &Upload,
        dek: &Dek,
        sealed: &Sealed,
        written: &Written,
    ) -> Result<Record> {
        failpoint::hit("upload.after_blob");
        let (tenant, id) = (&upload.who.tenant, upload.new.id);
        let digest = sealed.plaintext_sha256.ok_or_else(|| Fault::internal("no digest was computed"))?;
        let sealed_digest = seal::seal(dek, &digest_context(tenant, id), &digest).map_err(Fault::internal)?;
        let bytes = i64::try_from(sealed.plaintext_len).map_err(Fault::internal)?;
        if written.bytes != sealed.ciphertext_len {
            return Err(Fault::internal("the store took another number of bytes than were sealed"));
        }
        for _ in 0..ROUNDS {
            let at = self.now().await?;
            let kept = Days::new(u64::from(upload.retention_days.unsigned_abs()));
            let expires_at = at
                .checked_add_days(kept)
                .ok_or_else(|| Fault::internal("an expiry lies beyond the calendar"))?;
            let wrapped = self.keks.wrap_for_period(Bound { tenant, record: id }, expires_at, dek).await?;
            failpoint::hit("upload.after_wrap");
            let stored = Stored {
                bytes,
                ciphertext_sha256: &written.sha256,
                sealed_digest: &sealed_digest,
                at,
                expires_at,
            };
            let (stored, wrapped, gate) = (&stored, &wrapped, &self.gate);
            let mut conn = self.conn().await?;
            let committed =
                transaction("evidence.upload_end", &mut conn, async |conn: &mut AsyncPgConnection| {
                    gate.check(conn).await?;
                    if !keks::share_active(conn, tenant, wrapped.kek).await? {
                        return Ok(None);
                    }
                    keys::put(conn, id, wrapped).await?;
                    if !records::finish(conn, tenant, id, &upload.place, stored).await? {
                        let sentence = "another upload of this id took its place: ask for the record";
                        return Err(Fault::conflict("EVIDENCE_EXISTS", sentence));
                    }
                    let event = uploaded(upload, stored);
                    mintmark_audit::record(conn, &event).await?;
                    records::find(conn, tenant, id, Lock::No).await.map(Some)
                })
                .await?;
            if let Some(record) = committed {
                failpoint::hit("upload.after_commit");
                return Ok(record);
            }
        }
        let sentence =
            "the keys of this period were closed one after the other; the same upload may work now";
        Err(Fault::unavailable("KEYS_UNAVAILABLE", sentence))
    }

    /// The database's clock: the one that expiry is judged by.
    async fn now(&self) -> Result<DateTime<Utc>> {
        let mut conn = self.conn().await?;
        diesel::select(sql::<Timestamptz>("clock_timestamp()")).get_result(&mut conn).await.or_fault()
    }

    /// Best effort: what stays is found through the row, which still says where the bytes went.
    async fn undo(&self, upload: &Upload) {
        let undone = async {
            self.blobs.erase(&upload.place).await?;
            records::forget_blob(&mut *self.conn().await?, upload.new.id, &upload.place).await
        };
        if let Err(fault) = undone.await {
            tracing::warn!(error = %Chain(&fault), "what an upload left behind could not be removed; a later run will");
        }
    }
}

fn uploaded<'a>(upload: &'a Upload, stored: &Stored<'_>) -> AuditEvent<'a> {
    let mut detail = upload.who.detail();
    detail["bytes"] = json!(stored.bytes);
    detail["mediaType"] = json!(upload.new.media_type);
    detail["ciphertextSha256"] = json!(hex(stored.ciphertext_sha256));
    detail["expiresAt"] = json!(stored.expires_at.to_rfc3339());
    let resource = ("evidence", upload.new.id);
    AuditEvent::allowed(
        Some(&upload.who.tenant),
        &upload.who.actor,
        Operation::Upload.action(),
        resource,
        detail,
    )
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _infallible = write!(out, "{byte:02x}");
        out
    })
}

/// The next message, if one comes in time.
async fn next(pieces: &mut (impl Stream<Item = Result<Sent>> + Unpin)) -> Result<Option<Sent>> {
    match tokio::time::timeout(SILENCE, pieces.next()).await {
        Ok(next) => next.transpose(),
        Err(_elapsed) => {
            let sentence = "nothing of the upload came for 30 seconds";
            Err(Fault::new(Kind::Timeout, "DEADLINE_EXCEEDED", sentence))
        }
    }
}

fn incomplete(announced: u64, received: u64) -> Fault {
    let sentence =
        "the upload ended before its end, or has another length than was announced: nothing of it is kept";
    Fault::invalid("UPLOAD_INCOMPLETE", "bytes", sentence)
        .with("announced", announced)
        .with("received", received)
}

/// A message that comes where another belongs.
pub fn out_of_order(sentence: &'static str) -> Fault {
    Fault::invalid("UPLOAD_OUT_OF_ORDER", "piece", sentence)
}

fn fresh_dek() -> Result<Dek> {
    let mut bytes = Zeroizing::new([0; DEK_LEN]);
    SystemRandom::new()
        .fill(bytes.as_mut_slice())
        .map_err(|_| Fault::internal("the operating system gave no random bytes"))?;
    Ok(Dek::new(bytes))
}

/// Seals until the last piece; on a channel that closes without it removes what was written. Blocks.
fn seal_all(
    dek: &Dek,
    context: &[u8],
    mut pieces: mpsc::Receiver<Piece>,
    mut writer: ObjectWriter,
) -> Result<(Sealed, Written)> {
    let digests = Digests { plaintext: true, ciphertext: false };
    let mut out = Vec::new();
    let mut sealer = Sealer::new(dek, context, digests, &mut out).map_err(Fault::internal)?;
    loop {
        match pieces.blocking_recv() {
            Some(Piece::More(piece)) => {
                sealer.push(&piece, &mut out).map_err(Fault::internal)?;
                writer.write_all(&out).map_err(fault_of_io)?;
                out.clear();
            }
            Some(Piece::Last) => break,
            None => {
                writer.abort();
                return Err(incomplete(0, 0));
            }
        }
    }
    let sealed = sealer.finish(&mut out).map_err(Fault::internal)?;
    writer.write_all(&out).map_err(fault_of_io)?;
    Ok((sealed, writer.finish()?))
}
