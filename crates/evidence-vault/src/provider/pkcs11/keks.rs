//! Key-encryption keys as objects of the token, and what they wrap.

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use mintmark_ids::{KekId, TenantId};
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use super::super::failure::{crypto, damaged, destroyed, shredded};
use super::super::{Bound, DEK_LEN, Dek, WrappedDek, binding};
use super::pool::Called;
use super::records;

/// Labels of ours: this, the tenant, the key's id.
const LABEL: &str = "mintmark-kek";
const TAG_BITS: u64 = 128;
const TAG_LEN: usize = 16;
const IV_LEN: usize = 12;

fn label(tenant: &TenantId, kek: KekId) -> String {
    format!("{LABEL}/{tenant}/{kek}")
}

fn template(kek: KekId) -> [Attribute; 2] {
    [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Id(kek.as_uuid().as_bytes().to_vec())]
}

/// Tokens know no unique names: two processes that made one key at the same time made two objects, and both count.
fn find(session: &Session, kek: KekId) -> Called<Vec<ObjectHandle>> {
    let found = session.find_objects(&template(kek))?;
    if found.is_empty() {
        records::ready(session)?;
    }
    Ok(found)
}

/// The objects of a key that belongs to this tenant.
fn find_of(session: &Session, tenant: &TenantId, kek: KekId) -> Called<Vec<ObjectHandle>> {
    let found = find(session, kek)?;
    for object in &found {
        let own = label(tenant, kek);
        if label_of(session, *object)?.as_deref() != Some(own.as_bytes()) {
            return Err(damaged("a key belongs to another tenant").into());
        }
    }
    if found.is_empty() { Err(destroyed().into()) } else { Ok(found) }
}

fn label_of(session: &Session, object: ObjectHandle) -> Called<Option<Vec<u8>>> {
    let attributes = session.get_attributes(object, &[AttributeType::Label])?;
    Ok(attributes.into_iter().find_map(|attribute| match attribute {
        Attribute::Label(label) => Some(label),
        _ => None,
    }))
}

pub(super) fn create(session: &Session, tenant: &TenantId, kek: KekId) -> Called<()> {
    if !find(session, kek)?.is_empty() {
        return find_of(session, tenant, kek).map(drop);
    }
    let attributes = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(32.into()),
        Attribute::Token(true),
        Attribute::Private(true),
        // Never to leave the token, in no form, and to have no twin in it: what is destroyed is gone.
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Copyable(false),
        Attribute::Modifiable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
        Attribute::Id(kek.as_uuid().as_bytes().to_vec()),
        Attribute::Label(label(tenant, kek).into_bytes()),
    ];
    session.generate_key(&Mechanism::AesKeyGen, &attributes)?;
    Ok(())
}

pub(super) fn exists(session: &Session, kek: KekId) -> Called<bool> {
    Ok(!find(session, kek)?.is_empty())
}

pub(super) fn list(session: &Session) -> Called<Vec<(TenantId, KekId)>> {
    records::ready(session)?;
    let mut keys = Vec::new();
    for object in session.find_objects(&[Attribute::Class(ObjectClass::SECRET_KEY)])? {
        let label = match label_of(session, object) {
            Ok(label) => label.unwrap_or_default(),
            // Destroyed since it was found.
            Err(super::pool::Trouble::Token(Error::Pkcs11(RvError::ObjectHandleInvalid, _))) => continue,
            Err(trouble) => return Err(trouble),
        };
        // The token may serve others too.
        let label = String::from_utf8_lossy(&label).into_owned();
        let parts: Vec<&str> = label.split('/').collect();
        let [LABEL, tenant, kek] = parts[..] else { continue };
        keys.extend(TenantId::parse(tenant).ok().zip(kek.parse().ok()));
    }
    keys.sort_unstable_by_key(|(_, kek)| *kek);
    keys.dedup();
    Ok(keys)
}

pub(super) fn destroy(session: &Session, kek: KekId) -> Called<()> {
    for object in find(session, kek)? {
        match session.destroy_object(object) {
            // Another process was faster.
            Ok(()) | Err(Error::Pkcs11(RvError::ObjectHandleInvalid, _)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

pub(super) fn wrap(session: &Session, kek: KekId, bound: Bound<'_>, dek: &Dek) -> Called<WrappedDek> {
    if records::is_entombed(session, bound.tenant, bound.record)? {
        return Err(shredded().into());
    }
    let key = find_of(session, bound.tenant, kek)?.into_iter().next().ok_or_else(destroyed)?;
    let mut iv = [0; IV_LEN];
    SystemRandom::new().fill(&mut iv).map_err(crypto)?;
    let aad = binding::of_dek(bound, kek);
    let mut parameter = iv;
    let mechanism = Mechanism::AesGcm(GcmParams::new(&mut parameter, &aad, TAG_BITS.into())?);
    let sealed = session.encrypt(&mechanism, key, dek.expose())?;
    let (Some(wrapped), Some(tag)) = (sealed.first_chunk::<DEK_LEN>(), sealed.get(DEK_LEN..)) else {
        return Err(damaged("the token gave a ciphertext of another length").into());
    };
    let tag = tag.try_into().map_err(|_| damaged("the token gave a tag of another length"))?;
    Ok(WrappedDek { kek, iv, wrapped: *wrapped, tag })
}

pub(super) fn unwrap(session: &Session, bound: Bound<'_>, key: &WrappedDek) -> Called<Dek> {
    if records::is_entombed(session, bound.tenant, bound.record)? {
        return Err(shredded().into());
    }
    let aad = binding::of_dek(bound, key.kek);
    let mut sealed = [0; DEK_LEN + TAG_LEN];
    sealed[..DEK_LEN].copy_from_slice(&key.wrapped);
    sealed[DEK_LEN..].copy_from_slice(&key.tag);
    for object in find_of(session, bound.tenant, key.kek)? {
        let mut iv = key.iv;
        let mechanism = Mechanism::AesGcm(GcmParams::new(&mut iv, &aad, TAG_BITS.into())?);
        match session.decrypt(&mechanism, object, &sealed).map(Zeroizing::new) {
            Ok(opened) if opened.len() == DEK_LEN => {
                let mut dek = Zeroizing::new([0; DEK_LEN]);
                dek.copy_from_slice(&opened);
                return Ok(Dek::new(dek));
            }
            Ok(_) => {}
            Err(error) if is_refusal(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // A general error may be the token's own: then the key is not found now, or nothing is.
    find_of(session, bound.tenant, key.kek)?;
    records::ready(session)?;
    Err(damaged("a wrapped key does not authenticate for its record, tenant and key").into())
}

/// How tokens say that a tag is wrong; SoftHSM says "general error".
fn is_refusal(error: &Error) -> bool {
    matches!(
        error,
        Error::Pkcs11(
            RvError::EncryptedDataInvalid
                | RvError::EncryptedDataLenRange
                | RvError::DataInvalid
                | RvError::DataLenRange
                | RvError::GeneralError
                | RvError::FunctionFailed,
            cryptoki::context::Function::Decrypt | cryptoki::context::Function::DecryptFinal
        )
    )
}
