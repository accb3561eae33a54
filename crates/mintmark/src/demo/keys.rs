//! API keys: one that may not, one that may, one that asks too often, and one that is revoked.
//!
//! It plays in a tenant of its own: what the main job asks for counts for its tenant too, and would use the limit up.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::api::{Answer, Control, text};
use crate::failure::Failure;
use crate::screen;

use super::{Stage, unexpected};

const TENANT: &str = "fjord-pop-up";
const EMAIL: &str = "kai.keys@fjord-pop-up.example";
/// What the keys ask for: it needs `admin:read`.
const USERS: &str = "/v1/admin/users";
/// Above this limit nobody wants to wait until it is reached.
const PATIENT_UP_TO: u64 = 1_000;

/// A key as the demonstration holds it.
struct Key {
    id: String,
    caller: Control,
}

/// The steps about keys and their limits.
pub async fn keys(stage: &Stage) -> Result<(), Failure> {
    let person = administrator(stage).await?;
    let narrow = make(stage, &person, json!({ "name": "Demo, exports", "scopes": ["exports:read"] })).await?;
    let wide = make(stage, &person, json!({ "name": "Demo, users", "scopes": ["admin:read"] })).await?;
    let free =
        make(stage, &person, json!({ "name": "Demo, free", "scopes": ["admin:read"], "tier": "free" }))
            .await?;

    let answer = narrow.caller.look(USERS).await?;
    let missing = answer.body["requiredScope"].as_str().unwrap_or_default().to_owned();
    expect("use an API key without the scope", &answer, StatusCode::FORBIDDEN)?;
    screen::step("use an API key without the scope", &format!("403, requiredScope {missing}"));
    expect("use an API key", &wide.caller.look(USERS).await?, StatusCode::OK)?;
    screen::step("use one that has it", "200");

    until_limited(&free).await?;
    expect("use another key of the tenant", &wide.caller.look(USERS).await?, StatusCode::OK)?;
    screen::step("another key of the tenant", "200: its tier is pro, and one key does not stop the others");

    for key in [&narrow, &wide, &free] {
        person.post(&format!("/v1/api-keys/{}/revoke", key.id), &Value::Null).await?;
    }
    expect("use a revoked key", &wide.caller.look(USERS).await?, StatusCode::UNAUTHORIZED)?;
    screen::step("revoke it, use it again", "401");
    Ok(())
}

/// The tenant and its administrator, who need not be new.
async fn administrator(stage: &Stage) -> Result<Control, Failure> {
    let operator = Control::new(&stage.control_url, &stage.control_token)?;
    let tenant = json!({ "id": TENANT, "name": "Fjord pop-up shop", "tier": "pro" });
    operator.ensure("/api/admin/tenants", &tenant).await?;
    let user = json!({ "tenantId": TENANT, "email": EMAIL, "name": "Kai Keys", "tenantAdmin": true });
    operator.ensure("/api/admin/users", &user).await?;
    let users = operator.list(&format!("/api/admin/users?tenantId={TENANT}")).await?;
    let kai = users.iter().find(|user| user["email"].as_str() == Some(EMAIL));
    let kai = kai.ok_or_else(|| Failure::new(format!("{EMAIL} was not found after it was made")))?;
    let session = operator.post("/api/admin/sessions", &json!({ "userId": text(kai, "id")? })).await?;
    Control::new(&stage.control_url, text(&session, "token")?)
}

async fn make(stage: &Stage, person: &Control, order: Value) -> Result<Key, Failure> {
    let made = person.post("/v1/api-keys", &order).await?;
    let caller = Control::new(&stage.control_url, text(&made, "key")?)?;
    Ok(Key { id: text(&made, "id")?.to_owned(), caller })
}

/// After so long without one request that was counted, none will be: on a busy machine the limiter's answer may come too
/// late for some of them, and not for all.
const UNCOUNTED_FOR: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// Uses a key until it is refused.
async fn until_limited(key: &Key) -> Result<(), Failure> {
    const STEP: &str = "a free key, again and again";
    let (mut passed, mut last) = (0, Instant::now());
    loop {
        let answer = key.caller.look(USERS).await?;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            let (reason, after) = (text(&answer.body, "reason")?, answer.header("retry-after"));
            screen::step(STEP, &format!("429 after {passed} requests ({reason}), Retry-After: {after} s"));
            return Ok(());
        }
        expect(STEP, &answer, StatusCode::OK)?;
        let Some(limit) = quota(answer.header("ratelimit-policy")) else {
            if nothing_is_limited() {
                screen::step(STEP, "200: nothing is limited (RATE_LIMIT_ENABLED=false)");
                return Ok(());
            }
            if last.elapsed() > UNCOUNTED_FOR {
                return Err(Failure::new(format!(
                    "{STEP}: no request was counted, so no limit holds: see whether the limiter is up \
                     (ratelimit.log; RATE_LIMIT_FAIL_OPEN passes requests without it); if the platform was started \
                     with RATE_LIMIT_ENABLED=false, say so here too"
                )));
            }
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        if limit > PATIENT_UP_TO {
            screen::step(STEP, &format!("200, of {} in a window", screen::count(limit)));
            return Ok(());
        }
        (passed, last) = (passed + 1, Instant::now());
        // A window may end meanwhile, once.
        if passed > 2 * limit {
            return Err(unexpected(STEP, "429", answer.status));
        }
    }
}

/// Whether whoever started this said that there are no limits: then nobody counts.
fn nothing_is_limited() -> bool {
    std::env::var("RATE_LIMIT_ENABLED").is_ok_and(|value| matches!(value.as_str(), "false" | "0"))
}

/// The first limit of `"tenant";q=100;w=60, …`.
fn quota(policy: &str) -> Option<u64> {
    let digits = policy.split(';').find_map(|part| part.trim().strip_prefix("q="))?;
    digits.parse().ok()
}

fn expect(step: &str, answer: &Answer, wanted: StatusCode) -> Result<(), Failure> {
    if answer.status == wanted {
        return Ok(());
    }
    Err(unexpected(step, wanted.as_str(), format_args!("{}, {}", answer.status, answer.body)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn quota_reads_the_first_policy() {
        assert_eq!(super::quota(r#""tenant";q=100;w=60, "key";q=100;w=60"#), Some(100));
        assert_eq!(super::quota(""), None);
    }
}
