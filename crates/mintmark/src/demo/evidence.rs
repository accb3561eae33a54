//! Evidence in a dispute: uploaded, refused, read, held, released, erased; and the proof of it, checked without the platform.
//!
//! It plays in a tenant whose evidence is due for erasure at once, which development alone allows.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::api::{Control, text};
use crate::audit::{Given, check};
use crate::failure::Failure;
use crate::home::{Home, random_password, write_private};
use crate::screen;
use crate::up::evidence::DEMO_TENANT as TENANT;

use super::{Stage, unexpected};

/// What somebody photographed.
const PHOTO: &[u8] = include_bytes!("../../demo/espresso.png");

/// A job of seconds: what takes longer has gone wrong.
const WITHIN: Duration = Duration::from_secs(60);

/// Who takes part.
struct Cast {
    operator: Control,
    /// Uploads, and administers the tenant.
    user: Control,
    arbitrator: Control,
    governance: Control,
}

/// The steps about evidence.
pub async fn evidence(home: &Home, stage: &Stage) -> Result<(), Failure> {
    let cast = cast(stage).await?;
    let once = random_password()?;
    let reference = json!({ "reference": format!("DEMO-{}", &once[..8]) });
    let dispute = cast.user.post_once("/v1/disputes", &once, &reference).await?;
    let dispute = text(&dispute, "id")?;
    screen::step("open a dispute", dispute);

    let upload = format!("/v1/evidence?dispute={dispute}");
    let record = cast.user.post_file(&upload, &once, "image/png", PHOTO).await?;
    let record = text(&record, "id")?.to_owned();
    screen::step("upload evidence", &format!("{record}, {} encrypted", screen::bytes(PHOTO.len() as u64)));

    let content = format!("/v1/evidence/{record}/content");
    expect(&cast.user, "read it as USER", &content, StatusCode::FORBIDDEN).await?;
    screen::step("read it as USER", "403, refused");
    if cast.arbitrator.file(&content).await? != PHOTO {
        return Err(unexpected("read it as ARBITRATOR", "what was uploaded", "something else"));
    }
    screen::step("read it as ARBITRATOR", "the same bytes");

    hold(&cast, &record).await?;
    let proof = shred(&cast, &record).await?;
    prove(home, stage, &cast, &record, &proof).await
}

/// The tenant and its people, who need not be new.
async fn cast(stage: &Stage) -> Result<Cast, Failure> {
    let operator = Control::new(&stage.control_url, &stage.control_token)?;
    let tenant = json!({ "id": TENANT, "name": "Fjord claims", "tier": "pro" });
    operator.ensure("/api/admin/tenants", &tenant).await?;
    let user = person(stage, &operator, "Una User", "USER").await?;
    let arbitrator = person(stage, &operator, "Arne Arbitrator", "ARBITRATOR").await?;
    let governance = person(stage, &operator, "Gro Governance", "GOVERNANCE").await?;
    Ok(Cast { operator, user, arbitrator, governance })
}

async fn person(stage: &Stage, operator: &Control, name: &str, role: &str) -> Result<Control, Failure> {
    let email = format!("{}@{TENANT}.example", role.to_lowercase());
    let user = json!({ "tenantId": TENANT, "email": email, "name": name, "tenantAdmin": role == "USER" });
    operator.ensure("/api/admin/users", &user).await?;
    let users = operator.list(&format!("/api/admin/users?tenantId={TENANT}")).await?;
    let found = users.iter().find(|user| user["email"].as_str() == Some(&email));
    let id =
        text(found.ok_or_else(|| Failure::new(format!("{email} was not found after it was made")))?, "id")?;
    operator.ensure("/api/admin/memberships", &json!({ "userId": id, "role": role })).await?;
    let session = operator.post("/api/admin/sessions", &json!({ "userId": id })).await?;
    Control::new(&stage.control_url, text(&session, "token")?)
}

/// Evidence that is due and held is not erased.
async fn hold(cast: &Cast, record: &str) -> Result<(), Failure> {
    let path = format!("/v1/evidence/{record}/legal-hold");
    cast.governance.put(&path, &json!({ "legalHold": true })).await?;
    retention(cast).await?;
    let held = cast.governance.get(&format!("/v1/evidence/{record}")).await?;
    if held["state"] != "stored" || held["legalHold"] != true {
        return Err(unexpected("hold it, run the retention", "a stored record", &held));
    }
    screen::step("hold it, run the retention", "it is due, and stays");
    cast.governance.put(&path, &json!({ "legalHold": false })).await?;
    screen::step("release it", "held no more");
    Ok(())
}

