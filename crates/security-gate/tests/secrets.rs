//! What `.gitleaks.toml` finds and excuses, and the hook that aborts a commit: gitleaks and git themselves, in folders of
//! their own. Every secret here is made while the test runs, so that none stands in the repository.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Letters of an alphabet, as random as a secret looks and the same in each run.
fn letters(alphabet: &str, count: usize) -> String {
    let letters: Vec<char> = alphabet.chars().collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        letters[(state % letters.len() as u64) as usize]
    };
    (0..count).map(|_| next()).collect()
}

fn base64(count: usize) -> String {
    letters("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", count)
}

fn hex(count: usize) -> String {
    letters("0123456789abcdef", count)
}

fn api_key() -> String {
    format!("mmk_live_0{}_{}", letters("0123456789abcdefghjkmnpqrstvwxyz", 25), hex(72))
}

fn control_token() -> String {
    format!("mmct_{}", base64(43))
}

/// The first line of a PEM private key, in two halves: the whole is a finding, also in this file.
fn frame() -> String {
    ["-----BEGIN PRIVATE", " KEY-----"].concat()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Where `make setup` puts it, else wherever `PATH` has it.
fn gitleaks() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    cache
        .map(|cache| cache.join("mintmark/tools/bin"))
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join("gitleaks"))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("make setup-test installs gitleaks"))
}

/// The rules that find something in a file of this name and text.
fn rules_that_find(path: &str, text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), path, text);
    let report = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new(gitleaks())
        .args(["dir", "--no-banner", "--redact", "--log-level", "error", "--ignore-gitleaks-allow"])
        .args(["--report-format", "json", "--report-path"])
        .arg(report.path())
        .arg("--config")
        .arg(root().join(".gitleaks.toml"))
        .arg(".")
        .current_dir(folder.path())
        .output()
        .unwrap();
    let found: Vec<Value> = serde_json::from_slice(&fs::read(report.path()).unwrap()).unwrap();
    let expected = if found.is_empty() { 0 } else { 1 };
    assert_eq!(output.status.code(), Some(expected), "{}", String::from_utf8_lossy(&output.stderr));
    found.iter().map(|finding| finding["RuleID"].as_str().unwrap().to_owned()).collect()
}

