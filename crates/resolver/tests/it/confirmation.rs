//! Codes that activate by a button: a person who presses it, once; nobody else.

use mintmark_codes::Code;
use mintmark_wire::directory::v1::ActivationMode;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::stage::{GTIN, Scan, Stage, link, terms};

const CONFIRMED_SCAN: ActivationMode = ActivationMode::ConfirmedScan;

async fn activations(stage: &Stage) -> i64 {
    stage.superuser().await.query_one("SELECT count(*) FROM activation", &[]).await.unwrap().get(0)
}

/// A sealed batch of four, known to the scan role.
async fn sealed(stage: &Stage, destination: Option<&str>) -> Vec<Code> {
    let codes = stage.sealed(stage.product(destination).await, CONFIRMED_SCAN, 1, 4).await;
    stage.scan.becomes(&link(&codes[0]), "genuine").await;
    codes
}

async fn view(request: RequestBuilder) -> Value {
    request.header("accept", "application/json").send().await.unwrap().json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_shows_the_button_and_activates_nothing() {
    let stage = Stage::new().await;
    let codes = sealed(&stage, None).await;
    let path = link(&codes[0]);
    let (status, view) = stage.scan.json(&path).await;
    assert_eq!(status, 200);
    assert_eq!(view["mode"], "confirmed_scan");
    assert_eq!(
        view["activation"],
        json!({"state": "awaiting_confirmation", "confirm": {"method": "POST", "href": path}})
    );
    assert_eq!(stage.scan.status(&path).await, "genuine");
    let page = stage.scan.get(&path).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("form-action 'self'") && policy.contains("default-src 'none'"), "{policy}");
    let html = page.text().await.unwrap();
    assert!(html.contains("<form method=\"post\""), "{html}");
    assert!(!html.contains("<script"), "it works without");
    assert_eq!(activations(&stage).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn confirm_by_a_person_activates_exactly_once() {
    let stage = Stage::new().await;
    let there = Scan::start(&stage.db, Vec::new()).await;
    let path = link(&sealed(&stage, None).await[0]);
    there.becomes(&path, "genuine").await;
    let replicas = [&stage.scan, &there];
    let pressed = (0..100).map(|at| view(replicas[at % 2].confirm(&path)));
    let views = futures::future::join_all(pressed).await;
    let winners: Vec<_> =
        views.iter().filter(|view| view["activation"]["state"] == "activated_now").collect();
    assert_eq!(winners.len(), 1);
    let at = &winners[0]["activation"]["at"];
    assert!(at.is_string());
    let later = json!({"state": "activated", "at": at});
    assert_eq!(views.iter().filter(|view| view["activation"] == later).count(), 99);
    let fresh = Scan::start(&stage.db, Vec::new()).await;
    assert_eq!(fresh.json(&path).await.1["activation"], later);
    assert_eq!(activations(&stage).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn confirm_with_the_form_leads_back_to_the_link() {
    let stage = Stage::new().await;
    let codes = sealed(&stage, None).await;
    for (code, path) in [(0, link(&codes[0])), (1, format!("/{}", codes[1].grouped().to_lowercase()))] {
        let target = format!("{path}?from=box&x=%20");
        let own = format!("http://{}", stage.scan.addr);
        // What a browser sends from a page with the policy `no-referrer`, with and without fetch metadata.
        let browser = stage
            .scan
            .confirm(&target)
            .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
            .header("content-type", "application/x-www-form-urlencoded");
        let browser = match code {
            0 => browser.header("origin", "null").header("sec-fetch-site", "same-origin"),
            _ => browser.header("origin", own),
        };
        let answer = browser.send().await.unwrap();
        assert_eq!(answer.status(), 303);
        assert_eq!(answer.headers()["location"].to_str().unwrap(), target);
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
        assert_eq!(activations(&stage).await, code + 1);
        let page = stage.scan.get(&target).send().await.unwrap();
        assert_eq!(page.status(), 200);
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("form-action 'none'"), "{policy}");
        assert!(!page.text().await.unwrap().contains("<form"), "there is nothing left to press");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn confirm_by_machines_activates_nothing() {
    let stage = Stage::new().await;
    let path = link(&sealed(&stage, None).await[0]);
    let own = format!("http://{}", stage.scan.addr);
    let url = format!("{own}{path}");
    let post = |user_agent: &str| stage.scan.http.post(&url).header("user-agent", user_agent);
    for machine in [
        post("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
        post("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
            .header("sec-fetch-site", "same-origin")
            .header("origin", &own),
        post("WhatsApp/2.23.20.0"),
        post("curl/8.5.0"),
        post(""),
        stage.scan.confirm(&path).header("sec-purpose", "prefetch"),
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap().post(&url),
    ] {
        let again = machine.try_clone().unwrap();
        assert_eq!(machine.send().await.unwrap().status(), 303, "the same answer as for people");
        assert_eq!(view(again).await["activation"]["state"], "awaiting_confirmation");
    }
    assert_eq!(activations(&stage).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn confirm_from_another_site_is_refused() {
    let stage = Stage::new().await;
    let path = link(&sealed(&stage, None).await[0]);
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "none"),
        ("origin", "https://evil.example"),
        ("origin", "http://127.0.0.1:1"),
    ] {
        let answer = stage.scan.confirm(&path).header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{name}: {value}");
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], "CROSS_SITE");
    }
    assert_eq!(activations(&stage).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn confirm_of_other_modes_activates_nothing() {
    let stage = Stage::new().await;
    let id = stage.product(None).await;
    let first_scan = stage.sealed(id, ActivationMode::FirstScan, 1, 4).await;
    let fixed = stage.sealed(id, ActivationMode::Static, 5, 4).await;
    stage.scan.becomes(&link(&fixed[0]), "genuine").await;
    assert_eq!(view(stage.scan.confirm(&link(&first_scan[0]))).await["activation"]["state"], "not_activated");
    assert_eq!(view(stage.scan.confirm(&link(&fixed[0]))).await["activation"]["state"], "static");
    assert_eq!(activations(&stage).await, 0);
    let unknown = stage.scan.confirm("/00000000000000000000").send().await.unwrap();
    assert_eq!(unknown.status(), 404);
    let other = stage.scan.confirm(&link(&fixed[0]).replace(GTIN, "04006381333931")).send().await.unwrap();
    assert_eq!(other.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn confirm_of_a_recalled_code_is_refused_at_once() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, CONFIRMED_SCAN, 1, 4, 4);
    let codes = stage.published(&terms).await;
    stage.seal(&terms.batch_id, 1).await.unwrap();
    stage.scan.becomes(&link(&codes[0]), "genuine").await;
    stage.revoke_codes(&terms.batch_id, &codes[..1]).await.unwrap();
    let answer = view(stage.scan.confirm(&link(&codes[0]))).await;
    assert!(answer["status"] == "recalled" || answer["status"] == "unconfirmed", "{answer}");
    stage.revoke_batch(&terms.batch_id).await.unwrap();
    let answer = view(stage.scan.confirm(&link(&codes[1]))).await;
    assert!(answer["status"] == "recalled" || answer["status"] == "unconfirmed", "{answer}");
    assert_eq!(activations(&stage).await, 0);
    stage.scan.becomes(&link(&codes[0]), "recalled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_waits_until_the_code_is_confirmed() {
    let stage = Stage::new().await;
    let path = link(&sealed(&stage, Some("https://brand.example/p")).await[0]);
    let asked = stage.scan.get(&path).send().await.unwrap();
    assert_eq!(asked.status(), 200, "the button is here");
    stage.scan.confirm(&path).send().await.unwrap();
    let just_now = stage.scan.get(&path).send().await.unwrap();
    assert_eq!(just_now.status(), 200, "a browser would not follow the form's answer to another site");
    let superuser = stage.superuser().await;
    superuser
        .batch_execute("UPDATE activation SET activated_at = now() - interval '3 minutes'")
        .await
        .unwrap();
    let later = Scan::start(&stage.db, Vec::new()).await;
    let sent_on = later.get(&path).send().await.unwrap();
    assert_eq!(sent_on.status(), 307);
    assert_eq!(sent_on.headers()["location"], "https://brand.example/p");
}

#[tokio::test(flavor = "multi_thread")]
async fn telemetry_counts_the_scan_and_the_press_that_activated() {
    let mut stage = Stage::new().await;
    let path = link(&sealed(&stage, None).await[0]);
    stage.scan.get(&path).send().await.unwrap();
    for _ in 0..3 {
        stage.scan.confirm(&path).send().await.unwrap();
    }
    stage.scan.stop().await;
    let rows =
        stage.superuser().await.query("SELECT outcome FROM scan_event ORDER BY at", &[]).await.unwrap();
    let outcomes: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(outcomes, ["genuine", "activated_now"]);
}
