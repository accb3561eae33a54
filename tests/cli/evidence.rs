//! Disputes and evidence on a real platform, in a tenant whose evidence is due for erasure at once.

use std::fs;
use std::process::Command;

use ring::digest::{SHA256, digest};

use crate::desk::Desk;
use crate::people::{in_context, join};

const TENANT: &str = "fjord-claims";
/// Some hundred pieces of the vault's, and more than any buffer on the way.
const BYTES: usize = 6_000_001;

/// A case from its beginning to the proof that its evidence is gone.
pub fn checks(desk: &Desk) {
    desk.shows(&["tenant", "create", TENANT, "--name", "Fjord claims", "--tier", "pro"]);
    for (name, role) in [("uma", "USER"), ("arne", "ARBITRATOR"), ("gro", "GOVERNANCE")] {
        join(desk, TENANT, name);
        desk.shows(&["user", "grant", &format!("{name}@cli.example"), role, "--tenant", TENANT]);
    }
    let opened = desk.json(&in_context("uma", &["dispute", "open", "CASE-2026-0117"]));
    let dispute = opened["id"].as_str().unwrap();
    assert!(desk.shows(&in_context("arne", &["dispute", "list", "--state", "open"])).contains(dispute));

    let record = upload(desk, dispute);
    read(desk, &record);
    close(desk, dispute, &record);
    erase(desk, &record);
}

fn content() -> Vec<u8> {
    (0..BYTES).map(|at| (at.wrapping_mul(2_654_435_761) >> 7) as u8).collect()
}

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn upload(desk: &Desk, dispute: &str) -> String {
    let file = desk.path("film.mp4");
    fs::write(&file, content()).unwrap();
    let words = [
        "evidence",
        "upload",
        "film.mp4",
        "--dispute",
        dispute,
        "--idempotency-key",
        "film-1",
        "--context",
        "uma",
    ];
    let stored = desk.json(&words);
    assert_eq!((&stored["bytes"], &stored["mediaType"]), (&BYTES.into(), &"video/mp4".into()));
    assert_eq!(stored["sha256"], sha256(&content()));
    let record = stored["id"].as_str().unwrap().to_owned();
    let again = desk.shows(&words);
    assert!(again.contains(&record) && again.contains("6.0 MB"), "the same key stores it once: {again}");

    let listed = desk.json(&in_context("uma", &["evidence", "list", "--dispute", dispute]));
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        desk.run(&in_context("uma", &["evidence", "upload", "none.mp4", "--dispute", dispute])).code,
        Some(2)
    );
    record
}

fn read(desk: &Desk, record: &str) {
    let download = ["evidence", "download", record, "--out", "got.mp4"];
    let refused = desk.fails(5, &in_context("uma", &download));
    assert_eq!(refused["status"], 403);
    let got = desk.path("got.mp4");
    let arne = in_context("arne", &download);
    let whole = desk.json(&arne);
    assert_eq!(fs::read(&got).unwrap(), content(), "byte for byte");
    assert_eq!((&whole["sha256"], &whole["resumedAt"]), (&sha256(&content()).into(), &0.into()));
    assert_eq!(desk.fails(2, &arne)["code"], "USAGE", "a file that is there stays");

    // What an earlier run left is gone on with.
    let part = desk.path(&format!("got.mp4.{record}.part"));
    fs::remove_file(&got).unwrap();
    fs::write(&part, &content()[..BYTES / 2]).unwrap();
    let resumed = desk.json(&[&arne[..], &["--sha256", &sha256(&content())]].concat());
    assert_eq!(resumed["resumedAt"], BYTES / 2);
    assert_eq!(fs::read(&got).unwrap(), content());
    assert!(!part.exists());

    // And what it left wrong is found out, and deleted.
    fs::remove_file(&got).unwrap();
    fs::write(&part, vec![0; BYTES / 2]).unwrap();
    let said = desk.run(&[&arne[..], &["--sha256", &sha256(&content())]].concat());
    assert_eq!(said.code, Some(8), "{said:?}");
    assert!(!part.exists() && !got.exists(), "{said:?}");

    for (range, wanted) in [
        ("100-299", &content()[100..300]),
        ("5999990-", &content()[5_999_990..]),
        ("-7", &content()[BYTES - 7..]),
    ] {
        let told = desk.json(&[&arne[..], &["--range", range, "--force"]].concat());
        assert_eq!(told["bytes"], wanted.len());
        assert_eq!(fs::read(&got).unwrap(), wanted, "{range}");
    }
    let beyond = desk.fails(1, &[&arne[..], &["--range", "7000000-", "--force"]].concat());
    assert_eq!(beyond["code"], "RANGE_NOT_SATISFIABLE");
    assert_eq!(desk.run(&[&arne[..], &["--range", "9-5"]].concat()).code, Some(2));

    let printed = ["evidence", "download", record, "--out", "-", "--context", "arne"];
    assert!(desk.command(&printed).output().unwrap().stdout == content(), "the same on standard output");
}

