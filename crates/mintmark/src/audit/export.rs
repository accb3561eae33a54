//! `mintmark audit export`: the tenant's log as a file, made by the platform and fetched.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};

use crate::client::path;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::reach::Paging;
use crate::screen;
use crate::show::{Column, moment, number, text, time};
use crate::transfer::{Fetch, bar, fetch};
use crate::wait::{self, Patience, Work};

/// Options of `mintmark audit export`.
#[derive(Args)]
pub struct ExportOptions {
    /// Only entries from this time on, like 2026-11-01T00:00:00Z (of the vault's log everything comes).
    #[arg(long, value_name = "TIME")]
    pub from: Option<DateTime<Utc>>,
    /// Only entries before this time; now when left out.
    #[arg(long, value_name = "TIME")]
    pub to: Option<DateTime<Utc>>,
    /// Stay until it is ready.
    #[arg(long)]
    pub wait: bool,
    /// Stay until it is ready, and fetch it into this file.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// One that was made before (exp_…), instead of a new one.
    #[arg(long, value_name = "EXPORT", conflicts_with_all = ["from", "to"])]
    pub export: Option<String>,
    /// Replace a file that is there.
    #[arg(long, requires = "out")]
    pub force: bool,
    #[command(flatten)]
    pub patience: Patience,
}

const COLUMNS: [Column; 5] = [
    Column::whole("ID"),
    Column::whole("STATE"),
    Column::number("ENTRIES"),
    Column::number("BYTES"),
    Column::whole("CREATED (UTC)"),
];

const EXPORTS: [&str; 3] = ["v1", "admin", "audit-exports"];

fn place(export: &str) -> String {
    path(&[EXPORTS.as_slice(), &[export]].concat())
}

/// Makes an export, or takes one up, and does with it what is wanted.
pub async fn export(desk: &Desk, options: &ExportOptions) -> Result<(), Failure> {
    let id = match &options.export {
        Some(export) => export.clone(),
        None => {
            let body = json!({ "from": options.from, "to": options.to });
            let made = desk.person_or_program()?.create(&path(&EXPORTS), &body).await?;
            if !options.wait && options.out.is_none() {
                return show(desk, &made);
            }
            text(&made, "id")
        }
    };
    let ready = ready(desk, &id, &options.patience).await?;
    match &options.out {
        Some(_) => download(desk, options, ready).await,
        None => show(desk, &ready),
    }
}

/// Lists the exports.
pub async fn list(desk: &Desk, paging: &Paging) -> Result<(), Failure> {
    let listed = desk.person_or_program()?.list(&path(&EXPORTS), paging).await?;
    let row = |export: &Value| {
        let state = desk.screen.state(&text(export, "state"));
        let numbers = [number(export, "entries"), number(export, "bytes")];
        [text(export, "id"), state].into_iter().chain(numbers).chain([time(export, "createdAt")]).collect()
    };
    desk.screen.list(&listed, &COLUMNS, row, "There is none: `mintmark audit export` makes one.")
}

/// Shows an export.
pub async fn show_export(desk: &Desk, export: &str) -> Result<(), Failure> {
    show(desk, &desk.person_or_program()?.get(&place(export)).await?)
}

/// Watches an export to its end, and shows it.
pub async fn watch_export(desk: &Desk, export: &str, patience: &Patience) -> Result<(), Failure> {
    show(desk, &ready(desk, export, patience).await?)
}

async fn ready(desk: &Desk, export: &str, patience: &Patience) -> Result<Value, Failure> {
    let work = Work {
        what: "audit export",
        path: place(export),
        unit: "entries",
        again: format!("mintmark audit export --wait --export {export}"),
        end: |state| match state {
            "ready" => Some(true),
            "failed" | "expired" => Some(false),
            _ => None,
        },
    };
    wait::until_ended(desk, &desk.person_or_program()?, &work, patience).await
}

async fn download(desk: &Desk, options: &ExportOptions, mut export: Value) -> Result<(), Failure> {
    let Some(out) = &options.out else { return Ok(()) };
    let client = desk.person_or_program()?;
    let (id, sha256) = (text(&export, "id"), text(&export, "sha256"));
    let bytes = export["bytes"].as_u64().unwrap_or_default();
    let progress = bar("downloading", bytes, desk.screen.json);
    let what = Fetch { of: &id, out, bytes, sha256: Some(&sha256), replace: options.force };
    let fetched = fetch(&what, &progress, async |from| {
        // A URL is good for five minutes: each attempt has its own.
        let signed = client.get(&format!("{}/download", place(&id))).await?;
        client.open(&text(&signed, "url"), from).await
    })
    .await;
    progress.finish_and_clear();
    fetched?;
    export["file"] = json!(out.display().to_string());
    show(desk, &export)?;
    desk.screen.say(
        "`mintmark audit verify FILE --keys … --jwks …` checks it without the platform (docs/audit.md).",
    );
    Ok(())
}

fn show(desk: &Desk, export: &Value) -> Result<(), Failure> {
    let size = export["bytes"].as_u64().map(screen::bytes).unwrap_or_default();
    desk.screen.thing(
        export,
        &[
            ("id", text(export, "id")),
            ("state", desk.screen.state(&text(export, "state"))),
            ("from", moment(export, "from")),
            ("to", moment(export, "to")),
            ("entries", number(export, "entries")),
            ("size", size),
            ("sha256", text(export, "sha256")),
            ("failure", text(export, "failure")),
            ("created", moment(export, "createdAt")),
            ("expires", moment(export, "expiresAt")),
            ("file", text(export, "file")),
        ],
    )
}
