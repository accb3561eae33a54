//! An order is placed once, over two control planes: under load, repeated, refused, and killed in the middle.

use futures::future::join_all;
use serde_json::Value;
use tokio_postgres::Client;

use crate::estate::Estate;
use crate::eventually;
use crate::shop::text;

async fn count(rows: &Client, what: &str) -> i64 {
    rows.query_one(&format!("SELECT count(*) FROM {what}"), &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_repeated_by_fifty_at_once_and_by_whom_so_ever_later_is_what_its_key_says() {
    let estate = Estate::new().await;
    let _directory = estate.directory().await;
    let planes = [estate.control(&[]).await, estate.control(&[]).await];
    let (here, there) = (&planes[0], &planes[1]);
    let shop = estate.shop(here).await;
    let order = shop.order(7);

    let asked = (0..50).map(|at| estate.order(&planes[at % 2], &shop.owner, &shop.brand, "key", &order));
    let answers = join_all(asked).await;
    for answer in &answers {
        answer.expect(202);
        assert_eq!(answer.bytes, answers[0].bytes, "every answer is the first one, byte for byte");
    }
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1, "one of them did the work");
    let rows = estate.control_rows().await;
    assert_eq!(count(&rows, "batch").await, 1);
    assert_eq!(count(&rows, "jobs WHERE kind = 'mint-batch'").await, 1);
    assert_eq!(count(&rows, "audit_entry WHERE action = 'BATCH_CREATED'").await, 1);

    // Another body: refused, wherever it is asked.
    let other = estate.order(there, &shop.owner, &shop.brand, "key", &shop.order(8)).await;
    assert_eq!(other.problem(422), "IDEMPOTENCY_KEY_REUSED");
    // Another brand and another person: orders of their own.
    let (brand, product) = estate.brand(there, &shop.owner).await;
    let mut elsewhere = order.clone();
    elsewhere["productId"] = product.into();
    let colleague = estate.person(there, &shop.tenant, false).await;
    let membership = estate.role(there, &colleague, &shop.brand, "admin").await;
    let second = estate.order(here, &shop.owner, &brand, "key", &elsewhere).await;
    let third = estate.order(there, &colleague, &shop.brand, "key", &order).await;
    assert!(!second.replayed && !third.replayed);
    let ids = [answers[0].json(), second.expect(202), third.expect(202)].map(|view| text(&view, "id"));
    assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
    assert_eq!(count(&rows, "batch").await, 3);

    // After completion: the answer of then.
    estate.until(here, &shop, &ids[0], "sealed").await;
    let again = estate.order(there, &shop.owner, &shop.brand, "key", &order).await;
    assert!(again.replayed);
    assert_eq!((again.status, &again.bytes), (202, &answers[0].bytes));

    // The right comes before the replay: without it nobody learns that there was an order.
    let path = format!("/api/admin/memberships/{membership}");
    let gone = estate.admin(there, "DELETE", &path, Value::Null).await;
    assert!(gone.status < 300, "{:#}", gone.json());
    let refused = estate.order(here, &colleague, &shop.brand, "key", &order).await;
    assert_eq!(refused.problem(403), "FORBIDDEN");
    let stranger = estate.shop(here).await;
    let hidden = estate.order(here, &stranger.owner, &shop.brand, "key", &order).await;
    assert_eq!(hidden.problem(404), "NOT_FOUND");
    estate.role(there, &colleague, &shop.brand, "admin").await;
    let back = estate.order(here, &colleague, &shop.brand, "key", &order).await;
    assert_eq!((back.replayed, &back.bytes), (true, &third.bytes));
    assert_eq!(count(&rows, "batch").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_control_plane_is_killed_between_claim_and_commit_never_was() {
    let estate = Estate::new().await;
    let no_workers = [("JOB_WORKERS", "0")];
    let (here, there) = (estate.control(&no_workers).await, estate.control(&no_workers).await);
    let shop = estate.shop(&here).await;
    let order = shop.order(7);
    let mut superuser = estate.control_rows().await;
    // The claim is written first; the serials, which somebody holds, come after it.
    let held = superuser.transaction().await.unwrap();
    held.execute("SELECT FROM product FOR UPDATE", &[]).await.unwrap();

    let request = estate.http.post(format!("{}/v1/brands/{}/batches", here.base, shop.brand));
    let request = request.bearer_auth(&shop.owner.session).header("Idempotency-Key", "key").json(&order);
    let asked = tokio::spawn(request.send());
    let watch = estate.control_rows().await;
    eventually("the order waits with its claim", async || {
        let waits = "pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'control_app' AND datname = current_database()";
        (count(&watch, waits).await == 1).then_some(())
    })
    .await;
    here.kill().await;
    assert!(asked.await.unwrap().is_err(), "nobody was told anything");

    // Postgres learns of the death when the statement is over; until then the key is held, and that is said.
    let meanwhile = estate.order(&there, &shop.owner, &shop.brand, "key", &order).await;
    assert_eq!(meanwhile.problem(409), "IDEMPOTENCY_IN_PROGRESS");
    held.rollback().await.unwrap();
    let answer = eventually("the claim is gone", async || {
        let answer = estate.order(&there, &shop.owner, &shop.brand, "key", &order).await;
        (answer.status != 409).then_some(answer)
    })
    .await;
    let view = answer.expect(202);
    assert!(!answer.replayed, "the order of the dead left no answer");
    assert_eq!(
        (view["firstSerial"].as_u64(), count(&watch, "batch").await),
        (Some(1), 1),
        "and took nothing"
    );
    let again = estate.order(&there, &shop.owner, &shop.brand, "key", &order).await;
    assert_eq!((again.replayed, again.bytes), (true, answer.bytes));
}
