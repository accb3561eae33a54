//! The operator's desk: what every command finds there — a context, clients with the right credential, a screen.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use secrecy::SecretString;
use serde_json::json;

use crate::api;
use crate::client::{self, Client};
use crate::context::{self, Chosen, Kind};
use crate::exit::Exit;
use crate::failure::{Failure, run_for};
use crate::reach::{Consent, Reach};
use crate::show::Screen;

/// Everything that a command needs.
pub struct Desk {
    /// Where results go.
    pub screen: Screen,
    home: PathBuf,
    reach: Reach,
}

/// Runs a command at the desk and gives its exit status.
pub fn run(home: &Path, reach: &Reach, work: impl AsyncFnOnce(&Desk) -> Result<(), Failure>) -> ExitCode {
    let desk = Desk { screen: Screen::new(reach.json), home: home.to_owned(), reach: reach.clone() };
    run_for(reach.json, work(&desk))
}

impl Desk {
    /// The context that was chosen.
    pub fn chosen(&self) -> Result<Chosen, Failure> {
        context::choose(&self.home, &self.reach)
    }

    /// The launcher's folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The options of the command line.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// The control plane as its operator: `/api/admin/…`.
    pub fn operator(&self) -> Result<Client, Failure> {
        self.control(Kind::ControlToken)
    }

    /// The control plane as a person: `/v1/…`.
    pub fn person(&self) -> Result<Client, Failure> {
        self.control(Kind::Session)
    }

    /// The control plane where a session is as good as an API key (`/v1/admin/…`): the session, or else the key.
    pub fn person_or_program(&self) -> Result<Client, Failure> {
        let chosen = self.chosen()?;
        match credential(&chosen, Kind::Session)? {
            None if chosen.context.api_key.is_some() => self.control(Kind::ApiKey),
            _ => self.control(Kind::Session),
        }
    }

    /// The preflight gateway, with a PREFLIGHT_JWT for `scopes`: exchanged for the session, or made under the control token
    /// for `tenant` where there is no session or a tenant is named.
    pub async fn gateway(&self, scopes: &[&str], tenant: Option<&str>) -> Result<Client, Failure> {
        let chosen = self.chosen()?;
        let Some(base) = chosen.context.gateway.as_deref() else {
            return Err(Failure::usage(format!("the context '{}' names no preflight gateway", chosen.name))
                .coded("NO_GATEWAY")
                .hinting("Add it with `mintmark context set NAME --gateway https://…`."));
        };
        let issued = match tenant {
            Some(tenant) => {
                let wanted = json!({ "tenantId": tenant, "scopes": scopes });
                self.operator()?.post("/api/admin/preflight-tokens", Some(&wanted)).await?
            }
            None => self.person()?.post("/v1/preflight-tokens", Some(&json!({ "scopes": scopes }))).await?,
        };
        let token = SecretString::from(api::text(&issued, "token")?.to_owned());
        let http = client::http(chosen.context.ca_file.as_deref())?;
        Ok(Client::new(http, base, "preflight token", Some(token)))
    }

    /// The brand that is meant: the one named, or the context's.
    pub fn brand(&self, named: Option<&str>) -> Result<String, Failure> {
        self.meant(named, "brand", "--brand", |chosen| chosen.context.brand.clone())
    }

    /// The tenant that is meant: the one named, or the context's.
    pub fn tenant(&self, named: Option<&str>) -> Result<String, Failure> {
        self.meant(named, "tenant", "--tenant", |chosen| chosen.context.tenant.clone())
    }

    /// Asks whether `question` is meant ("Recall batch x for ever"), unless it was answered beforehand.
    pub fn confirm(&self, question: &str, consent: &Consent) -> Result<(), Failure> {
        if consent.yes {
            return Ok(());
        }
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            return Err(Failure::usage(format!("{question}? Nobody can be asked here: add --yes"))
                .coded("CONFIRMATION_REQUIRED"));
        }
        eprint!("{question}? [y/N] ");
        let _ = std::io::stderr().flush();
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        match line.trim() {
            "y" | "Y" | "yes" if read.is_ok() => Ok(()),
            _ => Err(Failure::new("nothing was done").ending(Exit::Usage).coded("NOT_CONFIRMED")),
        }
    }

    fn meant(
        &self,
        named: Option<&str>,
        what: &str,
        option: &str,
        of: impl FnOnce(&Chosen) -> Option<String>,
    ) -> Result<String, Failure> {
        if let Some(named) = named {
            return Ok(named.to_owned());
        }
        of(&self.chosen()?).ok_or_else(|| {
            Failure::usage(format!("which {what}? Name it with {option}, or give the context one"))
                .coded("NOT_NAMED")
                .hinting(format!("`mintmark {what} list` shows them."))
        })
    }

    fn control(&self, kind: Kind) -> Result<Client, Failure> {
        let chosen = self.chosen()?;
        let secret = credential(&chosen, kind)?.ok_or_else(|| missing(&chosen, kind))?;
        let http = client::http(chosen.context.ca_file.as_deref())?;
        Ok(Client::new(http, &chosen.context.control, kind.name(), Some(secret)))
    }
}

fn credential(chosen: &Chosen, kind: Kind) -> Result<Option<SecretString>, Failure> {
    match chosen.context.reference(&chosen.name, kind) {
        Some(reference) => reference.read(kind),
        None => Ok(None),
    }
}

fn missing(chosen: &Chosen, kind: Kind) -> Failure {
    let (name, what) = (&chosen.name, kind.name());
    let place = chosen.context.reference(name, kind).map_or_else(
        || "the context names no place for one".to_owned(),
        |reference| format!("{} holds none", reference.whereabouts()),
    );
    let hint = match kind {
        Kind::Session => "Get one with `mintmark login` (docs/cli.md).",
        Kind::ControlToken => {
            "Name it: `mintmark context set NAME --control-token file:PATH` (or env:NAME, command:…)."
        }
        Kind::ApiKey => "Name it: `mintmark context set NAME --api-key file:PATH` (or env:NAME, command:…).",
    };
    Failure::new(format!("this needs a {what}, and the context '{name}' has none: {place}"))
        .ending(Exit::Unauthenticated)
        .coded("NO_CREDENTIAL")
        .hinting(hint)
}
