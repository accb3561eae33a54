//! What the tests of the token run, each in a process of its own that was given one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use chrono::Utc;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use cryptoki::session::{Session, UserType};
use mintmark_evidence_vault::provider::{Bound, Hold, Pkcs11Token, Tombstone};
use mintmark_ids::{EvidenceId, KekId};

use crate::contract::{self, Provider, code, dek, tenant};
use crate::given;
use crate::token::{self, LABEL, PIN};
use crate::wycheproofs;

/// Another user of the same library in this process.
fn stranger() -> (Pkcs11, Session) {
    let library = Pkcs11::new(token::module()).unwrap();
    let slots = library.get_slots_with_initialized_token().unwrap();
    let slot = slots.into_iter().find(|slot| library.get_token_info(*slot).unwrap().label() == LABEL);
    let session = library.open_rw_session(slot.unwrap()).unwrap();
    (library, session)
}

pub async fn contract() {
    let (one, other) = (given::open().await, given::open().await);
    contract::run(&one, &other).await;
    crate::proofs::proofs_verify_with_the_published_keys(one.as_ref()).await;
    assert_eq!(given::open().await.verifying_key(), one.verifying_key(), "found, not made again");
}

pub async fn attributes() {
    let provider = given::open().await;
    let kek = KekId::new();
    provider.create(&tenant("acme"), kek).await.unwrap();
    let (_library, session) = stranger();
    for class in [ObjectClass::SECRET_KEY, ObjectClass::PRIVATE_KEY] {
        let keys = session.find_objects(&[Attribute::Class(class)]).unwrap();
        assert_eq!(keys.len(), 1);
        let wanted = [
            AttributeType::Sensitive,
            AttributeType::Extractable,
            AttributeType::AlwaysSensitive,
            AttributeType::NeverExtractable,
            AttributeType::Private,
        ];
        let found = session.get_attributes(keys[0], &wanted).unwrap();
        let right = [
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::AlwaysSensitive(true),
            Attribute::NeverExtractable(true),
            Attribute::Private(true),
        ];
        assert_eq!(found, right);
        let bytes = [AttributeType::Value, AttributeType::PrivateExponent];
        assert!(session.get_attributes(keys[0], &bytes).unwrap_or_default().is_empty());
    }
    let key = session.find_objects(&[Attribute::Class(ObjectClass::SECRET_KEY)]).unwrap()[0];
    assert!(session.copy_object(key, &[]).is_err(), "a twin would survive the destruction");
    let before = given::objects(&given::folder());
    // A hold that is replaced leaves nothing of the one before it.
    let (acme, record) = (tenant("acme"), EvidenceId::new());
    let bound = Bound { tenant: &acme, record };
    for byte in 0..3 {
        let key = provider.wrap(kek, bound, &dek(byte)).await.unwrap();
        provider.hold(&Hold { tenant: acme.clone(), record, key }).await.unwrap();
        assert_eq!(given::objects(&given::folder()), before + 1);
    }
    provider.release(&acme, record).await.unwrap();
    provider.destroy(kek).await.unwrap();
    assert_eq!(given::objects(&given::folder()), before - 1);
    // Without the PIN a tombstone is neither seen nor removed.
    let stone = Tombstone { tenant: tenant("acme"), record: EvidenceId::new(), at: Utc::now() };
    provider.entomb(std::slice::from_ref(&stone)).await.unwrap();
    session.logout().unwrap();
    assert!(session.find_objects(&[Attribute::Class(ObjectClass::DATA)]).unwrap().is_empty());
}

/// The other process: reads what to do, says what came of it.
pub async fn another_process() {
    let provider = given::open().await;
    println!("\n> ready");
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words[..] {
            ["create", tenant, kek] => {
                code(provider.create(&contract::tenant(tenant), kek.parse().unwrap()).await)
            }
            ["destroy", kek] => code(provider.destroy(kek.parse().unwrap()).await),
            ["exists", kek] => provider.exists(kek.parse().unwrap()).await.unwrap().to_string(),
            ["entomb", tenant, record] => {
                let (tenant, record) = (contract::tenant(tenant), record.parse().unwrap());
                code(provider.entomb(&[Tombstone { tenant, record, at: Utc::now() }]).await)
            }
            ["entombed", tenant, record] => {
                let tenant = contract::tenant(tenant);
                provider.is_entombed(&tenant, record.parse().unwrap()).await.unwrap().to_string()
            }
            _ => "what?".to_owned(),
        };
        println!("> {answer}");
    }
}

