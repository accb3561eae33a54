//! The binary: what it says of its configuration.

use std::process::{Command, Output};

/// Runs the binary with these variables and no others.
fn check(variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ratelimit"))
        .arg("--check-config")
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn check_config_names_what_is_missing_and_what_is_insecure() {
    let output = check(&[("RATE_LIMIT_ENABLED", "false"), ("RATE_LIMIT_FAIL_OPEN", "perhaps")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{said}");
    for name in ["TRUST_BUNDLE_FILE", "RATE_LIMIT_REDIS_URL", "RATE_LIMIT_ENABLED", "RATE_LIMIT_FAIL_OPEN"] {
        assert!(said.contains(&format!("{name}: ")), "{name} is missing in {said}");
    }
    let sound = [("TRUST_BUNDLE_FILE", "/trust.json"), ("RATE_LIMIT_REDIS_URL", "unix:///run/redis.sock")];
    assert_eq!(check(&sound).status.code(), Some(0));
}
