//! Batches as people read them.

use serde_json::Value;

use crate::client::Listed;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::show::{Column, failure, moment, number, progress, text, time};

/// One batch.
pub fn one(desk: &Desk, batch: &Value) -> Result<(), Failure> {
    let underway = matches!(batch["state"].as_str(), Some("queued" | "minting"));
    desk.screen.thing(
        batch,
        &[
            ("batch", text(batch, "id")),
            ("state", desk.screen.state(&text(batch, "state"))),
            ("progress", if underway { progress(batch) } else { String::new() }),
            ("why", failure(batch)),
            ("units", number(batch, "units")),
            ("serials", format!("{} to {}", batch["firstSerial"], batch["lastSerial"])),
            ("mode", text(batch, "mode")),
            ("product", text(batch, "productId")),
            ("GTIN", text(batch, "gtin")),
            ("brand", text(batch, "brandId")),
            ("created", format!("{} by {}", moment(batch, "createdAt"), text(batch, "createdBy"))),
            ("sealed", moment(batch, "sealedAt")),
            ("recalled", moment(batch, "revokedAt")),
            ("secret destroyed", moment(batch, "secretDestroyedAt")),
        ],
    )
}

/// A list of batches.
pub fn list(desk: &Desk, listed: &Listed) -> Result<(), Failure> {
    let columns = [
        Column::whole("ID"),
        Column::whole("STATE"),
        Column::number("UNITS"),
        Column::number("DONE"),
        Column::whole("GTIN"),
        Column::words("MODE"),
        Column::whole("CREATED (UTC)"),
    ];
    let row = |batch: &Value| {
        vec![
            text(batch, "id"),
            desk.screen.state(&text(batch, "state")),
            number(batch, "units"),
            share(batch),
            text(batch, "gtin"),
            text(batch, "mode"),
            time(batch, "createdAt"),
        ]
    };
    desk.screen.list(listed, &columns, row, "No batches yet: `mintmark batch create` mints one.")
}

/// What happened to a batch.
pub fn events(desk: &Desk, listed: &Listed) -> Result<(), Failure> {
    let columns =
        [Column::whole("AT (UTC)"), Column::whole("WHAT"), Column::whole("WHO"), Column::words("DETAIL")];
    let row = |event: &Value| {
        let detail = event["detail"].as_object().filter(|members| !members.is_empty());
        let members =
            detail.into_iter().flatten().map(|(name, _)| format!("{name} {}", text(&event["detail"], name)));
        vec![
            time(event, "at"),
            text(event, "kind"),
            text(event, "actor"),
            members.collect::<Vec<_>>().join(", "),
        ]
    };
    desk.screen.list(listed, &columns, row, "Nothing happened to it yet.")
}

fn share(batch: &Value) -> String {
    let (done, total) = (batch["progress"]["done"].as_u64(), batch["progress"]["total"].as_u64());
    match (done, total) {
        (Some(done), Some(total)) if total > 0 => format!("{} %", done * 100 / total),
        _ => String::new(),
    }
}
