//! What forgers do to bundles. Most of them here hold even the exporter's key; one holds the log's key too.

use mintmark_audit::checkpoint::CheckpointError;
use mintmark_audit::flaw::Flaw;
use mintmark_audit::hex::Hex;
use mintmark_audit::note::NoteError;
use mintmark_audit::token::{Jwks, JwksError};
use mintmark_audit::verify::Trust;
use serde_json::json;

use crate::bundle::check;
use crate::world::{World, commit, entry, export, export_by, jwks, signer, trust};

const TENANTS: [Option<&str>; 6] =
    [Some("acme"), None, Some("acme"), Some("other"), Some("acme"), Some("acme")];
const ACME: Option<&str> = Some("acme");

/// Each byte three ways (a neighbour, the other case of a letter, no ASCII), left out, and with a space before it.
fn change_each_byte(honest: &str, trust: &Trust) {
    let held = |bytes: &[u8]| mintmark_audit::verify::bundle(bytes, trust, |_| {}).is_ok();
    let bytes = honest.as_bytes();
    assert!(held(bytes));
    for at in 0..bytes.len() {
        for change in [0x01, 0x20, 0x80] {
            let mut bent = bytes.to_vec();
            bent[at] ^= change;
            assert!(!held(&bent), "byte {at} changed by {change:#x}");
        }
        assert!(!held(&[&bytes[..at], &bytes[at + 1..]].concat()), "without byte {at}");
        assert!(!held(&[&bytes[..at], b" ", &bytes[at..]].concat()), "a space before {at}");
    }
    assert!(!held(&[bytes, b"\n"].concat()), "an empty line after it");
}

#[test]
fn every_single_byte_change_of_a_tenants_bundle_is_caught() {
    let world = World::of(&TENANTS[..3]);
    let trust = Trust { kept: vec![world.checkpoint(3)], ..trust() };
    change_each_byte(&world.export(ACME, 3, &[entry(50, ACME)]), &trust);
}

#[test]
fn every_single_byte_change_of_a_whole_log_is_caught() {
    let world = World::of(&TENANTS[..2]);
    change_each_byte(&world.export(None, 2, &[]), &trust());
}

#[test]
fn bundle_that_was_cut_anywhere_is_refused() {
    let honest = World::of(&TENANTS).export(ACME, 6, &[]);
    let lines: Vec<&str> = honest.split_inclusive('\n').collect();
    for keep in 0..lines.len() {
        assert!(check(&lines[..keep].concat(), &trust()).is_err(), "{keep} lines");
    }
    for leave_out in 0..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(leave_out);
        assert!(check(&fewer.concat(), &trust()).is_err(), "without line {leave_out}");
        let mut twice = lines.clone();
        twice.insert(leave_out, lines[leave_out]);
        assert!(check(&twice.concat(), &trust()).is_err(), "line {leave_out} twice");
    }
}

/// Signed anew by the exporter after each forgery: only the log itself can tell.
#[test]
fn entries_that_the_log_does_not_hold_so_are_refused() {
    let world = World::of(&TENANTS);
    let honest = world.of_tenant(ACME, 6);
    let forged = |change: &dyn Fn(&mut Vec<_>)| {
        let (log, mut entries) = world.section(ACME, honest.clone(), 6);
        change(&mut entries);
        let log = mintmark_audit::bundle::Log { entries: entries.len() as u64, ..log };
        check(&export(ACME, vec![(log, entries)], &[]), &trust())
    };
    assert!(forged(&|_| {}).is_ok());
    let chain = |result| matches!(result, Err(Flaw::Chain { .. }));
    assert!(chain(forged(&|entries| entries.swap(1, 2))), "a reordered pair");
    assert!(chain(forged(&|entries| drop(entries.remove(1)))), "a gap");
    assert!(chain(forged(&|entries| drop(entries.remove(0)))), "without the first");
    assert!(forged(&|entries| drop(entries.pop())).is_err(), "the path is of another leaf than the last");
    // A field changed, and its commitment with it.
    let rewrite = |at: usize| {
        forged(&move |entries| {
            entries[at].actor = "user:somebody-else".to_owned();
            commit(&mut entries[at]);
        })
    };
    assert!(chain(rewrite(0)) && chain(rewrite(2)));
    assert!(matches!(rewrite(3), Err(Flaw::Proof(_))), "the newest is held by its path alone");
    let unopened = forged(&|entries| entries[1].actor = "user:somebody-else".to_owned());
    assert!(matches!(unopened, Err(Flaw::Commitment(_))));
    let foreign = forged(&|entries| {
        entries[1].tenant_id = Some("other".to_owned());
        commit(&mut entries[1]);
    });
    assert!(matches!(foreign, Err(Flaw::Tenant(_))));
    let beyond = forged(&|entries| entries[3].leaf.as_mut().unwrap().index = 6);
    assert!(chain(beyond));
}

