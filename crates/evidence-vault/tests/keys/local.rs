//! The keystore folder.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock};

use chrono::Utc;
use mintmark_evidence_vault::provider::{Bound, EncryptionKey, KeystoreError, Local, RsaFile, Tombstone};
use mintmark_ids::{EvidenceId, KekId};

use crate::contract::{self, Provider, code, dek, tenant};

const KEY: &str = "a key of tests, of 32 bytes, yes";

pub fn rsa_pem() -> String {
    let output = Command::new("openssl")
        .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// One for all: making one takes a moment.
static PROOF_KEY: LazyLock<String> = LazyLock::new(rsa_pem);

fn key() -> EncryptionKey {
    EncryptionKey::parse(KEY).unwrap()
}

pub fn open(folder: &Path) -> Provider {
    Arc::new(Local::open(folder, &key(), RsaFile::from_pem(&PROOF_KEY).unwrap()).unwrap())
}

fn refused(folder: &Path, key: &EncryptionKey) -> KeystoreError {
    Local::open(folder, key, RsaFile::from_pem(&PROOF_KEY).unwrap()).err().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn contract_holds_for_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("keys");
    contract::run(&open(&store), &open(&store)).await;
    crate::proofs::proofs_verify_with_the_published_keys(open(&store).as_ref()).await;
}

#[tokio::test]
async fn open_refuses_another_key_and_folders_that_are_no_keystore() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("keys");
    open(&store);
    let other = EncryptionKey::parse("another key, also of 32 bytes...").unwrap();
    assert!(matches!(refused(&store, &other), KeystoreError::OtherKey));
    fs::remove_file(store.join("keystore.json")).unwrap();
    assert!(matches!(refused(&store, &key()), KeystoreError::Foreign));
    let foreign = folder.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("letter.txt"), "dear").unwrap();
    assert!(matches!(refused(&foreign, &key()), KeystoreError::Foreign));
}

#[tokio::test]
async fn folder_that_is_away_is_unavailable_and_never_empty() {
    let folder = tempfile::tempdir().unwrap();
    let (store, away) = (folder.path().join("keys"), folder.path().join("away"));
    let provider = open(&store);
    let (acme, kek, record) = (tenant("acme"), KekId::new(), EvidenceId::new());
    provider.create(&acme, kek).await.unwrap();
    let bound = Bound { tenant: &acme, record };
    let wrapped = provider.wrap(kek, bound, &dek(1)).await.unwrap();
    provider.entomb(&[Tombstone { tenant: acme.clone(), record, at: Utc::now() }]).await.unwrap();
    // As when the disk is not mounted: the folder is there and nothing is in it.
    fs::rename(&store, &away).unwrap();
    fs::create_dir(&store).unwrap();
    let away_answers = [
        code(provider.ready().await),
        code(provider.is_entombed(&acme, record).await),
        code(provider.unwrap(bound, &wrapped).await),
        code(provider.exists(kek).await),
        code(provider.held(&acme, record).await),
        code(provider.tombstones().await),
        code(provider.holds().await),
        code(provider.keys().await),
        code(provider.destroy(kek).await),
        code(provider.create(&acme, KekId::new()).await),
    ];
    assert!(away_answers.iter().all(|code| code == "KEYS_UNAVAILABLE"), "{away_answers:?}");
    fs::remove_dir(&store).unwrap();
    fs::rename(&away, &store).unwrap();
    assert_eq!(code(provider.unwrap(bound, &wrapped).await), "EVIDENCE_SHREDDED");
}

