//! Keys that are looked up alone and together, and what is remembered of them.

use std::sync::Arc;

use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use futures::future::join_all;
use mintmark_auth::{IssuedKey, KeyEnvironment, PresentedKey};
use mintmark_control_plane::http::routes;
use mintmark_control_plane::store::key_leases::RUN_OUT;
use mintmark_control_plane::store::presented_keys::{KeyFinder, Presented};
use mintmark_db::{DbConfig, Pool};
use serde_json::json;

use crate::harness::{Plane, text};

#[tokio::test(flavor = "multi_thread")]
async fn find_of_one_key_and_of_several_at_once_gives_each_its_own_and_no_revoked_one() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let mut made = Vec::new();
    for name in ["One", "Two", "Three"] {
        let body = json!({ "name": name, "scopes": ["admin:read"] });
        made.push(plane.as_person(&shop.owner, "POST", "/v1/api-keys", body).await.expect(201));
    }
    let keys: Vec<PresentedKey> =
        made.iter().map(|made| PresentedKey::parse(text(made, "key")).unwrap()).collect();
    let pool = Pool::new(&DbConfig::new(plane.db.url("control_app")), &plane.context.home).unwrap();
    // One that remembers nothing yet.
    let finder = || KeyFinder::new(pool.clone(), plane.context.home.clone());
    let alone = async || {
        let (finder, mut found) = (finder(), Vec::new());
        for key in &keys {
            found.push(finder.find(key, KeyEnvironment::Test).await.unwrap());
        }
        found
    };
    // The first goes out at once; those that come meanwhile go together.
    let together = async || {
        let finder = finder();
        let found = join_all(keys.iter().chain(&keys).map(|key| finder.find(key, KeyEnvironment::Test)));
        found.await.into_iter().map(Result::unwrap).collect::<Vec<_>>()
    };
    let own = |found: Vec<Option<Arc<Presented>>>| -> Vec<Option<bool>> {
        let is_its_own = |(key, found): (&PresentedKey, Option<Arc<Presented>>)| {
            found.map(|found| key.verify(Some(&found.digest)).is_some())
        };
        keys.iter().cycle().zip(found).map(is_its_own).collect()
    };

    assert_eq!(own(alone().await), vec![Some(true); 3]);
    assert_eq!(own(together().await), vec![Some(true); 6]);

    let revoke = format!("/v1/api-keys/{}/revoke", text(&made[1], "id"));
    plane.as_person(&shop.owner, "POST", &revoke, json!(null)).await.expect(200);
    let without = [Some(true), None, Some(true)];
    assert_eq!(own(alone().await), without);
    assert_eq!(own(together().await), [without, without].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn find_of_a_key_in_use_seldom_asks_the_database() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let body = json!({ "name": "Busy", "scopes": ["admin:read"] });
    let made = plane.as_person(&shop.owner, "POST", "/v1/api-keys", body).await.expect(201);
    let key = PresentedKey::parse(text(&made, "key")).unwrap();
    let mut config = DbConfig::new(plane.db.url("control_app"));
    config.max_connections = 1;
    let pool = Pool::new(&config, &plane.context.home).unwrap();
    let finder = KeyFinder::new(pool.clone(), plane.context.home.clone());
    let mut notes = 0;
    for _ in 0..2_000 {
        let found = finder.find(&key, KeyEnvironment::Test).await.unwrap().unwrap();
        notes += i32::from(found.use_is_to_be_noted);
    }
    let question = "SELECT sum(generic_plans)::bigint AS kept, sum(custom_plans)::bigint AS anew
                    FROM pg_prepared_statements WHERE statement LIKE 'SELECT \"api_key\"%'";
    let mut conn = pool.get().await.unwrap();
    let plans: Plans = diesel::sql_query(question).get_result(&mut conn).await.unwrap();
    let asked = plans.kept + plans.anew;
    assert!((1..1_000).contains(&asked), "{asked} questions for 2,000 requests");
    assert_eq!(i64::from(notes), asked, "only what the database said is noted");
}

