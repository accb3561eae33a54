//! LISTEN.

use mintmark_db::{DbConfig, Listener};
use tokio::runtime::Handle;

use crate::{as_superuser, fresh, run};

#[tokio::test]
async fn listener_hears_and_ends_with_its_connection() {
    let (db, pool) = fresh().await;
    let config = DbConfig::new(db.owner_url());
    let mut listener = Listener::connect(&config, &Handle::current(), "news").await.unwrap();
    run(&mut pool.get().await.unwrap(), "SELECT pg_notify('news', 'hello')").await.unwrap();
    let heard = listener.next().await.unwrap();
    assert_eq!((heard.channel.as_str(), heard.payload.as_str()), ("news", "hello"));
    as_superuser(
        &db,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .await;
    assert!(listener.next().await.is_none());
}

#[tokio::test]
async fn listener_on_an_odd_channel_is_refused() {
    let (db, _pool) = fresh().await;
    let config = DbConfig::new(db.owner_url());
    assert!(Listener::connect(&config, &Handle::current(), "a; DROP TABLE b").await.is_err());
}
