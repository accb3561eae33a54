//! The console as a person uses it: a pasted token, jobs, a report, policies, and the way out, in Chromium without scripts.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mintmark_tests::{Home, Platform, processes_that_name};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

/// A worker that waits for its turn on a busy machine, and an engine that starts.
const JUDGED_WITHIN: Duration = Duration::from_secs(60);
const VISITED_WITHIN: Duration = Duration::from_secs(300);
const JOB: &str = "console.journey-1";
/// The same file, measured by a policy that it was not made for.
const STRICT: &str = "console.journey-2";

struct Console {
    client: Client,
    variables: BTreeMap<String, String>,
    token: String,
}

impl Console {
    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.variables["MINTMARK_CONSOLE_URL"])
    }

    async fn policies(&self, token: &str, tenant: Option<&str>) -> (StatusCode, Value) {
        let mut request = self.client.get(self.at("/api/preflight/jobs/policies")).bearer_auth(token);
        if let Some(tenant) = tenant {
            request = request.header("X-Tenant-Id", tenant);
        }
        let response = request.send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// Creates a job that the pages show, and waits for its verdict.
    async fn preflight(&self, name: &str, policy: &str) -> Value {
        let jobs = format!("{}/api/v2/jobs", self.variables["MINTMARK_GATEWAY_URL"]);
        let body = json!({ "jobId": name, "policy": policy, "targetFile": "s3://ppos-storage/incoming/validate.pdf" });
        let created = self.client.post(&jobs).bearer_auth(&self.token).json(&body).send().await.unwrap();
        assert!(created.status().is_success(), "{}", created.text().await.unwrap());
        let started = Instant::now();
        loop {
            let found =
                self.client.get(format!("{jobs}/{name}")).bearer_auth(&self.token).send().await.unwrap();
            let job: Value = found.json().await.unwrap();
            if !["queued", "running"].contains(&job["state"].as_str().unwrap()) {
                return job;
            }
            assert!(started.elapsed() < JUDGED_WITHIN, "{job:#}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test]
async fn console_shows_jobs_to_whoever_has_a_token_and_nobody_else() {
    let home = Home::new().unwrap();
    let _platform = Platform::start(&home, &["--no-demo"]).unwrap();
    // The first call wins; a further one changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let output = home.run(&["token", "preflight"]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let console = Console { client, variables: home.dev_env().unwrap(), token };
    let strict = console.preflight(STRICT, "pdfx-1a-2003-listed").await;
    assert_eq!(strict["verdict"], "fail", "{strict:#}");
    let job = console.preflight(JOB, "digital-print").await;
    assert_eq!((&job["state"], &job["verdict"]), (&json!("succeeded"), &json!("pass")), "{job:#}");

    the_api_takes_a_preflight_token_alone(&console).await;
    what_is_looked_up_counts_for_the_tenant(&console).await;
    pages_without_a_token_lead_to_the_form(&console).await;
    for seen in use_it(&console).as_array().unwrap() {
        judge(seen, &console);
    }
}

async fn the_api_takes_a_preflight_token_alone(console: &Console) {
    let tenant = &console.variables["ACTIVE_TENANT_ID"];
    let (status, found) = console.policies(&console.token, Some(tenant)).await;
    assert_eq!(status, 200, "{found:#}");
    let names: Vec<_> =
        found["items"].as_array().unwrap().iter().map(|policy| policy["name"].clone()).collect();
    assert!(names.contains(&json!("digital-print")), "{names:?}");
    let gateway = format!("{}/api/preflight/jobs/policies", console.variables["MINTMARK_GATEWAY_URL"]);
    let gateway = console.client.get(gateway).bearer_auth(&console.token).send().await.unwrap();
    assert_eq!(found, gateway.json::<Value>().await.unwrap(), "the BFF displays what the service says");

    let (status, refused) = console.policies(&console.token, Some("somebody-else")).await;
    assert_eq!((status.as_u16(), &refused["code"]), (403, &json!("TENANT_MISMATCH")), "{refused:#}");
    let control = console.variables["PPOS_CONTROL_TOKEN"].clone();
    let session = console.variables["MINTMARK_SESSION"].clone();
    let altered = format!("{}x", console.token);
    for wrong in [control.as_str(), session.as_str(), altered.as_str(), "nothing"] {
        let (status, refused) = console.policies(wrong, None).await;
        assert_eq!(
            (status.as_u16(), &refused["code"]),
            (401, &json!("AUTHENTICATION_REQUIRED")),
            "{refused:#}"
        );
        assert!(!refused.to_string().contains(wrong), "the answer does not repeat what was sent");
    }
    // In the words of the service behind it.
    for wrong in [control.as_str(), session.as_str(), "nothing"] {
        let (_, refused) = console.policies(wrong, None).await;
        let gateway = format!("{}/api/preflight/jobs/policies", console.variables["MINTMARK_GATEWAY_URL"]);
        let gateway = console.client.get(gateway).bearer_auth(wrong).send().await.unwrap();
        assert_eq!(refused["detail"], gateway.json::<Value>().await.unwrap()["detail"]);
        let malformed = refused["detail"].as_str().unwrap().contains("jwt malformed");
        assert_eq!(malformed, wrong != session, "{refused:#}");
    }
}

/// The console's calls of the gateway are its visitors': one between two requests of theirs makes two.
async fn what_is_looked_up_counts_for_the_tenant(console: &Console) {
    let left = async || -> Option<u64> {
        let gateway = format!("{}/api/preflight/jobs/policies", console.variables["MINTMARK_GATEWAY_URL"]);
        let answer = console.client.get(gateway).bearer_auth(&console.token).send().await.unwrap();
        let field = answer.headers().get("ratelimit")?.to_str().unwrap();
        let (left, _) = field.strip_prefix("\"tenant\";r=")?.split_once(';')?;
        Some(left.parse().unwrap())
    };
    // A window may end between two requests, and on a busy machine one may pass uncounted.
    for _ in 0..20 {
        let before = left().await;
        assert_eq!(console.policies(&console.token, None).await.0, 200);
        if let (Some(before), Some(after)) = (before, left().await)
            && before == after + 2
        {
            return;
        }
    }
    panic!("what the console looks up for somebody is not counted");
}

async fn pages_without_a_token_lead_to_the_form(console: &Console) {
    for path in ["/jobs", "/policies", &format!("/jobs/{JOB}"), &format!("/jobs?token={}", console.token)] {
        for cookie in ["", "mintmark_preflight=a.b.c", &format!("other={}", console.token)] {
            let request = console.client.get(console.at(path)).header("cookie", cookie);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 303, "{path} {cookie}");
            assert_eq!(answer.headers()["location"], "/", "{path} {cookie}");
        }
    }
    let form = format!("token={}", console.token);
    let foreign = console.client.post(console.at("/sign-in")).header("sec-fetch-site", "cross-site");
    let foreign = foreign.header("content-type", "application/x-www-form-urlencoded").body(form);
    let foreign = foreign.send().await.unwrap();
    assert_eq!(foreign.status(), 403, "another site's page cannot sign anybody in");
    assert!(!foreign.headers().contains_key("set-cookie"));
}

/// Goes through the pages on a phone and on a desk.
fn use_it(console: &Console) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let tools = root.join("target/tools").canonicalize().unwrap_or_default();
    assert!(tools.join("node_modules/axe-core").exists(), "axe-core is missing: run `make setup-test`");
    let (node, chromium) = (program("node"), program("chromium"));
    let shots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("console");
    std::fs::create_dir_all(&shots).unwrap();
    // The browser keeps its profile below this folder, so that its processes can be told from others.
    let own = tempfile::tempdir().unwrap();
    let order = json!({
        "tools": tools, "chromium": chromium, "shots": shots, "base": console.variables["MINTMARK_CONSOLE_URL"],
        "style": root.join("crates/console/assets/console.css"), "token": console.token, "job": JOB, "strict": STRICT,
        "sizes": [
            { "name": "phone-light", "width": 390, "height": 844, "scheme": "light" },
            { "name": "desk-dark", "width": 1280, "height": 900, "scheme": "dark" },
        ],
    });
    let mut child = Command::new(node)
        .arg(root.join("tests/page/console.mjs"))
        .env("TMPDIR", own.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    // Open until the answer is here: the script ends with its input, also when this process is killed.
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, format!("{order}\n").as_bytes()).unwrap();
    let reading = std::thread::spawn(move || child.wait_with_output().unwrap());
    let started = Instant::now();
    while !reading.is_finished() {
        assert!(started.elapsed() < VISITED_WITHIN, "the pages were not visited in time");
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = reading.join().unwrap();
    drop(input);
    assert!(output.status.success(), "{:?}", output.status);
    while !processes_that_name(own.path()).unwrap().is_empty() {
        assert!(started.elapsed() < VISITED_WITHIN, "the browser is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
    serde_json::from_slice(&output.stdout).unwrap()
}

fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is missing: run `make setup-test`"))
}

/// Whether one walk through the pages was as it must be.
fn judge(seen: &Value, console: &Console) {
    let size = &seen["size"];
    assert_eq!(seen["complaints"], json!([]), "{size}: the security policy had nothing to stop");
    let base = &console.variables["MINTMARK_CONSOLE_URL"];
    for request in seen["requests"].as_array().unwrap() {
        let request = request.as_str().unwrap();
        assert!(request.starts_with(base.as_str()), "{size}: {request} is another host's");
        assert!(!request.contains(&console.token[..20]), "{size}: the token stood in a URL");
    }
    let cookies = seen["cookies"].as_array().unwrap();
    assert_eq!(cookies.len(), 1, "{size}: {cookies:#?}");
    let cookie = &cookies[0];
    assert_eq!((&cookie["httpOnly"], &cookie["sameSite"]), (&json!(true), &json!("Strict")), "{size}");
    let lives = cookie["expires"].as_f64().unwrap() - chrono::Utc::now().timestamp() as f64;
    assert!(lives > 0.0 && lives <= 300.0, "{size}: it lives as long as the token, and has {lives} s left");
    assert_eq!(seen["left"], json!([]), "{size}: signed out");

    let expected = [
        ("welcome", 200, "See what preflight says"),
        ("refused", 401, "See what preflight says"),
        ("jobs", 200, "Jobs"),
        ("job", 200, JOB),
        ("strict", 200, STRICT),
        ("policies", 200, "Policies"),
        ("missing", 404, "Not found"),
        ("signed-out", 200, "See what preflight says"),
    ];
    let pages = seen["pages"].as_array().unwrap();
    assert_eq!(pages.len(), expected.len());
    for (page, (name, status, headline)) in pages.iter().zip(expected) {
        assert_eq!(
            (&page["name"], &page["status"], &page["headline"]),
            (&json!(name), &json!(status), &json!(headline))
        );
        assert_eq!((&page["styled"], &page["overflows"]), (&json!(true), &json!(false)), "{size} {name}");
        let violations = page["violations"].as_array().unwrap();
        let grave =
            |found: &&Value| ["serious", "critical"].contains(&found["impact"].as_str().unwrap_or_default());
        let grave: Vec<_> = violations.iter().filter(grave).collect();
        assert!(grave.is_empty(), "{size} {name}: {grave:#?}");
    }
    let text = |name: &str| pages.iter().find(|page| page["name"] == name).unwrap()["text"].as_str().unwrap();
    assert!(text("job").contains("Pass") && text("job").contains("digital-print"), "{}", text("job"));
    assert!(text("jobs").contains("s3://ppos-storage/incoming/validate.pdf"), "{}", text("jobs"));
    assert!(text("strict").contains("Errors") && text("strict").contains("X0003"), "{}", text("strict"));
}
