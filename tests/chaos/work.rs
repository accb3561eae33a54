//! What the platform is asked to do while it suffers: batches, one of them cancelled, and exports.

use std::collections::BTreeMap;
use std::time::Duration;

use mintmark_ids::BatchId;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::As;
use crate::dice::Dice;
use crate::pack::Pack;
use crate::postgres::Of;
use crate::stage::{Stage, text};
use crate::wait::until;

/// From the last fault to the end of all work, on a busy machine with debug builds.
const ENDED_WITHIN: Duration = Duration::from_secs(240);

/// A batch that was ordered.
#[derive(Clone)]
pub struct Order {
    pub id: String,
    /// The same as the databases know it.
    pub uuid: String,
    pub units: u64,
    /// Somebody cancelled it, and was told that it will be.
    pub cancelled: bool,
}

/// An export that was asked for.
#[derive(Clone)]
pub struct Asked {
    pub id: String,
    /// What it must be, byte for byte.
    pub like: Pack,
}

/// A chunk of the ledger: its publication and number, and the transaction that wrote it.
pub type Ledger = BTreeMap<(i32, i32), String>;

pub struct Work {
    pub orders: Vec<Order>,
    /// How many of them are verified.
    pub verified: usize,
    pub exports: Vec<Asked>,
    /// The batch that was exported in peace, and its pack.
    pub peaceful: Order,
    pub reference: Pack,
    /// Links of some of its units.
    pub uris: Vec<String>,
    /// Chunks that were committed before a fault: they must never be written again.
    pub committed: Ledger,
}

impl Work {
    /// Mints and exports one batch in peace.
    pub async fn begin(stage: &Stage) -> Self {
        let peaceful = order(stage, 0, stage.scale.exported_units).await;
        sealed(stage, &peaceful).await;
        let export = ask_export(stage, &peaceful).await;
        ready(stage, &export).await;
        let reference = Pack::fetch(stage, &export).await;
        let mut uris = Vec::new();
        for serial in 1..=20 {
            let path = format!("/v1/batches/{}/tokens/{serial}/reveal", peaceful.id);
            uris.push(text(&stage.api.post(As::Person, &path, None, &json!({})).await, "uri"));
        }
        let orders = vec![peaceful.clone()];
        let (exports, committed) = (Vec::new(), Ledger::new());
        Self { orders, verified: 0, exports, peaceful, reference, uris, committed }
    }

    /// Orders batches.
    pub async fn add(&mut self, stage: &Stage, dice: &mut Dice, batches: u64) {
        for _ in 0..batches {
            self.order_one(stage, dice).await;
        }
    }

    /// Asks for another export of the batch that was exported in peace.
    pub async fn export(&mut self, stage: &Stage) {
        let id = ask_export(stage, &self.peaceful).await;
        self.exports.push(Asked { id, like: self.reference.clone() });
    }

    async fn order_one(&mut self, stage: &Stage, dice: &mut Dice) {
        let (least, most) = stage.scale.units;
        let (product, units) = (dice.roll(0..2) as usize, dice.roll(least..most));
        self.orders.push(order(stage, product, units).await);
    }

