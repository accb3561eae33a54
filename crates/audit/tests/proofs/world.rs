//! Logs made in memory, as a sequencer and an exporter make them.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use mintmark_audit::bundle::{FORMAT, Header, Log, MANIFEST_TYPE, Manifest, Writer};
use mintmark_audit::checkpoint::{Checkpoint, Origin};
use mintmark_audit::entry::Entry;
use mintmark_audit::hex::Hex;
use mintmark_audit::leaf::NO_LEAF;
use mintmark_audit::note::{Signer, Verifiers};
use mintmark_audit::proof::{OpenEntry, Place};
use mintmark_audit::token::Jwks;
use mintmark_audit::tree::{Frontier, Hash, Subtree, assemble, consistency_path, inclusion_path};
use mintmark_audit::verify::Trust;
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;
use uuid::Uuid;

/// The log's name, under which its key signs.
pub const NAME: &str = "mintmark.invalid/test";

/// PKCS#8 version 1 around 32 bytes that follow from a word.
fn pkcs8(word: &str) -> Vec<u8> {
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.extend_from_slice(digest(&SHA256, word.as_bytes()).as_ref());
    der
}

pub fn public(word: &str) -> [u8; 32] {
    pair(word).public_key().as_ref().try_into().unwrap()
}

fn pair(word: &str) -> Ed25519KeyPair {
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8(word)).unwrap()
}

/// A log's signer whose key follows from a word, and whoever trusts it.
pub fn signer(word: &str) -> (Signer, Verifiers) {
    let label = "PRIVATE KEY";
    let pem = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(pkcs8(word)));
    let signer = Signer::from_pem(NAME, &pem).unwrap();
    let keys = Verifiers::from(signer.verifier().clone());
    (signer, keys)
}

/// A verifier key, as text.
pub fn key(word: &str) -> String {
    signer(word).0.verifier().to_string()
}

/// The JWK set of an exporter whose key follows from a word.
pub fn jwks(word: &str) -> String {
    let x = URL_SAFE_NO_PAD.encode(public(word));
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": word, "x": x}]})
        .to_string()
}

