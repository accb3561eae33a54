//! Preflight two files of the production tenant: one that can go to press, and one that cannot.

use std::time::{Duration, Instant};

use chrono::Utc;
use mintmark_auth::scope;
use serde_json::{Value, json};

use crate::api::{Control, text};
use crate::failure::Failure;
use crate::screen;
use crate::up::incoming;

use super::{Stage, unexpected};

/// An engine process takes a fraction of a second; a busy machine adds some.
const ENDED_WITHIN: Duration = Duration::from_secs(60);

/// A file, and what its preflight must say.
struct Sample {
    file: &'static str,
    verdict: &'static str,
    /// Rules that must be among the findings.
    rules: &'static [&'static str],
}

const SAMPLES: [Sample; 2] = [
    Sample { file: "validate.pdf", verdict: "pass", rules: &[] },
    // A picture of 40 ppi, a font that is not embedded, an empty page.
    Sample { file: "flyer-bad.pdf", verdict: "fail", rules: &["R0005", "R0031", "X0009"] },
];

/// Preflights both and checks the verdicts; then the operator takes the jobs over into the registry.
pub async fn preflight(stage: &Stage) -> Result<(), Failure> {
    let operator = Control::new(&stage.control_url, &stage.control_token)?;
    let order = json!({ "tenantId": stage.production_tenant, "scopes": scope::PREFLIGHT });
    let issued = operator.post("/api/admin/preflight-tokens", &order).await?;
    let gateway = Control::new(&stage.gateway_url, text(&issued, "token")?)?;
    // The demonstration may run twice, and a job's name says once what it is.
    let run = Utc::now().timestamp_millis();
    for sample in &SAMPLES {
        let name = sample.file.trim_end_matches(".pdf");
        let order =
            json!({ "jobId": format!("demo-{name}-{run}"), "targetFile": incoming::target(sample.file) });
        let job = text(&gateway.post("/api/v2/jobs", &order).await?, "jobId")?.to_owned();
        let found = judge(&gateway, &job, sample).await?;
        screen::step(&format!("preflight {}", sample.file), &found);
    }
    let synced = operator.post("/api/admin/sync/jobs", &json!({})).await?;
    let of_tenant = &synced["tenants"][0];
    if of_tenant["created"].as_u64() < Some(SAMPLES.len() as u64) {
        return Err(unexpected("take the jobs over", "two new jobs in the registry", &synced));
    }
    screen::step(
        "what the operator sees",
        &format!(
            "{} jobs taken over into the registry, {} of them new",
            of_tenant["received"], of_tenant["created"]
        ),
    );
    Ok(())
}

/// Waits for the end of a job and holds its report against what is expected; a line for a person.
async fn judge(gateway: &Control, job: &str, sample: &Sample) -> Result<String, Failure> {
    let step = format!("preflight {}", sample.file);
    let ended = ended(gateway, job).await?;
    let wanted = format!("the verdict {}", sample.verdict);
    if ended["verdict"].as_str() != Some(sample.verdict) {
        return Err(unexpected(&step, &wanted, &ended));
    }
    let report = gateway.get(&format!("/api/preflight/jobs/{job}/report")).await?;
    let failed: Vec<&str> = report["rules"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|rule| rule["status"] == "fail")
        .filter_map(|rule| rule["rule"].as_str())
        .collect();
    if let Some(missing) = sample.rules.iter().find(|rule| !failed.contains(*rule)) {
        return Err(unexpected(&step, &format!("a finding of the rule {missing}"), failed.join(", ")));
    }
    let policy = report["policy"]["id"].as_str().unwrap_or_default();
    Ok(match failed.as_slice() {
        [] => format!("{} by {policy}: {} rules", sample.verdict, report["counts"]["passed"]),
        rules => format!("{} by {policy}: {}", sample.verdict, rules.join(", ")),
    })
}

async fn ended(gateway: &Control, job: &str) -> Result<Value, Failure> {
    let deadline = Instant::now() + ENDED_WITHIN;
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tick.tick().await;
        let now = gateway.get(&format!("/api/v2/jobs/{job}")).await?;
        if !matches!(now["state"].as_str(), Some("queued" | "running")) {
            return Ok(now);
        }
        if Instant::now() > deadline {
            return Err(unexpected("preflight", "an end within a minute", &now));
        }
    }
}
