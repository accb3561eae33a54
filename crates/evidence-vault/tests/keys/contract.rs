//! What every provider must do. Two instances share one store, as two replicas do: whatever one did, the other sees at once.

use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use mintmark_evidence_vault::provider::{Bound, Dek, Hold, KeyProvider, Tombstone, WrappedDek};
use mintmark_fault::{Fault, Result};
use mintmark_ids::{EvidenceId, KekId, TenantId};
use zeroize::Zeroizing;

pub type Provider = Arc<dyn KeyProvider>;

pub fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

pub fn dek(byte: u8) -> Dek {
    Dek::new(Zeroizing::new([byte; 32]))
}

pub fn code<T>(result: Result<T>) -> String {
    result.err().map(|fault: Fault| fault.code().to_owned()).unwrap_or_default()
}

/// All of it.
pub async fn run(one: &Provider, other: &Provider) {
    keys_are_made_and_destroyed(one, other).await;
    wrapped_keys_open_for_their_own_record_alone(one, other).await;
    fields_swapped_between_records_are_refused(one).await;
    damage_of_every_byte_is_refused(one).await;
    tombstones_refuse_a_record_under_every_key(one, other).await;
    tombstones_keep_their_first_time_and_go_one_by_one(one, other).await;
    holds_are_replaced_and_released(one, other).await;
    calls_at_the_same_time_agree(one, other).await;
    signatures_come_in_order(one, other).await;
}

async fn keys_are_made_and_destroyed(one: &Provider, other: &Provider) {
    let (acme, rival) = (tenant("acme"), tenant("rival"));
    let kek = KekId::new();
    one.ready().await.unwrap();
    assert!(!one.exists(kek).await.unwrap());
    one.create(&acme, kek).await.unwrap();
    other.create(&acme, kek).await.unwrap();
    assert!(one.exists(kek).await.unwrap() && other.exists(kek).await.unwrap());
    assert_eq!(one.keys().await.unwrap().iter().filter(|key| **key == (acme.clone(), kek)).count(), 1);
    // It is not made again for another tenant.
    assert_eq!(code(one.create(&rival, kek).await), "EVIDENCE_KEY_DAMAGED");

    let record = EvidenceId::new();
    let bound = Bound { tenant: &acme, record };
    let wrapped = one.wrap(kek, bound, &dek(1)).await.unwrap();
    other.destroy(kek).await.unwrap();
    one.destroy(kek).await.unwrap();
    for provider in [one, other] {
        assert!(!provider.exists(kek).await.unwrap());
        assert_eq!(code(provider.unwrap(bound, &wrapped).await), "EVIDENCE_KEY_DESTROYED");
        assert_eq!(code(provider.wrap(kek, bound, &dek(1)).await), "EVIDENCE_KEY_DESTROYED");
        assert!(provider.keys().await.unwrap().iter().all(|(_, known)| *known != kek));
    }
    // A key of the same name is another key.
    one.create(&acme, kek).await.unwrap();
    assert_eq!(code(one.unwrap(bound, &wrapped).await), "EVIDENCE_KEY_DAMAGED");
    one.destroy(kek).await.unwrap();
}

async fn wrapped_keys_open_for_their_own_record_alone(one: &Provider, other: &Provider) {
    let (acme, rival) = (tenant("acme"), tenant("rival"));
    let (kek, second, foreign) = (KekId::new(), KekId::new(), KekId::new());
    one.create(&acme, kek).await.unwrap();
    one.create(&acme, second).await.unwrap();
    one.create(&rival, foreign).await.unwrap();
    let record = EvidenceId::new();
    let bound = Bound { tenant: &acme, record };
    let wrapped = one.wrap(kek, bound, &dek(7)).await.unwrap();
    assert_eq!(wrapped.kek, kek);
    assert_ne!(wrapped.wrapped, [7; 32]);
    assert_eq!(other.unwrap(bound, &wrapped).await.unwrap().expose(), &[7; 32]);
    // Fresh randomness each time.
    let again = other.wrap(kek, bound, &dek(7)).await.unwrap();
    assert!(again.iv != wrapped.iv && again.wrapped != wrapped.wrapped);

    let elsewhere = [
        Bound { tenant: &acme, record: EvidenceId::new() },
        Bound { tenant: &rival, record },
        Bound { tenant: &rival, record: EvidenceId::new() },
    ];
    for bound in elsewhere {
        assert_eq!(code(one.unwrap(bound, &wrapped).await), "EVIDENCE_KEY_DAMAGED");
    }
    for kek in [second, foreign] {
        let moved = WrappedDek { kek, ..wrapped.clone() };
        assert_eq!(code(one.unwrap(bound, &moved).await), "EVIDENCE_KEY_DAMAGED");
    }
    // Nobody wraps under another tenant's key.
    assert_eq!(code(one.wrap(foreign, bound, &dek(7)).await), "EVIDENCE_KEY_DAMAGED");
}