/// A compact JWS by the key that follows from a word.
pub fn jws(word: &str, typ: &str, claims: &impl serde::Serialize) -> String {
    let header = json!({"alg": "EdDSA", "kid": word, "typ": typ}).to_string();
    let claims = serde_json::to_string(claims).unwrap();
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = pair(word).sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A log in memory, with everything that its sequencer knows.
#[derive(Clone, Default)]
pub struct World {
    pub entries: Vec<OpenEntry>,
    pub leaves: Vec<Hash>,
    heads: HashMap<Option<String>, (u64, Hash)>,
    roots: Vec<Hash>,
    nodes: HashMap<Subtree, Hash>,
    tree: Frontier,
    pub epoch: u64,
}

/// An entry that no log holds yet; the number makes it different from others.
pub fn entry(number: u32, tenant: Option<&str>) -> OpenEntry {
    let mut entry = OpenEntry {
        id: Uuid::from_u128(u128::from(number) + (7 << 76)),
        at: DateTime::<Utc>::from_timestamp_micros(1_700_000_000_000_000 + i64::from(number)).unwrap(),
        tenant_id: tenant.map(str::to_owned),
        actor: "user:usr_01h45ytscbebyvny4gc8cr8ma2".to_owned(),
        action: "EVIDENCE_ACCESSED".to_owned(),
        resource_kind: "evidence".to_owned(),
        resource_id: format!("evd_{number}"),
        outcome: "allowed".to_owned(),
        trace_id: None,
        detail: json!({ "bytes": number, "range": [0, 1] }),
        salt: Hex([number as u8; 16]),
        commitment: Hex([0; 32]),
        leaf: None,
    };
    commit(&mut entry);
    entry
}

/// Computes an entry's commitment, as whoever wrote it did.
pub fn commit(open: &mut OpenEntry) {
    let entry = Entry {
        id: open.id,
        at: open.at,
        tenant: open.tenant_id.as_deref(),
        actor: &open.actor,
        action: &open.action,
        resource_kind: &open.resource_kind,
        resource_id: &open.resource_id,
        outcome: &open.outcome,
        trace_id: open.trace_id.as_deref(),
        detail: &open.detail,
    };
    open.commitment = Hex(entry.commitment(&open.salt.0));
}

impl World {
    pub fn new() -> Self {
        World { epoch: 1, ..World::default() }
    }

    /// A log of entries of these tenants.
    pub fn of(tenants: &[Option<&str>]) -> Self {
        let mut world = World::new();
        tenants.iter().enumerate().for_each(|(at, tenant)| world.append(entry(at as u32, *tenant)));
        world
    }

    pub fn append(&mut self, mut entry: OpenEntry) {
        let index = self.leaves.len() as u64;
        let (number, tenant_prev) = self.heads.get(&entry.tenant_id).copied().unwrap_or((0, NO_LEAF));
        let place = Place {
            index,
            prev: Hex(self.leaves.last().copied().unwrap_or(NO_LEAF)),
            tenant_number: number + 1,
            tenant_prev: Hex(tenant_prev),
        };
        let hash = entry.leaf_hash(&place);
        self.heads.insert(entry.tenant_id.clone(), (number + 1, hash));
        entry.leaf = Some(place);
        self.entries.push(entry);
        self.leaves.push(hash);
        self.nodes.insert(Subtree { level: 0, index }, hash);
        let nodes = &mut self.nodes;
        self.tree.push(hash, &mut |node, hash| {
            nodes.insert(node, hash);
        });
        self.roots.push(self.tree.root());
    }

    pub fn checkpoint(&self, size: u64) -> Checkpoint {
        let root = self.roots[size as usize - 1];
        Checkpoint { origin: Origin::new(NAME, self.epoch), size, root }
    }

    pub fn note(&self, size: u64) -> String {
        self.checkpoint(size).sign(&signer("log").0)
    }

    pub fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    pub fn path(&self, index: u64, size: u64) -> Vec<Hash> {
        assemble(&inclusion_path(index, size).unwrap(), &|node| self.nodes.get(&node).copied()).unwrap()
    }

    pub fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        assemble(&consistency_path(old, new).unwrap(), &|node| self.nodes.get(&node).copied()).unwrap()
    }

    /// The entries of a tenant among the first `size`, or all.
    pub fn of_tenant(&self, tenant: Option<&str>, size: u64) -> Vec<OpenEntry> {
        let mine = |entry: &&OpenEntry| tenant.is_none() || entry.tenant_id.as_deref() == tenant;
        self.entries[..size as usize].iter().filter(mine).cloned().collect()
    }

    /// What an honest exporter writes of the first `size` leaves.
    pub fn export(&self, tenant: Option<&str>, size: u64, pending: &[OpenEntry]) -> String {
        let entries = self.of_tenant(tenant, size);
        export(tenant, vec![self.section(tenant, entries, size)], pending)
    }

    /// One log of a bundle with these entries.
    pub fn section(&self, tenant: Option<&str>, entries: Vec<OpenEntry>, size: u64) -> (Log, Vec<OpenEntry>) {
        let newest = entries.last().and_then(|entry| entry.leaf.as_ref()).filter(|_| tenant.is_some());
        let path =
            newest.map(|place| self.path(place.index, size).into_iter().map(Hex).collect::<Vec<Hex<32>>>());
        (Log { checkpoint: self.note(size), entries: entries.len() as u64, path }, entries)
    }
}

/// A bundle of these logs, signed by the exporter.
pub fn export(tenant: Option<&str>, logs: Vec<(Log, Vec<OpenEntry>)>, pending: &[OpenEntry]) -> String {
    export_by("exporter", tenant, logs, pending)
}

pub fn export_by(
    word: &str,
    tenant: Option<&str>,
    logs: Vec<(Log, Vec<OpenEntry>)>,
    pending: &[OpenEntry],
) -> String {
    let header = Header {
        format: FORMAT.to_owned(),
        exporter: "control-plane".to_owned(),
        tenant: tenant.map(str::to_owned),
        from: None,
        to: None,
        created_at: DateTime::from_timestamp(1_700_000_100, 0).unwrap(),
        missing: Vec::new(),
    };
    let (mut writer, mut text) = Writer::begin(header);
    for (log, entries) in logs {
        text.push_str(&writer.log(log).unwrap());
        entries.into_iter().for_each(|entry| text.push_str(&writer.entry(entry)));
    }
    pending.iter().for_each(|entry| text.push_str(&writer.entry(entry.clone())));
    let sign = |manifest: &Manifest| jws(word, MANIFEST_TYPE, manifest);
    text + &writer.finish(sign)
}

/// Whoever trusts the log's key and the exporter's.
pub fn trust() -> Trust {
    let keys = signer("log").1;
    Trust { keys, jwks: Jwks::parse(&jwks("exporter")).unwrap(), kept: Vec::new(), steps: Vec::new() }
}
