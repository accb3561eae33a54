//! What must hold of every message.

use proptest::prelude::*;

use super::super::MAX_CHUNKS;
use super::super::{
    CHUNK_LEN, Digests, HEADER_LEN, Opener, SEALED_CHUNK_LEN, SealError, Sealer, Window, lengths, open, seal,
};
use super::{dek, text};

const CONTEXT: &[u8] = b"context";

fn sealed(len: usize) -> Vec<u8> {
    seal(&dek(7), CONTEXT, &text(len)).unwrap()
}

/// Decrypts a stored message whole, as a stream, and gives what was released.
fn read(message: &[u8]) -> (Vec<u8>, Result<(), SealError>) {
    let mut out = Vec::new();
    let Some((header, chunks)) = message.split_first_chunk::<HEADER_LEN>() else {
        return (out, Err(SealError::Length));
    };
    let ended = Opener::new(&dek(7), CONTEXT, header).and_then(|mut opener| {
        opener.push(chunks, &mut out)?;
        opener.finish(&mut out)
    });
    (out, ended)
}

/// The message is refused, and what was released before is a whole number of authentic chunks.
fn assert_refused(message: &[u8], original: &[u8], what: &str) {
    let (out, ended) = read(message);
    assert!(ended.is_err(), "{what} was accepted");
    assert_eq!(out.len() % CHUNK_LEN, 0, "{what}");
    assert!(original.starts_with(&out), "{what} released what nobody wrote");
    assert!(open(&dek(7), CONTEXT, message).is_err(), "{what} was accepted whole");
}

#[test]
fn open_truncated_at_every_length_is_refused() {
    for len in [0, 1, CHUNK_LEN - 1] {
        let message = sealed(len);
        for cut in 0..message.len() {
            if cut > HEADER_LEN + 64 && cut + 64 < message.len() && cut % 97 != 0 {
                continue; // every boundary, and one place in 97 between
            }
            assert_refused(&message[..cut], &text(len), &format!("{cut} of {} bytes", message.len()));
        }
    }
    let message = sealed(2 * CHUNK_LEN + 5);
    let boundaries =
        [HEADER_LEN, HEADER_LEN + SEALED_CHUNK_LEN, HEADER_LEN + 2 * SEALED_CHUNK_LEN, message.len()];
    for at in boundaries {
        for cut in at.saturating_sub(40)..(at + 40).min(message.len()) {
            assert_refused(&message[..cut], &text(2 * CHUNK_LEN + 5), &format!("{cut} bytes"));
        }
    }
}

#[test]
fn open_extended_is_refused() {
    for len in [0, 1, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1] {
        let message = sealed(len);
        for more in [1, 15, 16, 17, CHUNK_LEN, SEALED_CHUNK_LEN] {
            let longer = [message.as_slice(), &vec![0; more]].concat();
            assert_refused(&longer, &text(len), &format!("{len} and {more}"));
        }
        // Its own chunks once more.
        let twice = [message.as_slice(), &message[HEADER_LEN..]].concat();
        assert_refused(&twice, &text(len), "its own chunks twice");
    }
}

#[test]
fn open_with_any_bit_flipped_is_refused() {
    let message = sealed(40);
    for bit in 0..message.len() * 8 {
        let mut changed = message.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let (out, ended) = read(&changed);
        assert!(ended.is_err() && out.is_empty(), "bit {bit}");
    }
    let long = sealed(2 * CHUNK_LEN + 40);
    for byte in (0..long.len()).step_by(499) {
        let mut changed = long.clone();
        changed[byte] ^= 0x10;
        assert_refused(&changed, &text(2 * CHUNK_LEN + 40), &format!("byte {byte}"));
    }
}

