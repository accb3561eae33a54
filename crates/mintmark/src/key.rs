//! `mintmark key`: API keys. The secret of a fresh one is shown once, or goes into a file and nowhere else.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mintmark_auth::{ApiScope, Tier};
use serde_json::{Map, Value, json};

use crate::client::path;
use crate::desk::Desk;
use crate::failure::{Failure, describe_io};
use crate::reach::{Consent, Paging};
use crate::show::{Column, moment, text, time};

/// What is done with API keys.
#[derive(Subcommand)]
pub enum KeyCommand {
    /// Make a key. It is shown once: on standard output, or in a file that only you can read (--out).
    Create(NewKey),
    /// List your keys; a tenant administrator sees everybody's.
    List(Paging),
    /// Show what is known of a key; never the key itself.
    Show {
        /// The key's id: key_…
        key: String,
    },
    /// Put a fresh key in the place of one, which is revoked at once.
    Rotate(RotatedKey),
    /// Revoke a key, for good: no request that begins afterwards is let in with it.
    Revoke {
        /// The key's id: key_…
        key: String,
        #[command(flatten)]
        consent: Consent,
    },
}

/// Options of `mintmark key create`.
#[derive(Args)]
pub struct NewKey {
    /// What it is for: 1 to 200 characters.
    pub name: String,
    /// What it may do, separated by commas: of trust:read, attestations:read, attestations:write, payouts:write,
    /// reports:generate, exports:read, webhooks:admin, admin:read, admin:write.
    #[arg(long, required = true, value_delimiter = ',', value_name = "SCOPE")]
    pub scopes: Vec<ApiScope>,
    /// free, pro or enterprise; the tenant's when left out, never a higher one.
    #[arg(long)]
    pub tier: Option<Tier>,
    /// When it ends by itself: a time like 2027-01-31T00:00:00Z; never when left out.
    #[arg(long, value_name = "TIME")]
    pub expires: Option<chrono::DateTime<chrono::Utc>>,
    /// Write the key into a new file (mode 0600) instead of printing it.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Options of `mintmark key rotate`; what is left out stays as it was.
#[derive(Args)]
pub struct RotatedKey {
    /// The key's id: key_…
    pub key: String,
    /// Only these scopes of it, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "SCOPE")]
    pub scopes: Vec<ApiScope>,
    /// A lower tier.
    #[arg(long)]
    pub tier: Option<Tier>,
    /// An earlier end.
    #[arg(long, value_name = "TIME")]
    pub expires: Option<chrono::DateTime<chrono::Utc>>,
    /// Write the fresh key into a new file (mode 0600) instead of printing it.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub consent: Consent,
}

const COLUMNS: [Column; 7] = [
    Column::whole("ID"),
    Column::words("NAME"),
    Column::words("SCOPES"),
    Column::whole("TIER"),
    Column::whole("STATE"),
    Column::whole("LAST USED (UTC)"),
    Column::whole("CREATED (UTC)"),
];

/// Does what is wanted.
pub async fn run(desk: &Desk, wanted: KeyCommand) -> Result<(), Failure> {
    let client = desk.person()?;
    let screen = &desk.screen;
    match wanted {
        KeyCommand::Create(new) => {
            let mut body = changes(&new.scopes, new.tier, new.expires);
            body.insert("name".to_owned(), json!(new.name));
            let place = Place::open(new.out.as_deref())?;
            let made = client.create("/v1/api-keys", &Value::Object(body)).await;
            present(desk, place, made)
        }
        KeyCommand::List(paging) => {
            let listed = client.list("/v1/api-keys", &paging).await?;
            let row = |key: &Value| {
                let names = [text(key, "id"), text(key, "name"), scopes(key), text(key, "tier")];
                let rest = [screen.state(state(key)), time(key, "lastUsedAt"), time(key, "createdAt")];
                names.into_iter().chain(rest).collect()
            };
            screen.list(&listed, &COLUMNS, row, "There are no keys: `mintmark key create` makes one.")
        }
        KeyCommand::Show { key } => show(desk, &client.get(&path(&["v1", "api-keys", &key])).await?),
        KeyCommand::Rotate(rotated) => {
            desk.confirm(&format!("Rotate {}: the present key ends at once", rotated.key), &rotated.consent)?;
            let body = Value::Object(changes(&rotated.scopes, rotated.tier, rotated.expires));
            let place = Place::open(rotated.out.as_deref())?;
            let made = client.create(&path(&["v1", "api-keys", &rotated.key, "rotate"]), &body).await;
            present(desk, place, made)
        }
        KeyCommand::Revoke { key, consent } => {
            desk.confirm(&format!("Revoke {key} for good"), &consent)?;
            let revoked = client.post(&path(&["v1", "api-keys", &key, "revoke"]), None).await?;
            show(desk, &revoked)?;
            screen.say(&format!("{key} is revoked."));
            Ok(())
        }
    }
}

fn changes(
    scopes: &[ApiScope],
    tier: Option<Tier>,
    expires: Option<chrono::DateTime<chrono::Utc>>,
) -> Map<String, Value> {
    let mut body = Map::new();
    if !scopes.is_empty() {
        body.insert("scopes".to_owned(), json!(scopes));
    }
    tier.iter().for_each(|tier| drop(body.insert("tier".to_owned(), json!(tier))));
    expires.iter().for_each(|end| drop(body.insert("expiresAt".to_owned(), json!(end))));
    body
}

/// Where a fresh key goes. A file is made before the key is: one that cannot be written must not cost a key.
enum Place {
    Screen,
    File(PathBuf, fs::File),
}

impl Place {
    fn open(out: Option<&Path>) -> Result<Self, Failure> {
        let Some(out) = out else { return Ok(Self::Screen) };
        match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(out) {
            Ok(file) => Ok(Self::File(out.to_owned(), file)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(Failure::usage(format!(
                "{} is there already: a key goes into a file of its own",
                out.display()
            ))),
            Err(error) => {
                Err(Failure::local(format!("could not write {}: {}", out.display(), describe_io(&error))))
            }
        }
    }
}

/// Shows what is known of a fresh key, and the key itself where it belongs.
fn present(desk: &Desk, place: Place, made: Result<Value, Failure>) -> Result<(), Failure> {
    let (out, mut file) = match (place, made) {
        (Place::Screen, made) => {
            let made = made?;
            show(desk, &made)?;
            desk.screen.say("This is the only time that the key is shown: keep it now.");
            return Ok(());
        }
        (Place::File(out, file), Ok(made)) => ((out, made), file),
        (Place::File(out, _), Err(failure)) => {
            // Nothing was written into it.
            let _ = fs::remove_file(out);
            return Err(failure);
        }
    };
    let (out, mut made) = out;
    let key = made.as_object_mut().and_then(|made| made.remove("key"));
    let key = key.as_ref().and_then(Value::as_str).unwrap_or_default();
    let written = writeln!(file, "{key}").and_then(|()| file.sync_all());
    written.map_err(|error| {
        Failure::local(format!(
            "the key {} was made and could not be written to {} ({}): revoke it, and make another",
            text(&made, "id"),
            out.display(),
            describe_io(&error)
        ))
    })?;
    made["keyFile"] = json!(out.display().to_string());
    show(desk, &made)
}

fn show(desk: &Desk, key: &Value) -> Result<(), Failure> {
    desk.screen.thing(
        key,
        &[
            ("id", text(key, "id")),
            ("name", text(key, "name")),
            ("scopes", scopes(key)),
            ("tier", text(key, "tier")),
            ("state", desk.screen.state(state(key))),
            ("created by", text(key, "createdBy")),
            ("created", moment(key, "createdAt")),
            ("ends", moment(key, "expiresAt")),
            ("last used", moment(key, "lastUsedAt")),
            ("revoked", moment(key, "revokedAt")),
            ("replaced by", text(key, "replacedBy")),
            ("key", text(key, "key")),
            ("key file", text(key, "keyFile")),
        ],
    )
}

fn scopes(key: &Value) -> String {
    let scopes = key["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    scopes.collect::<Vec<_>>().join(", ")
}

/// In a word, which the platform leaves to its clients.
fn state(key: &Value) -> &'static str {
    let past =
        |time: &str| chrono::DateTime::parse_from_rfc3339(time).is_ok_and(|time| time <= chrono::Utc::now());
    if !key["revokedAt"].is_null() {
        "revoked"
    } else if key["expiresAt"].as_str().is_some_and(past) {
        "expired"
    } else {
        "active"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_of_what_came_last() {
        assert_eq!(state(&json!({})), "active");
        assert_eq!(state(&json!({ "expiresAt": "2999-01-01T00:00:00Z" })), "active");
        assert_eq!(state(&json!({ "expiresAt": "2020-01-01T00:00:00Z" })), "expired");
        let revoked = json!({ "expiresAt": "2020-01-01T00:00:00Z", "revokedAt": "2019-01-01T00:00:00Z" });
        assert_eq!(state(&revoked), "revoked");
    }

    #[test]
    fn place_is_a_new_private_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("key");
        assert!(matches!(Place::open(Some(&out)), Ok(Place::File(..))));
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
        let again = Place::open(Some(&out)).err().unwrap();
        assert!(again.to_string().contains("is there already"), "{again}");
    }
}
