//! Export a pack, fetch it through its signed URLs, and look inside.

use std::io::{Cursor, Read};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::api::{Control, away, client, text};
use crate::failure::Failure;
use crate::home::{Home, write_private};
use crate::screen;

use super::mint::watch;
use super::{Stage, unexpected};

/// Symbols are drawn one by one: a million take minutes.
const READY_WITHIN: Duration = Duration::from_secs(1_800);

/// What the demonstration keeps of a fetched pack.
pub struct Pack {
    /// A few codes of the first part, as printed.
    pub codes: Vec<String>,
}

/// Exports the batch, fetches every part, and checks it against its manifest.
pub async fn export(home: &Home, stage: &Stage, batch: &str, units: u64) -> Result<Pack, Failure> {
    let person = Control::new(&stage.control_url, &stage.session)?;
    let started = Instant::now();
    let asked = person.post(&format!("/v1/batches/{batch}/exports"), &json!({})).await?;
    let export = text(&asked, "id")?.to_owned();
    let path = format!("/v1/exports/{export}");
    let ready = watch(&person, &path, "export CSV and SVG", units, READY_WITHIN, |state| match state {
        "ready" => Some(true),
        "failed" | "expired" => Some(false),
        _ => None,
    })
    .await?;
    let size = screen::bytes(ready["bytes"].as_u64().unwrap_or(0));
    screen::step("export a pack", &format!("{size} in {}", screen::seconds(started.elapsed())));

    let download = person.get(&format!("/v1/exports/{export}/download")).await?;
    let parts = download["parts"].as_array().cloned().unwrap_or_default();
    let mut codes = Vec::new();
    let mut rows = 0;
    for part in &parts {
        let bytes = fetch(part).await?;
        let name = home.path(&format!("demo-pack-part-{}.zip", part["part"]));
        write_private(&name, &bytes)?;
        rows += read_codes(bytes, &mut codes)?;
    }
    if rows != units {
        return Err(unexpected("fetch the pack", &format!("{units} codes"), rows));
    }
    screen::step(
        "fetch it through signed URLs",
        &format!("{} part(s), {} codes, SHA-256 agree", parts.len(), screen::count(rows)),
    );

    refuse_edited(&parts[0]).await?;
    screen::step("fetch with an edited signature", "403, refused");
    Ok(Pack { codes })
}

async fn fetch(part: &Value) -> Result<Vec<u8>, Failure> {
    let url = text(part, "url")?;
    let response = client()?.get(url).send().await.map_err(|error| away("the signed URL", &error))?;
    if response.status() != StatusCode::OK {
        return Err(unexpected("fetch a part", "200", response.status()));
    }
    let bytes = response.bytes().await.map_err(|error| away("the signed URL", &error))?.to_vec();
    let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    if hex != text(part, "sha256")? {
        return Err(unexpected("fetch a part", "the SHA-256 of its manifest", hex));
    }
    Ok(bytes)
}

/// Reads `codes.csv` of one part; keeps the first few codes and gives the number of rows.
fn read_codes(zip: Vec<u8>, codes: &mut Vec<String>) -> Result<u64, Failure> {
    let broken = |error: &dyn std::fmt::Display| Failure::new(format!("the pack cannot be read: {error}"));
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).map_err(|error| broken(&error))?;
    let mut text = String::new();
    archive
        .by_name("codes.csv")
        .map_err(|error| broken(&error))?
        .read_to_string(&mut text)
        .map_err(|error| broken(&error))?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let column = reader
        .headers()
        .map_err(|error| broken(&error))?
        .iter()
        .position(|name| name == "code")
        .ok_or_else(|| broken(&"codes.csv has no column 'code'"))?;
    let mut rows = 0;
    for record in reader.records() {
        let record = record.map_err(|error| broken(&error))?;
        rows += 1;
        if codes.len() < 3 {
            codes.push(record.get(column).unwrap_or_default().to_owned());
        }
    }
    Ok(rows)
}

async fn refuse_edited(part: &Value) -> Result<(), Failure> {
    let url = text(part, "url")?;
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let edited = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some(("signature", value)) if !value.is_empty() => {
                let other = if value.starts_with('A') { 'B' } else { 'A' };
                format!("signature={other}{}", &value[1..])
            }
            _ => pair.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("&");
    let response = client()?
        .get(format!("{path}?{edited}"))
        .send()
        .await
        .map_err(|error| away("the signed URL", &error))?;
    if response.status() != StatusCode::FORBIDDEN {
        return Err(unexpected("fetch with an edited signature", "403", response.status()));
    }
    Ok(())
}
