//! `mintmark scan`: what the public scanned, in sums.

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::client::{path, query};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::show::{Column, moment, number, text};

/// What is asked of scans.
#[derive(Subcommand)]
pub enum ScanCommand {
    /// Show how often the units of a brand, or of one batch, were scanned: by day, country and product.
    Stats(StatsOptions),
}

/// Which scans.
#[derive(Args)]
pub struct StatsOptions {
    /// Of which brand; without it the context's.
    #[arg(long)]
    brand: Option<String>,
    /// Of one batch, `bat_…`, instead.
    #[arg(long, conflicts_with = "brand")]
    batch: Option<String>,
    /// The first day, like 2026-11-01 (UTC); without it 30 days up to the last one.
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// The last day; without it today.
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
}

const COUNTS: [Column; 3] =
    [Column::number("SCANS"), Column::number("ACTIVATED"), Column::number("WENT NOWHERE")];

/// Runs the command.
pub async fn run(desk: &Desk, command: ScanCommand) -> Result<(), Failure> {
    let ScanCommand::Stats(StatsOptions { brand, batch, from, to }) = command;
    let of = match batch {
        Some(batch) => path(&["v1", "batches", &batch, "scans"]),
        None => path(&["v1", "brands", &desk.brand(brand.as_deref())?, "scans"]),
    };
    let asked = query(&of, &[("from", from.as_deref()), ("to", to.as_deref())]);
    let scans = desk.person()?.get(&asked).await?;
    let totals = &scans["totals"];
    desk.screen.thing(
        &scans,
        &[
            ("days", format!("{} to {} (UTC)", text(&scans, "from"), text(&scans, "to"))),
            ("scans", number(totals, "scans")),
            ("activated", number(totals, "firstActivations")),
            ("went nowhere", number(totals, "wentNowhere")),
            ("counted up to", moment(&scans, "asOf")),
        ],
    )?;
    if desk.screen.json {
        return Ok(());
    }
    sums(desk, "DAY", &scans["byDay"], |day| text(day, "day"))?;
    sums(desk, "PRODUCT", &scans["byProduct"], |product| {
        format!("{} {}", text(product, "gtin"), text(product, "name"))
    })?;
    let country = |it: &Value| {
        let name = Some(text(it, "country")).filter(|country| !country.is_empty());
        vec![name.unwrap_or_else(|| "unknown".to_owned()), number(it, "scans")]
    };
    table(desk, &[Column::words("COUNTRY"), COUNTS[0]], &scans["byCountry"], country)
}

fn sums(
    desk: &Desk,
    heading: &'static str,
    list: &Value,
    name: impl Fn(&Value) -> String,
) -> Result<(), Failure> {
    let [scans, activated, nowhere] = COUNTS;
    table(desk, &[Column::words(heading), scans, activated, nowhere], list, |it| {
        vec![name(it), number(it, "scans"), number(it, "firstActivations"), number(it, "wentNowhere")]
    })
}

fn table(
    desk: &Desk,
    columns: &[Column],
    list: &Value,
    row: impl Fn(&Value) -> Vec<String>,
) -> Result<(), Failure> {
    match list.as_array().filter(|items| !items.is_empty()) {
        Some(items) => {
            desk.screen.print("\n")?;
            desk.screen.table(columns, items.iter().map(row).collect())
        }
        None => Ok(()),
    }
}
