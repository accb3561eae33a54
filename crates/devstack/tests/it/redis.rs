//! Redis as the launcher and the tests of the rate limiter use it.

use mintmark_devstack::redis::{RedisCluster, RedisGroup, RedisServer};

use crate::{alive, eventually};

#[tokio::test]
async fn server_on_a_socket_answers_there_and_goes_with_its_folder() {
    let server = RedisServer::start_on_socket().await.unwrap();
    let (pid, folder) = (server.pid(), server.folder().to_owned());
    assert_eq!(server.ask(&["SET", "a", "1"]).await.unwrap(), "+OK");
    assert_eq!(server.ask(&["GET", "a"]).await.unwrap(), "1");
    assert_eq!(server.ask(&["CONFIG", "GET", "port"]).await.unwrap(), "port\n0", "no port at all");
    assert!(server.url().starts_with("unix:///"), "{}", server.url());
    drop(server);
    eventually("Redis has gone", || !alive(pid));
    assert!(!folder.exists());
}

#[tokio::test]
async fn restart_comes_back_at_the_same_place_and_empty() {
    let mut server = RedisServer::start(&["--maxmemory", "100mb"]).await.unwrap();
    let (url, pid) = (server.url(), server.pid());
    server.ask(&["SET", "a", "1"]).await.unwrap();
    server.restart().await.unwrap();
    assert_eq!(server.url(), url);
    assert_ne!(server.pid(), pid);
    assert_eq!(server.ask(&["DBSIZE"]).await.unwrap(), ":0");
    assert_eq!(server.ask(&["CONFIG", "GET", "maxmemory"]).await.unwrap(), "maxmemory\n104857600");
}

#[tokio::test]
async fn paused_server_says_nothing_until_it_is_resumed() {
    let mut server = RedisServer::start(&[]).await.unwrap();
    server.pause();
    assert!(server.ask(&["PING"]).await.is_err());
    server.resume();
    assert_eq!(server.ask(&["PING"]).await.unwrap(), "+PONG");
}

#[tokio::test]
async fn group_and_cluster_come_together() {
    let (group, cluster) = tokio::join!(RedisGroup::start(), RedisCluster::start());
    let (group, cluster) = (group.unwrap(), cluster.unwrap());
    assert_eq!(group.urls().split(',').count(), 3);
    let slots = cluster.nodes[0].ask(&["CLUSTER", "SLOTS"]).await.unwrap();
    for node in &cluster.nodes {
        assert!(slots.contains(&format!(":{}", node.port())), "{slots}");
    }
}
