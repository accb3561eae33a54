//! The PKCS#11 token. Each test runs in a process of its own: a library is one a process.

use std::fs;

use crate::token::{LABEL, PIN, TestToken, module, succeeds};

#[test]
fn contract_holds_for_a_token() {
    TestToken::new().run("contract");
}

#[test]
fn keys_never_leave_the_token() {
    TestToken::new().run("attributes");
}

#[test]
fn two_processes_see_what_the_other_did() {
    TestToken::new().run("beside_another_process");
}

#[test]
fn sessions_that_die_are_replaced() {
    TestToken::new().run("lost_sessions");
}

#[test]
fn token_that_is_away_is_unavailable_and_comes_back() {
    TestToken::new().run("away_and_back");
}

#[test]
fn open_says_what_to_do() {
    TestToken::new().run("refusals_at_start");
}

#[test]
fn wycheproof_through_a_token() {
    TestToken::new().run("wycheproof");
}

/// The commands of the page, as they stand there.
#[test]
fn ceremony_of_the_documentation_makes_a_token_that_works() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/evidence.md")).unwrap();
    let (_, rest) = page.split_once("<!-- ceremony -->\n```sh\n").unwrap();
    let (script, _) = rest.split_once("```").unwrap();
    assert!(script.contains("softhsm2-util --init-token") && script.contains("--keypairgen"));
    let token = TestToken::empty();
    let mut ceremony = token.command("bash");
    ceremony.args(["-euc", script]).env("MODULE", module()).env("TOKEN", LABEL);
    ceremony.env("PIN", PIN).env("SO_PIN", "73562014");
    succeeds(&mut ceremony);
    token.run("after_the_ceremony");
}
