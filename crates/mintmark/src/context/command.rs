//! `mintmark context`: which platforms there are, and which one is meant.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Configuration, Context, Kind, LOCAL, Reference, choose, local, state_file};
use crate::desk::Desk;
use crate::failure::{Doing, Failure};
use crate::home::Home;
use crate::reach::Consent;
use crate::show::Column;

/// What is done with contexts.
#[derive(Subcommand)]
pub enum ContextCommand {
    /// List the contexts; the current one is marked.
    List,
    /// Show a context: addresses, and where its credentials are (never the credentials).
    Show {
        /// Which; without it the one that commands use now.
        name: Option<String>,
    },
    /// Use a context from now on.
    Use {
        /// Which.
        name: String,
    },
    /// Add a context; the first one becomes current.
    Add {
        /// What to call it.
        #[arg(value_parser = name)]
        name: String,
        #[command(flatten)]
        says: ContextOptions,
    },
    /// Change what is given of a context; the rest stays.
    Set {
        /// Which.
        name: String,
        #[command(flatten)]
        says: ContextOptions,
    },
    /// Remove a context and the session that `mintmark login` kept for it.
    Remove {
        /// Which.
        name: String,
        #[command(flatten)]
        consent: Consent,
    },
}

/// What a context says.
#[derive(Args)]
pub struct ContextOptions {
    /// The control plane, like https://control.example.
    #[arg(long, value_name = "URL")]
    control: Option<String>,
    /// The preflight gateway, like https://preflight.example.
    #[arg(long, value_name = "URL")]
    gateway: Option<String>,
    /// PEM certificates of the authorities behind them, besides those that the system trusts.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The tenant that commands are about when they name none.
    #[arg(long)]
    tenant: Option<String>,
    /// The brand that commands are about when they name none.
    #[arg(long)]
    brand: Option<String>,
    /// Where a person's session is: file:PATH, env:NAME or command:PROGRAM ARGUMENTS. Without it `mintmark login` keeps one.
    #[arg(long, value_name = "WHERE", value_parser = Reference::typed)]
    session: Option<Reference>,
    /// Where the operator's control token is.
    #[arg(long, value_name = "WHERE", value_parser = Reference::typed)]
    control_token: Option<Reference>,
    /// Where a program's API key is.
    #[arg(long, value_name = "WHERE", value_parser = Reference::typed)]
    api_key: Option<Reference>,
}

impl ContextOptions {
    fn apply(self, context: &mut Context) -> Result<(), Failure> {
        let ContextOptions { control, gateway, ca_file, tenant, brand, session, control_token, api_key } =
            self;
        if let Some(control) = control {
            context.control = control;
        }
        if let Some(file) = ca_file {
            // Commands run in other folders later.
            context.ca_file =
                Some(std::path::absolute(&file).doing(format_args!("find {}", file.display()))?);
        }
        context.gateway = gateway.or(context.gateway.take());
        context.tenant = tenant.or(context.tenant.take());
        context.brand = brand.or(context.brand.take());
        context.session = session.or(context.session.take());
        context.control_token = control_token.or(context.control_token.take());
        context.api_key = api_key.or(context.api_key.take());
        context.check()
    }
}

/// Runs one of the commands.
pub fn run(desk: &Desk, command: ContextCommand) -> Result<(), Failure> {
    let mut configuration = Configuration::load(desk.reach().config.as_deref())?;
    match command {
        ContextCommand::List => list(desk, &configuration),
        ContextCommand::Show { name } => {
            let mut reach = desk.reach().clone();
            reach.context = name.or(reach.context);
            let chosen = choose(desk.home(), &reach)?;
            show(desk, &chosen.name, &chosen.context)
        }
        ContextCommand::Use { name } => {
            let mut reach = desk.reach().clone();
            reach.context = Some(name.clone());
            choose(desk.home(), &reach)?;
            configuration.current = Some(name.clone());
            configuration.save()?;
            desk.screen.say(&format!("Commands go to '{name}' from now on."));
            Ok(())
        }
        ContextCommand::Add { name, says } => {
            if configuration.contexts.contains_key(&name) {
                return Err(Failure::usage(format!("there is a context '{name}' already"))
                    .coded("CONTEXT_EXISTS")
                    .hinting(format!("`mintmark context set {name} …` changes it.")));
            }
            let mut context = Context::default();
            says.apply(&mut context)?;
            configuration.current.get_or_insert_with(|| name.clone());
            keep(desk, configuration, name, context)
        }
        ContextCommand::Set { name, says } => {
            let mut context = known(&configuration, &name)?;
            says.apply(&mut context)?;
            keep(desk, configuration, name, context)
        }
        ContextCommand::Remove { name, consent } => {
            known(&configuration, &name)?;
            desk.confirm(&format!("Remove the context '{name}'"), &consent)?;
            configuration.contexts.remove(&name);
            configuration.current.take_if(|current| *current == name);
            configuration.save()?;
            if let Some(session) = state_file(&name, "session").filter(|session| session.exists()) {
                std::fs::remove_file(&session).doing(format_args!("remove {}", session.display()))?;
            }
            desk.screen.say(&format!("Removed '{name}'."));
            Ok(())
        }
    }
}

