//! Scan as a person, again, as a crawler, and an unknown code.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, USER_AGENT};
use serde_json::Value;

use crate::api::{Control, away, client};
use crate::failure::Failure;
use crate::screen;

use super::export::Pack;
use super::{Stage, unexpected};

const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
const CRAWLER: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// Two seconds, and what a busy machine adds.
const SCANNABLE_WITHIN: Duration = Duration::from_secs(5);

/// Half a second in the buffer, a second to the sums, two to the control plane, and what a busy machine adds.
const COUNTED_WITHIN: Duration = Duration::from_secs(30);

/// The four scans of the journey, and one of the page that a person sees.
pub async fn scan(stage: &Stage, pack: &Pack) -> Result<(), Failure> {
    let [first, second, ..] = pack.codes.as_slice() else {
        return Err(Failure::new(
            "the pack holds fewer than two codes: run the demonstration with more units",
        ));
    };
    let first_url = format!("{}/01/{}/21/{first}", stage.scan_url, stage.gtin);
    let second_url = format!("{}/01/{}/21/{second}", stage.scan_url, stage.gtin);

    wait_until_scannable(&first_url).await?;

    let (status, scanned) = json_of(&first_url, PHONE).await?;
    expect("scan as a person", status, StatusCode::OK, &scanned, "genuine", "activated_now")?;
    let when = scanned["activation"]["at"].as_str().unwrap_or_default().to_owned();
    screen::step("scan one code as a person", &format!("genuine, activated now ({when})"));

    let (status, scanned) = json_of(&first_url, PHONE).await?;
    expect("scan again", status, StatusCode::OK, &scanned, "genuine", "activated")?;
    if scanned["activation"]["at"].as_str() != Some(&when) {
        return Err(unexpected("scan again", "the time of the first scan", &scanned["activation"]["at"]));
    }
    screen::step("scan it again", &format!("genuine, already activated since {when}"));

    let (status, scanned) = json_of(&second_url, CRAWLER).await?;
    expect("scan as a crawler", status, StatusCode::OK, &scanned, "genuine", "not_activated")?;
    screen::step("scan another as a crawler", "genuine, static answer, nothing activated");

    let (status, scanned) = json_of(&second_url, PHONE).await?;
    expect("scan it as a person", status, StatusCode::OK, &scanned, "genuine", "activated_now")?;
    screen::step("scan that one as a person", "genuine, activated now: the crawler left no trace");

    let unknown = format!("{}/01/{}/21/{}", stage.scan_url, stage.gtin, forged(first));
    let (status, scanned) = json_of(&unknown, PHONE).await?;
    if status != StatusCode::NOT_FOUND || scanned["status"].as_str() != Some("unknown") {
        return Err(unexpected("scan an unknown code", "404 and 'unknown'", status));
    }
    screen::step("scan an unknown code", "404, unknown");

    let page = get(&first_url, PHONE, "text/html").await?;
    let status = page.status();
    let html = page.text().await.map_err(|error| away(&stage.scan_url, &error))?;
    if status != StatusCode::OK || !html.contains("<html") {
        return Err(unexpected("open the verification page", "200 and a page", status));
    }
    screen::step("the page that people see", &first_url);
    Ok(())
}

/// What the brand sees of these scans: pulled from the public plane, without the crawler.
pub async fn numbers(stage: &Stage, batch: &str) -> Result<(), Failure> {
    let person = Control::new(&stage.control_url, &stage.session)?;
    let deadline = Instant::now() + COUNTED_WITHIN;
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    loop {
        tick.tick().await;
        let of_batch = person.get(&format!("/v1/batches/{batch}/scans")).await?["totals"].clone();
        if of_batch["scans"].as_u64() >= Some(4) && of_batch["firstActivations"].as_u64() == Some(2) {
            break;
        }
        if Instant::now() > deadline {
            return Err(unexpected("count the scans", "four scans by people and two activations", of_batch));
        }
    }
    let brand = person.get(&format!("/v1/brands/{}/scans", stage.brand)).await?;
    let count = |member: &str| screen::count(brand["totals"][member].as_u64().unwrap_or(0));
    screen::step(
        "what the brand sees",
        &format!(
            "{} scans in 30 days, {} first activations, {} went nowhere",
            count("scans"),
            count("firstActivations"),
            count("wentNowhere")
        ),
    );
    Ok(())
}

/// A scan service learns of a sealed batch within two seconds; a crawler's visit shows it and changes nothing.
async fn wait_until_scannable(url: &str) -> Result<(), Failure> {
    let deadline = Instant::now() + SCANNABLE_WITHIN;
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tick.tick().await;
        let (status, _) = json_of(url, CRAWLER).await?;
        if status == StatusCode::OK {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(unexpected(
                "scan a sealed code",
                "genuine within two seconds of the sealing",
                status,
            ));
        }
    }
}

fn expect(
    step: &str,
    status: StatusCode,
    wanted: StatusCode,
    body: &Value,
    verdict: &str,
    activation: &str,
) -> Result<(), Failure> {
    let as_wanted = status == wanted
        && body["status"].as_str() == Some(verdict)
        && body["activation"]["state"].as_str() == Some(activation);
    if as_wanted {
        return Ok(());
    }
    Err(unexpected(step, &format!("{wanted}, '{verdict}', '{activation}'"), format_args!("{status}, {body}")))
}

/// A code with the same partition that nobody minted: the odds that it exists are below one in 2^66.
fn forged(code: &str) -> String {
    let (partition, rest) = code.split_at(2);
    format!(
        "{partition}{}",
        rest.chars().rev().map(|character| if character == '0' { '1' } else { '0' }).collect::<String>()
    )
}

async fn json_of(url: &str, agent: &str) -> Result<(StatusCode, Value), Failure> {
    let response = get(url, agent, "application/json").await?;
    let status = response.status();
    let bytes = response.bytes().await.map_err(|error| away(url, &error))?;
    Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
}

async fn get(url: &str, agent: &str, accept: &str) -> Result<reqwest::Response, Failure> {
    client()?
        .get(url)
        .header(USER_AGENT, agent)
        .header(ACCEPT, accept)
        .send()
        .await
        .map_err(|error| away(url, &error))
}
