//! Tombstones and holds as data objects of the token, so that every replica sees them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use mintmark_fault::Fault;
use mintmark_ids::{EvidenceId, TenantId};
use uuid::Uuid;

use super::super::failure::{damaged, unavailable};
use super::super::kept_hold::KeptHold;
use super::super::{Hold, Tombstone};
use super::pool::{Called, Trouble};

/// Says that this token is a keystore: without it one whose objects are not loaded would look like one in which every key is
/// destroyed and no tombstone stands.
const MARK: &str = "mintmark:keystore:v1";
const TOMBSTONE: &str = "mintmark:tombstone:v1";
const HOLD: &str = "mintmark:hold:v1";

fn label(tenant: &TenantId, record: EvidenceId) -> String {
    format!("{tenant}/{record}")
}

fn template(application: &str, label: Option<&str>) -> Vec<Attribute> {
    let mut template =
        vec![Attribute::Class(ObjectClass::DATA), Attribute::Application(application.as_bytes().to_vec())];
    template.extend(label.map(|label| Attribute::Label(label.as_bytes().to_vec())));
    template
}

fn keep(session: &Session, application: &str, label: &str, value: Vec<u8>) -> Called<()> {
    let mut attributes = template(application, Some(label));
    // Private: without the PIN nobody sees or removes it.
    attributes.extend([Attribute::Token(true), Attribute::Private(true), Attribute::Value(value)]);
    session.create_object(&attributes)?;
    Ok(())
}