fn keep(
    desk: &Desk,
    mut configuration: Configuration,
    name: String,
    context: Context,
) -> Result<(), Failure> {
    configuration.contexts.insert(name.clone(), context.clone());
    configuration.save()?;
    desk.screen.say(&format!("Kept in {}.", configuration.path().display()));
    show(desk, &name, &context)
}

fn known(configuration: &Configuration, name: &str) -> Result<Context, Failure> {
    let because = if name == LOCAL {
        ": it is the platform that `mintmark up` runs here, as its dev.env says"
    } else {
        ""
    };
    configuration.contexts.get(name).cloned().ok_or_else(|| {
        Failure::usage(format!("the configuration has no context '{name}'{because}")).coded("UNKNOWN_CONTEXT")
    })
}

fn list(desk: &Desk, configuration: &Configuration) -> Result<(), Failure> {
    let mut contexts = configuration.contexts.clone();
    if let Some(context) = Home::existing(desk.home()).ok().and_then(|home| local::context(&home)) {
        contexts.entry(LOCAL.to_owned()).or_insert(context);
    }
    let current = desk.reach().context.as_deref().or(configuration.current.as_deref()).unwrap_or(LOCAL);
    if desk.screen.json {
        let items: Vec<Value> =
            contexts.iter().map(|(name, context)| view(name, context, name == current)).collect();
        return desk.screen.document(&json!({ "items": items }));
    }
    if contexts.is_empty() {
        return desk.screen.print(
            "No contexts yet: `mintmark context add NAME --control https://…` makes one, and a platform that \
             `mintmark up` started here needs none.\n",
        );
    }
    let columns = [
        Column::whole(""),
        Column::whole("NAME"),
        Column::whole("CONTROL PLANE"),
        Column::words("CREDENTIALS"),
    ];
    let rows = contexts.iter().map(|(name, context)| {
        let kinds = [Kind::Session, Kind::ControlToken, Kind::ApiKey];
        let there: Vec<&str> =
            kinds.into_iter().filter(|kind| named(context, *kind).is_some()).map(Kind::name).collect();
        let mark = if name == current { "*" } else { "" };
        let there =
            if there.is_empty() { "session by `mintmark login`".to_owned() } else { there.join(", ") };
        vec![mark.to_owned(), name.clone(), context.control.clone(), there]
    });
    desk.screen.table(&columns, rows.collect())
}

fn show(desk: &Desk, name: &str, context: &Context) -> Result<(), Failure> {
    let plain = |value: &Option<String>| value.clone().unwrap_or_default();
    let place = |kind| place(name, context, kind).unwrap_or_default();
    desk.screen.thing(
        &view(name, context, true),
        &[
            ("context", name.to_owned()),
            ("control plane", context.control.clone()),
            ("preflight gateway", plain(&context.gateway)),
            ("CA file", context.ca_file.as_ref().map(|file| file.display().to_string()).unwrap_or_default()),
            ("tenant", plain(&context.tenant)),
            ("brand", plain(&context.brand)),
            ("session", place(Kind::Session)),
            ("control token", place(Kind::ControlToken)),
            ("API key", place(Kind::ApiKey)),
        ],
    )
}

fn named(context: &Context, kind: Kind) -> Option<&Reference> {
    match kind {
        Kind::Session => context.session.as_ref(),
        Kind::ControlToken => context.control_token.as_ref(),
        Kind::ApiKey => context.api_key.as_ref(),
    }
}

/// Where a credential is, in words.
fn place(name: &str, context: &Context, kind: Kind) -> Option<String> {
    match context.reference(name, kind)? {
        Reference::Value(_) if name == LOCAL => Some("dev.env of the platform here".to_owned()),
        other => Some(other.whereabouts()),
    }
}

/// A context for programs: places of credentials, never credentials.
fn view(name: &str, context: &Context, current: bool) -> Value {
    let place = |kind| place(name, context, kind);
    json!({
        "name": name, "current": current, "control": context.control, "gateway": context.gateway,
        "caFile": context.ca_file, "tenant": context.tenant, "brand": context.brand,
        "session": place(Kind::Session), "controlToken": place(Kind::ControlToken), "apiKey": place(Kind::ApiKey),
    })
}

fn name(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match text {
        LOCAL => Err("this name is kept for the platform that `mintmark up` runs here".to_owned()),
        _ if !text.is_empty() && text.len() <= 63 && text.bytes().all(fits) && !text.starts_with('.') => {
            Ok(text.to_owned())
        }
        _ => Err("1 to 63 letters, digits, '-', '_' and '.', not beginning with '.'".to_owned()),
    }
}
