//! Uploads of evidence over gRPC: sealed, digested twice, written and synced, with its key wrapped and its audit entry.

use std::time::Instant;

use bytes::Bytes;
use futures::stream;
use mintmark_auth::{DisputeClaim, DisputeState};
use mintmark_ids::{DisputeId, EvidenceId};
use mintmark_wire::evidence::v1::{UploadEnd, UploadHeader, UploadRequest, upload_request::Piece};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::report::{Better, ROUNDS, Report, Round};
use crate::vault::Vault;
use crate::{Result, block_on};

/// One record.
const BYTES: u64 = 1 << 30;
/// As the edge sends them.
const PIECE: usize = 256 * 1024;
/// What the issue wants, on loopback.
const MIB_PER_SECOND: f64 = 150.0;
const MEMORY_MIB: f64 = 128.0;

/// Throughput of one upload at a time, and the vault's peak over all of them.
pub fn upload(report: &mut Report) -> Result {
    block_on(async {
        let vault = Vault::start(&[]).await?;
        let client = vault.client()?;
        let permit = vault.uploader()?;
        let dispute = DisputeClaim { id: DisputeId::new(), state: DisputeState::Open };
        let mut piece = vec![0; PIECE];
        SystemRandom::new().fill(&mut piece).map_err(|_| "no random bytes")?;
        let piece = Bytes::from(piece);
        report.note("records of 1 GiB in pieces of 256 KiB, one at a time; the client on the same two cores");
        let mut rounds = Vec::new();
        // A round that nobody counts opens connections and makes the first key.
        for round in 0..=ROUNDS {
            let begun = Instant::now();
            let stored = client.upload(&permit, dispute, messages(&piece)).await?;
            let seconds = begun.elapsed().as_secs_f64();
            let bytes = stored.evidence.map(|evidence| evidence.bytes);
            if bytes != Some(BYTES) {
                return Err(format!("{bytes:?} bytes were stored").into());
            }
            if round > 0 {
                let ours = mib(BYTES) / seconds;
                rounds.push(Round { ours, baseline: MIB_PER_SECOND });
            }
            // The disk is not what is measured beyond one record.
            std::fs::remove_dir_all(vault.objects())?;
            std::fs::create_dir(vault.objects())?;
        }
        report.figure("upload", "MiB/s; the baseline is the floor", Better::More, &rounds)?;
        let memory = Round { ours: mib(vault.peak()?), baseline: MEMORY_MIB };
        report.figure("upload-memory", "MiB at the vault's peak", Better::Less, &[memory])
    })
}

#[expect(clippy::cast_precision_loss, reason = "sizes far below 2^52")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn messages(piece: &Bytes) -> impl futures::Stream<Item = UploadRequest> + Send + 'static {
    let header = UploadHeader {
        evidence_id: EvidenceId::new().to_string(),
        media_type: "application/octet-stream".to_owned(),
        bytes: Some(BYTES),
    };
    let of = |piece| UploadRequest { piece: Some(piece) };
    let piece = piece.clone();
    let pieces = (0..BYTES / PIECE as u64).map(move |_| of(Piece::Data(piece.clone())));
    let end = of(Piece::End(UploadEnd { bytes: BYTES }));
    stream::iter(std::iter::once(of(Piece::Header(header))).chain(pieces).chain([end]))
}
