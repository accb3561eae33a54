//! `/v1/disputes`: who opens, sees and decides them.

use serde_json::{Value, json};

use crate::harness::{Person, Plane, next, text};
use crate::stage::count;

/// A person of a tenant with these roles for evidence.
pub async fn person(plane: &Plane, tenant: &str, roles: &[&str]) -> Person {
    let person = plane.person(tenant, false).await;
    for role in roles {
        let grant = json!({ "userId": person.id, "role": role });
        plane.admin("POST", "/api/admin/memberships", grant).await.expect(201);
    }
    person
}

/// Opens a dispute: its id.
pub async fn open(plane: &Plane, who: &Person) -> String {
    let (key, body) = (format!("key-{}", next()), json!({ "reference": "CASE-1" }));
    let headers = [("Idempotency-Key", key.as_str())];
    let made =
        plane.send("POST", "/v1/disputes", Some(&who.session), &headers, Some(&body)).await.expect(201);
    text(&made, "id").to_owned()
}

/// Decides a dispute.
pub async fn close(plane: &Plane, who: &Person, id: &str) -> Value {
    let path = format!("/v1/disputes/{id}/close");
    plane.as_person(who, "POST", &path, json!({ "outcome": "upheld" })).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn open_and_close_are_for_their_roles_and_in_the_audit() {
    let plane = Plane::start().await;
    let tenant = plane.tenant().await;
    let user = person(&plane, &tenant, &["USER"]).await;
    let arbitrator = person(&plane, &tenant, &["ARBITRATOR"]).await;
    let nobody = plane.person(&tenant, true).await;
    let id = open(&plane, &user).await;

    let seen = plane.get(&arbitrator, &format!("/v1/disputes/{id}")).await.expect(200);
    assert_eq!((text(&seen, "state"), text(&seen, "reference")), ("open", "CASE-1"));
    assert_eq!(text(&seen, "openedBy"), format!("user:{}", user.id));

    // An administrator of the tenant has no role for evidence by that.
    let refused = plane.get(&nobody, &format!("/v1/disputes/{id}")).await;
    assert_eq!(refused.problem(403), "FORBIDDEN");
    assert_eq!(refused.body["requiredRole"], "USER");
    let path = format!("/v1/disputes/{id}/close");
    let refused = plane.as_person(&user, "POST", &path, json!({ "outcome": "upheld" })).await;
    assert_eq!(refused.problem(403), "FORBIDDEN");
    assert_eq!(
        (&refused.body["requiredRole"], &refused.body["grantedRoles"]),
        (&json!("ARBITRATOR"), &json!(["USER"]))
    );
    let odd = plane.as_person(&arbitrator, "POST", &path, json!({ "outcome": "postponed" })).await;
    assert_eq!(odd.problem(400), "OUTCOME_INVALID");

    let closed = close(&plane, &arbitrator, &id).await;
    assert_eq!((text(&closed, "state"), text(&closed, "outcome")), ("closed", "upheld"));
    assert_eq!(text(&closed, "closedBy"), format!("user:{}", arbitrator.id));
    let again = plane.as_person(&arbitrator, "POST", &path, json!({ "outcome": "rejected" })).await;
    assert_eq!(again.problem(409), "DISPUTE_CLOSED");

    for (state, found) in [("open", 0), ("closed", 1)] {
        let list = plane.get(&user, &format!("/v1/disputes?state={state}")).await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), found, "{state}");
    }
    for (action, entries) in [("DISPUTE_OPENED", 1), ("DISPUTE_CLOSED", 1), ("ACCESS_REFUSED", 2)] {
        let query = format!(
            "SELECT count(*) AS n FROM audit_entry WHERE tenant_id = '{tenant}' AND action = '{action}'"
        );
        assert_eq!(count(&plane, &query).await, entries, "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dispute_of_another_tenant_does_not_exist() {
    let plane = Plane::start().await;
    let owner = person(&plane, &plane.tenant().await, &["GOVERNANCE"]).await;
    let stranger = person(&plane, &plane.tenant().await, &["GOVERNANCE"]).await;
    let id = open(&plane, &owner).await;
    assert_eq!(plane.get(&stranger, &format!("/v1/disputes/{id}")).await.problem(404), "NOT_FOUND");
    let path = format!("/v1/disputes/{id}/close");
    let refused = plane.as_person(&stranger, "POST", &path, json!({ "outcome": "upheld" })).await;
    assert_eq!(refused.problem(404), "NOT_FOUND");
    let list = plane.get(&stranger, "/v1/disputes").await.expect(200);
    assert_eq!(list["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn open_under_the_same_key_gives_the_first_dispute() {
    let plane = Plane::start().await;
    let user = person(&plane, &plane.tenant().await, &["USER"]).await;
    let send = async |key: Option<&str>, reference: &str| {
        let headers: Vec<_> = key.map(|key| ("Idempotency-Key", key)).into_iter().collect();
        let body = json!({ "reference": reference });
        plane.send("POST", "/v1/disputes", Some(&user.session), &headers, Some(&body)).await
    };
    assert_eq!(send(None, "A").await.problem(400), "IDEMPOTENCY_KEY_REQUIRED");
    let first = send(Some("k"), "A").await;
    let again = send(Some("k"), "A").await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.expect(201), again.expect(201));
    assert_eq!(send(Some("k"), "B").await.problem(422), "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(send(Some("l"), "").await.problem(400), "TEXT_LENGTH");
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_dispute_is_not_opened_again_behind_the_service() {
    let plane = Plane::start().await;
    let governor = person(&plane, &plane.tenant().await, &["GOVERNANCE"]).await;
    let id = open(&plane, &governor).await;
    close(&plane, &governor, &id).await;
    let pool =
        mintmark_db::Pool::new(&mintmark_db::DbConfig::new(plane.db.url("control_app")), &plane.context.home);
    let mut conn = pool.unwrap().get().await.unwrap();
    for statement in [
        "UPDATE dispute SET closed_at = NULL, closed_by = NULL, outcome = NULL",
        "UPDATE dispute SET opened_by = 'user:x'",
        "DELETE FROM dispute",
        "UPDATE evidence_ref SET uploaded_by = 'user:x'",
        "DELETE FROM evidence_ref",
    ] {
        use diesel_async::SimpleAsyncConnection as _;
        assert!(conn.batch_execute(statement).await.is_err(), "{statement}");
    }
}