async fn fields_swapped_between_records_are_refused(one: &Provider) {
    let acme = tenant("acme");
    let (kek, other_kek) = (KekId::new(), KekId::new());
    one.create(&acme, kek).await.unwrap();
    one.create(&acme, other_kek).await.unwrap();
    let (first, second) = (EvidenceId::new(), EvidenceId::new());
    let bound = Bound { tenant: &acme, record: first };
    let mine = one.wrap(kek, bound, &dek(1)).await.unwrap();
    let theirs = [
        one.wrap(kek, bound, &dek(1)).await.unwrap(),
        one.wrap(kek, Bound { tenant: &acme, record: second }, &dek(1)).await.unwrap(),
        one.wrap(other_kek, bound, &dek(1)).await.unwrap(),
    ];
    for (at, other) in theirs.iter().enumerate() {
        // Each field alone, and every set of fields that is neither all of the one nor all of the other.
        for fields in 1..15_u8 {
            let has = |bit: u8| fields & (1 << bit) != 0;
            let spliced = WrappedDek {
                kek: if has(0) { other.kek } else { mine.kek },
                iv: if has(1) { other.iv } else { mine.iv },
                wrapped: if has(2) { other.wrapped } else { mine.wrapped },
                tag: if has(3) { other.tag } else { mine.tag },
            };
            let is_whole = spliced == mine || at != 1 && spliced == *other;
            let opened = one.unwrap(bound, &spliced).await;
            assert_eq!(opened.is_ok(), is_whole, "{at} {fields:04b}");
        }
    }
}

async fn damage_of_every_byte_is_refused(one: &Provider) {
    let acme = tenant("acme");
    let kek = KekId::new();
    one.create(&acme, kek).await.unwrap();
    let bound = Bound { tenant: &acme, record: EvidenceId::new() };
    let wrapped = one.wrap(kek, bound, &dek(3)).await.unwrap();
    for at in 0..12 + 32 + 16 {
        let mut damaged = wrapped.clone();
        match at {
            0..12 => damaged.iv[at] ^= 1,
            12..44 => damaged.wrapped[at - 12] ^= 0x80,
            _ => damaged.tag[at - 44] ^= 1,
        }
        assert_eq!(code(one.unwrap(bound, &damaged).await), "EVIDENCE_KEY_DAMAGED", "byte {at}");
    }
    // What was refused spoiled nothing.
    assert_eq!(one.unwrap(bound, &wrapped).await.unwrap().expose(), &[3; 32]);
}

async fn tombstones_refuse_a_record_under_every_key(one: &Provider, other: &Provider) {
    let (acme, rival) = (tenant("acme"), tenant("rival"));
    let (kek, second) = (KekId::new(), KekId::new());
    one.create(&acme, kek).await.unwrap();
    one.create(&acme, second).await.unwrap();
    let (dead, alive) = (EvidenceId::new(), EvidenceId::new());
    let (of_dead, of_alive) = (Bound { tenant: &acme, record: dead }, Bound { tenant: &acme, record: alive });
    let first = one.wrap(kek, of_dead, &dek(1)).await.unwrap();
    let under_second = one.wrap(second, of_dead, &dek(1)).await.unwrap();
    let neighbour = one.wrap(kek, of_alive, &dek(2)).await.unwrap();
    one.entomb(&[]).await.unwrap();
    one.entomb(&[Tombstone { tenant: acme.clone(), record: dead, at: Utc::now() }]).await.unwrap();
    for provider in [one, other] {
        assert!(provider.is_entombed(&acme, dead).await.unwrap());
        assert!(!provider.is_entombed(&acme, alive).await.unwrap());
        assert!(!provider.is_entombed(&rival, dead).await.unwrap());
        for wrapped in [&first, &under_second] {
            assert_eq!(code(provider.unwrap(of_dead, wrapped).await), "EVIDENCE_SHREDDED");
        }
        // It comes back under no key that is made later either.
        let third = KekId::new();
        provider.create(&acme, third).await.unwrap();
        assert_eq!(code(provider.wrap(third, of_dead, &dek(1)).await), "EVIDENCE_SHREDDED");
        assert_eq!(provider.unwrap(of_alive, &neighbour).await.unwrap().expose(), &[2; 32]);
    }
}