#[tokio::test]
async fn files_moved_between_keys_and_tenants_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let provider = open(folder.path());
    let (acme, rival) = (tenant("acme"), tenant("rival"));
    let (kek, other, foreign) = (KekId::new(), KekId::new(), KekId::new());
    provider.create(&acme, kek).await.unwrap();
    provider.create(&acme, other).await.unwrap();
    provider.create(&rival, foreign).await.unwrap();
    let path = |kek: KekId| folder.path().join("keks").join(kek.to_string());
    let bound = Bound { tenant: &acme, record: EvidenceId::new() };
    let wrapped = provider.wrap(kek, bound, &dek(1)).await.unwrap();
    let own = fs::read(path(kek)).unwrap();
    for stranger in [other, foreign] {
        fs::copy(path(stranger), path(kek)).unwrap();
        assert_eq!(code(provider.unwrap(bound, &wrapped).await), "EVIDENCE_KEY_DAMAGED");
        assert_eq!(code(provider.create(&acme, kek).await), "EVIDENCE_KEY_DAMAGED");
    }
    // Another tenant's name written over its own.
    let renamed = fs::read_to_string(path(foreign)).unwrap().replace("rival", "acme");
    fs::write(path(kek), renamed).unwrap();
    assert_eq!(code(provider.unwrap(bound, &wrapped).await), "EVIDENCE_KEY_DAMAGED");
    fs::write(path(kek), &own[..own.len() - 2]).unwrap();
    assert_eq!(code(provider.unwrap(bound, &wrapped).await), "EVIDENCE_KEY_DAMAGED");
    fs::write(path(kek), own).unwrap();
    assert!(provider.unwrap(bound, &wrapped).await.is_ok());
}

#[tokio::test]
async fn destroy_overwrites_the_file_before_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let provider = open(&folder.path().join("keys"));
    let (acme, kek) = (tenant("acme"), KekId::new());
    provider.create(&acme, kek).await.unwrap();
    let file = folder.path().join("keys/keks").join(kek.to_string());
    // A second name keeps the bytes in sight when the first is gone.
    let witness = folder.path().join("witness");
    fs::hard_link(&file, &witness).unwrap();
    assert!(fs::read(&witness).unwrap().iter().any(|byte| *byte != 0));
    provider.destroy(kek).await.unwrap();
    assert!(!file.exists());
    assert!(fs::read(&witness).unwrap().iter().all(|byte| *byte == 0));
    assert_eq!(fs::read_dir(folder.path().join("keys/keks")).unwrap().count(), 0);
}

#[tokio::test]
async fn destruction_that_was_cut_off_is_finished_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let provider = open(folder.path());
    let (acme, kek) = (tenant("acme"), KekId::new());
    provider.create(&acme, kek).await.unwrap();
    let keks = folder.path().join("keks");
    // Killed after its name was taken away.
    let condemned = keks.join(format!("{kek}.condemned"));
    fs::rename(keks.join(kek.to_string()), &condemned).unwrap();
    assert!(!provider.exists(kek).await.unwrap(), "from then on it does not count");
    let witness = folder.path().join("keks").join("witness.condemned");
    fs::hard_link(&condemned, &witness).unwrap();
    open(folder.path());
    assert_eq!(fs::read_dir(&keks).unwrap().count(), 0);
    // The same by a repeated call.
    provider.create(&acme, kek).await.unwrap();
    fs::rename(keks.join(kek.to_string()), &condemned).unwrap();
    provider.destroy(kek).await.unwrap();
    assert_eq!(fs::read_dir(&keks).unwrap().count(), 0);
}

#[tokio::test]
async fn tombstones_of_a_batch_share_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let provider = open(folder.path());
    let stones: Vec<Tombstone> = (0..256)
        .map(|_| Tombstone { tenant: tenant("acme"), record: EvidenceId::new(), at: Utc::now() })
        .collect();
    provider.entomb(&stones).await.unwrap();
    let path = |at: usize| folder.path().join("tombstones/acme").join(stones[at].record.to_string());
    let inodes: Vec<u64> = (0..256).map(|at| fs::metadata(path(at)).unwrap().ino()).collect();
    assert!(inodes.iter().all(|inode| *inode == inodes[0]), "one write and one fsync for all of them");
    // A batch whose lines are lost still stands: the name is what counts, and it counts as made now.
    fs::write(path(0), "").unwrap();
    assert!(provider.is_entombed(&tenant("acme"), stones[7].record).await.unwrap());
    let kept = provider.tombstones().await.unwrap();
    assert_eq!(kept.len(), 256);
    assert!(kept.iter().all(|stone| stone.at > stones[0].at));
}

#[tokio::test]
async fn files_are_for_the_service_alone_and_hold_no_key_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("keys");
    let provider = open(&store);
    let (acme, kek) = (tenant("acme"), KekId::new());
    provider.create(&acme, kek).await.unwrap();
    let file = store.join("keks").join(kek.to_string());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(store.join("keks")).unwrap().permissions().mode() & 0o777, 0o700);
    let sealed: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let mut names: Vec<&String> = sealed.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["format", "nonce", "sealed", "tenant"]);
}
