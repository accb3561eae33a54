//! The database goes away and comes back.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use mintmark_db::{DbConfig, Pool};

use crate::harness::Plane;

/// Waits until readiness is as wished; the gate looks every two seconds.
async fn ready(plane: &Plane, wished: bool) {
    for _ in 0..300 {
        if plane.context.health.ready() == wished {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("readiness did not become {wished}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_a_database_are_503_and_work_again_afterwards() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    ready(&plane, true).await;
    let elsewhere = plane.db.superuser_url().replace(plane.db.name(), "postgres");
    let pool = Pool::new(&DbConfig::new(elsewhere), &plane.context.home).unwrap();
    let database = |statement: &str| statement.replace("$db", plane.db.name());
    let away = "UPDATE pg_database SET datallowconn = false WHERE datname = '$db';
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$db'";
    pool.get().await.unwrap().batch_execute(&database(away)).await.unwrap();

    let reply = plane.get(&shop.owner, "/v1/brands").await;
    assert_eq!(reply.problem(503), "DATABASE_UNAVAILABLE");
    assert!(reply.header("retry-after").is_some());
    assert!(!reply.body.to_string().contains("pg_"), "{}", reply.body);
    ready(&plane, false).await;

    let back = "UPDATE pg_database SET datallowconn = true WHERE datname = '$db'";
    pool.get().await.unwrap().batch_execute(&database(back)).await.unwrap();
    ready(&plane, true).await;
    plane.get(&shop.owner, "/v1/brands").await.expect(200);
}