struct Other {
    stdin: ChildStdin,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Other {
    fn answer(&mut self) -> String {
        loop {
            let line = self.lines.next().unwrap().unwrap();
            if let Some(answer) = line.strip_prefix("> ") {
                return answer.to_owned();
            }
        }
    }

    fn ask(&mut self, line: &str) -> String {
        writeln!(self.stdin, "{line}").unwrap();
        self.answer()
    }
}

pub async fn beside_another_process() {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    token::as_program(&mut command, "another_process");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut other = Other { stdin, lines: BufReader::new(stdout).lines() };
    assert_eq!(other.answer(), "ready");
    let provider = given::open().await;
    let acme = tenant("acme");
    for _ in 0..3 {
        let (kek, record) = (KekId::new(), EvidenceId::new());
        let bound = Bound { tenant: &acme, record };
        provider.create(&acme, kek).await.unwrap();
        assert_eq!(other.ask(&format!("exists {kek}")), "true");
        assert_eq!(other.ask(&format!("create acme {kek}")), "", "made already");
        let wrapped = provider.wrap(kek, bound, &dek(1)).await.unwrap();
        assert_eq!(other.ask(&format!("entombed acme {record}")), "false");
        assert_eq!(other.ask(&format!("entomb acme {record}")), "");
        assert_eq!(code(provider.unwrap(bound, &wrapped).await), "EVIDENCE_SHREDDED");
        provider.disinter(&acme, record).await.unwrap();
        assert_eq!(other.ask(&format!("entombed acme {record}")), "false");
        assert!(provider.unwrap(bound, &wrapped).await.is_ok());
        assert_eq!(other.ask(&format!("destroy {kek}")), "");
        assert_eq!(code(provider.unwrap(bound, &wrapped).await), "EVIDENCE_KEY_DESTROYED");
        let theirs = KekId::new();
        assert_eq!(other.ask(&format!("create acme {theirs}")), "");
        let wrapped = provider.wrap(theirs, bound, &dek(2)).await.unwrap();
        provider.destroy(theirs).await.unwrap();
        assert_eq!(other.ask(&format!("exists {theirs}")), "false");
        assert_eq!(code(provider.unwrap(bound, &wrapped).await), "EVIDENCE_KEY_DESTROYED");
    }
    drop(other.stdin);
    // Its last words have to be read, or it dies of a broken pipe.
    assert!(other.lines.any(|line| line.unwrap().contains("1 passed")));
    assert!(child.wait().unwrap().success());
}

async fn works(provider: &Provider) {
    let (acme, kek) = (tenant("acme"), KekId::new());
    provider.create(&acme, kek).await.unwrap();
    let bound = Bound { tenant: &acme, record: EvidenceId::new() };
    let wrapped = provider.wrap(kek, bound, &dek(9)).await.unwrap();
    assert_eq!(provider.unwrap(bound, &wrapped).await.unwrap().expose(), &[9; 32]);
    assert_eq!(provider.sign(&[b"m".to_vec()]).await.unwrap().len(), 1);
}

pub async fn lost_sessions() {
    let (provider, other) = (given::open().await, given::open().await);
    let (acme, kek) = (tenant("acme"), KekId::new());
    provider.create(&acme, kek).await.unwrap();
    let bound = Bound { tenant: &acme, record: EvidenceId::new() };
    let wrapped = provider.wrap(kek, bound, &dek(4)).await.unwrap();
    let ask = async || {
        for provider in [&provider, &other] {
            assert_eq!(provider.unwrap(bound, &wrapped).await.unwrap().expose(), &[4; 32]);
            works(provider).await;
        }
    };
    // Logged out behind our back: private objects are as if they were not there.
    let (library, session) = stranger();
    session.logout().unwrap();
    assert!(provider.exists(kek).await.unwrap(), "not mistaken for a destroyed key");
    ask().await;
    drop(session);
    // Every session closed: the library was started anew.
    library.clone().finalize().unwrap();
    library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    ask().await;
    library.clone().finalize().unwrap();
    ask().await;
    let (_library, session) = stranger();
    assert!(session.login(UserType::User, Some(&PIN.into())).is_err(), "we are logged in already");
}

pub async fn away_and_back() {
    let provider = given::open().await;
    let (acme, kek, dead) = (tenant("acme"), KekId::new(), EvidenceId::new());
    provider.create(&acme, kek).await.unwrap();
    let alive = Bound { tenant: &acme, record: EvidenceId::new() };
    let wrapped = provider.wrap(kek, alive, &dek(4)).await.unwrap();
    provider.entomb(&[Tombstone { tenant: acme.clone(), record: dead, at: Utc::now() }]).await.unwrap();
    let (there, away) = (given::folder().join("tokens"), given::folder().join("away"));
    std::fs::rename(&there, &away).unwrap();
    std::fs::create_dir(&there).unwrap();
    let begun = Instant::now();
    let answers = tokio::join!(
        provider.ready(),
        provider.exists(kek),
        provider.is_entombed(&acme, dead),
        provider.unwrap(alive, &wrapped),
        provider.destroy(kek),
    );
    let codes = [code(answers.0), code(answers.1), code(answers.2), code(answers.3), code(answers.4)];
    assert!(codes.iter().all(|code| code == "KEYS_UNAVAILABLE"), "{codes:?}");
    assert!(begun.elapsed() < Duration::from_secs(20), "each call has its limit on time");
    std::fs::remove_dir(&there).unwrap();
    std::fs::rename(&away, &there).unwrap();
    assert_eq!(provider.unwrap(alive, &wrapped).await.unwrap().expose(), &[4; 32]);
    assert!(provider.is_entombed(&acme, dead).await.unwrap());
    works(&provider).await;
}

pub async fn refusals_at_start() {
    let refusal = async |address| Pkcs11Token::open(address).await.err().unwrap().to_string();
    let wrong = refusal(given::address("0000-wrong")).await;
    assert!(wrong.contains("EVIDENCE_PKCS11_PIN") && !wrong.contains("0000-wrong"), "{wrong}");
    let mut address = given::address(PIN);
    address.token = "elsewhere".to_owned();
    assert!(refusal(address).await.contains("EVIDENCE_PKCS11_TOKEN"));
    let mut address = given::address(PIN);
    address.module = given::folder().join("softhsm2.conf");
    assert!(refusal(address).await.contains("EVIDENCE_PKCS11_MODULE"));
    works(&given::open().await).await;
}

pub async fn after_the_ceremony() {
    let before = given::objects(&given::folder());
    assert_eq!(before, 2, "the ceremony made both halves of the proof key");
    let provider = given::open().await;
    assert_eq!(given::objects(&given::folder()), before + 1, "and no other was made: only the mark is new");
    works(&provider).await;
}

pub fn wycheproof() {
    let library = Pkcs11::new(token::module()).unwrap();
    library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let (_library, session) = stranger();
    session.login(UserType::User, Some(&PIN.into())).unwrap();
    wycheproofs::aes_gcm(&session);
    wycheproofs::rsa_pss(&session);
}