async fn tombstones_keep_their_first_time_and_go_one_by_one(one: &Provider, other: &Provider) {
    let begun = Utc::now();
    let stones: Vec<Tombstone> = (0..40)
        .map(|at| Tombstone {
            tenant: tenant(if at % 2 == 0 { "acme" } else { "rival" }),
            record: EvidenceId::new(),
            // To the microsecond, as Postgres keeps it.
            at: chrono::DateTime::from_timestamp_micros(begun.timestamp_micros() + at).unwrap(),
        })
        .collect();
    one.entomb(&stones).await.unwrap();
    let later: Vec<Tombstone> = stones
        .iter()
        .map(|stone| Tombstone { at: stone.at + TimeDelta::days(1), ..stone.clone() })
        .chain([Tombstone { tenant: tenant("acme"), record: EvidenceId::new(), at: begun }])
        .collect();
    other.entomb(&later).await.unwrap();
    let kept = one.tombstones().await.unwrap();
    assert!(stones.iter().all(|stone| kept.contains(stone)), "the first counts");
    assert!(kept.iter().any(|stone| stone.record == later[40].record), "and what is new in a batch too");

    let (gone, stays) = (&stones[0], &stones[2]);
    other.disinter(&gone.tenant, gone.record).await.unwrap();
    one.disinter(&gone.tenant, gone.record).await.unwrap();
    one.disinter(&tenant("nobody"), gone.record).await.unwrap();
    assert!(!one.is_entombed(&gone.tenant, gone.record).await.unwrap());
    assert!(one.is_entombed(&stays.tenant, stays.record).await.unwrap());
    let kept = other.tombstones().await.unwrap();
    assert!(!kept.contains(gone) && kept.contains(stays));
}

async fn holds_are_replaced_and_released(one: &Provider, other: &Provider) {
    let acme = tenant("acme");
    let (first, second) = (KekId::new(), KekId::new());
    one.create(&acme, first).await.unwrap();
    one.create(&acme, second).await.unwrap();
    let record = EvidenceId::new();
    let bound = Bound { tenant: &acme, record };
    assert_eq!(one.held(&acme, record).await.unwrap(), None);
    let mut hold = Hold { tenant: acme.clone(), record, key: one.wrap(first, bound, &dek(5)).await.unwrap() };
    one.hold(&hold).await.unwrap();
    one.hold(&hold).await.unwrap();
    hold.key = one.wrap(second, bound, &dek(5)).await.unwrap();
    other.hold(&hold).await.unwrap();
    for provider in [one, other] {
        assert_eq!(provider.held(&acme, record).await.unwrap().as_ref(), Some(&hold));
        assert_eq!(provider.held(&tenant("rival"), record).await.unwrap(), None);
        assert_eq!(provider.holds().await.unwrap().iter().filter(|kept| kept.record == record).count(), 1);
    }
    // With what is kept the record can be opened.
    let kept = other.held(&acme, record).await.unwrap().unwrap();
    assert_eq!(other.unwrap(bound, &kept.key).await.unwrap().expose(), &[5; 32]);
    other.release(&acme, record).await.unwrap();
    one.release(&acme, record).await.unwrap();
    one.release(&tenant("nobody"), record).await.unwrap();
    assert_eq!(one.held(&acme, record).await.unwrap(), None);
    assert!(one.holds().await.unwrap().iter().all(|kept| kept.record != record));
}

async fn calls_at_the_same_time_agree(one: &Provider, other: &Provider) {
    let acme = tenant("acme");
    let kek = KekId::new();
    let (made, again) = tokio::join!(one.create(&acme, kek), other.create(&acme, kek));
    made.and(again).unwrap();
    let tasks: Vec<_> = (0..16_u8)
        .map(|at| {
            let provider = Arc::clone(if at % 2 == 0 { one } else { other });
            let acme = acme.clone();
            tokio::spawn(async move {
                let record = EvidenceId::new();
                let bound = Bound { tenant: &acme, record };
                let wrapped = provider.wrap(kek, bound, &dek(at)).await.unwrap();
                assert_eq!(provider.unwrap(bound, &wrapped).await.unwrap().expose(), &[at; 32]);
                let stone = Tombstone { tenant: acme.clone(), record, at: Utc::now() };
                provider.entomb(std::slice::from_ref(&stone)).await.unwrap();
                assert_eq!(code(provider.unwrap(bound, &wrapped).await), "EVIDENCE_SHREDDED");
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    one.destroy(kek).await.unwrap();
    assert!(!other.exists(kek).await.unwrap(), "also where both made it at once");
}

async fn signatures_come_in_order(one: &Provider, other: &Provider) {
    assert_eq!(one.verifying_key(), other.verifying_key());
    assert!(one.sign(&[]).await.unwrap().is_empty());
    let messages: Vec<Vec<u8>> = (0..37_u32).map(|at| at.to_be_bytes().to_vec()).collect();
    let signatures = one.sign(&messages).await.unwrap();
    assert_eq!(signatures.len(), messages.len());
    for (message, signature) in messages.iter().zip(&signatures) {
        assert!(crate::proofs::verifies(&one.verifying_key(), message, signature));
    }
    assert!(!crate::proofs::verifies(&one.verifying_key(), &messages[1], &signatures[0]));
}