fn close(desk: &Desk, dispute: &str, record: &str) {
    let words = ["dispute", "close", dispute, "--outcome", "upheld"];
    assert_eq!(desk.fails(2, &in_context("arne", &words))["code"], "CONFIRMATION_REQUIRED");
    let meant = [&words[..], &["--yes"]].concat();
    assert_eq!(desk.fails(5, &in_context("uma", &meant))["status"], 403);
    assert!(desk.shows(&in_context("arne", &meant)).contains("upheld"));
    let late = ["evidence", "upload", "film.mp4", "--dispute", dispute];
    assert_eq!(desk.fails(1, &in_context("uma", &late))["code"], "DISPUTE_CLOSED");
    let download = ["evidence", "download", record, "--out", "late.mp4"];
    assert_eq!(desk.fails(5, &in_context("arne", &download))["code"], "DISPUTE_CLOSED");
    assert!(!desk.path("late.mp4").exists());
}

fn erase(desk: &Desk, record: &str) {
    let gro = |words: &[&str]| desk.shows(&in_context("gro", words));
    let run = ["evidence", "operation", "start", "retention", "--tenant", TENANT, "--wait", "--yes"];
    assert!(gro(&["evidence", "hold", record]).contains("held"));
    assert_eq!(desk.json(&run)["state"], "succeeded");
    assert!(gro(&["evidence", "show", record]).contains("held"), "what is held stays");
    let pending = desk.fails(1, &in_context("gro", &["evidence", "proof", record]));
    assert_eq!(pending["status"], 409);

    assert_eq!(
        desk.fails(2, &in_context("gro", &["evidence", "release", record]))["code"],
        "CONFIRMATION_REQUIRED"
    );
    gro(&["evidence", "release", record, "--yes"]);
    assert!(desk.shows(&run).contains("succeeded"));
    assert!(gro(&["evidence", "show", record]).contains("shredded"));
    let download = ["evidence", "download", record, "--out", "gone.mp4"];
    assert_eq!(desk.fails(1, &in_context("gro", &download))["code"], "EVIDENCE_SHREDDED");
    assert!(gro(&["evidence", "log", "--record", record]).contains("EVIDENCE_SHREDDED"));

    gro(&["evidence", "proof", record, "--out", "proof.json"]);
    well_known(desk, "audit-keys.txt");
    well_known(desk, "evidence-keys.json");
    let keys = ["--keys", "audit-keys.txt", "--jwks", "evidence-keys.json"];
    let verified = desk.json(&[&["audit", "verify", "proof.json"][..], &keys].concat());
    assert_eq!(verified["holds"], true, "{verified}");
}

/// Fetches keys as an auditor does.
pub fn well_known(desk: &Desk, name: &str) {
    let control = &desk.home.dev_env().unwrap()["MINTMARK_CONTROL_URL"];
    let url = format!("{control}/.well-known/{name}");
    let status = Command::new("curl").args(["-sf", "-o"]).arg(desk.path(name)).arg(url).status().unwrap();
    assert!(status.success(), "{name}");
}
