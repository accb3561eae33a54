//! Every kind of request that leads to a call of another service, sent with everything that must not go on.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use mintmark_tests::recording::{Half, Secrets, Transcript};
use serde_json::{Value, json};

use crate::credentials::{METHODS, assert_metadata, assert_tokens, claims, path};
use crate::evidence;
use crate::platform::Platform;
use crate::traveller::Traveller;

const GTIN: &str = "09506000134352";
/// What the store's client may say: what it sends, and how it signs it.
const STORE_HEADERS: [&str; 11] = [
    ":method",
    ":path",
    "host",
    "accept",
    "authorization",
    "content-length",
    "content-md5",
    "content-type",
    "x-amz-date",
    "x-amz-checksum-sha256",
    "x-amz-content-sha256",
];
const EXPORT_TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Who is on the way, and what was made.
pub struct Journey {
    pub platform: Platform,
    pub traveller: Traveller,
    pub tenant: String,
    /// The id of the person.
    pub user: String,
    pub session: String,
    /// A word of the evidence.
    pub evidence: String,
    brand: String,
    product: String,
    /// Credentials that people were given.
    given: Vec<(&'static str, String)>,
    codes: Vec<String>,
}

impl Journey {
    async fn begin() -> Self {
        let (platform, traveller) = (Platform::start().await, Traveller::new());
        let mut journey = Self {
            platform,
            traveller,
            tenant: "canary-works".to_owned(),
            user: String::new(),
            session: String::new(),
            evidence: evidence::canary(),
            brand: String::new(),
            product: String::new(),
            given: Vec::new(),
            codes: Vec::new(),
        };
        let tenant = json!({ "id": journey.tenant, "name": "Canary Works" });
        journey.admin("POST /tenants", tenant, 201).await;
        let user = json!({ "tenantId": journey.tenant, "email": "ada@example.com", "name": "Ada", "tenantAdmin": true });
        let user = journey.admin("POST /users", user, 201).await;
        journey.user = text(&user, "id");
        let session = journey.admin("POST /sessions", json!({ "userId": journey.user }), 201).await;
        journey.session = text(&session, "token");
        journey.given.push(("a session", journey.session.clone()));
        let brand = journey.person("POST /brands", json!({ "name": "Canary" }), 201).await;
        journey.brand = text(&brand, "id");
        let product = json!({ "brandId": journey.brand, "gtin": GTIN, "name": "Yellow" });
        journey.product = text(&journey.person("POST /products", product, 201).await, "id");
        journey
    }

    pub async fn admin(&self, call: &str, body: Value, status: u16) -> Value {
        let (method, rest) = call.split_once(' ').unwrap();
        let call = format!("{method} {}/api/admin{rest}", self.platform.control_url);
        self.traveller.call(&self.platform.control_token, &call, body, status).await
    }

    pub async fn person(&self, call: &str, body: Value, status: u16) -> Value {
        let (method, rest) = call.split_once(' ').unwrap();
        let call = format!("{method} {}", self.v1(rest));
        self.traveller.call(&self.session, &call, body, status).await
    }

    pub fn v1(&self, rest: &str) -> String {
        format!("{}/v1{rest}", self.platform.control_url)
    }

    async fn mint(&self, units: u32) -> String {
        let order = json!({ "productId": self.product, "units": units, "mode": "first_scan" });
        let batch = self.person(&format!("POST /brands/{}/batches", self.brand), order, 202).await;
        text(&batch, "id")
    }

    pub async fn until(&self, rest: &str, good: impl Fn(&Value) -> bool) -> Value {
        self.traveller.until(&self.session, &self.v1(rest), good).await
    }

    /// Mint, publish, seal, export, reveal, scan, see the scans, recall a code and the batch.
    async fn main_job(&mut self) {
        let batch = self.mint(250).await;
        self.until(&format!("/batches/{batch}"), |view| view["state"] == "sealed").await;
        for serial in [1, 2] {
            let call = format!("POST /batches/{batch}/tokens/{serial}/reveal");
            let code = text(&self.person(&call, json!({}), 200).await, "code");
            self.codes.push(code);
        }
        let formats = json!({ "formats": ["csv", "svg"] });
        let export = self.person(&format!("POST /batches/{batch}/exports"), formats, 202).await;
        let export = format!("/exports/{}", text(&export, "id"));
        self.scan(0, "genuine").await;
        self.until(&export, |view| view["state"] == "ready").await;
        let download = self.person(&format!("GET {export}/download"), json!(null), 200).await;
        for part in download["parts"].as_array().unwrap() {
            // A URL is a credential too: whoever has it has the codes.
            let signature = text(part, "url").split_once("X-Amz-Signature=").unwrap().1.to_owned();
            self.given.push(("a signed URL", signature));
        }
        self.give_up_an_export(&batch).await;
        self.until(&format!("/batches/{batch}/scans"), |view| view["totals"]["scans"].as_u64() >= Some(1))
            .await;

        let codes = json!({ "codes": [self.codes[0]], "reason": "stolen" });
        self.person(&format!("POST /batches/{batch}/codes/revoke"), codes, 200).await;
        let reason = json!({ "reason": "misprint" });
        self.person(&format!("POST /batches/{batch}/revoke"), reason, 200).await;
        self.scan(1, "recalled").await;
    }

