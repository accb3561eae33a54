//! A SoftHSM token of a test's own, and programs that run in a process of their own beside it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

pub const LABEL: &str = "mintmark-test";
pub const PIN: &str = "482913";
const SO_PIN: &str = "73562014";
/// Where the library is, by system; `SOFTHSM2_MODULE` names another.
const MODULES: [&str; 5] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];

pub fn module() -> PathBuf {
    let named = std::env::var_os("SOFTHSM2_MODULE").map(PathBuf::from);
    let mut known = named.into_iter().chain(MODULES.iter().map(PathBuf::from));
    let found = known.find(|path| path.exists());
    assert!(found.is_some(), "SoftHSM is not installed: run `make test`, which installs it");
    found.unwrap()
}

/// Names the program that a process of a test runs; unset in a run of the tests themselves.
pub const PROGRAM: &str = "VAULT_TEST_PROGRAM";

/// A folder with a token in it.
pub struct TestToken {
    pub folder: TempDir,
}

impl TestToken {
    /// Without a token yet: where a ceremony begins.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tokens = folder.path().join("tokens");
        fs::create_dir(&tokens).unwrap();
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n",
            tokens.display()
        );
        fs::write(folder.path().join("softhsm2.conf"), text).unwrap();
        Self { folder }
    }

    pub fn new() -> Self {
        let token = Self::empty();
        let mut init = token.command("softhsm2-util");
        init.args(["--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", SO_PIN]);
        succeeds(&mut init);
        token
    }

    /// A program that sees this token.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("SOFTHSM2_CONF", self.folder.path().join("softhsm2.conf"));
        command.env("TEST_TOKEN_FOLDER", self.folder.path());
        command.stdin(Stdio::null());
        command
    }

    /// Runs one of this binary's programs in a process of its own, with this token.
    pub fn run(&self, program: &str) {
        let mut command = self.command(std::env::current_exe().unwrap());
        as_program(&mut command, program);
        let output = succeeds(&mut command);
        let text = String::from_utf8_lossy(&output.stdout);
        // A process that found no entry passes too.
        assert!(text.contains("1 passed"), "{program} did not run: {text}");
        print!("{text}");
    }
}

/// Has a command of this very binary run one of its programs: see `process`.
pub fn as_program(command: &mut Command, program: &str) {
    command.args(["--exact", "process::program_of_another_test", "--nocapture"]).env(PROGRAM, program);
}

pub fn succeeds(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
