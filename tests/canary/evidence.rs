//! Evidence on its way through the platform: each method of the vault is called, each in somebody's name for one call, and the
//! content is known to nobody but the vault and whoever may read it.

use std::collections::BTreeSet;

use mintmark_auth::{DEFAULT_ISSUER, audience, scope};
use mintmark_tests::recording::{Exchange, Transcript};
use serde_json::{Value, json};

use crate::credentials::{assert_metadata, claims};
use crate::journey::{Journey, text};

/// The most that a token in somebody's name may live, in seconds; one of the control plane's own a minute.
const LONGEST: i64 = 30;
const LONGEST_OWN: i64 = 60;

/// The vault's methods, and the scope that each asks for.
const METHODS: [(&str, &str); 12] = [
    ("Upload", scope::EVIDENCE_UPLOAD),
    ("GetEvidence", scope::EVIDENCE_READ),
    ("ListEvidence", scope::EVIDENCE_READ),
    ("ReadContent", scope::EVIDENCE_CONTENT),
    ("SetLegalHold", scope::EVIDENCE_HOLD),
    ("GetErasureProof", scope::EVIDENCE_PROOF),
    ("GetVerifyingKeys", scope::EVIDENCE_PROOF),
    ("ListAuditEntries", scope::EVIDENCE_AUDIT),
    ("GetAuditProof", scope::EVIDENCE_AUDIT),
    ("ExportAudit", scope::EVIDENCE_AUDIT),
    ("StartOperation", scope::EVIDENCE_OPERATE),
    ("GetOperation", scope::EVIDENCE_OPERATE),
];
/// Those that the control plane may call in its own name: what they give is anybody's, or a job's, which belongs to nobody.
const OWN: [&str; 2] = ["GetVerifyingKeys", "ExportAudit"];

fn path(method: &str) -> String {
    format!("/mintmark.evidence.v1.EvidenceService/{method}")
}

impl Journey {
    /// Uploaded, read, held and released, found in the log, exported with it, and erased with a proof.
    pub async fn evidence(&mut self) {
        for role in ["USER", "ARBITRATOR", "GOVERNANCE"] {
            let grant = json!({ "userId": self.user, "role": role });
            self.admin("POST /memberships", grant, 201).await;
        }
        let dispute = self.person("POST /disputes", json!({ "reference": "CASE-1" }), 201).await;
        let of_dispute = format!("/evidence?dispute={}", text(&dispute, "id"));
        let content = json!({ "seen": self.evidence });
        let record = self.person(&format!("POST {of_dispute}"), content.clone(), 201).await;
        let record = text(&record, "id");
        let one = format!("/evidence/{record}");
        self.person(&format!("GET {of_dispute}"), json!(null), 200).await;
        self.person(&format!("GET {one}"), json!(null), 200).await;
        assert_eq!(self.person(&format!("GET {one}/content"), json!(null), 200).await, content);
        for held in [true, false] {
            self.person(&format!("PUT {one}/legal-hold"), json!({ "legalHold": held }), 200).await;
        }
        self.find_in_the_log(&record).await;
        let export = self.person("POST /admin/audit-exports", json!({}), 202).await;
        let export = format!("/admin/audit-exports/{}", text(&export, "id"));
        self.until(&export, |view| view["state"] == "ready").await;

        let operations = format!("/tenants/{}/evidence/operations", self.tenant);
        let started = self.admin(&format!("POST {operations}"), json!({ "kind": "retention" }), 202).await;
        let url = format!("{}/api/admin{operations}/{}", self.platform.control_url, text(&started, "id"));
        let token = &self.platform.control_token;
        self.traveller.until(token, &url, |view| view["state"] == "succeeded").await;
        let proof = self.person(&format!("GET /admin/erasure-proof/{record}"), json!(null), 200).await;
        assert!(text(&proof, "proof").split('.').count() == 3, "{proof:#}");
        self.person(&format!("GET {one}/content"), json!(null), 410).await;
    }

    async fn find_in_the_log(&self, record: &str) {
        let search = format!("/admin/evidence-audit?action=EVIDENCE_ACCESSED&resourceId={record}");
        let found = self.until(&search, |list| !list["items"][0]["leaf"].is_null()).await;
        let entry = text(&found["items"][0], "id");
        // In the log is not yet under a checkpoint.
        let url = self.v1(&format!("/admin/evidence-audit/{entry}/proof"));
        self.traveller.until_ok(&self.session, &url).await;
    }
}

/// Every method was called, with the metadata that any call has and a token for nothing else.
pub fn assert_vault(calls: &Transcript, journey: &Journey, before: &BTreeSet<String>) {
    let counted = calls.messages();
    for (method, _) in METHODS {
        assert!(counted.contains_key(&path(method)), "{method} was not called: {counted:?}");
    }
    assert_eq!(counted.len(), METHODS.len(), "a method that the table lacks: {counted:?}");
    assert_metadata(calls);
    let mut ids = BTreeSet::new();
    for call in &calls.exchanges {
        let claims = claims(bearer(call).as_str());
        let (method, scope) = method(call);
        assert_eq!((&claims["aud"], &claims["iss"]), (&json!(audience::EVIDENCE), &json!(DEFAULT_ISSUER)));
        assert_eq!(claims["scp"], json!([scope]), "{method}: {claims}");
        let lives = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        let id = text(&claims, "jti");
        assert!(!before.contains(&id), "the id of a person's token: {claims}");
        if OWN.contains(&method) {
            assert_eq!(claims["sub"], "service:control-plane", "{method}: {claims}");
            assert!((1..=LONGEST_OWN).contains(&lives), "{claims}");
            continue;
        }
        assert_eq!(claims["act"]["sub"], "service:control-plane", "{method}: {claims}");
        assert_eq!(claims["tenantId"], json!(journey.tenant), "{method}: {claims}");
        let in_name_of = [format!("user:{}", journey.user), "control-token".to_owned()];
        assert!(in_name_of.contains(&text(&claims, "sub")), "{method}: {claims}");
        assert!((1..=LONGEST).contains(&lives), "{claims}");
        assert!(ids.insert(id), "{method}: a token that was used twice: {claims}");
    }
    assert!(ids.len() >= METHODS.len() - OWN.len());
}

fn bearer(call: &Exchange) -> String {
    let header = call.request.header("authorization").unwrap();
    header.strip_prefix("Bearer ").unwrap_or_else(|| panic!("{} without a bearer", call.path())).to_owned()
}

fn method(call: &Exchange) -> (&'static str, &'static str) {
    let found = METHODS.into_iter().find(|(method, _)| path(method) == call.path());
    found.unwrap_or_else(|| panic!("{} is no method that we know the control plane to call", call.path()))
}

/// What the vault gave its store is there and erased, and none of it can be read.
pub fn assert_vault_store(store: &Transcript) {
    let count = |method: &str| {
        let calls = store.exchanges.iter().map(|call| &call.request);
        calls.filter(|half| half.header(":method").is_some_and(|is| is == method)).count()
    };
    assert!(count("PUT") >= 1 && count("GET") >= 1, "{:?}", store.messages());
    assert!(count("DELETE") + count("POST") >= 1, "what is erased is deleted: {:?}", store.messages());
}

/// A word that stands in the content alone.
pub fn canary() -> String {
    let random: Value = json!(crate::platform::random_key());
    format!("evidence-{}", random.as_str().unwrap().trim_end_matches('=').replace(['+', '/'], "x"))
}
