//! An attacker's program: it has a backup of the database, the object folder, and keys as far as somebody gave them to it.
//!
//! It asks nobody: no vault, no tombstone. What it needs of the formats is public.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::Attribute;
use cryptoki::session::UserType;
use mintmark_evidence_vault::app::content_context;
use mintmark_evidence_vault::provider::{Dek, canonical};
use mintmark_evidence_vault::seal;
use mintmark_ids::{EvidenceId, KekId, TenantId};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde_json::Value;
use tokio_postgres::NoTls;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::token;

/// What it is given beside the backup.
pub enum Keys<'a> {
    /// A copy of a keystore folder, and `EVIDENCE_ENCRYPTION_KEY` in base64.
    Folder(&'a Path, &'a str),
    /// The token, by the environment of this process, and its PIN.
    Token(&'a Path, &'a str),
}

/// Runs it in a process of its own: what it recovered, or why nothing.
pub fn attack(database: &str, objects: &Path, record: &str, keys: &Keys<'_>) -> Result<Vec<u8>, String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    token::as_program(&mut command, "attacker");
    command.env("LOOT_DATABASE", database).env("LOOT_OBJECTS", objects).env("LOOT_RECORD", record);
    match keys {
        Keys::Folder(folder, key) => command.env("LOOT_KEYSTORE", folder).env("LOOT_KEY", key),
        Keys::Token(module, pin) => command.env("LOOT_MODULE", module).env("LOOT_PIN", pin),
    };
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let said = |word: &str| text.lines().find_map(|line| line.strip_prefix(word).map(str::to_owned));
    match (said("RECOVERED "), said("NOTHING ")) {
        (Some(content), None) => Ok(STANDARD.decode(content).unwrap()),
        (None, Some(reason)) => Err(reason),
        _ => panic!("the attacker said neither: {text}"),
    }
}

/// The program itself.
pub async fn program() {
    match recover().await {
        Ok(content) => println!("\nRECOVERED {}", STANDARD.encode(content)),
        Err(reason) => println!("\nNOTHING {reason}"),
    }
}

fn given(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A record's row and its wrapped key.
struct Loot {
    tenant: TenantId,
    record: EvidenceId,
    object: PathBuf,
    kek: KekId,
    wrapped: Vec<u8>,
    iv: Vec<u8>,
}

impl Loot {
    /// What the wrapped key is bound to.
    fn aad(&self) -> Vec<u8> {
        let (record, kek) = (self.record.to_string(), self.kek.to_string());
        let fields = [self.tenant.as_str().as_bytes(), record.as_bytes(), kek.as_bytes(), b"content"];
        canonical("mintmark:dek:v1", &fields)
    }
}

async fn recover() -> Result<Vec<u8>, String> {
    let loot = rows().await;
    let bytes = match (given("LOOT_KEYSTORE"), given("LOOT_MODULE")) {
        (Some(folder), _) => by_folder(&loot, Path::new(&folder))?,
        (None, Some(module)) => by_token(&loot, Path::new(&module))?,
        (None, None) => return Err("no keys".to_owned()),
    };
    let dek: [u8; 32] = bytes.as_slice().try_into().map_err(|_| "a key of another length".to_owned())?;
    let message = std::fs::read(&loot.object).map_err(|error| error.to_string())?;
    let opened =
        seal::open(&Dek::new(Zeroizing::new(dek)), &content_context(&loot.tenant, loot.record), &message);
    opened.map(|content| content.to_vec()).map_err(|error| error.to_string())
}

async fn rows() -> Loot {
    let (client, connection) =
        tokio_postgres::connect(&given("LOOT_DATABASE").unwrap(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let record: EvidenceId = given("LOOT_RECORD").unwrap().parse().unwrap();
    let sql = "SELECT tenant_id, encrypted_blob, kek_id, wrapped_dek, tag, iv FROM evidence
        JOIN evidence_key ON record_id = id WHERE id = $1";
    let row = client.query_one(sql, &[&record.as_uuid()]).await.unwrap();
    let wrapped = [row.get::<_, Vec<u8>>(3), row.get::<_, Vec<u8>>(4)].concat();
    Loot {
        tenant: TenantId::parse(row.get(0)).unwrap(),
        record,
        object: Path::new(&given("LOOT_OBJECTS").unwrap()).join(row.get::<_, String>(1)),
        kek: KekId::from_uuid(row.get::<_, Uuid>(2)),
        wrapped,
        iv: row.get(5),
    }
}

fn open(key: &[u8], nonce: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, String> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(|_| "not a key".to_owned())?);
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| "not a nonce".to_owned())?;
    let mut bytes = sealed.to_vec();
    let opened = key.open_in_place(nonce, Aad::from(aad), &mut bytes);
    opened.map(|opened| opened.to_vec()).map_err(|_| "does not authenticate".to_owned())
}

/// Opens the key's file in a copied keystore, and with it the wrapped key.
fn by_folder(loot: &Loot, folder: &Path) -> Result<Vec<u8>, String> {
    let name = loot.kek.to_string();
    let file = std::fs::read(folder.join("keks").join(&name)).map_err(|_| "no such key".to_owned())?;
    let file: Value = serde_json::from_slice(&file).map_err(|error| error.to_string())?;
    let field = |name: &str| STANDARD.decode(file[name].as_str().unwrap_or_default()).unwrap_or_default();
    let master = STANDARD.decode(given("LOOT_KEY").unwrap_or_default()).unwrap_or_default();
    let aad = canonical("mintmark:kek:v1", &[loot.tenant.as_str().as_bytes(), name.as_bytes(), b"seal"]);
    let kek = open(&master, &field("nonce"), &aad, &field("sealed"))?;
    open(&kek, &loot.iv, &loot.aad(), &loot.wrapped)
}

/// Asks the token, as whoever has its PIN may.
fn by_token(loot: &Loot, module: &Path) -> Result<Vec<u8>, String> {
    let say = |error: cryptoki::error::Error| error.to_string();
    let library = Pkcs11::new(module).map_err(say)?;
    library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).map_err(say)?;
    let slots = library.get_slots_with_initialized_token().map_err(say)?;
    let session = library.open_ro_session(*slots.first().ok_or("no token")?).map_err(say)?;
    session.login(UserType::User, Some(&given("LOOT_PIN").unwrap_or_default().into())).map_err(say)?;
    let wanted = [Attribute::Id(loot.kek.as_uuid().as_bytes().to_vec())];
    let found = session.find_objects(&wanted).map_err(say)?;
    let key = found.first().ok_or_else(|| "no such key".to_owned())?;
    let (mut iv, aad) = (loot.iv.clone(), loot.aad());
    let parameters = GcmParams::new(&mut iv, &aad, 128_u64.into()).map_err(say)?;
    session.decrypt(&Mechanism::AesGcm(parameters), *key, &loot.wrapped).map_err(say)
}