fn write(folder: &Path, path: &str, text: &str) {
    let file = folder.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

#[test]
fn rules_find_keys_of_the_configuration_and_not_their_placeholders() {
    let (key, digits) = (format!("{}=", base64(43)), hex(64));
    for (path, text) in [
        ("deploy/.env", format!("CODE_MASTER_KEY={key}\n")),
        ("deploy/.env", format!("export CODE_PEPPERS='1:{key}'\n")),
        ("deploy/.env", format!("EVIDENCE_ENCRYPTION_KEY={digits}\n")),
        ("config.json", format!("{{\"EXPORT_URL_SIGNING_KEY\": \"{key}\"}}\n")),
        ("k8s/base/x.yaml", format!("- name: CODE_PEPPERS\n  value: \"1:{key}\"\n")),
        ("tests/x.rs", format!("(\"CODE_MASTER_KEY\", ..); CODE_MASTER_KEY = \"{key}\"\n")),
    ] {
        assert!(rules_that_find(path, &text).contains(&"mintmark-key-material".to_owned()), "{path}: {text}");
    }
    let password = base64(20);
    for text in [
        format!("CONTROL_DATABASE_URL=postgres://control:{password}@db.example/mintmark_control\n"),
        format!("RATE_LIMIT_REDIS_URL: rediss://:{password}@redis.example:6380\n"),
    ] {
        assert!(
            rules_that_find("deploy/x.yaml", &text).contains(&"mintmark-store-password".to_owned()),
            "{text}"
        );
    }
    for text in [
        "CODE_MASTER_KEY=<32 random bytes in base64>\n",
        "CODE_PEPPERS=1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "- name: CODE_PEPPERS\n  valueFrom: { secretKeyRef: { name: resolver, key: code-peppers } }\n",
        "postgres://user:password@host:5432/database and redis://:${REDIS_PASSWORD}@redis:6379\n",
    ] {
        assert_eq!(rules_that_find("docs/x.md", text), Vec::<String>::new(), "{text}");
    }
}

/// For each entry of the allowlist: what it excuses passes where it is meant to, and what is similar is found.
#[test]
fn allowlist_excuses_its_texts_alone_and_similar_ones_are_found() {
    let frame = frame();
    let end = frame.replace("BEGIN", "END");
    let code = format!(
        "text.strip_prefix(\"{frame}\\n\");\n// {}\ntext.strip_suffix(\"{end}\");\n",
        "and so on ".repeat(9)
    );
    let key = format!("{frame}\n{}\n{end}\n", base64(64));
    let inline = format!("concat!(\"{frame}\\n\", \"{}\\n\", \"{end}\");\n", base64(64));
    let (seed, seed_token) = (
        format!("mmk_test_01h45ytscbebyvny4gc8cr8ma2_{}", "0".repeat(72)),
        format!("mmct_{}", "A".repeat(43)),
    );
    let token = ["eyJhbGciOiJFZERTQSJ9", "eyJzdWIiOiJ1c2VyOjEifQ", "c2lnbmF0dXJl"].join(".");
    let other_token = ["eyJhbGciOiJFZERTQSJ9", "eyJzdWIiOiJ1c2VyOjEifQ", &base64(86)].join(".");
    let recorder = "tests/support/recording/secrets.rs";
    let vault = "crates/evidence-vault/tests/it/binary.rs";
    let line = |key: &str| format!("(\"EVIDENCE_ENCRYPTION_KEY\", \"{key}\"),\n");
    let aws = format!("AKIA{}", letters("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16));
    let cases = [
        // What follows the frame decides: the end of the literal, or a key.
        ("crates/auth/src/key.rs", code.clone(), None),
        ("crates/auth/src/key.rs", key.clone(), Some("private-key")),
        ("crates/auth/src/key.rs", inline, Some("private-key")),
        ("docs/key.md", code, Some("private-key")),
        ("tests/fuzzing/corpus/bundles/x", key, Some("private-key")),
        // The seeds of the fuzzers, no other key beside them, and the seeds nowhere else.
        ("tests/fuzzing/corpus/tokens/api_key", seed.clone(), None),
        ("tests/fuzzing/corpus/tokens/api_key", api_key(), Some("mintmark-api-key")),
        ("tests/fuzzing/corpus/tokens/other", seed, Some("mintmark-api-key")),
        ("tests/fuzzing/corpus/tokens/control", seed_token.clone(), None),
        ("tests/fuzzing/corpus/tokens/control", control_token(), Some("mintmark-control-token")),
        ("docs/token.md", seed_token, Some("mintmark-control-token")),
        // The recorder's token, and none that somebody signed.
        (recorder, format!("let jwt = \"{token}\";\n"), None),
        (recorder, format!("let jwt = \"{other_token}\";\n"), Some("jwt")),
        (recorder, format!("let key = \"{}\";\n", api_key()), Some("mintmark-api-key")),
        (recorder, format!("let key = \"{aws}\";\n"), Some("aws-access-token")),
        ("docs/token.md", format!("`{token}`\n"), Some("jwt")),
        // The key of the vault's tests, no other one there, and this one nowhere else.
        (vault, line(&"0123456789abcdef".repeat(2)), None),
        (vault, line(&hex(32)), Some("mintmark-key-material")),
        ("deploy/env.rs", line(&"0123456789abcdef".repeat(2)), Some("mintmark-key-material")),
        // A comment excuses nothing.
        (
            "crates/x.rs",
            format!("let key = \"{}\"; // gitleaks:allow\n", api_key()),
            Some("mintmark-api-key"),
        ),
    ];
    for (path, text, rule) in cases {
        let found = rules_that_find(path, &text);
        match rule {
            Some(rule) => {
                assert!(found.iter().any(|by| by == rule), "{path}: {rule} is not in {found:?}:\n{text}");
            }
            None => assert!(found.is_empty(), "{path}: {found:?}:\n{text}"),
        }
    }
}

/// A repository with the hook that `make hooks` installs.
struct Repository {
    folder: TempDir,
    cache: Option<OsString>,
}

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in [".gitleaks.toml", ".githooks/pre-commit"] {
            fs::create_dir_all(folder.path().join(file).parent().unwrap()).unwrap();
            fs::copy(root().join(file), folder.path().join(file)).unwrap();
        }
        let repository = Self { folder, cache: None };
        for args in [
            &["init", "--quiet", "--initial-branch", "main"][..],
            &["config", "user.name", "A test"],
            &["config", "user.email", "test@example.com"],
            &["config", "core.hooksPath", ".githooks"],
        ] {
            assert!(repository.git(args).status.success());
        }
        repository
    }

    fn git(&self, args: &[&str]) -> Output {
        let mut command = Command::new("git");
        command.args(args).current_dir(self.folder.path());
        // The hook of a repository that runs these tests has set what would point at that one.
        for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX"] {
            command.env_remove(name);
        }
        if let Some(cache) = &self.cache {
            command.env("XDG_CACHE_HOME", cache).env("PATH", "/usr/bin:/bin");
        }
        command.output().unwrap()
    }

    /// Writes, stages and commits; gives what was said and whether there is a commit more.
    fn commit(&self, path: &str, text: &str) -> (bool, String) {
        write(self.folder.path(), path, text);
        assert!(self.git(&["add", path]).status.success());
        self.commit_staged()
    }

    fn commit_staged(&self) -> (bool, String) {
        let before = self.commits();
        let output = self.git(&["commit", "--quiet", "--message", "A change"]);
        let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert_eq!(output.status.success(), self.commits() == before + 1, "{said}");
        (output.status.success(), said)
    }

    fn commits(&self) -> usize {
        self.git(&["rev-list", "--all", "--count"])
            .stdout
            .trim_ascii()
            .to_vec()
            .iter()
            .fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'))
    }
}

