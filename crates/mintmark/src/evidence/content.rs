//! The content of a record: sent, and fetched.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::show;
use crate::client::{Client, creation_key, path, query};
use crate::desk::Desk;
use crate::exit::Exit;
use crate::failure::{Doing, Failure};
use crate::screen;
use crate::show::text;
use crate::transfer::{Digest, Fetch, Source, bar, fetch, media_type, private};

/// The longest wait for a piece of a range.
const SILENCE: Duration = Duration::from_secs(30);

/// Options of `mintmark evidence upload`.
#[derive(Args)]
pub struct UploadOptions {
    /// The file.
    pub file: PathBuf,
    /// The dispute that it belongs to: dsp_…
    #[arg(long)]
    pub dispute: String,
    /// What kind of file it is, such as image/jpeg; by the end of its name when left out.
    #[arg(long = "type", value_name = "TYPE")]
    pub media_type: Option<String>,
    /// Names the upload: the same file under the same name is stored once. Needed to repeat one whose answer was lost.
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
}

/// Options of `mintmark evidence download`.
#[derive(Args)]
pub struct DownloadOptions {
    /// The record's id: evd_…
    pub record: String,
    /// The file to write; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Only these bytes: 0-99 (the first hundred), 100- (all after them), -100 (the last hundred).
    #[arg(long, value_parser = range, value_name = "RANGE", allow_hyphen_values = true)]
    pub range: Option<String>,
    /// What the SHA-256 of the whole content must be, as `evidence upload` printed it.
    #[arg(long, value_name = "HEX", value_parser = digest, conflicts_with = "range")]
    pub sha256: Option<String>,
    /// Replace a file that is there.
    #[arg(long)]
    pub force: bool,
}

/// Sends a file.
pub async fn upload(desk: &Desk, options: &UploadOptions) -> Result<(), Failure> {
    let client = desk.person()?;
    let source = Source::open(&options.file).await?;
    // Asked first: a dispute that takes nothing is known before gigabytes are on their way.
    let dispute = client.get(&path(&["v1", "disputes", &options.dispute])).await?;
    if dispute["state"] == "closed" {
        return Err(Failure::new(format!(
            "{} is closed: nothing is uploaded to it any more",
            options.dispute
        ))
        .coded("DISPUTE_CLOSED"));
    }
    let key = options.idempotency_key.clone().map_or_else(creation_key, Ok)?;
    let kind = options.media_type.as_deref().unwrap_or_else(|| media_type(&options.file));
    let to = query("/v1/evidence", &[("dispute", Some(&options.dispute))]);
    let progress = bar("uploading", source.bytes, desk.screen.json);
    let sent = client.upload(&to, kind, &source, &progress, &key).await;
    progress.finish_and_clear();
    let mut record = sent.map_err(|failure| match failure.exit() {
        Exit::Away => failure.hinting(format!(
            "It may be stored all the same: run this again with --idempotency-key {key}, which stores it once."
        )),
        _ => failure,
    })?;
    // The platform has it encrypted alone: who sends it is the one to keep it.
    record["sha256"] = json!(source.sha256());
    show(desk, &record)
}

/// Fetches a record or a range of it.
pub async fn download(desk: &Desk, options: &DownloadOptions) -> Result<(), Failure> {
    let client = desk.person()?;
    let content = path(&["v1", "evidence", &options.record, "content"]);
    if let Some(range) = &options.range {
        return part(desk, &client, options, &content, range).await;
    }
    if options.out == Path::new("-") {
        let (_, came) = pour(client.open(&content, 0).await?, &mut std::io::stdout()).await?;
        return match &options.sha256 {
            Some(wanted) if *wanted != came => Err(Failure::local(format!(
                "what was printed is not {}: its SHA-256 is {came}, and should be {wanted}",
                options.record
            ))),
            _ => Ok(()),
        };
    }
    let record = client.get(&path(&["v1", "evidence", &options.record])).await?;
    let bytes = record["bytes"].as_u64().unwrap_or_default();
    let progress = bar("downloading", bytes, desk.screen.json);
    let what = Fetch {
        of: &options.record,
        out: &options.out,
        bytes,
        sha256: options.sha256.as_deref(),
        replace: options.force,
    };
    let fetched = fetch(&what, &progress, async |from| client.open(&content, from).await).await;
    progress.finish_and_clear();
    let fetched = fetched?;
    let mut document = told(options, bytes);
    document["sha256"] = json!(fetched.sha256);
    document["resumedAt"] = json!(fetched.resumed_at);
    document["checked"] = json!(options.sha256.is_some());
    tell(desk, &document)
}

