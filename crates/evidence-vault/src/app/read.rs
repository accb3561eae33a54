//! Decrypting a record: the audit first, then only what is authenticated.

use std::collections::VecDeque;

use bytes::Bytes;
use diesel_async::AsyncPgConnection;
use futures::stream::{self, BoxStream, StreamExt as _};
use mintmark_audit::AuditEvent;
use mintmark_db::transaction;
use mintmark_fault::{Fault, Kind, Result};
use mintmark_ids::EvidenceId;
use ring::digest;
use serde_json::json;

use super::access::{Caller, Operation, Reach};
use super::evidence::{Evidence, shredded};
use super::record::{Record, State};
use super::{content_context, digest_context};
use crate::provider::{Dek, WrappedDek};
use crate::seal::{self, HEADER_LEN, Opener, Window, lengths};
use crate::store::keys;
use crate::store::records::{self, Lock};

/// Which part is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part {
    /// First byte; none: 0.
    pub offset: Option<u64>,
    /// Bytes from there; none: to the end.
    pub length: Option<u64>,
}

/// A record's content, on its way.
pub struct Content {
    /// Its metadata.
    pub record: Record,
    /// First byte that follows.
    pub offset: u64,
    /// How many follow.
    pub length: u64,
    /// Authenticated plaintext: all of it, or an error.
    pub pieces: BoxStream<'static, Result<Bytes>>,
}

/// What decrypting needs, out of the transaction that wrote the audit entry.
struct Admitted {
    record: Record,
    key: WrappedDek,
    place: String,
    window: Window,
}

impl Evidence {
    /// Decrypts a record, or a part of it. The audit entry is committed before its key is opened.
    ///
    /// # Errors
    /// 403; 404; 410 `EVIDENCE_SHREDDED`; 416 `RANGE_NOT_SATISFIABLE` with `bytes`; 500 `EVIDENCE_DAMAGED`; 503.
    pub async fn read(&self, who: &Caller, id: EvidenceId, part: Part) -> Result<Content> {
        let reach = self.allowed(who, Operation::Content, ("evidence", id.to_string())).await?;
        let admitted = self.admit(who, id, reach, part).await?;
        let dek = self.unwrap(who, &admitted.record, &admitted.key).await?;
        self.opened(who.clone(), dek, admitted).await
    }

    /// Judges, and writes down who reads what.
    async fn admit(&self, who: &Caller, id: EvidenceId, reach: Reach, part: Part) -> Result<Admitted> {
        let record = {
            let mut conn = self.conn().await?;
            records::find(&mut conn, &who.tenant, id, Lock::No).await?
        };
        self.covered(who, Operation::Content, reach, &record).await?;
        let offset = part.offset.unwrap_or(0);
        let window = Window::new(record.bytes, offset, part.length)
            .map_err(Fault::internal)?
            .ok_or_else(|| unsatisfiable(record.bytes))?;
        let range = (window.plaintext.start, window.plaintext.end - window.plaintext.start);
        let mut conn = self.conn().await?;
        let gate = &self.gate;
        let found = transaction("evidence.read", &mut conn, async |conn: &mut AsyncPgConnection| {
            gate.check(conn).await?;
            // Held to the end of the transaction: an erasure begins before this entry or after it.
            let record = records::find(conn, &who.tenant, id, Lock::Share).await?;
            if record.state != State::Stored {
                return Err(shredded());
            }
            let key = keys::find(conn, id).await?;
            let mut detail = who.detail();
            detail["offset"] = json!(range.0);
            detail["length"] = json!(range.1);
            let (action, resource) = (Operation::Content.action(), ("evidence", id));
            let event = AuditEvent::allowed(Some(&who.tenant), &who.actor, action, resource, detail);
            mintmark_audit::record(conn, &event).await?;
            Ok((record, key))
        })
        .await?;
        drop(conn);
        match found {
            (record, Some(key)) => match record.blob.clone() {
                Some(place) => Ok(Admitted { record, key, place, window }),
                None => Err(self.damaged(who, id, "row", "a stored record names no object").await),
            },
            (_, None) => Err(self.damaged(who, id, "key", "a stored record has no key").await),
        }
    }

