//! `mintmark batch`: mint, watch, recall.

mod show;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::api::text;
use crate::client::{creation_key, path};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::reach::{Consent, Paging};
use crate::wait::{self, Patience, Work};

/// What is done with batches.
#[derive(Subcommand)]
pub enum BatchCommand {
    /// Mint a batch, in the background; with --wait stay until it is sealed.
    Create(NewBatch),
    /// List a brand's batches, newest first.
    List {
        /// Whose; without it the context's brand.
        #[arg(long)]
        brand: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a batch and how far it is.
    Show {
        /// Its id, `bat_…`.
        id: String,
    },
    /// Watch a batch until it is sealed, failed or cancelled.
    Watch {
        /// Its id, `bat_…`.
        id: String,
        #[command(flatten)]
        patience: Patience,
    },
    /// Call off a batch that is not sealed yet.
    Cancel {
        /// Its id, `bat_…`.
        id: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// Recall a sealed batch for ever: every scan of it says so within two seconds.
    Revoke {
        /// Its id, `bat_…`.
        id: String,
        /// Why; it stands in the batch's history.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// Destroy the secret that a batch's codes are made from: nobody can show or export one of them again.
    DestroySecret {
        /// Its id, `bat_…`.
        id: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// Show what happened to a batch, newest first.
    Events {
        /// Its id, `bat_…`.
        id: String,
        #[command(flatten)]
        paging: Paging,
    },
}

/// A batch to mint.
#[derive(Args)]
pub struct NewBatch {
    /// The product, `prd_…`.
    #[arg(long)]
    product: String,
    /// How many units.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    units: u64,
    /// What a scan does to a unit.
    #[arg(long, value_enum, default_value_t = Mode::FirstScan)]
    mode: Mode,
    /// Whose; without it the context's brand.
    #[arg(long)]
    brand: Option<String>,
    /// Repeating the command with the same key gives the same batch, never a second one.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Stay until it is sealed.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    patience: Patience,
}

/// What a scan does to a unit.
#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// Nothing: it only confirms.
    Static,
    /// The first scan by a person activates it.
    FirstScan,
    /// A person's press of a button activates it.
    ConfirmedScan,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Mode::Static => "static",
            Mode::FirstScan => "first_scan",
            Mode::ConfirmedScan => "confirmed_scan",
        }
    }
}

/// Runs one of the commands.
pub async fn run(desk: &Desk, command: BatchCommand) -> Result<(), Failure> {
    let of = |id: &str| path(&["v1", "batches", id]);
    match command {
        BatchCommand::Create(wanted) => create(desk, wanted).await,
        BatchCommand::List { brand, paging } => {
            let brand = desk.brand(brand.as_deref())?;
            let listed = desk.person()?.list(&path(&["v1", "brands", &brand, "batches"]), &paging).await?;
            show::list(desk, &listed)
        }
        BatchCommand::Show { id } => show::one(desk, &desk.person()?.get(&of(&id)).await?),
        BatchCommand::Watch { id, patience } => watch(desk, &id, &patience).await,
        BatchCommand::Cancel { id, consent } => {
            desk.confirm(&format!("Call off the batch {id}"), &consent)?;
            show::one(desk, &desk.person()?.post(&format!("{}/cancel", of(&id)), None).await?)
        }
        BatchCommand::Revoke { id, reason, consent } => {
            desk.confirm(&format!("Recall the batch {id} for ever"), &consent)?;
            let why = json!({ "reason": reason });
            show::one(desk, &desk.person()?.post(&format!("{}/revoke", of(&id)), Some(&why)).await?)
        }
        BatchCommand::DestroySecret { id, consent } => {
            desk.confirm(&format!("Destroy the secret of the batch {id} for ever"), &consent)?;
            let meant = json!({ "confirm": id });
            show::one(desk, &desk.person()?.post(&format!("{}/secret/destroy", of(&id)), Some(&meant)).await?)
        }
        BatchCommand::Events { id, paging } => {
            let listed = desk.person()?.list(&format!("{}/events", of(&id)), &paging).await?;
            show::events(desk, &listed)
        }
    }
}

async fn create(desk: &Desk, wanted: NewBatch) -> Result<(), Failure> {
    let NewBatch { product, units, mode, brand, idempotency_key, wait, patience } = wanted;
    let brand = desk.brand(brand.as_deref())?;
    let key = idempotency_key.map_or_else(creation_key, Ok)?;
    let body = json!({ "productId": product, "units": units, "mode": mode.name() });
    let submit = path(&["v1", "brands", &brand, "batches"]);
    let batch = desk.person()?.create_once(&submit, &body, &key).await?;
    if wait {
        let id = text(&batch, "id")?;
        desk.screen.say(&format!("Minting {id}."));
        return watch(desk, id, &patience).await;
    }
    show::one(desk, &batch)
}

async fn watch(desk: &Desk, id: &str, patience: &Patience) -> Result<(), Failure> {
    let work = Work {
        what: "mint",
        path: path(&["v1", "batches", id]),
        unit: "units",
        again: format!("mintmark batch watch {id}"),
        end: |state| match state {
            "sealed" | "revoked" => Some(true),
            "failed" | "cancelled" => Some(false),
            _ => None,
        },
    };
    let batch = wait::until_ended(desk, &desk.person()?, &work, patience).await?;
    show::one(desk, &batch)
}
