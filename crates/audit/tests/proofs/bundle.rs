//! Bundles that hold, and what a verifier makes of them.

use mintmark_audit::flaw::Flaw;
use mintmark_audit::proof::{Consistency, Inclusion, to_line};
use mintmark_audit::verify::{Refused, Report, Trust, bundle};

use crate::world::{World, commit, entry, export, trust};

const MIXED: [Option<&str>; 7] =
    [Some("acme"), None, Some("other"), Some("acme"), Some("acme"), None, Some("other")];

pub fn check(text: &str, trust: &Trust) -> Result<Report, Flaw> {
    match bundle(text.as_bytes(), trust, |_| {}) {
        Ok(report) => Ok(report),
        Err(Refused::Flaw { flaw, .. }) => Err(flaw),
        Err(Refused::Unreadable { error, .. }) => panic!("{error}"),
    }
}

#[test]
fn bundle_of_a_tenant_holds_at_every_size() {
    let world = World::of(&MIXED);
    for size in 1..=world.size() {
        let report = check(&world.export(Some("acme"), size, &[]), &trust()).unwrap();
        let entries = world.of_tenant(Some("acme"), size).len() as u64;
        assert_eq!((report.proven, report.pending), (entries, 0));
        assert_eq!(report.logs[0].checkpoint, world.checkpoint(size));
        assert_eq!(report.logs[0].numbers, Some((1, entries)));
    }
    let report = check(&world.export(Some("nobody"), 7, &[]), &trust()).unwrap();
    assert_eq!((report.proven, report.logs[0].numbers), (0, None));
}

#[test]
fn bundle_of_a_whole_log_holds_at_every_size() {
    let world = World::of(&MIXED);
    for size in 1..=world.size() {
        let report = check(&world.export(None, size, &[]), &trust()).unwrap();
        assert_eq!((report.proven, report.logs[0].numbers), (size, Some((0, size - 1))));
    }
}

#[test]
fn pending_entries_are_counted_apart() {
    let world = World::of(&MIXED);
    let report = check(&world.export(Some("acme"), 7, &[entry(50, Some("acme"))]), &trust()).unwrap();
    assert_eq!((report.proven, report.pending), (3, 1));
}

#[test]
fn bundle_of_two_epochs_holds() {
    let (first, mut second) = (World::of(&MIXED), World::new());
    second.epoch = 2;
    second.append(entry(9, None));
    second.append(entry(10, Some("acme")));
    let whose = Some("acme");
    let sections = |order: [(&World, u64); 2]| {
        order.map(|(world, size)| world.section(whose, world.of_tenant(whose, size), size)).into()
    };
    let report = check(&export(whose, sections([(&first, 7), (&second, 2)]), &[]), &trust()).unwrap();
    assert_eq!((report.logs.len(), report.proven), (2, 4));
    let backwards = export(whose, sections([(&second, 2), (&first, 7)]), &[]);
    assert!(matches!(check(&backwards, &trust()), Err(Flaw::Order(_))));
    let twice = export(whose, sections([(&first, 7), (&first, 7)]), &[]);
    assert!(matches!(check(&twice, &trust()), Err(Flaw::Order(_))));
}

#[test]
fn kept_checkpoint_is_continued_or_the_bundle_refused() {
    let world = World::of(&MIXED);
    let kept = |size| Trust { kept: vec![world.checkpoint(size)], ..trust() };
    // All of a log shows by itself that it continues any older state.
    for size in 1..=7 {
        assert_eq!(check(&world.export(None, 7, &[]), &kept(size)).unwrap().logs[0].kept, 1);
    }
    // A tenant's part needs a proof of it, unless it is the same state.
    assert_eq!(check(&world.export(Some("acme"), 7, &[]), &kept(7)).unwrap().logs[0].kept, 1);
    assert!(matches!(check(&world.export(Some("acme"), 7, &[]), &kept(4)), Err(Flaw::Unconnected(_))));
    let proof = Consistency::new(world.note(4), world.note(7), &world.consistency(4, 7));
    let step = Consistency::parse(&to_line(&proof)).unwrap().verify(&trust().keys).unwrap();
    let connected = Trust { steps: vec![step], ..kept(4) };
    assert_eq!(check(&world.export(Some("acme"), 7, &[]), &connected).unwrap().logs[0].kept, 1);
}

#[test]
fn proof_of_one_entry_holds_and_no_changed_one() {
    let world = World::of(&MIXED);
    let keys = trust().keys;
    for (index, entry) in world.entries.iter().enumerate() {
        let proof = Inclusion::new(entry.clone(), &world.path(index as u64, 7), world.note(7));
        let line = to_line(&proof);
        assert_eq!(Inclusion::parse(&line).unwrap().verify(&keys).unwrap(), world.checkpoint(7));
        if index > 1 {
            continue;
        }
        for at in 0..line.len() {
            for change in [0x01, 0x20, 0x80] {
                let mut bent = line.clone().into_bytes();
                bent[at] ^= change;
                let Ok(bent) = String::from_utf8(bent) else { continue };
                let opened = Inclusion::parse(&bent).and_then(|proof| proof.verify(&keys));
                assert!(opened.is_err(), "byte {at}: {bent}");
            }
        }
    }
}

#[test]
fn consistency_proof_of_another_history_is_refused() {
    let (world, keys) = (World::of(&MIXED), trust().keys);
    let mut other = World::of(&MIXED[..3]);
    (4..8).for_each(|number| other.append(entry(number + 90, None)));
    let honest = Consistency::new(world.note(4), world.note(7), &world.consistency(4, 7));
    assert!(honest.verify(&keys).is_ok());
    let forked = Consistency::new(world.note(4), other.note(7), &other.consistency(4, 7));
    assert!(matches!(forked.verify(&keys), Err(Flaw::Proof(_))));
    let mut elsewhere = World::of(&MIXED);
    elsewhere.epoch = 2;
    let crossed = Consistency::new(world.note(4), elsewhere.note(7), &world.consistency(4, 7));
    assert!(matches!(crossed.verify(&keys), Err(Flaw::Order(_))));
}

#[test]
fn resumed_log_names_a_signed_state_of_the_one_before() {
    let before = World::of(&MIXED);
    let resumed = |action: &str, named: String| {
        let (mut first, mut world) = (entry(0, None), World::new());
        world.epoch = 2;
        first.action = action.to_owned();
        first.detail = serde_json::json!({ "checkpoint": named });
        commit(&mut first);
        world.append(first);
        check(&world.export(None, 1, &[]), &trust())
    };
    assert_eq!(resumed("AUDIT_LOG_RESUMED", before.note(7)).unwrap().proven, 1);
    assert!(matches!(resumed("SESSION_MINTED", before.note(7)), Err(Flaw::Chain { .. })));
    assert!(matches!(resumed("AUDIT_LOG_RESUMED", before.checkpoint(7).body()), Err(Flaw::Chain { .. })));
}