    /// Looks at all that can be looked at before the first byte is given out.
    async fn opened(&self, who: Caller, dek: Dek, admitted: Admitted) -> Result<Content> {
        let Admitted { record, place, window, .. } = admitted;
        let id = record.id;
        let context = digest_context(&record.tenant, id);
        let digest = record.sealed_digest.as_deref().unwrap_or_default();
        if let Err(error) = seal::open(&dek, &context, digest) {
            return Err(self.damaged(&who, id, "digest", error).await);
        }
        let expected = lengths::ciphertext_len(record.bytes).map_err(Fault::internal)?;
        if self.blobs.length(&place).await? != Some(expected) {
            return Err(self
                .damaged(&who, id, "length", "the object is away, or not as long as it was")
                .await);
        }
        let head = self.present(&who, id, self.blobs.head(&place, HEADER_LEN as u64).await).await?;
        let Ok(header) = <&[u8; HEADER_LEN]>::try_from(head.as_ref()) else {
            return Err(self.damaged(&who, id, "length", "the object ends within its header").await);
        };
        let whole = (window.plaintext == (0..record.bytes)).then_some(record.ciphertext_sha256).flatten();
        let opener = Opener::window(&dek, &content_context(&record.tenant, id), header, window.clone());
        let opener = match opener {
            Ok(opener) => opener,
            Err(error) => return Err(self.damaged(&who, id, "header", error).await),
        };
        if window.ciphertext.end < expected {
            // A record that was cut, in its object and in its row, is told by its last chunk.
            self.ends_where_it_ended(&who, &dek, &record, &place, header).await?;
        }
        let object = self.present(&who, id, self.blobs.part(&place, window.ciphertext.clone()).await).await?;
        let mut digest = digest::Context::new(&digest::SHA256);
        digest.update(header);
        let mut decrypting = Decrypting {
            vault: self.clone(),
            who,
            id,
            sealed: object.bytes,
            opener: Some(opener),
            digest: whole.map(|expected| (digest, expected)),
            ready: VecDeque::new(),
        };
        // The first piece is authenticated before anything is answered.
        let first = decrypting.next().await.transpose()?;
        let (offset, length) = (window.plaintext.start, window.plaintext.end - window.plaintext.start);
        let rest = stream::try_unfold(decrypting, |mut decrypting| async move {
            Ok(decrypting.next().await.transpose()?.map(|piece| (piece, decrypting)))
        });
        let pieces = stream::iter(first.map(Ok)).chain(rest).boxed();
        Ok(Content { record, offset, length, pieces })
    }

    /// Opens the last chunk alone: it proves how long the record is.
    async fn ends_where_it_ended(
        &self,
        who: &Caller,
        dek: &Dek,
        record: &Record,
        place: &str,
        header: &[u8; HEADER_LEN],
    ) -> Result<()> {
        let last = Window::last_chunk(record.bytes).map_err(Fault::internal)?;
        let mut object =
            self.present(who, record.id, self.blobs.part(place, last.ciphertext.clone()).await).await?;
        let mut sealed = Vec::new();
        while let Some(piece) = object.bytes.next().await {
            sealed.extend_from_slice(&piece?);
        }
        let (context, mut nothing) = (content_context(&record.tenant, record.id), Vec::new());
        let proven = Opener::window(dek, &context, header, last).and_then(|mut opener| {
            opener.push(&sealed, &mut nothing)?;
            opener.finish(&mut nothing)
        });
        match proven {
            Ok(()) => Ok(()),
            Err(error) => Err(self.damaged(who, record.id, "length", error).await),
        }
    }

    /// An object that is not there is damage, not a 404 of the caller's.
    async fn present<T>(&self, who: &Caller, id: EvidenceId, found: Result<T>) -> Result<T> {
        match found {
            Err(fault) if fault.kind() == Kind::NotFound => Err(self.damaged(who, id, "object", fault).await),
            other => other,
        }
    }
}

/// Ciphertext that becomes plaintext, one piece behind: the last one is given out when everything was looked at.
struct Decrypting {
    vault: Evidence,
    who: Caller,
    id: EvidenceId,
    sealed: BoxStream<'static, Result<Bytes>>,
    /// Taken at the end.
    opener: Option<Opener>,
    /// Of a whole record: what its ciphertext must come to.
    digest: Option<(digest::Context, [u8; 32])>,
    ready: VecDeque<Bytes>,
}

impl Decrypting {
    /// The next piece of plaintext.
    async fn next(&mut self) -> Option<Result<Bytes>> {
        // Two are at hand, or nothing follows.
        while self.ready.len() < 2 && self.opener.is_some() {
            if let Err(fault) = self.advance().await {
                self.opener = None;
                self.ready.clear();
                return Some(Err(fault));
            }
        }
        self.ready.pop_front().map(Ok)
    }

    async fn advance(&mut self) -> Result<()> {
        let mut out = Vec::new();
        let part = match self.sealed.next().await {
            Some(Ok(piece)) => {
                if let Some((digest, _)) = &mut self.digest {
                    digest.update(&piece);
                }
                let Some(opener) = &mut self.opener else { return Ok(()) };
                opener.push(&piece, &mut out).map_err(|error| ("chunk", error.to_string()))
            }
            Some(Err(fault)) => return self.vault.present(&self.who, self.id, Err(fault)).await,
            None => self.finish(&mut out),
        };
        if let Err((part, cause)) = part {
            return Err(self.vault.damaged(&self.who, self.id, part, cause).await);
        }
        if !out.is_empty() {
            self.ready.push_back(out.into());
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> std::result::Result<(), (&'static str, String)> {
        let Some(opener) = self.opener.take() else { return Ok(()) };
        opener.finish(out).map_err(|error| ("chunk", error.to_string()))?;
        let differs = |(digest, expected): (digest::Context, [u8; 32])| digest.finish().as_ref() != expected;
        if self.digest.take().is_some_and(differs) {
            return Err(("ciphertext_sha256", "the ciphertext is another than was stored".to_owned()));
        }
        Ok(())
    }
}

fn unsatisfiable(bytes: u64) -> Fault {
    let sentence = format!("the range lies beyond the record, which has {bytes} bytes");
    Fault::new(Kind::OutOfRange, "RANGE_NOT_SATISFIABLE", sentence).with("bytes", bytes)
}