/// What takes rights away answers when nothing that was found before is believed any more.
#[test]
fn routes_that_take_rights_away_answer_after_the_leases() {
    const GIVE_OR_LEAVE: [&str; 8] = [
        "POST /v1/admin/audit-exports",
        "POST /v1/api-keys",
        "POST /v1/admin/failed-events/{eventId}/replay",
        "POST /v1/admin/users/{userId}/roles",
        "POST /v1/admin/users/{userId}/impersonate",
        "POST /api/admin/memberships",
        "POST /api/admin/tenants",
        "POST /api/admin/users",
    ];
    let of_people_and_keys =
        ["/v1/api-keys", "/v1/admin/", "/api/admin/memberships", "/api/admin/tenants", "/api/admin/users"];
    let mut taking = 0;
    for route in routes() {
        let (method, path) = (route.method().as_str(), route.template());
        let of_them = of_people_and_keys.iter().any(|prefix| path.starts_with(prefix));
        if method == "GET" || !of_them || path.contains("/evidence/") {
            assert_eq!(route.held_back(), None, "{method} {path}");
            continue;
        }
        let takes = !GIVE_OR_LEAVE.contains(&format!("{method} {path}").as_str());
        taking += usize::from(takes);
        assert_eq!(route.held_back(), takes.then_some(RUN_OUT), "{method} {path}");
    }
    assert_eq!(taking, 7);
}

#[derive(QueryableByName)]
struct Plans {
    #[diesel(sql_type = BigInt)]
    kept: i64,
    #[diesel(sql_type = BigInt)]
    anew: i64,
}

/// A plan takes ten times as long as the look-up itself.
#[tokio::test(flavor = "multi_thread")]
async fn find_of_one_key_or_several_at_once_is_not_planned_anew_each_time() {
    let plane = Plane::start().await;
    // In tables of a few rows any plan is cheap.
    plane
        .sql(
            "INSERT INTO tenant (id, listing_id, name) SELECT 'crowd-' || i, gen_random_uuid(), 'Crowd'
             FROM generate_series(1, 100) i;
             INSERT INTO app_user (id, tenant_id, email, name)
             SELECT gen_random_uuid(), 'crowd-' || 1 + i % 100, i || '@example.com', 'One of them' FROM generate_series(1, 2000) i;
             INSERT INTO api_key (id, tenant_id, creator_id, name, environment, digest, scopes, tier)
             SELECT id, tenant_id, id, 'Theirs', 'test', sha256(id::text::bytea), ARRAY['public'], 'free' FROM app_user
             WHERE tenant_id LIKE 'crowd-%';
             ANALYZE",
        )
        .await;
    let mut config = DbConfig::new(plane.db.url("control_app"));
    // The statements of this one connection are those of the finder.
    config.max_connections = 1;
    let pool = Pool::new(&config, &plane.context.home).unwrap();
    let finder = KeyFinder::new(pool.clone(), plane.context.home.clone());
    let keys: Vec<PresentedKey> = (0..4)
        .map(|_| PresentedKey::parse(IssuedKey::generate(KeyEnvironment::Test).expose()).unwrap())
        .collect();

    let question = "SELECT sum(generic_plans)::bigint AS kept, sum(custom_plans)::bigint AS anew
                    FROM pg_prepared_statements WHERE statement LIKE 'SELECT \"api_key\"%= ANY(%'";
    for _ in 0..40 {
        assert!(finder.find(&keys[0], KeyEnvironment::Test).await.unwrap().is_none());
        for found in join_all(keys.iter().map(|key| finder.find(key, KeyEnvironment::Test))).await {
            assert!(found.unwrap().is_none());
        }
    }
    let mut conn = pool.get().await.unwrap();
    let plans: Plans = diesel::sql_query(question).get_result(&mut conn).await.unwrap();
    // The server always makes the first five anew, to compare.
    assert_eq!(plans.anew, 5, "and {} by the plan that it kept", plans.kept);
    assert!(plans.kept >= 40, "{}", plans.kept);
}
