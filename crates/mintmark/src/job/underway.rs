//! `mintmark job list`: the queue is the platform's own affair; what a person sees of it is gathered from what it works on.

use clap::Args;
use mintmark_auth::scope;
use serde_json::{Value, json};

use crate::client::{Client, path};
use crate::desk::Desk;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::reach::Paging;
use crate::show::{Column, progress, text, time};

/// How many batches of a brand are looked at: the newest.
const BATCHES: u64 = 50;
/// Of how many of them the exports are.
const EXPORTED: usize = 10;

/// Options of `mintmark job list`.
#[derive(Args)]
pub struct UnderwayOptions {
    /// Only of this brand: brd_…
    #[arg(long)]
    pub brand: Option<String>,
    /// Also what ended, as far as it is among the newest.
    #[arg(long)]
    pub ended: bool,
}

const COLUMNS: [Column; 5] = [
    Column::whole("ID"),
    Column::whole("WORK"),
    Column::whole("STATE"),
    Column::words("DONE"),
    Column::whole("CREATED (UTC)"),
];

/// What was found so far, and which kinds of work the caller may not see.
#[derive(Default)]
struct Found {
    items: Vec<Value>,
    skipped: Vec<Value>,
}

/// Lists it.
pub async fn list(desk: &Desk, options: &UnderwayOptions) -> Result<(), Failure> {
    let client = desk.person()?;
    let mut found = Found::default();
    let minted = of_brands(&client, options, &mut found).await;
    found.unless_forbidden("batches and exports", minted)?;
    if options.brand.is_none() {
        let audited = of_audit(desk, options, &mut found).await;
        found.unless_forbidden("exports of the audit", audited)?;
        if desk.chosen()?.context.gateway.is_some() {
            let preflighted = of_preflight(desk, options, &mut found).await;
            found.unless_forbidden("preflight jobs", preflighted)?;
        }
    }
    found.items.sort_by_cached_key(|item| std::cmp::Reverse(text(item, "createdAt")));
    print(desk, &found)
}

fn print(desk: &Desk, found: &Found) -> Result<(), Failure> {
    if desk.screen.json {
        return desk.screen.document(&json!({ "items": found.items, "skipped": found.skipped }));
    }
    for skipped in &found.skipped {
        desk.screen.say(&format!("Without {}: {}", text(skipped, "work"), text(skipped, "message")));
    }
    if found.items.is_empty() {
        return desk.screen.print("No work goes on.\n");
    }
    let row = |item: &Value| {
        let state = desk.screen.state(&text(item, "state"));
        vec![text(item, "id"), text(item, "work"), state, progress(item), time(item, "createdAt")]
    };
    desk.screen.table(&COLUMNS, found.items.iter().map(row).collect())
}

impl Found {
    fn take(&mut self, work: &str, id: &str, items: &[Value], all: bool) {
        let underway =
            |item: &&Value| all || matches!(item["state"].as_str(), Some("queued" | "minting" | "running"));
        self.items.extend(items.iter().filter(underway).map(|item| {
            json!({
                "id": item[id], "work": work, "state": item["state"], "progress": item["progress"],
                "createdAt": item["createdAt"],
            })
        }));
    }

    /// A role that one does not have hides its part of the list, and not the rest.
    fn unless_forbidden(&mut self, work: &str, done: Result<(), Failure>) -> Result<(), Failure> {
        match done {
            Err(failure) if failure.exit() == Exit::Forbidden => {
                let message = failure.to_string();
                self.skipped.push(json!({ "work": work, "code": failure.code(), "message": message }));
                Ok(())
            }
            done => done,
        }
    }
}

async fn of_brands(client: &Client, options: &UnderwayOptions, found: &mut Found) -> Result<(), Failure> {
    let brands: Vec<String> = match &options.brand {
        Some(brand) => vec![brand.clone()],
        None => {
            let all = client.list("/v1/brands", &Paging { limit: 1, all: true, cursor: None }).await?;
            all.items.iter().map(|brand| text(brand, "id")).collect()
        }
    };
    let newest = Paging { limit: BATCHES, all: false, cursor: None };
    for brand in &brands {
        let batches = client.list(&path(&["v1", "brands", brand, "batches"]), &newest).await?.items;
        found.take("mint", "id", &batches, options.ended);
        for batch in batches.iter().filter(|batch| batch["state"] == "sealed").take(EXPORTED) {
            let exports = path(&["v1", "batches", &text(batch, "id"), "exports"]);
            found.take("export", "id", &client.list(&exports, &newest).await?.items, options.ended);
        }
    }
    Ok(())
}

async fn of_audit(desk: &Desk, options: &UnderwayOptions, found: &mut Found) -> Result<(), Failure> {
    let newest = Paging { limit: BATCHES, all: false, cursor: None };
    let exports = desk.person_or_program()?.list("/v1/admin/audit-exports", &newest).await?;
    found.take("audit export", "id", &exports.items, options.ended);
    Ok(())
}

async fn of_preflight(desk: &Desk, options: &UnderwayOptions, found: &mut Found) -> Result<(), Failure> {
    let newest = Paging { limit: BATCHES, all: false, cursor: None };
    let gateway = desk.gateway(&[scope::PREFLIGHT_READ], None).await?;
    let all: &[&str] = if options.ended { &[""] } else { &["?state=queued", "?state=running"] };
    for state in all {
        let jobs = gateway.list(&format!("/api/preflight/jobs{state}"), &newest).await?;
        found.take("preflight", "jobId", &jobs.items, options.ended);
    }
    Ok(())
}