/// Runs the retention, which erases it, and gives the answer that proves it.
async fn shred(cast: &Cast, record: &str) -> Result<Value, Failure> {
    const STEP: &str = "run the retention";
    retention(cast).await?;
    let erased = cast.governance.get(&format!("/v1/evidence/{record}")).await?;
    if erased["state"] != "shredded" {
        return Err(unexpected(STEP, "a shredded record", &erased));
    }
    expect(&cast.arbitrator, STEP, &format!("/v1/evidence/{record}/content"), StatusCode::GONE).await?;
    screen::step(STEP, "erased; reading it answers 410");
    cast.governance.get(&format!("/v1/admin/erasure-proof/{record}")).await
}

/// Has what is due erased now, as an operator, and waits until that is done.
async fn retention(cast: &Cast) -> Result<(), Failure> {
    let operations = format!("/api/admin/tenants/{TENANT}/evidence/operations");
    let started = cast.operator.post(&operations, &json!({ "kind": "retention" })).await?;
    let path = format!("{operations}/{}", text(&started, "id")?);
    let done = wait("run the retention", async || {
        let operation = cast.operator.get(&path).await?;
        Ok((!matches!(operation["state"].as_str(), Some("queued" | "running"))).then_some(operation))
    })
    .await?;
    if done["state"] == "succeeded" {
        Ok(())
    } else {
        Err(unexpected("run the retention", "succeeded", &done))
    }
}

/// Fetches everything that somebody outside needs, and checks it with nothing else.
async fn prove(home: &Home, stage: &Stage, cast: &Cast, record: &str, proof: &Value) -> Result<(), Failure> {
    let put = |name: &str, bytes: &[u8]| {
        let path = home.path(name);
        write_private(&path, bytes).map(|()| path)
    };
    let erasure = put("demo-erasure-proof.json", proof.to_string().as_bytes())?;
    let assurance = text(proof, "assurance")?;
    let jwt = text(proof, "proof")?;
    screen::step("its proof", &format!("PS256, {} characters, assurance {assurance}", jwt.len()));

    let entries = format!("/v1/admin/evidence-audit?action=EVIDENCE_SHREDDED&resourceId={record}");
    let entry = cast.user.list(&entries).await?;
    let entry = entry.first().ok_or_else(|| Failure::new("the audit has no entry of the erasure"))?;
    let entry = format!("/v1/admin/evidence-audit/{}/proof", text(entry, "id")?);
    // A signed checkpoint covers it within about a second.
    wait("the audit entry of the erasure", async || {
        Ok((cast.user.look(&entry).await?.status != StatusCode::CONFLICT).then_some(()))
    })
    .await?;
    let inclusion = put("demo-audit-entry.json", &cast.user.file(&entry).await?)?;

    let log = put("demo-audit-log.ndjson", &export(cast).await?)?;
    let jwks = [
        put(
            "service-keys.json",
            &cast.user.file(&format!("{}/.well-known/jwks.json", stage.control_url)).await?,
        )?,
        put(
            "evidence-keys.json",
            &cast.user.file(&format!("{}/.well-known/evidence-keys.json", stage.control_url)).await?,
        )?,
    ];
    let keys = cast.user.file(&format!("{}/.well-known/audit-keys.txt", stage.control_url)).await?;
    let keys = put("audit-keys-published.txt", &keys)?;
    let files: Vec<PathBuf> = vec![log, inclusion, erasure];
    let outcomes = check(&files, &Given { keys: &keys, jwks: &jwks, kept: &[] })?;
    if !outcomes.holds {
        return Err(unexpected("verify it offline", "that everything holds", outcomes.table()));
    }
    screen::step("verify log and proofs offline", "they hold, by public keys alone:");
    outcomes.files.iter().flat_map(|file| &file.found).for_each(|found| screen::line(found));
    Ok(())
}

/// The tenant's audit log as a file.
async fn export(cast: &Cast) -> Result<Vec<u8>, Failure> {
    const STEP: &str = "export the audit log";
    let asked = cast.user.post("/v1/admin/audit-exports", &json!({})).await?;
    let path = format!("/v1/admin/audit-exports/{}", text(&asked, "id")?);
    let ready = wait(STEP, async || {
        let export = cast.user.get(&path).await?;
        Ok((export["state"] != "queued").then_some(export))
    })
    .await?;
    if ready["state"] != "ready" {
        return Err(unexpected(STEP, "a ready export", &ready));
    }
    screen::step(STEP, &format!("{} entries of two services", ready["entries"]));
    let download = cast.user.get(&format!("{path}/download")).await?;
    cast.user.file(text(&download, "url")?).await
}

/// Asks again until there is an answer, within a bound.
async fn wait<T>(step: &str, mut ask: impl AsyncFnMut() -> Result<Option<T>, Failure>) -> Result<T, Failure> {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if started.elapsed() > WITHIN {
            return Err(unexpected(step, "an end", "none within a minute"));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn expect(who: &Control, step: &str, path: &str, wanted: StatusCode) -> Result<(), Failure> {
    let answer = who.look(path).await?;
    if answer.status == wanted {
        return Ok(());
    }
    Err(unexpected(step, wanted.as_str(), format_args!("{}, {}", answer.status, answer.body)))
}