#[test]
fn dropped_newest_entry_of_a_tenant_is_caught_by_the_manifest() {
    let world = World::of(&TENANTS);
    let honest = world.export(ACME, 6, &[]);
    // Everything that the log signed about the first three of four entries is true.
    let mut fewer = world.of_tenant(ACME, 6);
    fewer.pop();
    let forged = export_by("forger", ACME, vec![world.section(ACME, fewer.clone(), 6)], &[]);
    assert!(matches!(check(&forged, &trust()), Err(Flaw::Token { .. })), "signed by an unknown key");
    // With the manifest of the honest bundle.
    let trailer = honest.lines().last().unwrap();
    let mut lines: Vec<&str> = forged.lines().collect();
    *lines.last_mut().unwrap() = trailer;
    assert!(matches!(check(&(lines.join("\n") + "\n"), &trust()), Err(Flaw::Trailer(_))));
    // An exporter that lies itself is beyond this check, and docs/audit.md says so.
    assert!(check(&export(ACME, vec![world.section(ACME, fewer, 6)], &[]), &trust()).is_ok());
}

#[test]
fn dropped_newest_entry_is_caught_by_a_kept_checkpoint() {
    let world = World::of(&TENANTS);
    let kept = Trust { kept: vec![world.checkpoint(6)], ..trust() };
    for tenant in [ACME, None] {
        let older = world.export(tenant, 5, &[]);
        assert!(check(&older, &trust()).is_ok(), "the log did sign five leaves once");
        assert!(matches!(check(&older, &kept), Err(Flaw::Kept { .. })));
    }
    let (mut log, mut entries) = world.section(None, world.entries.clone(), 6);
    entries.pop();
    log.entries = 5;
    assert!(matches!(check(&export(None, vec![(log, entries)], &[]), &trust()), Err(Flaw::Count { .. })));
    let empty = export(ACME, vec![], &[]);
    assert!(check(&empty, &trust()).is_ok(), "nothing is claimed");
    assert!(matches!(check(&empty, &kept), Err(Flaw::Kept { .. })), "a log that is missing altogether");
}

/// The strongest forger: the database, the log's key and the exporter's are his. Only what somebody kept is not.
#[test]
fn rewritten_history_with_recomputed_hashes_is_caught() {
    let world = World::of(&TENANTS);
    let mut other = World::new();
    for (at, tenant) in TENANTS.iter().enumerate() {
        let mut entry = entry(at as u32, *tenant);
        if at == 2 {
            entry.outcome = "refused".to_owned();
            commit(&mut entry);
        }
        other.append(entry);
    }
    (70..75).for_each(|number| other.append(entry(number, ACME)));
    let all = other.size();
    // Without the log's key it ends at the signature; here the true checkpoint is put over the forged leaves.
    let (log, _) = world.section(None, world.entries.clone(), 6);
    let (_, entries) = other.section(None, other.entries[..6].to_vec(), 6);
    let without_key = check(&export(None, vec![(log, entries)], &[]), &trust());
    assert!(matches!(without_key, Err(Flaw::Root(_))), "{without_key:?}");
    // With it everything fits, but for what was kept.
    for tenant in [ACME, None] {
        let forged = other.export(tenant, all, &[]);
        assert!(check(&forged, &trust()).is_ok());
        let kept = Trust { kept: vec![world.checkpoint(4)], ..trust() };
        let whole = matches!(check(&forged, &kept), Err(Flaw::Kept { .. } | Flaw::Unconnected(_)));
        assert!(whole, "{tenant:?}");
    }
    let same_size = Trust { kept: vec![world.checkpoint(6)], ..trust() };
    assert!(matches!(check(&other.export(ACME, 6, &[]), &same_size), Err(Flaw::Kept { .. })));
}

