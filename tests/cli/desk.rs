//! A person at a terminal of their own: a home folder, no variables of ours, and no platform but the one that is named.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use mintmark_tests::{Home, program};
use serde_json::Value;

/// Where commands are typed.
pub struct Desk {
    /// The launcher's folder.
    pub home: Home,
    person: tempfile::TempDir,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Desk {
    /// A desk beside the platform of `home`.
    pub fn at(home: Home) -> Self {
        Self { home, person: tempfile::tempdir().unwrap() }
    }

    /// A desk with no platform.
    pub fn alone() -> Self {
        Self::at(Home::new().unwrap())
    }

    /// A path in the person's own folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.person.path().join(name)
    }

    /// The command, ready to be started.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program("mintmark"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MINTMARK_") || name == "PPOS_CONTROL_TOKEN" {
                command.env_remove(name);
            }
        }
        command
            .env("HOME", self.person.path())
            .env("MINTMARK_HOME", self.home.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_STATE_HOME")
            .current_dir(self.person.path())
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, words: &[&str]) -> Said {
        Said::from(self.command(words).output().unwrap())
    }

    /// Runs one that must be done, and gives what a person sees.
    pub fn shows(&self, words: &[&str]) -> String {
        let said = self.run(words);
        assert_eq!(said.code, Some(0), "{words:?}: {said:?}");
        assert!(
            !said.out.contains('\u{1b}') && !said.err.contains('\u{1b}'),
            "colours are for terminals: {said:?}"
        );
        said.out
    }

    /// Runs one with `--json` that must be done: one document on standard output, and nothing on standard error.
    pub fn json(&self, words: &[&str]) -> Value {
        let said = self.run(&[words, &["--json"]].concat());
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{words:?}: {said:?}");
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{words:?}: {error}: {said:?}"))
    }

    /// Runs one that must end with `code`, as a person and as a program, and gives the program's error.
    pub fn fails(&self, code: i32, words: &[&str]) -> Value {
        let said = self.run(words);
        assert_eq!(said.code, Some(code), "{words:?}: {said:?}");
        assert!(said.err.starts_with("mintmark: ") && said.out.is_empty(), "{words:?}: {said:?}");
        let said = self.run(&[words, &["--json"]].concat());
        assert_eq!((said.code, said.out.as_str()), (Some(code), ""), "{words:?}: {said:?}");
        let error: Value =
            serde_json::from_str(&said.err).unwrap_or_else(|error| panic!("{words:?}: {error}: {said:?}"));
        assert_eq!(error["error"]["exit"], code, "{words:?}: {error}");
        error["error"].clone()
    }

    /// Writes a file of the person's with a mode.
    pub fn write(&self, name: &str, mode: u32, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}