    /// Waits until a worker has a mint, and one is in its first two thirds; orders another batch where there is none any more.
    pub async fn keep_busy(&mut self, stage: &Stage, dice: &mut Dice) {
        let busy = "SELECT count(*) FROM publication
            WHERE state = 'open' AND units_published > 0 AND units_published < units * 2 / 3";
        let held = "SELECT count(*) FROM jobs
            WHERE kind = 'mint-batch' AND state = 'running' AND lease_until > clock_timestamp()";
        let to_come = "SELECT count(*) FROM batch WHERE state IN ('queued', 'minting')";
        for _ in 0..200 {
            let held = stage.postgres.number(Of::Control, held).await > 0;
            if held && stage.postgres.number(Of::Resolver, busy).await > 0 {
                self.remember(stage).await;
                return;
            }
            if stage.postgres.number(Of::Control, to_come).await == 0 {
                self.order_one(stage, dice).await;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        // Whatever holds the mints up, the fault comes now; the end shows whether they went on.
        self.remember(stage).await;
    }

    /// Notes which chunks are in, by the transactions that wrote them.
    async fn remember(&mut self, stage: &Stage) {
        self.committed.extend(ledger(stage).await);
    }

    /// Orders a batch and cancels it while it is minted.
    pub async fn cancel_one(&mut self, stage: &Stage, dice: &mut Dice) -> String {
        self.order_one(stage, dice).await;
        let Some(order) = self.orders.last_mut() else { return String::new() };
        let begun = format!(
            "SELECT count(*) FROM publication WHERE batch_id = '{}' AND units_published > 0",
            order.uuid
        );
        // Cancelled while it waits, too, where its turn does not come soon.
        let turn = dice.millis(500..5_000);
        until(turn, async || (stage.postgres.number(Of::Resolver, &begun).await > 0).then_some(())).await;
        let path = format!("/v1/batches/{}/cancel", order.id);
        let (status, answer) = stage.api.insist(As::Person, Method::POST, &path, None, None).await;
        order.cancelled = status == 200 || status == 202;
        // A seal that came first wins.
        assert!(order.cancelled || answer["code"] == "BATCH_SEALED", "{status} {answer:#}");
        format!("cancel: {status}")
    }

    /// Waits until every batch and export has come to its end.
    pub async fn ended(&self, stage: &Stage) {
        let open = "SELECT kind || ' ' || state || ' attempts ' || attempts || ' fence ' || fence || ' done ' || done
                || '/' || total || ' ' || coalesce(last_error, '') FROM jobs
            WHERE state IN ('queued', 'running')
              AND kind IN ('mint-batch', 'export-pack', 'abort-publication', 'sync-product')";
        let mut left = Vec::new();
        let ended = until(ENDED_WITHIN, async || {
            left = stage
                .postgres
                .rows(Of::Control, open)
                .await
                .iter()
                .map(|row| row.get::<_, String>(0))
                .collect();
            left.is_empty().then_some(())
        });
        if ended.await.is_none() {
            panic!("work does not end: {left:#?}");
        }
    }
}

/// Every chunk of the ledger of publications that are not yet sealed.
pub async fn ledger(stage: &Stage) -> Ledger {
    let sql = "SELECT c.publication_id, c.chunk, c.xmin::text FROM publication_chunk c
        JOIN publication p ON p.id = c.publication_id WHERE p.state = 'open'";
    let rows = stage.postgres.rows(Of::Resolver, sql).await;
    rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect()
}

async fn order(stage: &Stage, product: usize, units: u64) -> Order {
    let path = format!("/v1/brands/{}/batches", stage.brand);
    let body = json!({ "productId": stage.products[product], "units": units, "mode": "static" });
    let key = crate::postgres::secret(12);
    let id = text(&stage.api.post(As::Person, &path, Some(&key), &body).await, "id");
    let uuid = id.parse::<BatchId>().unwrap().as_uuid().to_string();
    Order { id, uuid, units, cancelled: false }
}

/// Asks for an export, once.
pub async fn ask_export(stage: &Stage, order: &Order) -> String {
    let path = format!("/v1/batches/{}/exports", order.id);
    let key = crate::postgres::secret(12);
    text(&stage.api.post(As::Person, &path, Some(&key), &json!({ "formats": ["csv"] })).await, "id")
}

async fn sealed(stage: &Stage, order: &Order) {
    reaches(stage, &format!("/v1/batches/{}", order.id), "sealed").await;
}

/// Waits until an export is ready.
pub async fn ready(stage: &Stage, export: &str) {
    reaches(stage, &format!("/v1/exports/{export}"), "ready").await;
}

async fn reaches(stage: &Stage, path: &str, state: &str) {
    let mut view = Value::Null;
    let reached = until(ENDED_WITHIN, async || {
        view = stage.api.get(path).await;
        assert!(view["failure"].is_null(), "{view:#}");
        (view["state"] == state).then_some(())
    });
    if reached.await.is_none() {
        panic!("{path} is not {state}: {view:#}");
    }
}
