//! `mintmark login`, `session`, `logout`: a session for the context, who it speaks for, and its end.

use std::io::Read;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::api;
use crate::client::query;
use crate::context::{self, Chosen, Kind, LOCAL, Reference};
use crate::desk::Desk;
use crate::exit::Exit;
use crate::failure::{Doing, Failure};
use crate::home::write_private;
use crate::reach::Paging;
use crate::show::moment;

/// For whom.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("whom").required(true))]
pub struct LoginOptions {
    /// Make a session for this user, `usr_…`, under the context's control token.
    #[arg(long, group = "whom")]
    user: Option<String>,
    /// The same for the user with this address.
    #[arg(long, group = "whom")]
    email: Option<String>,
    /// Read a session that somebody gave you from standard input.
    #[arg(long, group = "whom")]
    stdin: bool,
    /// The tenant of `--email`; without it the context's.
    #[arg(long, requires = "email")]
    tenant: Option<String>,
    /// Seconds that a new session lives; at most what the platform allows, which is also the default.
    #[arg(long, value_name = "SECONDS", conflicts_with = "stdin", value_parser = clap::value_parser!(u64).range(1..))]
    ttl: Option<u64>,
}

/// Gets a session and keeps it where the context looks for one.
pub async fn login(desk: &Desk, options: LoginOptions) -> Result<(), Failure> {
    let chosen = desk.chosen()?;
    let place = place(desk, &chosen)?;
    let token = if options.stdin { given()? } else { made(desk, &options).await? };
    // Before it is kept: what is no session would only be refused later, without a reason.
    claims(&token)?;
    context::private_folder(&place)?;
    write_private(&place, token.expose_secret())?;
    desk.screen.say(&format!("Kept in {}.", place.display()));
    show(desk, &chosen.name, &token)
}

/// Says who the session speaks for.
pub fn session(desk: &Desk) -> Result<(), Failure> {
    let chosen = desk.chosen()?;
    let reference = chosen.context.reference(&chosen.name, Kind::Session);
    let token = reference.as_ref().map(|place| place.read(Kind::Session)).transpose()?.flatten();
    let Some(token) = token else {
        return Err(Failure::new(format!("the context '{}' has no session", chosen.name))
            .ending(Exit::Unauthenticated)
            .coded("NO_CREDENTIAL")
            .hinting("Get one with `mintmark login` (docs/cli.md)."));
    };
    show(desk, &chosen.name, &token)
}

/// Forgets the session that a login kept. The platform cannot take a session back: it ends by itself.
pub fn logout(desk: &Desk) -> Result<(), Failure> {
    let chosen = desk.chosen()?;
    let place = place(desk, &chosen)?;
    match std::fs::remove_file(&place) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            desk.screen.say("There was no session to forget.");
        }
        done => {
            done.doing(format_args!("remove {}", place.display()))?;
            desk.screen.say("Forgotten here. The session itself ends by its time.");
        }
    }
    Ok(())
}

/// The file that a login writes.
fn place(desk: &Desk, chosen: &Chosen) -> Result<PathBuf, Failure> {
    if chosen.name == LOCAL {
        return Ok(desk.home().join(context::LOCAL_SESSION));
    }
    match chosen.context.reference(&chosen.name, Kind::Session) {
        Some(Reference::File(path)) => Ok(path),
        Some(other) => Err(Failure::usage(format!(
            "the context '{}' takes its session from elsewhere ({}): change it there, or give the context a file: \
             `mintmark context set {} --session file:PATH`",
            chosen.name,
            other.whereabouts(),
            chosen.name
        ))
        .coded("SESSION_ELSEWHERE")),
        None => Err(Failure::usage("neither HOME nor XDG_STATE_HOME is set, so there is no place for a session")),
    }
}

fn given() -> Result<SecretString, Failure> {
    let mut text = String::new();
    // Longer than any session by far.
    std::io::stdin()
        .take(64 * 1024)
        .read_to_string(&mut text)
        .doing("read the session from standard input")?;
    Ok(SecretString::from(text.trim().to_owned()))
}

async fn made(desk: &Desk, options: &LoginOptions) -> Result<SecretString, Failure> {
    let operator = desk.operator()?;
    let user = match (&options.user, &options.email) {
        (Some(user), _) => user.clone(),
        (None, Some(email)) => {
            let tenant = desk.tenant(options.tenant.as_deref())?;
            let everybody = Paging { limit: 0, all: true, cursor: None };
            let users = query("/api/admin/users", &[("tenantId", Some(&tenant))]);
            let users = operator.list(&users, &everybody).await?.items;
            let same =
                |user: &&Value| user["email"].as_str().is_some_and(|other| other.eq_ignore_ascii_case(email));
            let found = users.iter().find(same).ok_or_else(|| {
                Failure::new(format!("the tenant {tenant} has no user with the address {email}"))
                    .ending(Exit::NotFound)
                    .coded("USER_NOT_FOUND")
            })?;
            api::text(found, "id")?.to_owned()
        }
        // clap lets nobody come here: --stdin was handled before.
        (None, None) => return Err(Failure::usage("for whom? Name a user with --user or --email")),
    };
    let mut wanted = json!({ "userId": user });
    options.ttl.into_iter().for_each(|ttl| wanted["ttlSecs"] = ttl.into());
    let session = operator.create("/api/admin/sessions", &wanted).await?;
    Ok(SecretString::from(api::text(&session, "token")?.to_owned()))
}

fn show(desk: &Desk, context: &str, token: &SecretString) -> Result<(), Failure> {
    let claims = claims(token)?;
    let expires = claims["exp"].as_i64().and_then(|at| DateTime::<Utc>::from_timestamp(at, 0));
    let left = expires.map(|at| at - Utc::now());
    let strip =
        |text: &Value| text.as_str().map(|text| text.strip_prefix("user:").unwrap_or(text).to_owned());
    let document = json!({
        "context": context,
        "userId": strip(&claims["sub"]),
        "tenantId": claims["tenantId"],
        "actingAsThem": claims["act"]["sub"],
        "expiresAt": expires.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)),
        "expired": left.is_none_or(|left| left <= chrono::TimeDelta::zero()),
    });
    let rest = match left {
        Some(left) if left > chrono::TimeDelta::zero() => {
            format!(" (in {} h {:02} min)", left.num_hours(), left.num_minutes() % 60)
        }
        _ => " (it ran out: `mintmark login` gets a new one)".to_owned(),
    };
    desk.screen.thing(
        &document,
        &[
            ("context", context.to_owned()),
            ("user", crate::show::text(&document, "userId")),
            ("tenant", crate::show::text(&document, "tenantId")),
            ("used by", crate::show::text(&document, "actingAsThem")),
            ("expires", moment(&document, "expiresAt") + &rest),
        ],
    )
}

/// What a session says of itself. Only the platform can tell whether that is true.
fn claims(token: &SecretString) -> Result<Value, Failure> {
    let payload = token.expose_secret().split('.').nth(1).unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
    let claims: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    if claims["sub"].is_string() && claims["exp"].is_i64() {
        return Ok(claims);
    }
    Err(Failure::usage(
        "this is no session: it must be the token that the platform gave out, and nothing else",
    )
    .coded("NO_SESSION"))
}