#[test]
fn tree_of_one_leaf_holds_exactly_that_leaf() {
    let (world, mut other) = (World::of(&[ACME]), World::new());
    assert!(check(&world.export(ACME, 1, &[]), &trust()).is_ok());
    other.append(entry(9, ACME));
    // Another entry under the signed checkpoint: its path is empty, and its leaf is not the root.
    let (mut log, _) = world.section(ACME, world.entries.clone(), 1);
    log.path = Some(vec![]);
    let forged = export(ACME, vec![(log.clone(), other.entries.clone())], &[]);
    assert!(matches!(check(&forged, &trust()), Err(Flaw::Proof(_))));
    log.path = Some(vec![Hex(other.leaves[0])]);
    let longer = export(ACME, vec![(log.clone(), world.entries.clone())], &[]);
    assert!(matches!(check(&longer, &trust()), Err(Flaw::Proof(_))));
    log.path = None;
    let pathless = export(ACME, vec![(log, world.entries)], &[]);
    assert!(matches!(check(&pathless, &trust()), Err(Flaw::Order(_))));
}

#[test]
fn unknown_origins_and_keys_are_refused() {
    let world = World::of(&TENANTS);
    let honest = world.export(ACME, 6, &[]);
    let stranger = Trust { keys: signer("stranger").1, ..trust() };
    let unknown = Flaw::Checkpoint(CheckpointError::Note(NoteError::UnknownSigner));
    assert_eq!(check(&honest, &stranger), Err(unknown));
    let no_exporter = Trust { jwks: Jwks::parse(&jwks("stranger")).unwrap(), ..trust() };
    assert!(matches!(check(&honest, &no_exporter), Err(Flaw::Token { .. })));
    // A log under another name than its key's.
    let mut checkpoint = world.checkpoint(6);
    checkpoint.origin.name = "mintmark.invalid/elsewhere".to_owned();
    let (mut log, entries) = world.section(ACME, world.of_tenant(ACME, 6), 6);
    log.checkpoint = checkpoint.sign(&signer("log").0);
    let moved = check(&export(ACME, vec![(log, entries)], &[]), &trust());
    assert!(matches!(moved, Err(Flaw::Checkpoint(CheckpointError::WrongSigner(_)))));
}

#[test]
fn duplicate_private_and_weak_keys_are_refused() {
    let one = jwks("one");
    assert_eq!(Jwks::parse(&one).unwrap().add(&one), Err(JwksError::Duplicate(1)));
    let renamed = one.replace(r#""kid":"one""#, r#""kid":"two""#);
    assert_eq!(Jwks::parse(&one).unwrap().add(&renamed), Err(JwksError::Duplicate(1)), "one key, two ids");
    let private = one.replace(r#""use":"sig""#, r#""use":"sig","d":"AAAA""#);
    assert_eq!(Jwks::parse(&private).unwrap_err(), JwksError::Private(1));
    let weak = json!({"keys": [{"kty": "RSA", "kid": "weak", "n": "AQAB", "e": "AQAB"}]}).to_string();
    assert_eq!(Jwks::parse(&weak).unwrap_err(), JwksError::Kind(1));
    assert_eq!(Jwks::parse("[]").unwrap_err(), JwksError::Form);
}
