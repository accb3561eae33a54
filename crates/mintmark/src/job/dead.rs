//! `mintmark job dead`: dead letters of the tenant.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::path;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::reach::Paging;
use crate::show::{Column, text, time};

/// What is done with work that was given up.
#[derive(Subcommand)]
pub enum DeadCommand {
    /// List it, newest first (a tenant administrator, or an API key with admin:read).
    List(Paging),
    /// Run it again, once, with all its attempts (a tenant administrator, or an API key with admin:write).
    Replay {
        /// Its id: job_…
        job: String,
    },
}

const COLUMNS: [Column; 6] = [
    Column::whole("ID"),
    Column::whole("KIND"),
    Column::number("ATTEMPTS"),
    Column::number("REPLAYS"),
    Column::whole("GIVEN UP (UTC)"),
    Column::words("LAST ERROR"),
];

/// Does what is wanted.
pub async fn run(desk: &Desk, wanted: DeadCommand) -> Result<(), Failure> {
    let client = desk.person_or_program()?;
    match wanted {
        DeadCommand::List(paging) => {
            let listed = client.list("/v1/admin/failed-events", &paging).await?;
            let row = |letter: &Value| {
                let numbers = [text(letter, "attempts"), text(letter, "replays")];
                let names = [text(letter, "id"), text(letter, "kind")].into_iter().chain(numbers);
                names.chain([time(letter, "failedAt"), text(letter, "lastError")]).collect()
            };
            desk.screen.list(&listed, &COLUMNS, row, "Nothing was given up.")
        }
        DeadCommand::Replay { job } => {
            client.post(&path(&["v1", "admin", "failed-events", &job, "replay"]), None).await?;
            desk.screen.thing(&json!({ "id": job, "replayed": true }), &[])?;
            desk.screen.say(&format!("{job} is in the queue again."));
            Ok(())
        }
    }
}
