//! Mint a batch, publish it, seal it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::{Control, text};
use crate::failure::Failure;
use crate::home::random_password;
use crate::screen;

use super::{Stage, unexpected};

/// Far beyond what a million units take on a small machine.
const SEALED_WITHIN: Duration = Duration::from_secs(600);

/// Submits a batch twice with one key, waits until it is sealed, and gives its id.
pub async fn mint(stage: &Stage, product: &str, units: u64) -> Result<String, Failure> {
    let person = Control::new(&stage.control_url, &stage.session)?;
    let path = format!("/v1/brands/{}/batches", stage.brand);
    let key = random_password()?;
    let body = json!({ "productId": product, "units": units, "mode": "first_scan" });

    let started = Instant::now();
    let batch = text(&person.post_once(&path, &key, &body).await?, "id")?.to_owned();
    let again = person.post_once(&path, &key, &body).await?;
    if text(&again, "id")? != batch {
        return Err(unexpected("submit the mint request twice", "the same batch", &again["id"]));
    }
    screen::step("submit a mint request, twice", &format!("one batch: {batch}"));

    let path = format!("/v1/batches/{batch}");
    let sealed = watch(&person, &path, "mint and publish", units, SEALED_WITHIN, |state| match state {
        "sealed" => Some(true),
        "failed" | "cancelled" => Some(false),
        _ => None,
    })
    .await?;
    let elapsed = started.elapsed();
    screen::step(
        "mint, publish, seal",
        &format!(
            "{} units, serials {} to {}, {}",
            screen::count(units),
            sealed["firstSerial"],
            sealed["lastSerial"],
            screen::seconds(elapsed)
        ),
    );
    Ok(batch)
}

/// Polls a thing with `state` and `progress` until `finished` says so; `Some(false)` is a failure with its reason.
pub async fn watch(
    person: &Control,
    path: &str,
    what: &str,
    total: u64,
    within: Duration,
    finished: impl Fn(&str) -> Option<bool>,
) -> Result<Value, Failure> {
    let bar = screen::bar(what, total);
    let deadline = Instant::now() + within;
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tick.tick().await;
        let thing = person.get(path).await?;
        bar.set_position(thing["progress"]["done"].as_u64().unwrap_or(0));
        let state = text(&thing, "state")?;
        match finished(state) {
            Some(true) => {
                bar.finish_and_clear();
                return Ok(thing);
            }
            Some(false) => {
                bar.abandon();
                return Err(Failure::new(format!(
                    "{what} ended as '{state}': {}",
                    thing["failure"]["message"].as_str().unwrap_or("no reason was given")
                )));
            }
            None if Instant::now() > deadline => {
                return Err(unexpected(
                    what,
                    &format!("an end within {} s", within.as_secs()),
                    &thing["state"],
                ));
            }
            None => {}
        }
    }
}
