//! Keys that are looked up alone and together: two statements, one truth.

use futures::future::join_all;
use mintmark_auth::{KeyEnvironment, PresentedKey};
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
    let finder = KeyFinder::new(pool, plane.context.home.clone());
    let alone = async || {
        let mut found = Vec::new();
        for key in &keys {
            found.push(finder.find(key, KeyEnvironment::Test).await.unwrap());
        }
        found
    };
    // The first goes out at once; those that come meanwhile go together.
    let together = async || {
        let found = join_all(keys.iter().chain(&keys).map(|key| finder.find(key, KeyEnvironment::Test)));
        found.await.into_iter().map(Result::unwrap).collect::<Vec<_>>()
    };
    let own = |found: Vec<Option<Presented>>| -> Vec<Option<bool>> {
        let is_its_own = |(key, found): (&PresentedKey, Option<Presented>)| {
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
