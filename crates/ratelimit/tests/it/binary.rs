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

#[test]
fn readme_documents_every_variable_with_its_default() {
    use mintmark_ratelimit::config::RatelimitConfig;
    use mintmark_service::config::Reader;

    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let mut reader = Reader::from_pairs([("APP_ENV", "production")]);
    let _incomplete = RatelimitConfig::read(&mut reader);
    for variable in reader.described().iter().filter(|variable| variable.name != "APP_ENV") {
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{}` |", variable.name)));
        let row = row.unwrap_or_else(|| panic!("README.md has no row for {}", variable.name));
        let default = match (&variable.default, variable.required) {
            (Some(default), _) => format!("`{default}`"),
            (None, true) => "required".to_owned(),
            (None, false) => "none".to_owned(),
        };
        assert!(row.contains(&format!("| {default}")), "{row} does not say {default}");
        assert_eq!(row.contains("(secret)"), variable.secret, "{row}");
    }
}
