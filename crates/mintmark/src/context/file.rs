//! The configuration file: contexts by name, and which one is current.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Context, private_text};
use crate::failure::{Failure, describe_io};
use crate::home::write_private;

/// What the configuration file says.
#[derive(Deserialize, Serialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Configuration {
    /// The context of commands that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// All contexts.
    #[serde(default)]
    pub contexts: BTreeMap<String, Context>,
    #[serde(skip)]
    path: PathBuf,
}

impl Configuration {
    /// Reads the file; an absent one is empty. One that others can read is refused: it leads to secrets.
    pub fn load(named: Option<&Path>) -> Result<Self, Failure> {
        let path = match named {
            Some(path) => path.to_owned(),
            None => folder("XDG_CONFIG_HOME", ".config")
                .ok_or_else(|| {
                    Failure::usage("neither HOME nor XDG_CONFIG_HOME is set: name the file with --config")
                })?
                .join("config.toml"),
        };
        let Some(text) = private_text(&path, "configuration")? else {
            return Ok(Self { path, ..Self::default() });
        };
        let mut read: Self = toml::from_str(&text).map_err(|error| {
            let line = error
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.lines().count().max(1));
            Failure::usage(format!("{} line {line}: {}", path.display(), harmless(error.message())))
                .coded("CONFIGURATION")
        })?;
        read.path = path;
        Ok(read)
    }

    /// Writes it back, whole, readable by its owner alone.
    pub fn save(&self) -> Result<(), Failure> {
        let text = toml::to_string_pretty(self).map_err(|error| {
            Failure::local(format!("the configuration cannot be written as TOML: {error}"))
        })?;
        private_folder(&self.path)?;
        write_private(
            &self.path,
            format!("# Contexts of mintmark: docs/cli.md. `mintmark context` rewrites this file.\n{text}"),
        )
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// What is wrong with the file, as far as it quotes names alone: other messages of the parser quote values, and a value may be
/// a secret.
fn harmless(message: &str) -> &str {
    let names = ["unknown field", "missing field", "duplicate key"];
    if names.iter().any(|name| message.starts_with(name)) {
        message
    } else {
        "this is not what belongs here (docs/cli.md)"
    }
}

/// A file that `mintmark` keeps for a context, like the session of a login: `$XDG_STATE_HOME/mintmark/{context}.{what}`.
pub fn state_file(context: &str, what: &str) -> Option<PathBuf> {
    folder("XDG_STATE_HOME", ".local/state").map(|folder| folder.join(format!("{context}.{what}")))
}

/// Makes the folder of a file, for its owner alone.
pub fn private_folder(file: &Path) -> Result<(), Failure> {
    let Some(folder) = file.parent() else { return Ok(()) };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
        Failure::local(format!("could not make {}: {}", folder.display(), describe_io(&error)))
    })
}

fn folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    // A relative one is ignored, as the XDG rules say.
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set(variable).or_else(|| set("HOME").map(|home| home.join(below_home)))?;
    Some(base.join("mintmark"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Reference;

    #[test]
    fn configuration_saved_is_read_back_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/config.toml");
        let mut configuration = Configuration::load(Some(&path)).unwrap();
        configuration.current = Some("prod".to_owned());
        let context = Context {
            control: "https://control.example".to_owned(),
            session: Some(Reference::Command(vec!["pass".to_owned(), "x".to_owned()])),
            control_token: Some(Reference::Env("TOKEN".to_owned())),
            ..Context::default()
        };
        configuration.contexts.insert("prod".to_owned(), context);
        configuration.save().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = Configuration::load(Some(&path)).unwrap();
        assert_eq!(again.current.as_deref(), Some("prod"));
        assert!(again.contexts["prod"].session == configuration.contexts["prod"].session);
    }

    #[test]
    fn configuration_that_is_wrong_names_the_line_and_quotes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        for line in
            ["session = { value = \"hush-hush\", x = 1 }", "session = \"hush-hush\"", "session = hush-hush"]
        {
            write_private(&path, format!("[contexts.a]\ncontrol = \"https://a\"\n{line}\n")).unwrap();
            let refused = Configuration::load(Some(&path)).err().unwrap().to_string();
            assert!(refused.contains("line 3") && !refused.contains("hush"), "{line}: {refused}");
        }
    }
}
