//! Products and their changes, each told to the directory by a job of the same transaction.

use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use mintmark_db::{DbConfig, Pool};
use serde_json::{Value, json};

use crate::harness::{Plane, gtin, text};

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

async fn sync_jobs(plane: &Plane) -> i64 {
    let pool = Pool::new(&DbConfig::new(plane.db.owner_url()), &plane.context.home).unwrap();
    let sql = "SELECT count(*) AS count FROM jobs WHERE kind = 'sync-product'";
    let row: Count = diesel::sql_query(sql).get_result(&mut pool.get().await.unwrap()).await.unwrap();
    row.count
}

#[tokio::test(flavor = "multi_thread")]
async fn product_create_pads_the_gtin_and_tells_the_directory() {
    let plane = Plane::start().await;
    let admin = plane.person(&plane.tenant().await, true).await;
    let brand = plane.brand(&admin).await;
    let new = json!({
        "brandId": brand, "gtin": "9506000134352", "name": "Gin",
        "destinationTemplate": "https://brand.example/{gtin}/{serial}?b={batch}",
    });
    let made = plane.as_person(&admin, "POST", "/v1/products", new).await;
    let location = made.header("location").unwrap().to_owned();
    let made = made.expect(201);
    assert_eq!((text(&made, "gtin"), &made["version"]), ("09506000134352", &json!(1)));
    assert_eq!(plane.get(&admin, &location).await.expect(200), made);
    assert_eq!(sync_jobs(&plane).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn product_change_counts_the_version_up_and_tells_the_directory() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let path = format!("/v1/products/{}", shop.product);
    let change = async |body: Value| plane.as_person(&shop.owner, "PATCH", &path, body).await.expect(200);

    let changed = change(json!({ "destinationTemplate": "https://brand.example/" })).await;
    assert_eq!(
        (&changed["version"], text(&changed, "destinationTemplate")),
        (&json!(2), "https://brand.example/")
    );
    let changed = change(json!({ "name": "Rum" })).await;
    assert_eq!(
        (text(&changed, "name"), text(&changed, "destinationTemplate")),
        ("Rum", "https://brand.example/")
    );
    let changed = change(json!({ "destinationTemplate": null })).await;
    assert_eq!((&changed["version"], changed.get("destinationTemplate")), (&json!(4), None));
    assert_eq!(sync_jobs(&plane).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn product_refused_tells_nobody() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let gtin = gtin();
    let new = json!({ "brandId": shop.brand, "gtin": gtin, "name": "P" });
    plane.as_person(&shop.owner, "POST", "/v1/products", new.clone()).await.expect(201);
    plane.as_person(&shop.owner, "POST", "/v1/products", new).await.problem(409);
    assert_eq!(sync_jobs(&plane).await, 2);
}