#[test]
fn hook_makes_a_commit_without_and_aborts_one_with_a_secret() {
    let repository = Repository::new();
    let (made, said) = repository.commit("README.md", "Keys look like mmk_live_<id>_<secret>.\n");
    assert!(made, "{said}");
    let key = api_key();
    let (made, said) = repository.commit("crates/client.rs", &format!("const KEY: &str = \"{key}\";\n"));
    assert!(!made, "{said}");
    assert!(said.contains("mintmark-api-key") && said.contains("crates/client.rs"), "{said}");
    assert!(said.contains("the commit was not made"), "{said}");
    assert!(!said.contains(&key[20..60]), "the secret itself is not printed: {said}");
    let (made, said) = repository.commit("crates/client.rs", "const KEY: &str = env!(\"KEY\");\n");
    assert!(made, "without it the commit is made: {said}");
}

#[test]
fn hook_looks_at_what_is_staged() {
    let repository = Repository::new();
    write(repository.folder.path(), "notes.txt", &format!("{}\n", api_key()));
    let (made, said) = repository.commit("README.md", "Nothing.\n");
    assert!(made, "the notes are not staged: {said}");
    assert!(repository.git(&["add", "notes.txt"]).status.success());
    write(repository.folder.path(), "notes.txt", "taken out of the file, still staged\n");
    let (made, said) = repository.commit_staged();
    assert!(!made && said.contains("mintmark-api-key"), "{said}");
}

#[test]
fn hook_without_gitleaks_aborts_and_says_how_to_get_it() {
    let mut repository = Repository::new();
    repository.cache = Some(repository.folder.path().join("empty").into());
    let (made, said) = repository.commit("README.md", "Nothing.\n");
    assert!(!made && said.contains("run 'make hooks'"), "{said}");
}
