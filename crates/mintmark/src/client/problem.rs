//! What an answer that is no success means to a person and to a script.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::{Map, Value};

use crate::exit::Exit;
use crate::failure::Failure;

/// Members of a problem document that stand elsewhere in ours.
const KNOWN: [&str; 6] = ["type", "title", "status", "code", "detail", "requestId"];

/// When an answer asks to be called again.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// The failure behind a status, with what its problem document says. `holder` says whose credential was shown.
pub fn refused(status: StatusCode, headers: &HeaderMap, body: &[u8], holder: &str) -> Failure {
    let document: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = |name: &str| document[name].as_str().map(ToOwned::to_owned);
    let wait = retry_after(headers);
    let request_id =
        text("requestId").or_else(|| Some(headers.get("x-request-id")?.to_str().ok()?.to_owned()));
    let mut sentence = text("detail").unwrap_or_else(|| {
        format!(
            "the answer was {status}, without a reason that we can read: is this the address of the platform?"
        )
    });
    if let Some(field) = text("field").filter(|field| !sentence.contains(field.as_str())) {
        sentence = format!("{field}: {sentence}");
    }
    let members: Map<String, Value> = document
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !KNOWN.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let code = text("code").unwrap_or_else(|| format!("HTTP_{}", status.as_u16()));
    let failure = Failure::new(sentence).ending(exit(status)).coded(code);
    let failure = match hint(status, &document, wait, holder) {
        Some(hint) => failure.hinting(hint),
        None => failure,
    };
    failure.answered(status.as_u16(), request_id, wait, members)
}

fn exit(status: StatusCode) -> Exit {
    match status {
        StatusCode::UNAUTHORIZED => Exit::Unauthenticated,
        StatusCode::FORBIDDEN => Exit::Forbidden,
        StatusCode::NOT_FOUND => Exit::NotFound,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Exit::Away,
        status if status.is_client_error() => Exit::Refused,
        _ => Exit::Away,
    }
}

fn hint(status: StatusCode, document: &Value, wait: Option<Duration>, holder: &str) -> Option<String> {
    let seconds = |wait: Duration| format!("Try again in {} s.", wait.as_secs());
    match status {
        StatusCode::UNAUTHORIZED => Some(format!(
            "The {holder} was not accepted: it ran out, was taken away, or belongs to another platform. \
             `mintmark session` says which one is used; `mintmark login` gets a new session."
        )),
        StatusCode::FORBIDDEN => forbidden(document, holder),
        StatusCode::NOT_FOUND => {
            Some(format!("It does not exist, or it belongs to a tenant that the {holder} is not of."))
        }
        StatusCode::TOO_MANY_REQUESTS => wait.map(seconds),
        status if status.is_server_error() => {
            Some(wait.map_or_else(|| "Try again; if it stays so, report the request id.".to_owned(), seconds))
        }
        _ => None,
    }
}

/// Who can help: what a refusal lacks is given by different people. A refusal with another reason says it itself.
fn forbidden(document: &Value, holder: &str) -> Option<String> {
    if let Some(scope) = document["requiredScope"].as_str() {
        return Some(format!("The {holder} lacks the scope {scope}."));
    }
    let role = document["requiredRole"].as_str()?;
    let ask = match role {
        "USER" => "a tenant administrator gives it (`mintmark user grant PERSON USER`)".to_owned(),
        "ARBITRATOR" | "GOVERNANCE" => {
            format!("the platform's operator gives it (`mintmark user grant PERSON {role} --tenant TENANT`)")
        }
        "tenantAdmin" => return Some(format!("The {holder} is no tenant administrator's: ask one.")),
        _ => "ask an owner or administrator of the brand for it".to_owned(),
    };
    Some(format!("The {holder} lacks the role {role}: {ask}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16, body: &str) -> Failure {
        let status = StatusCode::from_u16(status).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7".parse().unwrap());
        refused(status, &headers, body.as_bytes(), "session")
    }

    #[test]
    fn refused_gives_each_status_its_exit() {
        for (status, exit) in [
            (400, Exit::Refused),
            (401, Exit::Unauthenticated),
            (403, Exit::Forbidden),
            (404, Exit::NotFound),
            (409, Exit::Refused),
            (410, Exit::Refused),
            (422, Exit::Refused),
            (429, Exit::Away),
            (500, Exit::Away),
            (503, Exit::Away),
            (302, Exit::Away),
        ] {
            assert_eq!(problem(status, "{}").exit(), exit, "{status}");
        }
    }

    #[test]
    fn refused_carries_what_the_document_says() {
        let body = r#"{"code":"MISSING_SCOPE","detail":"no","requestId":"r1","requiredScope":"admin:read","title":"x"}"#;
        let said = problem(403, body).document();
        assert_eq!(said["error"]["code"], "MISSING_SCOPE");
        assert_eq!(said["error"]["requestId"], "r1");
        assert_eq!(said["error"]["retryAfterSecs"], 7);
        assert_eq!(said["error"]["members"], serde_json::json!({ "requiredScope": "admin:read" }));
        assert!(said["error"]["hint"].as_str().unwrap().contains("admin:read"), "{said}");
    }

    #[test]
    fn refused_for_a_role_says_who_gives_it() {
        for (role, giver) in [
            ("USER", "mintmark user grant PERSON USER"),
            ("ARBITRATOR", "operator"),
            ("GOVERNANCE", "user grant PERSON GOVERNANCE --tenant TENANT"),
            ("admin", "lacks the role admin: ask an owner"),
            ("tenantAdmin", "tenant administrator"),
        ] {
            let body = serde_json::json!({ "code": "FORBIDDEN", "detail": "no", "requiredRole": role });
            let said = problem(403, &body.to_string()).document();
            assert!(said["error"]["hint"].as_str().unwrap().contains(giver), "{role}: {said}");
        }
        let closed = problem(403, r#"{"code":"DISPUTE_CLOSED","detail":"the dispute is closed"}"#).document();
        assert!(closed["error"].get("hint").is_none(), "no role helps: {closed}");
    }

    #[test]
    fn refused_reads_an_answer_that_is_no_document() {
        let said = problem(502, "<html>bad gateway</html>");
        assert_eq!(said.code(), "HTTP_502");
        assert!(said.to_string().contains("502"), "{said}");
    }
}