async fn part(
    desk: &Desk,
    client: &Client,
    options: &DownloadOptions,
    content: &str,
    range: &str,
) -> Result<(), Failure> {
    if options.out == Path::new("-") {
        let response = client.range(content, range).await?;
        return pour(response, &mut std::io::stdout()).await.map(drop);
    }
    let out = &options.out;
    if out.exists() && !options.force {
        return Err(Failure::usage(format!(
            "{} is there already: give another name, or --force to replace it",
            out.display()
        )));
    }
    let response = client.range(content, range).await?;
    let mut file = private(out)?;
    let (bytes, _) = pour(response, &mut file).await?;
    file.sync_all().doing(format_args!("write {}", out.display()))?;
    let mut document = told(options, bytes);
    document["range"] = json!(range);
    tell(desk, &document)
}

/// Writes what an answer brings; how much it was, and its SHA-256. One that breaks off was not authenticated to its end.
async fn pour(
    mut response: reqwest::Response,
    into: &mut (dyn Write + Send),
) -> Result<(u64, String), Failure> {
    let broken = |why: String| {
        Failure::new(format!("the transfer broke off ({why}): run the command again"))
            .ending(Exit::Away)
            .coded("TRANSFER_BROKEN")
    };
    let (mut bytes, mut digest) = (0, Digest::new());
    loop {
        let piece = tokio::time::timeout(SILENCE, response.chunk()).await;
        let piece = piece.map_err(|_| broken("it stood still".to_owned()))?;
        let Some(piece) = piece.map_err(|error| broken(error.to_string()))? else {
            into.flush().doing("write what came")?;
            return Ok((bytes, digest.hex()));
        };
        match into.write_all(&piece) {
            // Whoever read it has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok((bytes, digest.hex())),
            written => written.doing("write what came")?,
        }
        digest.update(&piece);
        bytes += piece.len() as u64;
    }
}

fn told(options: &DownloadOptions, bytes: u64) -> Value {
    json!({ "id": options.record, "file": options.out.display().to_string(), "bytes": bytes })
}

fn tell(desk: &Desk, document: &Value) -> Result<(), Failure> {
    let resumed = document["resumedAt"].as_u64().filter(|&at| at > 0);
    let size = document["bytes"].as_u64().map(screen::bytes).unwrap_or_default();
    desk.screen.thing(
        document,
        &[
            ("id", text(document, "id")),
            ("file", text(document, "file")),
            ("size", size),
            ("range", text(document, "range")),
            ("went on at", resumed.map(screen::bytes).unwrap_or_default()),
            ("sha256", text(document, "sha256")),
        ],
    )
}

/// A range as `Range` writes it after `bytes=`.
fn range(text: &str) -> Result<String, String> {
    // `parse` alone takes a sign.
    let number = |digits: &str| {
        digits.parse::<u64>().ok().filter(|_| digits.bytes().all(|digit| digit.is_ascii_digit()))
    };
    let good = text.split_once('-').is_some_and(|(first, last)| match (first, last) {
        ("", last) => number(last).is_some_and(|last| last > 0),
        (first, "") => number(first).is_some(),
        (first, last) => number(first).zip(number(last)).is_some_and(|(first, last)| first <= last),
    });
    if good { Ok(text.to_owned()) } else { Err("write it as 0-99, 100- or -100".to_owned()) }
}

fn digest(text: &str) -> Result<String, String> {
    if text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err("a SHA-256 has 64 hexadecimal digits".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_is_one_range_of_bytes() {
        for good in ["0-0", "5-9", "7-", "-3"] {
            assert_eq!(range(good).as_deref(), Ok(good));
        }
        for bad in ["", "-", "-0", "9-5", "a-b", "1-2,4-5", "+1-2", "5"] {
            assert!(range(bad).is_err(), "{bad}");
        }
    }
}
