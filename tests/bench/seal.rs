//! Encrypting in the vault's own format, on one core: against ring's bare AES-256-GCM, and the same with SHA-256.

use std::hint::black_box;
use std::time::{Duration, Instant};

use mintmark_evidence_vault::provider::Dek;
use mintmark_evidence_vault::seal::{CHUNK_LEN, Digests, SEALED_CHUNK_LEN, Sealer, lengths};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{Context, SHA256};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::Result;
use crate::report::{Better, ROUNDS, Report, Round};

/// What is encrypted in a run: 1 GiB.
const CHUNKS: usize = 1 << 16;
/// Chunks of a piece: 256 KiB, as uploads bring them.
const PIECE: usize = 16;
/// Chunks that one side does before it is the other's turn: whatever else the machine does then costs both the same.
const TURN: usize = 2048;

/// Encryption alone.
pub fn seal(report: &mut Report) -> Result {
    measure(report, "seal", Digests::default())
}

/// With the SHA-256 of the content.
pub fn digest(report: &mut Report) -> Result {
    measure(report, "seal-digest", Digests { plaintext: true, ciphertext: false })
}

fn measure(report: &mut Report, name: &str, digests: Digests) -> Result {
    let mut slots = vec![0; CHUNKS * SEALED_CHUNK_LEN];
    SystemRandom::new().fill(&mut slots).map_err(|_| "no random bytes")?;
    let mut rounds = Vec::new();
    // A round that nobody counts warms caches and the clock of the CPU.
    for round in 0..=ROUNDS {
        let both = side_by_side(&mut slots, digests)?;
        if round > 0 {
            rounds.push(both);
        }
    }
    report.note("1 GiB in memory, one thread, each chunk where it lies; the baseline has the same memory");
    report.figure(name, "MiB/s", Better::More, &rounds)
}

/// Both sides encrypt 1 GiB, in turns; half the memory lies between them, so that neither finds in the cache what the other
/// has read.
fn side_by_side(slots: &mut [u8], digests: Digests) -> Result<Round> {
    let dek = Dek::new([7; 32].into());
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, dek.expose()).map_err(|_| "no key")?);
    let (mut ours, mut bare) = (Duration::ZERO, Duration::ZERO);
    let mut ends = Vec::new();
    let mut sealer = Sealer::new(&dek, b"bench", digests, &mut ends)?;
    let mut sha256 = digests.plaintext.then(|| Context::new(&SHA256));
    let mut number: u64 = 0;
    let (turn, turns) = (TURN * SEALED_CHUNK_LEN, CHUNKS / TURN);
    for at in 0..turns {
        let begun = Instant::now();
        for piece in slots[at * turn..(at + 1) * turn].chunks_mut(PIECE * SEALED_CHUNK_LEN) {
            sealer.seal_in_place(black_box(piece))?;
        }
        ours += begun.elapsed();
        let other = (at + turns / 2) % turns * turn;
        let begun = Instant::now();
        for slot in slots[other..other + turn].chunks_mut(SEALED_CHUNK_LEN) {
            let buffer = &mut slot[..CHUNK_LEN];
            let mut nonce = [0; NONCE_LEN];
            nonce[4..].copy_from_slice(&number.to_be_bytes());
            number += 1;
            if let Some(sha256) = &mut sha256 {
                sha256.update(black_box(buffer));
            }
            let nonce = Nonce::assume_unique_for_key(nonce);
            let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), black_box(buffer));
            let tag = tag.map_err(|_| "ring seals nothing")?;
            black_box(tag.as_ref());
        }
        bare += begun.elapsed();
    }
    let bytes = CHUNKS * CHUNK_LEN;
    let sealed = sealer.finish(&mut ends)?;
    black_box(sha256.map(Context::finish));
    let written = (slots.len() + ends.len()) as u64;
    if written != lengths::ciphertext_len(bytes as u64)? || sealed.ciphertext_len != written {
        return Err(format!("{written} bytes were written").into());
    }
    let rate = |took: Duration| bytes as f64 / f64::from(1 << 20) / took.as_secs_f64();
    Ok(Round { ours: rate(ours), baseline: rate(bare) })
}
