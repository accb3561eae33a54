//! `mintmark dispute`: cases, to which evidence belongs.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::client::{creation_key, path, query};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::reach::{Consent, Paging};
use crate::show::{Column, moment, text, time};

/// What is done with disputes.
#[derive(Subcommand)]
pub enum DisputeCommand {
    /// Open a dispute (any role for evidence).
    Open {
        /// What you call it, for example a case number: 1 to 200 characters.
        reference: String,
    },
    /// List the disputes of your tenant, newest first.
    List {
        #[command(flatten)]
        paging: Paging,
        /// Only those that are open, or closed.
        #[arg(long)]
        state: Option<DisputeState>,
    },
    /// Show a dispute.
    Show {
        /// The dispute's id: dsp_…
        dispute: String,
    },
    /// Decide a dispute, for good (ARBITRATOR, GOVERNANCE): nothing is uploaded to it any more, and arbitrators no longer
    /// read its evidence.
    Close {
        /// The dispute's id: dsp_…
        dispute: String,
        /// How it ends.
        #[arg(long)]
        outcome: Outcome,
        #[command(flatten)]
        consent: Consent,
    },
}

/// Whether a dispute goes on.
#[derive(Clone, Copy, ValueEnum)]
pub enum DisputeState {
    /// It goes on.
    Open,
    /// It was decided.
    Closed,
}

/// How a dispute ends.
#[derive(Clone, Copy, ValueEnum)]
pub enum Outcome {
    /// Whoever opened it was right.
    Upheld,
    /// They were not.
    Rejected,
    /// The parties came to terms.
    Settled,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Outcome::Upheld => "upheld",
            Outcome::Rejected => "rejected",
            Outcome::Settled => "settled",
        }
    }
}

const COLUMNS: [Column; 5] = [
    Column::whole("ID"),
    Column::words("REFERENCE"),
    Column::whole("STATE"),
    Column::whole("OUTCOME"),
    Column::whole("OPENED (UTC)"),
];

/// Does what is wanted.
pub async fn run(desk: &Desk, wanted: DisputeCommand) -> Result<(), Failure> {
    let client = desk.person()?;
    let screen = &desk.screen;
    match wanted {
        DisputeCommand::Open { reference } => {
            let body = json!({ "reference": reference });
            show(desk, &client.create_once("/v1/disputes", &body, &creation_key()?).await?)
        }
        DisputeCommand::List { paging, state } => {
            let state = state.map(|state| match state {
                DisputeState::Open => "open",
                DisputeState::Closed => "closed",
            });
            let listed = client.list(&query("/v1/disputes", &[("state", state)]), &paging).await?;
            let row = |dispute: &Value| {
                let names = [text(dispute, "id"), text(dispute, "reference")];
                let state = screen.state(&text(dispute, "state"));
                let rest = [state, text(dispute, "outcome"), time(dispute, "openedAt")];
                names.into_iter().chain(rest).collect()
            };
            screen.list(&listed, &COLUMNS, row, "There are no such disputes.")
        }
        DisputeCommand::Show { dispute } => {
            show(desk, &client.get(&path(&["v1", "disputes", &dispute])).await?)
        }
        DisputeCommand::Close { dispute, outcome, consent } => {
            let outcome = outcome.name();
            desk.confirm(&format!("Close {dispute} as {outcome}, for good"), &consent)?;
            let close = path(&["v1", "disputes", &dispute, "close"]);
            show(desk, &client.post(&close, Some(&json!({ "outcome": outcome }))).await?)
        }
    }
}

fn show(desk: &Desk, dispute: &Value) -> Result<(), Failure> {
    desk.screen.thing(
        dispute,
        &[
            ("id", text(dispute, "id")),
            ("reference", text(dispute, "reference")),
            ("state", desk.screen.state(&text(dispute, "state"))),
            ("opened by", text(dispute, "openedBy")),
            ("opened", moment(dispute, "openedAt")),
            ("outcome", text(dispute, "outcome")),
            ("closed by", text(dispute, "closedBy")),
            ("closed", moment(dispute, "closedAt")),
        ],
    )
}