#[test]
fn open_with_chunks_swapped_dropped_or_repeated_is_refused() {
    let plain = text(3 * CHUNK_LEN + 9);
    let message = seal(&dek(7), CONTEXT, &plain).unwrap();
    let chunks: Vec<&[u8]> = message[HEADER_LEN..].chunks(SEALED_CHUNK_LEN).collect();
    let orders: &[&[usize]] =
        &[&[1, 0, 2, 3], &[0, 2, 1, 3], &[0, 1, 3], &[0, 1, 1, 2, 3], &[1, 2, 3], &[3], &[0, 3], &[0, 1, 2]];
    for order in orders {
        let mut other = message[..HEADER_LEN].to_vec();
        order.iter().for_each(|at| other.extend_from_slice(chunks[*at]));
        assert_refused(&other, &plain, &format!("{order:?}"));
    }
    // Spliced from another message of the same key and context.
    let second = seal(&dek(7), CONTEXT, &plain).unwrap();
    let spliced =
        [&message[..HEADER_LEN + SEALED_CHUNK_LEN], &second[HEADER_LEN + SEALED_CHUNK_LEN..]].concat();
    assert_refused(&spliced, &plain, "spliced");
}

#[test]
fn open_with_another_key_or_context_is_refused_before_a_chunk() {
    let message = sealed(100);
    assert_eq!(open(&dek(8), CONTEXT, &message).map(|_| ()), Err(SealError::Commitment));
    for other in [b"contexu".as_slice(), b"", b"context\0", b"contex"] {
        assert_eq!(open(&dek(7), other, &message).map(|_| ()), Err(SealError::Commitment));
    }
}

#[test]
fn seal_in_place_writes_what_open_reads_and_takes_whole_slots_alone() {
    let plain = text(3 * CHUNK_LEN + 5);
    let digests = Digests { plaintext: true, ciphertext: true };
    let mut message = Vec::new();
    let mut sealer = Sealer::new(&dek(7), CONTEXT, digests, &mut message).unwrap();
    let mut slots: Vec<u8> =
        plain[..2 * CHUNK_LEN].chunks(CHUNK_LEN).flat_map(|it| [it, &[0; 16]].concat()).collect();
    let short = slots.len() - 1;
    assert_eq!(sealer.seal_in_place(&mut slots[..short]), Err(SealError::Length));
    sealer.seal_in_place(&mut slots).unwrap();
    message.extend_from_slice(&slots);
    sealer.push(&plain[2 * CHUNK_LEN..], &mut message).unwrap();
    assert_eq!(sealer.seal_in_place(&mut slots), Err(SealError::Length), "between them lies what was pushed");
    let sealed = sealer.finish(&mut message).unwrap();
    assert!(read(&message) == (plain.clone(), Ok(())));
    let sha256 = |bytes: &[u8]| ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().to_vec();
    assert_eq!(sealed.plaintext_sha256.unwrap().to_vec(), sha256(&plain));
    assert_eq!(sealed.ciphertext_sha256.unwrap().to_vec(), sha256(&message));
}

#[test]
fn window_that_is_cut_or_moved_is_refused() {
    let length = 3 * CHUNK_LEN as u64 + 9;
    let message = sealed(3 * CHUNK_LEN + 9);
    let header = message.first_chunk::<HEADER_LEN>().unwrap();
    let window = Window::new(length, CHUNK_LEN as u64 + 1, Some(CHUNK_LEN as u64)).unwrap().unwrap();
    let from = usize::try_from(window.ciphertext.start).unwrap();
    let to = usize::try_from(window.ciphertext.end).unwrap();
    let run = |stored: &[u8]| {
        let mut out = Vec::new();
        let mut opener = Opener::window(&dek(7), CONTEXT, header, window.clone())?;
        opener.push(stored, &mut out)?;
        opener.finish(&mut out).map(|()| out)
    };
    assert_eq!(run(&message[from..to]).unwrap(), text(3 * CHUNK_LEN + 9)[CHUNK_LEN + 1..2 * CHUNK_LEN + 1]);
    assert!(run(&message[from..to - 1]).is_err(), "cut");
    assert!(run(&message[from..to + 1]).is_err(), "extended");
    assert!(run(&message[from - SEALED_CHUNK_LEN..to - SEALED_CHUNK_LEN]).is_err(), "moved");
    assert!(run(&[]).is_err(), "empty");
    // A message that lost its last chunk, with a length that says so, still ends in a full chunk: no window has it.
    let shorter = Window::last_chunk(3 * CHUNK_LEN as u64).unwrap();
    let mut opener = Opener::window(&dek(7), CONTEXT, header, shorter).unwrap();
    let at = HEADER_LEN + 3 * SEALED_CHUNK_LEN;
    assert!(opener.push(&message[at..at + 16], &mut Vec::new()).is_err());
}

