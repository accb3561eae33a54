//! `mintmark evidence`: what people upload to a dispute. It is sent and fetched piece by piece, whatever its size.

mod content;
mod operation;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::{path, query};
use crate::desk::Desk;
use crate::failure::{Doing, Failure};
use crate::reach::{Consent, Paging};
use crate::screen;
use crate::show::{Column, moment, text, time};

pub use content::{DownloadOptions, UploadOptions};
pub use operation::OperationCommand;

/// What is done with evidence.
#[derive(Subcommand)]
pub enum EvidenceCommand {
    /// Upload a file to an open dispute (any role for evidence).
    Upload(UploadOptions),
    /// List the records of a dispute, newest first (USER: what they uploaded).
    List {
        /// The dispute: dsp_…
        #[arg(long)]
        dispute: String,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show what is known of a record; its content stays encrypted.
    Show {
        /// The record's id: evd_…
        record: String,
    },
    /// Fetch a record's content, or one range of it (ARBITRATOR while the dispute is open; GOVERNANCE). What broke off goes on.
    Download(DownloadOptions),
    /// Hold a record: it is not erased while it is held (GOVERNANCE).
    Hold {
        /// The record's id: evd_…
        record: String,
    },
    /// Lift the hold: a record that is due is erased by the next run (GOVERNANCE).
    Release {
        /// The record's id: evd_…
        record: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// Fetch the proof that a record was erased (GOVERNANCE, or admin:read); `mintmark audit verify` checks it.
    Proof(ProofOptions),
    /// List what the vault did with the tenant's evidence, newest first (GOVERNANCE, or admin:read).
    Log(LogOptions),
    /// Work on all evidence of a tenant: erase what is due, rotate its keys, compute every expiry anew (the operator).
    #[command(subcommand)]
    Operation(OperationCommand),
}

/// Options of `mintmark evidence proof`.
#[derive(Args)]
pub struct ProofOptions {
    /// The record's id: evd_…
    pub record: String,
    /// Write the proof into this file instead, as `mintmark audit verify` takes it.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Options of `mintmark evidence log`.
#[derive(Args)]
pub struct LogOptions {
    #[command(flatten)]
    pub paging: Paging,
    /// Only of this record: evd_…
    #[arg(long)]
    pub record: Option<String>,
    /// Only acts of this kind, such as EVIDENCE_ACCESSED.
    #[arg(long)]
    pub action: Option<String>,
}

const RECORDS: [Column; 6] = [
    Column::whole("ID"),
    Column::words("TYPE"),
    Column::number("BYTES"),
    Column::whole("STATE"),
    Column::whole("UPLOADED (UTC)"),
    Column::whole("DUE (UTC)"),
];

const ENTRIES: [Column; 5] = [
    Column::whole("AT (UTC)"),
    Column::words("ACTOR"),
    Column::whole("ACTION"),
    Column::whole("OF"),
    Column::whole("OUTCOME"),
];

/// Does what is wanted.
pub async fn run(desk: &Desk, wanted: EvidenceCommand) -> Result<(), Failure> {
    match wanted {
        EvidenceCommand::Upload(options) => content::upload(desk, &options).await,
        EvidenceCommand::List { dispute, paging } => list(desk, &dispute, &paging).await,
        EvidenceCommand::Show { record } => {
            show(desk, &desk.person()?.get(&path(&["v1", "evidence", &record])).await?)
        }
        EvidenceCommand::Download(options) => content::download(desk, &options).await,
        EvidenceCommand::Hold { record } => hold(desk, &record, true).await,
        EvidenceCommand::Release { record, consent } => {
            desk.confirm(&format!("Release {record}: if it is due, the next run erases it"), &consent)?;
            hold(desk, &record, false).await
        }
        EvidenceCommand::Proof(options) => proof(desk, &options).await,
        EvidenceCommand::Log(options) => log(desk, &options).await,
        EvidenceCommand::Operation(wanted) => operation::run(desk, wanted).await,
    }
}

async fn list(desk: &Desk, dispute: &str, paging: &Paging) -> Result<(), Failure> {
    let of = query("/v1/evidence", &[("dispute", Some(dispute))]);
    let listed = desk.person()?.list(&of, paging).await?;
    let row = |record: &Value| {
        let names = [text(record, "id"), text(record, "mediaType"), crate::show::number(record, "bytes")];
        let state = desk.screen.state(state(record));
        names.into_iter().chain([state, time(record, "createdAt"), time(record, "expiresAt")]).collect()
    };
    desk.screen.list(&listed, &RECORDS, row, "The dispute has no evidence that you may see.")
}

async fn hold(desk: &Desk, record: &str, held: bool) -> Result<(), Failure> {
    let place = path(&["v1", "evidence", record, "legal-hold"]);
    show(desk, &desk.person()?.put(&place, &json!({ "legalHold": held })).await?)
}

async fn proof(desk: &Desk, options: &ProofOptions) -> Result<(), Failure> {
    let place = path(&["v1", "admin", "erasure-proof", &options.record]);
    let mut proof = desk.person_or_program()?.get(&place).await?;
    if let Some(out) = &options.out {
        std::fs::write(out, format!("{proof}\n")).doing(format_args!("write {}", out.display()))?;
        proof["file"] = json!(out.display().to_string());
    }
    let yes = |flag: bool| if flag { "yes" } else { "not yet" }.to_owned();
    let long = |member: &str| if options.out.is_some() { String::new() } else { text(&proof, member) };
    let further = proof["recoveryProofs"].as_array().map_or(0, Vec::len);
    desk.screen.thing(
        &proof,
        &[
            ("record", text(&proof, "evidenceId")),
            ("assurance", text(&proof, "assurance")),
            ("keys destroyed", yes(proof["keysDestroyed"] == true)),
            ("recovery proofs", if further > 0 { further.to_string() } else { String::new() }),
            ("proof", long("proof")),
            ("file", text(&proof, "file")),
        ],
    )?;
    desk.screen.say(
        "`mintmark audit verify FILE --keys … --jwks …` checks it without the platform (docs/audit.md).",
    );
    Ok(())
}

async fn log(desk: &Desk, options: &LogOptions) -> Result<(), Failure> {
    let of = query(
        "/v1/admin/evidence-audit",
        &[("resourceId", options.record.as_deref()), ("action", options.action.as_deref())],
    );
    let listed = desk.person_or_program()?.list(&of, &options.paging).await?;
    let row = |entry: &Value| {
        let names = [time(entry, "at"), text(entry, "actor"), text(entry, "action")];
        names
            .into_iter()
            .chain([text(entry, "resourceId"), desk.screen.state(&text(entry, "outcome"))])
            .collect()
    };
    desk.screen.list(&listed, &ENTRIES, row, "There is no such entry.")
}

/// Shows a record.
fn show(desk: &Desk, record: &Value) -> Result<(), Failure> {
    let size = record["bytes"].as_u64().map(screen::bytes).unwrap_or_default();
    desk.screen.thing(
        record,
        &[
            ("id", text(record, "id")),
            ("dispute", text(record, "disputeId")),
            ("type", text(record, "mediaType")),
            ("size", size),
            ("state", desk.screen.state(state(record))),
            ("uploaded by", text(record, "uploadedBy")),
            ("uploaded", moment(record, "createdAt")),
            ("due for erasure", moment(record, "expiresAt")),
            ("erased", moment(record, "shreddedAt")),
            ("sha256", text(record, "sha256")),
            ("encrypted sha256", text(record, "ciphertextSha256")),
        ],
    )
}

/// In a word; a hold is what matters most while there is one.
fn state(record: &Value) -> &str {
    match record["state"].as_str() {
        Some("stored") if record["legalHold"] == true => "held",
        Some(state) => state,
        None => "",
    }
}