    /// An export that is cancelled when its first part lies in the store, which is then deleted.
    async fn give_up_an_export(&self, batch: &str) {
        let formats = json!({ "formats": ["svg", "png", "pdf"] });
        let export = self.person(&format!("POST /batches/{batch}/exports"), formats, 202).await;
        let export = format!("/exports/{}", text(&export, "id"));
        self.until(&export, |view| view["progress"]["done"].as_u64() > Some(0)).await;
        self.person(&format!("POST {export}/cancel"), json!(null), 200).await;
    }

    /// Anybody's scan, until its verdict is as it should be.
    async fn scan(&self, code: usize, verdict: &str) {
        let url = format!("{}/01/{GTIN}/21/{}", self.platform.scan_url, self.codes[code]);

        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let answer = self.traveller.send("", "GET", &url, None).await.json::<Value>().await;
            if answer.is_ok_and(|answer| answer["status"] == verdict) {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "the code did not become '{verdict}'");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// What else makes the control plane call: other looks, a batch given up in the middle, tokens for preflight.
    async fn side_roads(&mut self) {
        let batch = self.mint(500_000).await;
        let path = format!("/batches/{batch}");
        self.until(&path, |view| view["progress"]["done"].as_u64() > Some(0)).await;
        let url = self.v1(&format!("{path}/cancel"));
        let cancelled = self.traveller.send(&self.session, "POST", &url, None).await;
        assert!(cancelled.status().is_success(), "{}", cancelled.status());
        self.until(&path, |view| view["state"] == "cancelled").await;

        let look = json!({ "primaryColour": "#ffcc00" });
        self.person(&format!("PUT /brands/{}/presentation", self.brand), look, 200).await;
        let change = json!({ "name": "Yellow, improved" });
        self.person(&format!("PATCH /products/{}", self.product), change, 200).await;
        let scopes = json!({ "scopes": ["preflight:read"] });
        let exchanged = self.person("POST /preflight-tokens", scopes, 201).await;
        self.given.push(("a PREFLIGHT_JWT", text(&exchanged, "token")));
        let scopes = json!({ "tenantId": self.tenant, "scopes": ["jobs:read"] });
        let issued = self.admin("POST /preflight-tokens", scopes, 201).await;
        self.given.push(("an operator's PREFLIGHT_JWT", text(&issued, "token")));
    }

    /// Every operation of the document, whatever it answers: a route that comes later is walked without a word here. Once
    /// with the credential that belongs there, and once with the control token where it does not.
    async fn every_route(&self) -> usize {
        let call = format!("GET {}/openapi.json", self.platform.control_url);
        let document = self.traveller.call("", &call, json!(null), 200).await;
        let mut walked = 0;
        for (template, item) in document["paths"].as_object().unwrap() {
            for method in ["get", "post", "put", "patch", "delete"] {
                if item[method].is_null() {
                    continue;
                }
                let bearer = if template.starts_with("/api/admin") {
                    &self.platform.control_token
                } else {
                    &self.session
                };
                let url = format!("{}{}", self.platform.control_url, self.fill(template));
                let body = (method != "get").then(|| json!({ "reason": "walked", "name": "walked" }));
                let method = method.to_uppercase();
                let status = self.traveller.send(bearer, &method, &url, body.as_ref()).await.status();
                assert!(!status.is_server_error(), "{method} {template}: {status}");
                let stray = self.traveller.stray(&self.platform.control_token, &method, &url).await.status();
                assert!(!stray.is_server_error(), "{method} {template}: {stray}");
                walked += 1;
            }
        }
        walked
    }

    fn fill(&self, template: &str) -> String {
        let known =
            [("{brandId}", &self.brand), ("{productId}", &self.product), ("{tenantId}", &self.tenant)];
        let filled = known.iter().fold(template.to_owned(), |path, (name, id)| path.replace(name, id));
        filled
            .split('/')
            .map(|part| if part.starts_with('{') { "7" } else { part })
            .collect::<Vec<_>>()
            .join("/")
    }

    /// The secrets of people: what they were given, and what they sent along.
    fn secrets(&self) -> Secrets {
        let mut secrets = self.platform.secrets();
        for (name, value) in &self.given {
            match value.split('.').count() {
                3 => secrets.add_jwt(name, value),
                _ => secrets.add(name, value.as_bytes()),
            }
        }
        self.traveller.secrets(&mut secrets);
        secrets
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn journey_sends_no_credential_and_no_header_of_a_person_downstream() {
    let started = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let mut journey = Journey::begin().await;
    journey.main_job().await;
    journey.side_roads().await;
    journey.evidence().await;
    let walked = journey.every_route().await;
    assert!(walked >= 40, "only {walked} operations are in the document");
    let logs = tokio::task::block_in_place(|| journey.platform.stop());

    let mut secrets = journey.secrets();
    let store = journey.platform.to_store.transcript();
    assert_clean(&store, &secrets);
    assert_store(&store);
    let vault = journey.platform.to_vault.transcript();
    assert_clean(&vault, &secrets);
    // Evidence passes here, and is seen here: so it would be seen elsewhere.
    let mut evidence_itself = Secrets::new();
    evidence_itself.add("a word of the evidence", journey.evidence.as_bytes());
    assert!(!vault.find(&evidence_itself).is_empty());

    // A pack is made of codes; nobody else is told one. Evidence is for the vault and for whoever may read it.
    secrets.add("a word of the evidence", journey.evidence.as_bytes());
    for code in &journey.codes {
        secrets.add("a code", code.as_bytes());
    }
    assert_eq!(logs.len(), 5);
    for (name, log) in &logs {
        assert!(!log.is_empty(), "{name} is empty");
        let found: Vec<_> = secrets.find(log).into_iter().collect();
        assert!(found.is_empty(), "{name}: {found:?}");
    }
    for recorder in &journey.platform.to_collector {
        let traces = recorder.transcript();
        // A sequencer answers nobody, and has no traces to export.
        let traced = !traces.pair.starts_with("evidence-sequencer");
        assert!(
            !traced || traces.messages().contains_key(EXPORT_TRACES),
            "{}: {:?}",
            traces.pair,
            traces.messages()
        );
        assert_clean(&traces, &secrets);
    }
    // An id that a client gave its request is for logs and traces, and for them alone. That it is found there shows that
    // a header that went on would be.
    let mut request_id = Secrets::new();
    request_id.add("the header x-request-id", journey.traveller.request_id().as_bytes());
    assert!(!journey.platform.to_collector[2].transcript().find(&request_id).is_empty());
    secrets.add("the header x-request-id", journey.traveller.request_id().as_bytes());
    let directory = journey.platform.to_directory.transcript();
    assert_clean(&directory, &secrets);
    assert_directory(&directory, &journey);
    let tenants = BTreeSet::from([journey.tenant.clone()]);
    let jwts = journey.given.iter().filter(|(_, value)| value.split('.').count() == 3);
    let before = jwts.filter_map(|(_, jwt)| claims(jwt)["jti"].as_str().map(str::to_owned)).collect();
    assert_tokens(&directory, started, &tenants, &before);
    evidence::assert_vault(&vault, &journey, &before);
    let ciphertext = journey.platform.to_vault_store.transcript();
    assert_clean(&ciphertext, &secrets);
    evidence::assert_vault_store(&ciphertext);
}

/// All of it was understood, and nothing was found.
fn assert_clean(transcript: &Transcript, secrets: &Secrets) {
    assert_eq!(transcript.problems, Vec::<String>::new());
    let found: Vec<String> = transcript.find(secrets).iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{found:#?}");
}

/// Every method was called, so that silence is not success; and one trace runs through.
fn assert_directory(calls: &Transcript, journey: &Journey) {
    let counted = calls.messages();
    for (method, _) in METHODS {
        let least = if method == "Publish" { 3 } else { 1 };
        assert!(counted.get(&path(method)).is_some_and(|count| *count >= least), "{method}: {counted:?}");
    }
    assert!(counted.len() == METHODS.len(), "a method that the table lacks: {counted:?}");
    assert_metadata(calls);
    let traced = calls.exchanges.iter().filter(|call| {
        let parent = call.request.header("traceparent").unwrap_or_default();
        parent.starts_with(&format!("00-{}-", journey.traveller.trace_id()))
    });
    assert!(traced.count() >= 3, "the trace of our requests goes on to the directory");
}

fn assert_store(store: &Transcript) {
    let unknown: Vec<&str> =
        store.request_fields().into_iter().filter(|name| !STORE_HEADERS.contains(name)).collect();
    assert_eq!(unknown, Vec::<&str>::new(), "headers that nobody decided to send to the store");
    let count = |method: &str, path: &str| {
        let same =
            |name: &str, value: &str, half: &Half| half.header(name).is_some_and(|is| is.contains(value));
        let calls = store.exchanges.iter().map(|call| &call.request);
        calls.filter(|half| same(":method", method, half) && same(":path", path, half)).count()
    };
    assert!(count("PUT", "/part-") >= 10 && count("PUT", "/index.json") == 1, "{:?}", store.messages());
    assert!(count("POST", "?delete") >= 1, "what was given up is deleted: {:?}", store.messages());
    for call in &store.exchanges {
        let authorization = call.request.header("authorization").unwrap_or_default();
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential="), "{}", call.path());
    }
}

pub fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value:#}")).to_owned()
}
