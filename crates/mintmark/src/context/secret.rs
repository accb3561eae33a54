//! Credentials by reference: a file, a variable, a command; in the configuration itself only where its owner chose that.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::failure::{Failure, describe_io};

/// Where a credential is found.
#[derive(Clone, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Reference {
    /// A file that only its owner may read; it holds the credential and nothing else.
    File(PathBuf),
    /// A variable of the environment.
    Env(String),
    /// A command that prints it: a password manager.
    Command(Vec<String>),
    /// The credential itself.
    Value(String),
}

/// What it is for: the words that people see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A person's session.
    Session,
    /// The platform's operator.
    ControlToken,
    /// A program of a tenant.
    ApiKey,
}

impl Kind {
    /// In a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Session => "session",
            Kind::ControlToken => "control token",
            Kind::ApiKey => "API key",
        }
    }
}

impl Reference {
    /// Reads `file:PATH`, `env:NAME` and `command:WORDS` as they are typed. A credential itself is refused here: it would
    /// stand in the shell's history and in the list of processes.
    pub fn typed(text: &str) -> Result<Self, String> {
        let (form, rest) = text.split_once(':').unwrap_or(("", text));
        match form {
            _ if rest.is_empty() => Err("say where it is after the colon".to_owned()),
            "file" => std::path::absolute(rest).map(Reference::File).map_err(|error| error.to_string()),
            "env" => Ok(Reference::Env(rest.to_owned())),
            "command" => Ok(Reference::Command(rest.split_whitespace().map(ToOwned::to_owned).collect())),
            _ => {
                Err("name where it is, never itself: file:PATH, env:NAME or command:PROGRAM ARGUMENTS"
                    .to_owned())
            }
        }
    }

    /// Where it is, for people; never the credential.
    pub fn whereabouts(&self) -> String {
        match self {
            Reference::File(path) => format!("file {}", path.display()),
            Reference::Env(name) => format!("variable {name}"),
            Reference::Command(words) => format!("command {}", words.join(" ")),
            Reference::Value(_) => "in the configuration file".to_owned(),
        }
    }

    /// The credential; nothing when it is not there (yet).
    pub fn read(&self, kind: Kind) -> Result<Option<SecretString>, Failure> {
        let text = match self {
            Reference::File(path) => match private_text(path, kind.name())? {
                Some(text) => text,
                None => return Ok(None),
            },
            Reference::Env(name) => match std::env::var(name) {
                Ok(text) => text,
                Err(_) => return Ok(None),
            },
            Reference::Command(words) => printed(words, kind)?,
            Reference::Value(text) => text.clone(),
        };
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::usage(format!(
                "the {} from {} is more than one word: the file, variable or command must give it alone",
                kind.name(),
                self.whereabouts()
            )));
        }
        Ok(Some(SecretString::from(text.to_owned())))
    }
}

/// The text of a file that nobody but its owner may read; nothing when there is none. Others are refused.
pub fn private_text(path: &Path, what: &str) -> Result<Option<String>, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::usage(format!("the {what} file {} cannot be read: {}", path.display(), describe_io(&error)))
    };
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Failure::usage(format!(
            "{} can be used by others (mode {mode:04o}) and may hold a secret: run `chmod 600 {}`",
            path.display(),
            path.display()
        ))
        .coded("FILE_MODE"));
    }
    let me = nix::unistd::geteuid();
    if metadata.uid() != me.as_raw() && !me.is_root() {
        return Err(Failure::usage(format!(
            "{} belongs to somebody else: use one of your own",
            path.display()
        ))
        .coded("FILE_OWNER"));
    }
    fs::read_to_string(path).map(Some).map_err(unreadable)
}

fn printed(words: &[String], kind: Kind) -> Result<String, Failure> {
    let failed = |why: String| {
        let what = kind.name();
        Failure::usage(format!("the command `{}` gave no {what}: {why}", words.join(" ")))
            .ending(Exit::Unauthenticated)
            .coded("CREDENTIAL_COMMAND")
    };
    let (program, arguments) = words.split_first().ok_or_else(|| failed("it is empty".to_owned()))?;
    // It may ask its person something: it keeps the terminal.
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(describe_io(&error)))?;
    if !output.status.success() {
        return Err(failed(format!("it ended with {}", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|_| failed("what it printed is no text".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn file(mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "word\n").unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn typed_takes_places_and_no_credential() {
        assert!(Reference::typed("file:/a/b").unwrap() == Reference::File("/a/b".into()));
        assert!(Reference::typed("env:TOKEN").unwrap() == Reference::Env("TOKEN".to_owned()));
        let words = vec!["pass".to_owned(), "show".to_owned(), "x".to_owned()];
        assert!(Reference::typed("command:pass show x").unwrap() == Reference::Command(words));
        for wrong in ["eyJhbGciOi.a.b", "value:abc", "file:", ""] {
            assert!(Reference::typed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn read_refuses_what_others_can_read() {
        let private = file(0o600);
        let good = Reference::File(private.path().into());
        assert_eq!(good.read(Kind::Session).unwrap().unwrap().expose_secret(), "word");
        for mode in [0o640, 0o604, 0o660, 0o644] {
            let wide = file(mode);
            let refused = Reference::File(wide.path().into()).read(Kind::ApiKey).err().unwrap();
            assert!(refused.to_string().contains("chmod 600"), "{mode:o}: {refused}");
        }
    }

    #[test]
    fn read_of_a_command_gives_what_it_printed() {
        let run = |script: &str| {
            Reference::Command(["sh", "-c", script].map(ToOwned::to_owned).to_vec()).read(Kind::Session)
        };
        assert_eq!(run("echo word").unwrap().unwrap().expose_secret(), "word");
        assert!(run("true").unwrap().is_none());
        assert_eq!(run("exit 3").err().unwrap().exit(), Exit::Unauthenticated);
        assert!(run("echo two words").is_err());
    }
}
