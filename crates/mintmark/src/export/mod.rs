//! `mintmark export`: packs for printers.

mod download;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::api;
use crate::client::{creation_key, path};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::reach::{Consent, Paging};
use crate::screen;
use crate::show::{Column, failure, moment, number, progress, text, time};
use crate::wait::{self, Patience, Work};

use download::DownloadOptions;

/// What is done with exports.
#[derive(Subcommand)]
pub enum ExportCommand {
    /// Make a pack of a sealed batch, in the background; with --wait stay until it can be downloaded.
    Create(NewExport),
    /// List a batch's exports, newest first.
    List {
        /// The batch, `bat_…`.
        batch: String,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show an export and how far it is.
    Show {
        /// Its id, `exp_…`.
        id: String,
    },
    /// Watch an export until it can be downloaded.
    Watch {
        /// Its id, `exp_…`.
        id: String,
        #[command(flatten)]
        patience: Patience,
    },
    /// Call off an export that is not ready yet; what was made of it is deleted.
    Cancel {
        /// Its id, `exp_…`.
        id: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// Download the files of a ready export. Run again, it goes on where it stopped, and keeps what is whole.
    Download(DownloadOptions),
}

/// An export to make.
#[derive(Args)]
pub struct NewExport {
    /// The batch, `bat_…`.
    batch: String,
    /// What the pack holds, separated by commas.
    #[arg(long = "format", value_enum, value_delimiter = ',', default_values_t = [Format::Csv, Format::Svg])]
    formats: Vec<Format>,
    /// Repeating the command with the same key gives the same export, never a second one.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Stay until it can be downloaded.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    patience: Patience,
}

/// What a pack holds.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A table of the codes.
    Csv,
    /// A symbol for each code, as SVG.
    Svg,
    /// A symbol for each code, as PNG.
    Png,
    /// The symbols on sheets of labels, A4.
    Pdf,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Svg => "svg",
            Format::Png => "png",
            Format::Pdf => "pdf",
        }
    }
}

/// Runs one of the commands.
pub async fn run(desk: &Desk, command: ExportCommand) -> Result<(), Failure> {
    let of = |id: &str| path(&["v1", "exports", id]);
    match command {
        ExportCommand::Create(wanted) => create(desk, wanted).await,
        ExportCommand::List { batch, paging } => {
            let listed = desk.person()?.list(&path(&["v1", "batches", &batch, "exports"]), &paging).await?;
            let columns = [
                Column::whole("ID"),
                Column::whole("STATE"),
                Column::words("FORMATS"),
                Column::number("PARTS"),
                Column::number("SIZE"),
                Column::whole("CREATED (UTC)"),
                Column::whole("DELETED (UTC)"),
            ];
            let row = |it: &Value| {
                let state = desk.screen.state(&text(it, "state"));
                let (parts, created) = (number(it, "parts"), time(it, "createdAt"));
                vec![text(it, "id"), state, formats(it), parts, size(it), created, time(it, "expiresAt")]
            };
            let empty = "No exports of this batch yet: `mintmark export create BATCH` makes one.";
            desk.screen.list(&listed, &columns, row, empty)
        }
        ExportCommand::Show { id } => show(desk, &desk.person()?.get(&of(&id)).await?),
        ExportCommand::Watch { id, patience } => watch(desk, &id, &patience).await,
        ExportCommand::Cancel { id, consent } => {
            desk.confirm(&format!("Call off the export {id}"), &consent)?;
            show(desk, &desk.person()?.post(&format!("{}/cancel", of(&id)), None).await?)
        }
        ExportCommand::Download(options) => download::run(desk, options).await,
    }
}

async fn create(desk: &Desk, wanted: NewExport) -> Result<(), Failure> {
    let NewExport { batch, formats, idempotency_key, wait, patience } = wanted;
    let key = idempotency_key.map_or_else(creation_key, Ok)?;
    let body = json!({ "formats": formats.into_iter().map(Format::name).collect::<Vec<_>>() });
    let made = desk.person()?.create_once(&path(&["v1", "batches", &batch, "exports"]), &body, &key).await?;
    if wait {
        let id = api::text(&made, "id")?;
        desk.screen.say(&format!("Making {id}."));
        return watch(desk, id, &patience).await;
    }
    show(desk, &made)
}

async fn watch(desk: &Desk, id: &str, patience: &Patience) -> Result<(), Failure> {
    let work = Work {
        what: "export",
        path: path(&["v1", "exports", id]),
        unit: "units",
        again: format!("mintmark export watch {id}"),
        end: |state| match state {
            "ready" => Some(true),
            "failed" | "cancelled" | "expired" => Some(false),
            _ => None,
        },
    };
    let export = wait::until_ended(desk, &desk.person()?, &work, patience).await?;
    show(desk, &export)
}

fn show(desk: &Desk, export: &Value) -> Result<(), Failure> {
    let underway = matches!(export["state"].as_str(), Some("queued" | "running"));
    desk.screen.thing(
        export,
        &[
            ("export", text(export, "id")),
            ("state", desk.screen.state(&text(export, "state"))),
            ("progress", if underway { progress(export) } else { String::new() }),
            ("why", failure(export)),
            ("batch", text(export, "batchId")),
            ("formats", formats(export)),
            ("parts", number(export, "parts")),
            ("size", size(export)),
            ("created", moment(export, "createdAt")),
            ("deleted", moment(export, "expiresAt")),
        ],
    )
}

fn formats(export: &Value) -> String {
    let names = export["formats"].as_array().into_iter().flatten().filter_map(Value::as_str);
    names.collect::<Vec<_>>().join(", ")
}

fn size(export: &Value) -> String {
    export["bytes"].as_u64().filter(|bytes| *bytes > 0).map(screen::bytes).unwrap_or_default()
}
