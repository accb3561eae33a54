//! Notes and checkpoints against an independent reader, and what is refused.

use mintmark_audit::checkpoint::{Checkpoint, CheckpointError, Origin};
use mintmark_audit::note::{Note, NoteError, Verifier, Verifiers};
use signed_note::{StandardVerifier, VerifierList};

use crate::world::{NAME, key, signer};

/// The published example of the Go checksum database's notes.
const PUBLISHED_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PUBLISHED: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\
    \n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: Origin::new(NAME, 3), size: 77, root: [9; 32] }
}

#[test]
fn published_note_opens_and_its_key_prints_as_it_was() {
    let keys = Verifiers::parse(&format!("# a comment\n\n{PUBLISHED_KEY}\n")).unwrap();
    assert_eq!(keys.iter().map(Verifier::to_string).collect::<Vec<_>>(), [PUBLISHED_KEY]);
    let note = Note::open(PUBLISHED, &keys).unwrap();
    assert!(note.text.starts_with("If you think") && note.text.ends_with("is.\n"));
}

#[test]
fn checkpoint_is_read_by_an_independent_reader() {
    let (signer, keys) = signer("one");
    let note = checkpoint().sign(&signer);
    let foreign = signed_note::Note::from_bytes(note.as_bytes()).unwrap();
    let verifier = StandardVerifier::new(&signer.verifier().to_string()).unwrap();
    let (verified, unverified) = foreign.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));
    let read = tlog_tiles::Checkpoint::from_bytes(foreign.text()).unwrap();
    assert_eq!((read.origin(), read.size(), read.hash().0), ("mintmark.invalid/test/3", 77, [9; 32]));
    assert_eq!(Checkpoint::open(&note, &keys), Ok(checkpoint()));
    assert_eq!(checkpoint().sign(&signer), note, "Ed25519 signs the same twice");
}

#[test]
fn every_changed_byte_of_a_checkpoint_is_caught() {
    let (signer, keys) = signer("one");
    let note = checkpoint().sign(&signer).into_bytes();
    for at in 0..note.len() {
        for bit in 0..8 {
            let mut bent = note.clone();
            bent[at] ^= 1 << bit;
            let Ok(text) = String::from_utf8(bent) else { continue };
            assert!(Checkpoint::open(&text, &keys).is_err(), "byte {at}, bit {bit}: {text:?}");
        }
        let cut = String::from_utf8_lossy(&note[..at]).into_owned();
        assert!(Checkpoint::open(&cut, &keys).is_err());
    }
}

#[test]
fn note_of_unknown_or_wrong_signers_is_refused() {
    let ((one, ones), (two, twos)) = (signer("one"), signer("two"));
    let note = checkpoint().sign(&one);
    let refused = |note: &str, keys| Checkpoint::open(note, keys).unwrap_err();
    assert_eq!(refused(&note, &twos), CheckpointError::Note(NoteError::UnknownSigner));
    // A key under the right name that signed something else.
    let other = Checkpoint { size: 78, ..checkpoint() }.sign(&one);
    let (body, line) = (checkpoint().body(), other.split("\n\n").nth(1).unwrap());
    assert!(matches!(
        refused(&format!("{body}\n{line}"), &ones),
        CheckpointError::Note(NoteError::BadSignature(_))
    ));
    // A trusted key of another log.
    let foreign = Checkpoint { origin: Origin::new("mintmark.invalid/other", 1), ..checkpoint() };
    assert!(matches!(refused(&foreign.sign(&one), &ones), CheckpointError::WrongSigner(_)));
    // A cosignature is left aside; one key's twice is not.
    let cosigned = format!("{note}{}", two.sign("x\n").split("\n\n").nth(1).unwrap());
    assert_eq!(Checkpoint::open(&cosigned, &ones), Ok(checkpoint()));
    let twice = format!("{note}{}", note.split("\n\n").nth(1).unwrap());
    assert!(matches!(refused(&twice, &ones), CheckpointError::Note(NoteError::Form(_))));
}

#[test]
fn checkpoint_with_other_lines_is_refused_though_it_is_signed() {
    let (signer, keys) = signer("one");
    let root = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=";
    assert!(Checkpoint::open(&signer.sign(&format!("{NAME}/3\n77\n{root}\n")), &keys).is_ok());
    for body in [
        format!("{NAME}/3\n077\n{root}\n"),
        format!("{NAME}/3\n+77\n{root}\n"),
        format!("{NAME}/3\n\n{root}\n"),
        format!("{NAME}/3\n77\n{root}\nextension\n"),
        format!("{NAME}/3\n77\n{root}=\n"),
        format!("{NAME}/3\n77\nCQkJ\n"),
        format!("{NAME}/0\n77\n{root}\n"),
        format!("{NAME}/03\n77\n{root}\n"),
        format!("{NAME}\n77\n{root}\n"),
    ] {
        assert!(Checkpoint::open(&signer.sign(&body), &keys).is_err(), "{body}");
    }
}

#[test]
fn duplicate_and_damaged_verifier_keys_are_refused() {
    let key = key("one");
    let again = Verifiers::parse(&format!("{key}\n{key}\n")).unwrap_err();
    assert_eq!(again, NoteError::DuplicateKey(2));
    let (signer, _) = signer("one");
    let renamed = Verifier::new("mintmark.invalid/renamed", crate::world::public("one")).unwrap();
    let shared = Verifiers::parse(&format!("{}\n{renamed}\n", signer.verifier())).unwrap_err();
    assert_eq!(shared, NoteError::DuplicateKey(2), "one key must not stand for two logs");
    for at in 0..key.len() {
        let mut bent = key.clone().into_bytes();
        bent[at] ^= 1;
        let Ok(text) = String::from_utf8(bent) else { continue };
        assert!(Verifiers::parse(&text).is_err(), "{text}");
    }
    assert!(Verifiers::parse(&key.to_uppercase()).is_err());
}
