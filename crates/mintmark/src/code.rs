//! `mintmark code`: single units of a batch.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::path;
use crate::desk::Desk;
use crate::exit::Exit;
use crate::failure::{Failure, describe_io};
use crate::reach::{Consent, Paging};
use crate::screen::count;
use crate::show::{Column, text};

/// The most codes that one request takes.
const AT_ONCE: usize = 1_000;

/// What is done with codes.
#[derive(Subcommand)]
pub enum CodeCommand {
    /// List a batch's units by serial number; their codes are masked.
    List {
        /// The batch, `bat_…`.
        batch: String,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show the whole code of one unit; the batch's history and the audit note it.
    Reveal {
        /// The batch, `bat_…`.
        batch: String,
        /// The unit's serial number; `mintmark batch show` says which ones the batch has.
        serial: u64,
    },
    /// Recall codes of a batch for ever: every scan of them says so within two seconds.
    Revoke {
        /// The batch, `bat_…`.
        batch: String,
        /// The codes, written in any way that people write them.
        #[arg(required_unless_present = "file")]
        codes: Vec<String>,
        /// A file with a code on each line; - is standard input.
        #[arg(long, value_name = "FILE", conflicts_with = "codes")]
        file: Option<PathBuf>,
        /// Why; it stands in the batch's history.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        consent: Consent,
    },
}

/// Runs one of the commands.
pub async fn run(desk: &Desk, command: CodeCommand) -> Result<(), Failure> {
    match command {
        CodeCommand::List { batch, paging } => {
            let listed = desk.person()?.list(&path(&["v1", "batches", &batch, "tokens"]), &paging).await?;
            let columns = [Column::number("SERIAL"), Column::whole("CODE")];
            let row = |unit: &Value| {
                let code = Some(text(unit, "maskedCode")).filter(|code| !code.is_empty());
                vec![text(unit, "serial"), code.unwrap_or_else(|| "(secret destroyed)".to_owned())]
            };
            desk.screen.list(&listed, &columns, row, "No units yet: the batch is not published.")
        }
        CodeCommand::Reveal { batch, serial } => {
            let reveal = path(&["v1", "batches", &batch, "tokens", &serial.to_string(), "reveal"]);
            let unit = desk.person()?.post(&reveal, None).await.map_err(|failure| match failure.exit() {
                Exit::NotFound => failure.hinting(format!(
                    "Serials run through all batches of a product: `mintmark batch show {batch}` says which it has."
                )),
                _ => failure,
            })?;
            let fields = [
                ("serial", text(&unit, "serial")),
                ("code", text(&unit, "grouped")),
                ("symbol says", text(&unit, "uri")),
            ];
            desk.screen.thing(&unit, &fields)
        }
        CodeCommand::Revoke { batch, codes, file, reason, consent } => {
            let codes = file.as_deref().map_or(Ok(codes), lines)?;
            let question =
                format!("Recall {} code(s) of the batch {batch} for ever", count(codes.len() as u64));
            desk.confirm(&question, &consent)?;
            revoke(desk, &batch, &codes, &reason).await
        }
    }
}

async fn revoke(desk: &Desk, batch: &str, codes: &[String], reason: &str) -> Result<(), Failure> {
    let (person, recall) = (desk.person()?, path(&["v1", "batches", batch, "codes", "revoke"]));
    let mut sums = [("revoked", 0), ("alreadyRevoked", 0), ("unmatched", 0)];
    for some in codes.chunks(AT_ONCE) {
        let counts = person.post(&recall, Some(&json!({ "codes": some, "reason": reason }))).await?;
        for (name, sum) in &mut sums {
            *sum += counts[*name].as_u64().unwrap_or(0);
        }
    }
    let document: Value = sums.iter().map(|(name, sum)| ((*name).to_owned(), Value::from(*sum))).collect();
    let [revoked, before, unmatched] = sums.map(|(_, sum)| count(sum));
    desk.screen.thing(
        &document,
        &[("recalled now", revoked), ("recalled before", before), ("of no unit of this batch", unmatched)],
    )
}

fn lines(file: &Path) -> Result<Vec<String>, Failure> {
    let read = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let text = read.map_err(|error| {
        Failure::usage(format!("the codes of {} cannot be read: {}", file.display(), describe_io(&error)))
    })?;
    let codes: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect();
    if codes.is_empty() {
        return Err(Failure::usage(format!("{} holds no code", file.display())));
    }
    Ok(codes)
}
