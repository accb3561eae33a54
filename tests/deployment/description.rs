//! What the programs say that they read: `--describe-config` of each role.

use std::process::{Command, Stdio};

use serde_json::Value;

/// Every role: its program, and what it is started with.
pub const ROLES: [(&str, Option<&str>); 14] = [
    ("control-plane", Some("serve")),
    ("control-plane", Some("sequencer")),
    ("control-plane", Some("migrate")),
    ("resolver", Some("scan")),
    ("resolver", Some("directory")),
    ("resolver", Some("migrate")),
    ("preflight-gateway", Some("gateway")),
    ("preflight-gateway", Some("worker")),
    ("preflight-gateway", Some("migrate")),
    ("evidence-vault", Some("vault")),
    ("evidence-vault", Some("sequencer")),
    ("evidence-vault", Some("migrate")),
    ("ratelimit", None),
    ("console", None),
];

/// Secret and not secret in one place: no secret by itself, it changes with the one that it belongs to.
const BESIDE_ITS_SECRET: [&str; 1] = ["S3_ACCESS_KEY_ID"];
/// What a container may have that none of our code reads: the Rust runtime does.
pub const NOT_OURS: [&str; 2] = ["PATH", "RUST_BACKTRACE"];

/// A variable, as its program describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    pub default: Option<String>,
    pub form: String,
    pub needed: Needed,
    pub secret: Secret,
    pub about: String,
}

/// Whether the program starts without it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needed {
    Always,
    When(String),
    Never,
}

/// What of it must not be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    No,
    Value,
    File,
}

impl Variable {
    fn parse(said: &Value) -> Self {
        let text = |field: &str| said[field].as_str().unwrap().to_owned();
        Self {
            name: text("name"),
            default: said["default"].as_str().map(str::to_owned),
            form: text("form"),
            needed: match said["needed"].as_str().unwrap() {
                "always" => Needed::Always,
                "when" => Needed::When(text("when")),
                "never" => Needed::Never,
                other => panic!("{other} is new"),
            },
            secret: match said["secret"].as_str() {
                None => Secret::No,
                Some("value") => Secret::Value,
                Some("file") => Secret::File,
                Some(other) => panic!("{other} is new"),
            },
            about: text("about"),
        }
    }
}

/// What a program reads when it is started with these arguments.
pub fn describe<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> Vec<Variable> {
    let output = Command::new(mintmark_tests::program(program))
        .args(arguments)
        .arg("--describe-config")
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    said["variables"].as_array().unwrap().iter().map(Variable::parse).collect()
}

/// A variable that somebody sets.
pub struct Given<'a> {
    pub name: &'a str,
    /// Its value lies in a secret.
    pub from_secret: bool,
    /// Its value is the path of a file that lies in a secret.
    pub secret_file: bool,
}

/// What is wrong with what a container is given: nobody reads it, or a secret lies where others can see it.
pub fn complaints<'a>(read: &[Variable], given: impl IntoIterator<Item = Given<'a>>) -> Vec<String> {
    let mut wrong = Vec::new();
    for Given { name, from_secret, secret_file } in given {
        let Some(variable) = read.iter().find(|variable| variable.name == name) else {
            if !NOT_OURS.contains(&name) {
                wrong.push(format!("{name} is set and nobody reads it"));
            }
            continue;
        };
        match variable.secret {
            Secret::Value if !from_secret => wrong.push(format!("{name} is a secret and lies in the open")),
            Secret::File if !secret_file => {
                wrong.push(format!("{name} names a secret file that lies in the open"));
            }
            Secret::No | Secret::File if from_secret && !BESIDE_ITS_SECRET.contains(&name) => {
                wrong.push(format!("{name} is no secret and is kept as one"));
            }
            _ => {}
        }
    }
    wrong
}

#[test]
fn complaints_name_a_slip_and_a_secret_in_the_open() {
    let read = describe("resolver", ["scan"]);
    let given = |name, from_secret| [Given { name, from_secret, secret_file: false }];
    assert_eq!(complaints(&read, given("SCAN_SPOOL_DIR", false)), [""; 0]);
    assert_eq!(
        complaints(&read, given("SCAN_SPOL_DIR", false)),
        ["SCAN_SPOL_DIR is set and nobody reads it"]
    );
    for (name, from_secret) in [("CODE_PEPPERS", false), ("TLS_KEY_FILE", false), ("LOG_LEVEL", true)] {
        assert_eq!(complaints(&read, given(name, from_secret)).len(), 1, "{name}");
    }
}