fn drop_all(session: &Session, objects: impl IntoIterator<Item = ObjectHandle>) -> Called<()> {
    for object in objects {
        match session.destroy_object(object) {
            Ok(()) | Err(Error::Pkcs11(RvError::ObjectHandleInvalid, _)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Label and value; `None` where it was destroyed since it was found.
fn content(session: &Session, object: ObjectHandle) -> Called<Option<(String, Vec<u8>)>> {
    let attributes = match session.get_attributes(object, &[AttributeType::Label, AttributeType::Value]) {
        Err(Error::Pkcs11(RvError::ObjectHandleInvalid, _)) => return Ok(None),
        attributes => attributes?,
    };
    let (mut label, mut value) = (String::new(), Vec::new());
    for attribute in attributes {
        match attribute {
            Attribute::Label(bytes) => label = String::from_utf8_lossy(&bytes).into_owned(),
            Attribute::Value(bytes) => value = bytes,
            _ => {}
        }
    }
    Ok(Some((label, value)))
}

fn parse_label(label: &str) -> Option<(TenantId, EvidenceId)> {
    let (tenant, record) = label.split_once('/')?;
    Some((TenantId::parse(tenant).ok()?, record.parse().ok()?))
}

/// Makes a token a keystore, or leaves one.
pub(super) fn mark(session: &Session) -> Called<()> {
    if session.find_objects(&template(MARK, None))?.is_empty() {
        keep(session, MARK, "mintmark", Utc::now().to_rfc3339().into_bytes())?;
    }
    Ok(())
}

/// Whether the token's objects are there: asked before anything is said not to be in it.
pub(super) fn ready(session: &Session) -> Called<()> {
    if session.find_objects(&template(MARK, None))?.is_empty() {
        // As if the token were away: the library is started again, and time is limited.
        return Err(Trouble::Token(Error::Pkcs11(
            RvError::TokenNotPresent,
            cryptoki::context::Function::FindObjects,
        )));
    }
    Ok(())
}

fn find(session: &Session, application: &str, label: &str) -> Called<Vec<ObjectHandle>> {
    let found = session.find_objects(&template(application, Some(label)))?;
    if found.is_empty() {
        ready(session)?;
    }
    Ok(found)
}

/// Tombstones of one object: some tokens keep no more than a few kilobytes in one.
const STONES_AN_OBJECT: usize = 64;
/// A record's id and the time in microseconds.
const STONE_LEN: usize = 16 + 8;
/// How often a search is begun anew because an object went while it was read.
const SEARCHES: usize = 5;

type Stone = (EvidenceId, DateTime<Utc>);

/// An object with tombstones.
struct Batch {
    object: ObjectHandle,
    /// Its tenant's name.
    label: String,
    stones: Vec<Stone>,
}

fn stones_to_bytes(stones: &[Stone]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(stones.len() * STONE_LEN);
    for (record, at) in stones {
        bytes.extend_from_slice(record.as_uuid().as_bytes());
        bytes.extend_from_slice(&at.timestamp_micros().to_be_bytes());
    }
    bytes
}

fn stones_of_bytes(bytes: &[u8]) -> Result<Vec<Stone>, Fault> {
    let whole = bytes.chunks_exact(STONE_LEN);
    if !whole.remainder().is_empty() {
        return Err(damaged("an object with tombstones was cut"));
    }
    let stone = |bytes: &[u8]| {
        let (id, micros) = bytes.split_first_chunk::<16>()?;
        let at = DateTime::from_timestamp_micros(i64::from_be_bytes(micros.try_into().ok()?))?;
        Some((EvidenceId::from_uuid(Uuid::from_bytes(*id)), at))
    };
    whole.map(|bytes| stone(bytes).ok_or_else(|| damaged("a tombstone has no time"))).collect()
}

/// The objects with tombstones, of one tenant or of all.
///
/// Tombstones lie many in an object, because tokens look at every object for each search. An object is never changed: what is
/// new gets a new one, and where one tombstone goes the others move to a new object before the old one is destroyed. So an
/// object that went while it was read has a successor that the search may not have met, and the search begins anew.
fn batches(session: &Session, tenant: Option<&TenantId>) -> Called<Vec<Batch>> {
    for _ in 0..SEARCHES {
        let found = session.find_objects(&template(TOMBSTONE, tenant.map(TenantId::as_str)))?;
        if found.is_empty() {
            ready(session)?;
        }
        let mut batches = Vec::with_capacity(found.len());
        for object in &found {
            let Some((label, value)) = content(session, *object)? else { break };
            batches.push(Batch { object: *object, label, stones: stones_of_bytes(&value)? });
        }
        if batches.len() == found.len() {
            return Ok(batches);
        }
    }
    Err(unavailable("tombstones moved while they were read").into())
}

fn stones_of(session: &Session, tenant: &TenantId) -> Called<BTreeMap<EvidenceId, DateTime<Utc>>> {
    let mut all = BTreeMap::new();
    for (record, at) in batches(session, Some(tenant))?.into_iter().flat_map(|batch| batch.stones) {
        // Two processes may have made one each at the same moment.
        all.entry(record).and_modify(|known| *known = at.min(*known)).or_insert(at);
    }
    Ok(all)
}

pub(super) fn entomb(session: &Session, tombstones: &[Tombstone]) -> Called<()> {
    let mut tenants: BTreeMap<&TenantId, Vec<Stone>> = BTreeMap::new();
    for stone in tombstones {
        tenants.entry(&stone.tenant).or_default().push((stone.record, stone.at));
    }
    for (tenant, mut stones) in tenants {
        let known = stones_of(session, tenant)?;
        stones.retain(|(record, _)| !known.contains_key(record));
        for part in stones.chunks(STONES_AN_OBJECT) {
            keep(session, TOMBSTONE, tenant.as_str(), stones_to_bytes(part))?;
        }
    }
    Ok(())
}

pub(super) fn is_entombed(session: &Session, tenant: &TenantId, record: EvidenceId) -> Called<bool> {
    Ok(stones_of(session, tenant)?.contains_key(&record))
}

pub(super) fn tombstones(session: &Session) -> Called<Vec<Tombstone>> {
    let tenants: BTreeSet<String> = batches(session, None)?.into_iter().map(|batch| batch.label).collect();
    let mut all = Vec::new();
    for tenant in tenants {
        let Ok(tenant) = TenantId::parse(&tenant) else { continue };
        let stones = stones_of(session, &tenant)?;
        all.extend(stones.into_iter().map(|(record, at)| Tombstone { tenant: tenant.clone(), record, at }));
    }
    Ok(all)
}

pub(super) fn disinter(session: &Session, tenant: &TenantId, record: EvidenceId) -> Called<()> {
    for Batch { object, mut stones, .. } in batches(session, Some(tenant))? {
        let before = stones.len();
        stones.retain(|(known, _)| *known != record);
        if stones.len() == before {
            continue;
        }
        if !stones.is_empty() {
            keep(session, TOMBSTONE, tenant.as_str(), stones_to_bytes(&stones))?;
        }
        drop_all(session, [object])?;
    }
    Ok(())
}

/// The new one is made before the old ones go: a crash leaves two, of which the later counts.
pub(super) fn hold(session: &Session, hold: &Hold) -> Called<()> {
    let label = label(&hold.tenant, hold.record);
    let before = find(session, HOLD, &label)?;
    let value = serde_json::to_vec(&KeptHold::of(&hold.key)).map_err(Fault::internal)?;
    keep(session, HOLD, &label, value)?;
    drop_all(session, before)
}

fn parse_hold(value: &[u8]) -> Result<KeptHold, Fault> {
    serde_json::from_slice(value).map_err(damaged)
}

pub(super) fn held(session: &Session, tenant: &TenantId, record: EvidenceId) -> Called<Option<Hold>> {
    let found = find(session, HOLD, &label(tenant, record))?;
    let mut newest: Option<KeptHold> = None;
    for object in &found {
        let Some((_, value)) = content(session, *object)? else { continue };
        let kept = parse_hold(&value)?;
        if newest.as_ref().is_none_or(|known| known.order() < kept.order()) {
            newest = Some(kept);
        }
    }
    match newest {
        Some(kept) => {
            let key = kept.key().ok_or_else(|| damaged("a kept hold has a field of another length"))?;
            Ok(Some(Hold { tenant: tenant.clone(), record, key }))
        }
        // Replaced between the two calls: its successor is there.
        None if !found.is_empty() => Err(unavailable("a hold was replaced while it was read").into()),
        None => Ok(None),
    }
}

pub(super) fn holds(session: &Session) -> Called<Vec<Hold>> {
    ready(session)?;
    let mut records = BTreeMap::new();
    for object in session.find_objects(&template(HOLD, None))? {
        let Some((label, _)) = content(session, object)? else { continue };
        records.extend(parse_label(&label).map(|record| (record, ())));
    }
    let mut all = Vec::with_capacity(records.len());
    for (tenant, record) in records.into_keys() {
        all.extend(held(session, &tenant, record)?);
    }
    Ok(all)
}

pub(super) fn release(session: &Session, tenant: &TenantId, record: EvidenceId) -> Called<()> {
    drop_all(session, find(session, HOLD, &label(tenant, record))?)
}
