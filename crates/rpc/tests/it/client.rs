//! The typed client of the directory.

use mintmark_auth::TokenSource;
use mintmark_fault::{Chain, Kind};
use mintmark_rpc::client::Directory;
use mintmark_wire::directory::v1::*;
use tokio::net::{TcpListener, TcpStream};

use crate::edge::{Edge, local, product, stranger, tenant};

fn client(edge: &Edge) -> Directory {
    Directory::new(&edge.url(), edge.tokens.clone()).unwrap()
}

fn chunk(chunk: u32, digests: usize) -> PublishRequest {
    PublishRequest { chunk, digests: vec![0; digests * 32].into(), ..Default::default() }
}

#[tokio::test]
async fn every_method_of_the_table_answers() {
    let edge = Edge::start().await;
    let directory = client(&edge);
    directory.put_product(&tenant(), product("x")).await.unwrap();
    let opened = directory.open_publication(&tenant(), OpenPublicationRequest::default()).await.unwrap();
    assert_eq!((opened.partition, opened.state()), (3, PublicationState::Open));
    directory.seal_publication(&tenant(), SealPublicationRequest::default()).await.unwrap();
    assert_eq!(
        directory.get_publication(&tenant(), GetPublicationRequest::default()).await.unwrap().units,
        10
    );
    directory.revoke_batch(&tenant(), RevokeBatchRequest::default()).await.unwrap();
    let codes = RevokeCodesRequest { digests: vec![0; 64].into(), ..Default::default() };
    assert_eq!(directory.revoke_codes(&tenant(), codes).await.unwrap().revoked, 2);
    let pull = PullScansRequest { cursor: 6, limit: 1, mark: String::new() };
    assert_eq!(directory.pull_scans(&tenant(), pull).await.unwrap().next_cursor, 7);
    // It has no row in this test.
    let fault = directory.abort_publication(&tenant(), AbortPublicationRequest::default()).await.unwrap_err();
    assert_eq!(fault.code(), "UNIMPLEMENTED");
    assert_eq!(edge.directory.seen.lock().unwrap().tenants, ["acme"; 7]);
}

#[tokio::test]
async fn publish_acknowledges_in_order_and_ends_with_the_fault() {
    let edge = Edge::start().await;
    // The largest chunk that the interface allows, then a refused one.
    let chunks = tokio_stream::iter([chunk(0, 1), chunk(1, 100_000), chunk(2, 0), chunk(3, 1)]);
    let mut answers = client(&edge).publish(&tenant(), chunks).await.unwrap();
    let mut next = async || answers.message().await;
    assert_eq!(next().await.unwrap(), Some(PublishResponse { chunk: 0, units: 1 }));
    assert_eq!(next().await.unwrap(), Some(PublishResponse { chunk: 1, units: 100_000 }));
    let fault = Directory::fault(&next().await.unwrap_err());
    assert_eq!((fault.kind(), fault.code()), (Kind::Conflict, "CHUNK_DIFFERS"));
}

#[tokio::test]
async fn directory_that_is_away_is_unavailable() {
    // Bound and closed again: nobody listens there.
    let addr = TcpListener::bind(local(0)).await.unwrap().local_addr().unwrap();
    let directory = Directory::new(&format!("http://{addr}"), stranger()).unwrap();
    let fault = directory.put_product(&tenant(), product("x")).await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (Kind::Unavailable, "DIRECTORY_UNAVAILABLE"));
    assert!(fault.retry_delay().is_some());
    assert!(!fault.message().contains("127.0.0.1"));
    let fault = directory.publish(&tenant(), tokio_stream::empty()).await.err().unwrap();
    assert_eq!(fault.code(), "DIRECTORY_UNAVAILABLE");
}

#[tokio::test]
async fn unary_call_survives_one_broken_connection() {
    let edge = Edge::start().await;
    let listener = TcpListener::bind(local(0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let target = edge.addr;
    // Hangs up on the first caller and passes the others on.
    let proxy = tokio::spawn(async move {
        let mut hung_up = 0;
        while let Ok((mut caller, _)) = listener.accept().await {
            if hung_up == 0 {
                hung_up += 1;
                continue;
            }
            let mut edge = TcpStream::connect(target).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut caller, &mut edge).await });
        }
    });
    let directory = Directory::new(&url, edge.tokens.clone()).unwrap();
    directory.put_product(&tenant(), product("x")).await.unwrap();
    assert_eq!(edge.directory.calls(), 1);
    proxy.abort();
}

#[tokio::test]
async fn refused_token_is_our_own_mistake() {
    let edge = Edge::start().await;
    let unknown: TokenSource = stranger();
    let directory = Directory::new(&edge.url(), unknown).unwrap();
    let fault = directory.put_product(&tenant(), product("x")).await.unwrap_err();
    assert_eq!(fault.kind(), Kind::Internal, "the person who asked is signed in");
    assert!(Chain(&fault).to_string().contains("AUTHENTICATION_REQUIRED"), "the log says why");
}

#[tokio::test]
async fn fault_of_the_directory_keeps_its_code() {
    let edge = Edge::start().await;
    let fault = client(&edge).put_product(&tenant(), product("conflict")).await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (Kind::Conflict, "STALE_FENCE"));
}
