//! Contexts: the platforms that a person works with, where each one answers, and where its credentials are kept.

mod command;
mod file;
mod local;
mod secret;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::failure::Failure;
use crate::home::Home;
use crate::reach::Reach;

pub use command::{ContextCommand, run};
pub use file::{Configuration, private_folder, state_file};
pub use local::{NAME as LOCAL, SESSION_FILE as LOCAL_SESSION};
pub use secret::{Kind, Reference, private_text};

/// A platform, as one person reaches it.
#[derive(Clone, Deserialize, Serialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Context {
    /// The control plane: `https://control.example`.
    pub control: String,
    /// The preflight gateway, for those who preflight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// PEM certificates of the authorities behind the two, besides those that the system trusts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The tenant that the operator's commands are about when they name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The brand that commands are about when they name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// A person's session. `mintmark login` keeps one in a file of its own where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Reference>,
    /// The operator's control token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_token: Option<Reference>,
    /// A program's API key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<Reference>,
}

/// A context and what it is called.
pub struct Chosen {
    /// Its name.
    pub name: String,
    /// What it says.
    pub context: Context,
}

impl Context {
    /// Where a credential is; the session of `mintmark login` has a place even where the context names none.
    pub fn reference(&self, name: &str, kind: Kind) -> Option<Reference> {
        match kind {
            Kind::Session => {
                self.session.clone().or_else(|| Some(Reference::File(state_file(name, "session")?)))
            }
            Kind::ControlToken => self.control_token.clone(),
            Kind::ApiKey => self.api_key.clone(),
        }
    }

    /// Refuses addresses that are none, and those that would carry a credential over a network in clear.
    pub fn check(&self) -> Result<(), Failure> {
        address(&self.control)?;
        self.gateway.as_deref().map_or(Ok(()), address)
    }
}

/// The context that a command works with: the one named, else the configuration's current one, else the platform that runs
/// here.
pub fn choose(home: &Path, reach: &Reach) -> Result<Chosen, Failure> {
    let configuration = Configuration::load(reach.config.as_deref())?;
    let local = || Home::existing(home).ok().and_then(|home| local::context(&home));
    let name = reach.context.as_deref().or(configuration.current.as_deref());
    let Some(name) = name else {
        let context = local().ok_or_else(|| nowhere(home))?;
        return Ok(Chosen { name: LOCAL.to_owned(), context });
    };
    let context = match configuration.contexts.get(name) {
        Some(context) => context.clone(),
        None if name == LOCAL => local().ok_or_else(|| nowhere(home))?,
        None => return Err(unknown(name, &configuration)),
    };
    context.check()?;
    Ok(Chosen { name: name.to_owned(), context })
}

fn nowhere(home: &Path) -> Failure {
    Failure::usage(format!("no platform is named, and none was started in {}", home.display()))
        .coded("NO_CONTEXT")
        .hinting(
            "Start one with `make run`, or name one: `mintmark context add NAME --control https://…` (docs/cli.md).",
        )
}

fn unknown(name: &str, configuration: &Configuration) -> Failure {
    let known: Vec<&str> = configuration.contexts.keys().map(String::as_str).collect();
    let known = if known.is_empty() { "there is none yet".to_owned() } else { known.join(", ") };
    Failure::usage(format!("there is no context '{name}' (known: {known})"))
        .coded("UNKNOWN_CONTEXT")
        .hinting("`mintmark context list` shows them, `mintmark context add` makes one.")
}

fn address(text: &str) -> Result<(), Failure> {
    let wrong =
        |why: &str| Failure::usage(format!("'{text}' is not an address to use: {why}")).coded("ADDRESS");
    let url = Url::parse(text).map_err(|_| wrong("it must look like https://control.example"))?;
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err(wrong("it names no host")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it must not hold a user or a password"));
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if here => Ok(()),
        "http" => Err(wrong("credentials would cross the network in clear: use https://")),
        _ => Err(wrong("it must begin with https://")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_refuses_clear_text_to_other_machines() {
        for good in
            ["https://control.example", "http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:80"]
        {
            assert!(address(good).is_ok(), "{good}");
        }
        for wrong in [
            "http://control.example",
            "http://10.0.0.1",
            "ftp://a",
            "control.example",
            "https://u:p@a.example",
            "",
        ] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
