//! The RSA key that signs proofs: it is made in the token and never leaves it.

use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::super::failure::unavailable;
use super::super::jwk;
use super::pool::Called;

/// Proofs are read for decades.
const BITS: u64 = 3072;
/// 65537.
const EXPONENT: [u8; 3] = [1, 0, 1];

fn template(class: ObjectClass, label: &str) -> Vec<Attribute> {
    vec![
        Attribute::Class(class),
        Attribute::KeyType(KeyType::RSA),
        Attribute::Label(label.as_bytes().to_vec()),
    ]
}

/// The public half of the key with this label; it is made where there is none. Of several (two processes began at once) the
/// one with the least id is everybody's.
pub(super) fn open(session: &Session, label: &str) -> Called<Value> {
    let mut found = keys(session, label)?;
    if found.is_empty() {
        generate(session, label)?;
        found = keys(session, label)?;
    }
    let first =
        found.into_iter().next().ok_or_else(|| unavailable("the token lost the key that it just made"))?;
    Ok(first.1)
}

fn generate(session: &Session, label: &str) -> Called<()> {
    let id = uuid::Uuid::new_v4().as_bytes().to_vec();
    let common = [
        Attribute::Token(true),
        Attribute::Id(id),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Modifiable(false),
    ];
    let mut public = common.to_vec();
    public.extend([
        Attribute::ModulusBits(BITS.into()),
        Attribute::PublicExponent(EXPONENT.to_vec()),
        Attribute::Verify(true),
        Attribute::Private(false),
    ]);
    let mut private = common.to_vec();
    private.extend([
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
    ]);
    session.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private)?;
    Ok(())
}

/// Private keys with this label and their public halves, ordered by id.
fn keys(session: &Session, label: &str) -> Called<Vec<(ObjectHandle, Value)>> {
    let mut keys = Vec::new();
    for private in session.find_objects(&template(ObjectClass::PRIVATE_KEY, label))? {
        if let Some(jwk) = public_half(session, private, label)? {
            keys.push((private, jwk));
        }
    }
    keys.sort_by_key(|(_, jwk)| jwk["kid"].to_string());
    Ok(keys)
}

fn public_half(session: &Session, private: ObjectHandle, label: &str) -> Called<Option<Value>> {
    let mut wanted = template(ObjectClass::PUBLIC_KEY, label);
    wanted.extend(session.get_attributes(private, &[AttributeType::Id])?);
    // Some tokens show both numbers at the private key, others at the public one alone.
    let public = session.find_objects(&wanted)?.into_iter().next().unwrap_or(private);
    let (mut modulus, mut exponent) = (None, None);
    for attribute in
        session.get_attributes(public, &[AttributeType::Modulus, AttributeType::PublicExponent])?
    {
        match attribute {
            Attribute::Modulus(bytes) => modulus = Some(bytes),
            Attribute::PublicExponent(bytes) => exponent = Some(bytes),
            _ => {}
        }
    }
    Ok(modulus.zip(exponent).map(|(modulus, exponent)| jwk::of_rsa(&modulus, &exponent)))
}

/// Signs with the key that has this public half.
pub(super) fn sign(
    session: &Session,
    label: &str,
    kid: &Value,
    hashes: bool,
    messages: &[Vec<u8>],
) -> Called<Vec<Vec<u8>>> {
    let key = keys(session, label)?.into_iter().find(|(_, jwk)| jwk["kid"] == *kid);
    let (key, _) = key.ok_or_else(|| unavailable("the key that signs proofs is not in the token"))?;
    let parameters =
        PkcsPssParams { hash_alg: MechanismType::SHA256, mgf: PkcsMgfType::MGF1_SHA256, s_len: 32.into() };
    let mut signatures = Vec::with_capacity(messages.len());
    for message in messages {
        signatures.push(if hashes {
            session.sign(&Mechanism::Sha256RsaPkcsPss(parameters), key, message)?
        } else {
            let digest = digest(&SHA256, message);
            session.sign(&Mechanism::RsaPkcsPss(parameters), key, digest.as_ref())?
        });
    }
    Ok(signatures)
}
