//! What a scan answers, to whom, and in which form.

use mintmark_codes::{Code, Partition};
use mintmark_wire::directory::v1::ActivationMode;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName};
use serde_json::json;

use crate::stage::{GTIN, PHONE, Stage, codes, link, product, terms};

const STATIC: ActivationMode = ActivationMode::Static;
const FIRST_SCAN: ActivationMode = ActivationMode::FirstScan;

fn header(headers: &HeaderMap, name: &str) -> String {
    headers
        .get(HeaderName::from_bytes(name.as_bytes()).unwrap())
        .map(|v| v.to_str().unwrap().to_owned())
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_before_sealing_is_unknown_and_genuine_within_two_seconds_after() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, STATIC, 1, 4, 4);
    let codes = stage.published(&terms).await;
    let path = link(&codes[0]);
    let (status, before) = stage.scan.json(&path).await;
    assert_eq!((status, before), (404, json!({"status": "unknown"})));
    let (_, never) = stage.scan.json(&link(&crate::stage::codes(0, 1)[0])).await;
    assert_eq!(never, json!({"status": "unknown"}), "not yet sealed and never published look alike");
    stage.seal(&terms.batch_id, 1).await.unwrap();
    stage.scan.becomes(&path, "genuine").await;
    let (status, view) = stage.scan.json(&path).await;
    assert_eq!(status, 200);
    assert_eq!(
        view,
        json!({"status": "genuine", "gtin": GTIN, "brand": "Alpine & Sons", "product": "Mountain jacket <M>",
               "serial": 1, "mode": "static", "activation": {"state": "static"}})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_that_came_before_publishing_is_forgotten_with_the_seal() {
    let stage = Stage::new().await;
    let id = stage.product(None).await;
    // So that the partition is known and the code is looked up, not waved off.
    let sealed = stage.sealed(id, STATIC, 1, 4).await;
    stage.scan.becomes(&link(&sealed[0]), "genuine").await;
    let terms = terms(id, STATIC, 5, 4, 4);
    let partition = stage.open(&terms).await.unwrap().partition;
    let codes = codes(partition, 4);
    let path = link(&codes[3]);
    assert_eq!(stage.scan.status(&path).await, "unknown");
    stage.publish(crate::stage::chunks(&terms, &codes)).await.unwrap();
    assert_eq!(stage.scan.status(&path).await, "unknown");
    stage.seal(&terms.batch_id, 1).await.unwrap();
    stage.scan.becomes(&path, "genuine").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_of_an_aborted_publication_stays_unknown() {
    let stage = Stage::new().await;
    let id = stage.product(None).await;
    let given_up = terms(id, STATIC, 1, 4, 4);
    let lost = stage.published(&given_up).await;
    stage.abort(&given_up.batch_id, 1).await.unwrap();
    let sealed = stage.sealed(id, STATIC, 5, 4).await;
    stage.scan.becomes(&link(&sealed[0]), "genuine").await;
    assert_eq!(stage.scan.status(&link(&lost[0])).await, "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn first_scan_activates_once_and_later_scans_say_since_when() {
    let stage = Stage::new().await;
    let codes = stage.sealed(stage.product(None).await, FIRST_SCAN, 1, 4).await;
    let path = link(&codes[0]);
    stage.scan.becomes(&path, "genuine").await;
    let (_, first) = stage.scan.json(&path).await;
    assert_eq!(first["activation"]["state"], "activated_now");
    let (_, second) = stage.scan.json(&path).await;
    assert_eq!(second["activation"], json!({"state": "activated", "at": first["activation"]["at"]}));
    // Another replica, whose cache has never seen it, says the same.
    let replica = crate::stage::Scan::start(&stage.db, Vec::new()).await;
    let (_, third) = replica.json(&path).await;
    assert_eq!(third["activation"], second["activation"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn first_scan_by_fifty_at_once_has_one_winner() {
    let stage = Stage::new().await;
    let codes = stage.sealed(stage.product(None).await, FIRST_SCAN, 1, 4).await;
    let path = link(&codes[0]);
    stage.scan.becomes(&path, "genuine").await;
    let replica = crate::stage::Scan::start(&stage.db, Vec::new()).await;
    let (here, there) = (&stage.scan, &replica);
    let scans = (0..50).map(|at| if at % 2 == 0 { here.json(&path) } else { there.json(&path) });
    let views = futures::future::join_all(scans).await;
    let winners: Vec<_> =
        views.iter().filter(|(_, view)| view["activation"]["state"] == "activated_now").collect();
    assert_eq!(winners.len(), 1);
    assert!(
        views.iter().all(|(_, view)| view["activation"]["at"] == winners[0].1["activation"]["at"]),
        "{views:?}"
    );
    let rows: i64 =
        stage.superuser().await.query_one("SELECT count(*) FROM activation", &[]).await.unwrap().get(0);
    assert_eq!(rows, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_by_machines_answers_the_same_and_activates_nothing() {
    let stage = Stage::new().await;
    let id = stage.product(None).await;
    let codes = stage.sealed(id, FIRST_SCAN, 1, 4).await;
    let path = link(&codes[0]);
    stage.scan.becomes(&path, "genuine").await;
    let url = format!("http://{}{path}", stage.scan.addr);
    let request = |method: Method, user_agent: &str| {
        stage.scan.http.request(method, &url).header("user-agent", user_agent)
    };
    let none = reqwest::Client::new();
    for machine in [
        request(Method::GET, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
        request(Method::GET, "WhatsApp/2.23.20.0"),
        request(Method::GET, "curl/8.5.0"),
        request(Method::GET, PHONE).header("sec-purpose", "prefetch"),
        request(Method::GET, PHONE).header("purpose", "preview"),
        request(Method::HEAD, PHONE),
        none.get(&url),
    ] {
        let response = machine.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(header(response.headers(), "content-type"), "text/html; charset=utf-8");
    }
    let activated = async || -> i64 {
        stage.superuser().await.query_one("SELECT count(*) FROM activation", &[]).await.unwrap().get(0)
    };
    assert_eq!(activated().await, 0);
    stage.scan.get(&path).send().await.unwrap();
    assert_eq!(activated().await, 1, "a person's scan does activate");
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_of_a_product_with_a_destination_redirects_people_and_machines_alike() {
    let stage = Stage::new().await;
    let id = stage.product(Some("https://brand.example/p/{gtin}?s={serial}&b={batch}#care")).await;
    let terms = terms(id, FIRST_SCAN, 41, 4, 4);
    let codes = stage.published(&terms).await;
    stage.seal(&terms.batch_id, 1).await.unwrap();
    let path = link(&codes[1]);
    stage.scan.becomes(&path, "genuine").await;
    let expected = format!("https://brand.example/p/{GTIN}?s=42&b={}&utm=a%20b;c#care", terms.batch_id);
    for user_agent in ["Googlebot/2.1", PHONE] {
        let response = stage.scan.get_as(user_agent, &format!("{path}?utm=a%20b;c")).send().await.unwrap();
        assert_eq!(response.status(), 307);
        assert_eq!(header(response.headers(), "location"), expected);
        assert_eq!(header(response.headers(), "referrer-policy"), "no-referrer");
        assert_eq!(header(response.headers(), "cache-control"), "no-store");
        assert_eq!(header(response.headers(), "vary"), "Accept, Accept-Language");
        assert_eq!(header(response.headers(), "x-content-type-options"), "nosniff");
    }
    let (status, view) = stage.scan.json(&path).await;
    assert_eq!((status, view["status"].as_str()), (200, Some("genuine")), "programs are answered here");
    // A new version of the product reaches scans without a restart.
    stage.directory.put_product(&stage.tenant, product(id, 2, None)).await.unwrap();
    crate::eventually("the page replaces the redirect", || async {
        stage.scan.get(&path).send().await.unwrap().status() == 200
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_shows_a_page_with_a_strict_policy() {
    let stage = Stage::new().await;
    let codes = stage.sealed(stage.product(None).await, STATIC, 1, 4).await;
    stage.scan.becomes(&link(&codes[0]), "genuine").await;
    let response =
        stage.scan.get(&link(&codes[0])).header("accept", "text/html,*/*;q=0.8").send().await.unwrap();
    let policy = header(response.headers(), "content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert_eq!(header(response.headers(), "referrer-policy"), "no-referrer");
    let html = response.text().await.unwrap();
    assert!(html.contains("<h1>Genuine</h1>") && html.contains(GTIN), "{html}");
    assert!(html.contains("Mountain jacket &#60;M&#62;"), "{html}");
    assert!(!html.contains("<script"));
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_reads_codes_as_people_write_them() {
    let stage = Stage::new().await;
    let codes = stage.sealed(stage.product(None).await, STATIC, 1, 4).await;
    let code = &codes[0];
    stage.scan.becomes(&link(code), "genuine").await;
    let grouped = code.grouped();
    for path in [
        format!("/{}", code.as_str()),
        format!("/{}", grouped.to_lowercase()),
        format!("/{}", grouped.replace('-', "%20")),
        format!("/01/{GTIN}/21/{grouped}"),
    ] {
        let (status, view) = stage.scan.json(&path).await;
        assert_eq!((status, view["serial"].as_i64()), (200, Some(1)), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_under_another_gtin_is_unknown() {
    let stage = Stage::new().await;
    let codes = stage.sealed(stage.product(None).await, STATIC, 1, 4).await;
    stage.scan.becomes(&link(&codes[0]), "genuine").await;
    let (status, view) = stage.scan.json(&format!("/01/04006381333931/21/{}", codes[0].as_str())).await;
    assert_eq!((status, view), (404, json!({"status": "unknown"})));
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_of_an_unknown_code_is_404_in_every_form() {
    let stage = Stage::new().await;
    stage.sealed(stage.product(None).await, STATIC, 1, 4).await;
    let elsewhere = Code::from_parts(Partition::new(1023).unwrap(), 7);
    for code in [codes(0, 1)[0], elsewhere] {
        let (status, view) = stage.scan.json(&link(&code)).await;
        assert_eq!((status, view), (404, json!({"status": "unknown"})));
        let page = stage.scan.get(&link(&code)).send().await.unwrap();
        assert_eq!(page.status(), 404);
        assert!(page.text().await.unwrap().contains("Not recognised"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_of_what_is_no_code_is_400_with_the_reason() {
    let stage = Stage::new().await;
    for (path, code, field) in [
        ("/HELLO".to_owned(), "CODE_MALFORMED", "code"),
        (format!("/01/{GTIN}/21/HELLO"), "CODE_MALFORMED", "code"),
        ("/01/123/21/00000000000000000000".to_owned(), "GTIN_MALFORMED", "gtin"),
        ("/01/09506000134353/21/00000000000000000000".to_owned(), "GTIN_MALFORMED", "gtin"),
        (format!("/{}", "0".repeat(5000)), "CODE_MALFORMED", "code"),
        ("/%FF%FE".to_owned(), "CODE_MALFORMED", "code"),
    ] {
        let response = stage.scan.get(&path).header("accept", "application/json").send().await.unwrap();
        assert_eq!(response.status(), 400, "{path}");
        assert_eq!(header(response.headers(), "content-type"), "application/problem+json");
        assert_private(response.headers());
        let problem: serde_json::Value = response.json().await.unwrap();
        assert_eq!(
            (problem["code"].as_str(), problem["field"].as_str()),
            (Some(code), Some(field)),
            "{problem}"
        );
        let page = stage.scan.get(&path).send().await.unwrap();
        assert_eq!(page.status(), 400);
        assert!(page.text().await.unwrap().contains("This is not a code"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_of_a_recalled_batch_says_so_within_two_seconds() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(Some("https://brand.example/")).await, FIRST_SCAN, 1, 4, 4);
    let codes = stage.published(&terms).await;
    stage.seal(&terms.batch_id, 1).await.unwrap();
    let path = link(&codes[0]);
    stage.scan.becomes(&path, "genuine").await;
    stage.revoke_batch(&terms.batch_id).await.unwrap();
    stage.scan.becomes(&path, "recalled").await;
    let page = stage.scan.get(&path).send().await.unwrap();
    assert_eq!(page.status(), 200, "nobody is sent on to buy more of it");
    assert!(page.text().await.unwrap().contains("Recalled"));
    let (_, view) = stage.scan.json(&path).await;
    assert!(view["recalledAt"].is_string() && view["activation"].is_null(), "{view}");
    let rows: i64 =
        stage.superuser().await.query_one("SELECT count(*) FROM activation", &[]).await.unwrap().get(0);
    assert_eq!(rows, 0);
}

/// Problem documents are written by the edge, and are as private as what they are about.
fn assert_private(headers: &HeaderMap) {
    assert_eq!(header(headers, "referrer-policy"), "no-referrer");
    assert!(header(headers, "vary").starts_with("Accept"), "{headers:?}");
    assert_eq!(header(headers, "cache-control"), "no-store");
}

#[tokio::test(flavor = "multi_thread")]
async fn problems_are_as_private_as_answers() {
    let stage = Stage::new().await;
    let url = |path: &str| format!("http://{}{path}", stage.scan.addr);
    let code = "00000000000000000000";
    for (method, path, status) in [
        (Method::GET, "/01/09506000134352/99/X".to_owned(), 404),
        (Method::DELETE, format!("/{code}"), 405),
        (Method::GET, "/HELLO".to_owned(), 400),
        (Method::POST, "/HELLO".to_owned(), 400),
    ] {
        let request = stage.scan.http.request(method, url(&path)).header("accept", "application/json");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(header(response.headers(), "content-type"), "application/problem+json");
        assert_private(response.headers());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_paths_and_methods_are_answered_plainly() {
    let stage = Stage::new().await;
    let of = async |method: Method, path: &str| {
        let url = format!("http://{}{path}", stage.scan.addr);
        stage.scan.http.request(method, url).send().await.unwrap().status().as_u16()
    };
    assert_eq!(of(Method::GET, "/").await, 200);
    assert_eq!(of(Method::GET, "/favicon.ico").await, 404);
    assert_eq!(of(Method::GET, "/robots.txt").await, 404);
    assert_eq!(of(Method::GET, "/01/09506000134352/99/X").await, 404);
    assert_eq!(of(Method::POST, "/00000000000000000000").await, 404);
    assert_eq!(of(Method::PUT, "/00000000000000000000").await, 405);
}

/// Somebody cut the code off the address, or typed another one: they get a page in their language, programs a problem.
#[tokio::test(flavor = "multi_thread")]
async fn elsewhere_is_a_page_for_people_and_a_problem_for_programs() {
    let stage = Stage::new().await;
    let ask = async |path: &str, accept: &str| {
        let url = format!("http://{}{path}", stage.scan.addr);
        let request = stage.scan.http.get(url).header("accept", accept).header("accept-language", "fr");
        request.send().await.unwrap()
    };
    for path in ["/01/09506000134352", "/01/09506000134352/21/", "/some/where", "//evil.example/"] {
        let page = ask(path, "text/html,*/*;q=0.8").await;
        assert_eq!(page.status(), 404, "{path}");
        assert_eq!(header(page.headers(), "content-type"), "text/html; charset=utf-8", "{path}");
        assert_eq!(header(page.headers(), "content-language"), "fr");
        assert_private(page.headers());
        assert!(page.text().await.unwrap().contains("<html lang=\"fr\">"));
        let problem = ask(path, "application/json").await;
        assert_eq!(problem.status(), 404);
        assert_eq!(header(problem.headers(), "content-type"), "application/problem+json");
        assert_eq!(problem.json::<serde_json::Value>().await.unwrap()["code"], "NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn link_with_slashes_too_many_leads_to_the_link() {
    let stage = Stage::new().await;
    let code = "3FZK9Q7M2XW4T8B6NRVA";
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let link = format!("/01/09506000134352/21/{code}");
    for (path, target) in [
        (format!("{link}/?from=mail"), format!("{link}?from=mail")),
        (format!("/{link}"), link.clone()),
        (format!("/{code}/"), format!("/{code}")),
    ] {
        let answer = http.get(format!("http://{}{path}", stage.scan.addr)).send().await.unwrap();
        assert_eq!(answer.status(), 308, "{path}");
        assert_eq!(header(answer.headers(), "location"), target);
        assert_private(answer.headers());
    }
}