#[test]
fn plaintext_len_knows_every_valid_length_and_no_other() {
    let chunk = SEALED_CHUNK_LEN as u64;
    for plain in (0..3 * CHUNK_LEN as u64 + 50).chain([lengths::MAX_PLAINTEXT - 1, lengths::MAX_PLAINTEXT]) {
        let cipher = lengths::ciphertext_len(plain).unwrap();
        assert_eq!(lengths::plaintext_len(cipher), Ok(plain));
    }
    let valid = |cipher: u64| cipher >= 56 + 16 && (cipher - 56) % chunk >= 16;
    for cipher in 0..3 * chunk + 200 {
        assert_eq!(lengths::plaintext_len(cipher).is_ok(), valid(cipher), "{cipher}");
    }
    assert_eq!(lengths::ciphertext_len(lengths::MAX_PLAINTEXT + 1), Err(SealError::TooLong));
    assert_eq!(lengths::plaintext_len(56 + MAX_CHUNKS * chunk + 16), Err(SealError::TooLong));
    assert!(lengths::plaintext_len(u64::MAX).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn seal_in_pieces_and_open_in_others_gives_the_same(
        len in 0_usize..5 * CHUNK_LEN, first in 1_usize..40_000, second in 1_usize..40_000
    ) {
        let plain = text(len);
        let digests = Digests { plaintext: true, ciphertext: true };
        let mut message = Vec::new();
        let mut sealer = Sealer::new(&dek(3), CONTEXT, digests, &mut message).unwrap();
        for piece in plain.chunks(first) {
            sealer.push(piece, &mut message).unwrap();
        }
        prop_assert_eq!(sealer.plaintext_len(), len as u64);
        let sealed = sealer.finish(&mut message).unwrap();
        let sha256 = |bytes: &[u8]| ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().to_vec();
        prop_assert_eq!(sealed.plaintext_sha256.unwrap().to_vec(), sha256(&plain));
        prop_assert_eq!(sealed.ciphertext_sha256.unwrap().to_vec(), sha256(&message));
        prop_assert_eq!(sealed.ciphertext_len, message.len() as u64);
        prop_assert_eq!(lengths::ciphertext_len(len as u64).unwrap(), message.len() as u64);
        let (header, chunks) = message.split_first_chunk::<HEADER_LEN>().unwrap();
        let mut out = Vec::new();
        let mut opener = Opener::new(&dek(3), CONTEXT, header).unwrap();
        for piece in chunks.chunks(second) {
            opener.push(piece, &mut out).unwrap();
        }
        opener.finish(&mut out).unwrap();
        prop_assert!(out == plain);
    }

    #[test]
    fn window_gives_exactly_its_bytes(
        len in 0_u64..4 * CHUNK_LEN as u64, offset in 0_u64..4 * CHUNK_LEN as u64, count in proptest::option::of(0_u64..70_000)
    ) {
        let plain = text(usize::try_from(len).unwrap());
        let message = seal(&dek(3), CONTEXT, &plain).unwrap();
        let Some(window) = Window::new(len, offset, count).unwrap() else {
            prop_assert!(offset >= len || count == Some(0));
            return Ok(());
        };
        let at = |byte: u64| usize::try_from(byte).unwrap();
        let wanted = plain[at(window.plaintext.start)..at(window.plaintext.end)].to_vec();
        prop_assert_eq!(window.plaintext.end, len.min(offset.saturating_add(count.unwrap_or(u64::MAX))));
        let stored = &message[at(window.ciphertext.start)..at(window.ciphertext.end)];
        let mut out = b"before".to_vec();
        let mut opener = Opener::window(&dek(3), CONTEXT, message.first_chunk().unwrap(), window).unwrap();
        for piece in stored.chunks(1000) {
            opener.push(piece, &mut out).unwrap();
        }
        opener.finish(&mut out).unwrap();
        prop_assert!(out.strip_prefix(b"before").unwrap() == wanted);
    }
}
