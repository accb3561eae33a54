//! Chunks: what is written, what is refused, and who may.

use bytes::Bytes;
use mintmark_auth::{audience, scope};
use mintmark_fault::Kind;
use mintmark_resolver::app::peppers::Peppers;
use mintmark_service::telemetry::metrics_text;
use mintmark_wire::directory::v1::directory_service_client::DirectoryServiceClient;
use mintmark_wire::directory::v1::{
    ActivationMode, GetPublicationRequest, OpenPublicationRequest, PublishRequest,
};
use tonic::{Code, Request};

use crate::stage::{PEPPER, Stage, chunk_of, chunks, codes, terms};

const STATIC: ActivationMode = ActivationMode::Static;

#[tokio::test(flavor = "multi_thread")]
async fn publish_writes_every_unit_once_under_its_serial() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, STATIC, 1001, 2500, 1000);
    let codes = stage.published(&terms).await;
    let superuser = stage.superuser().await;
    let row = superuser
        .query_one("SELECT count(*), count(DISTINCT serial), min(serial), max(serial) FROM code_0000", &[])
        .await
        .unwrap();
    let read: [i64; 4] = std::array::from_fn(|at| row.get(at));
    assert_eq!(read, [2500, 2500, 1001, 3500]);
    // The hash of the third unit of the second chunk stands under its serial.
    let pepper = Peppers::parse(PEPPER).unwrap();
    let hash = pepper.get(1).unwrap().hash(&mintmark_codes::CodeDigest::of(&codes[1002]));
    let serial: i64 = superuser
        .query_one("SELECT serial FROM code_0000 WHERE hash = $1", &[&uuid::Uuid::from_u128(hash.as_u128())])
        .await
        .unwrap()
        .get(0);
    assert_eq!(serial, 1001 + 1002);
    assert!(metrics_text().contains("publish_rows_total"), "{}", metrics_text());
}

#[tokio::test(flavor = "multi_thread")]
async fn publish_of_a_known_chunk_is_acknowledged_and_changes_nothing() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, STATIC, 1, 10, 4);
    let codes = stage.published(&terms).await;
    let again = stage.publish(chunks(&terms, &codes)).await.unwrap();
    assert_eq!(
        again.iter().map(|answer| (answer.chunk, answer.units)).collect::<Vec<_>>(),
        [(0, 4), (1, 4), (2, 2)]
    );
    assert_eq!(stage.get(&terms.batch_id).await.unwrap().units_published, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn publish_of_a_known_chunk_with_other_digests_is_refused() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, STATIC, 1, 10, 4);
    let mut codes = stage.published(&terms).await;
    codes.swap(0, 1);
    let refused = stage.publish(vec![chunk_of(&terms, 0, &codes[..4])]).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (Kind::Conflict, "CHUNK_DIFFERS"));
}

#[tokio::test(flavor = "multi_thread")]
async fn publish_of_a_code_that_exists_fails_loudly_and_whole() {
    let stage = Stage::new().await;
    let id = stage.product(None).await;
    let first = stage.sealed(id, STATIC, 1, 4).await;
    let second = terms(id, STATIC, 5, 8, 4);
    let partition = stage.open(&second).await.unwrap().partition;
    let mut fresh = codes(partition, 8);
    fresh[6] = first[2];
    let refused = stage.publish(chunks(&second, &fresh)).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (Kind::Conflict, "CODE_EXISTS"));
    assert_eq!(refused.members()["chunk"], 1);
    let view = stage.get(&second.batch_id).await.unwrap();
    assert_eq!(
        (view.units_published, view.next_chunk),
        (4, 1),
        "the good chunk stays, the bad one left nothing"
    );
    let twice = chunk_of(&second, 1, &[fresh[4], fresh[4], fresh[5], fresh[7]]);
    assert_eq!(stage.publish(vec![twice]).await.unwrap_err().code(), "CODE_EXISTS", "nor twice in one chunk");
}

#[tokio::test(flavor = "multi_thread")]
async fn publish_refuses_chunks_that_are_not_of_the_publication() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, STATIC, 1, 10, 4);
    let other = OpenPublicationRequest {
        batch_id: mintmark_ids::BatchId::new().to_string(),
        first_serial: 11,
        ..terms.clone()
    };
    let partition = stage.open(&terms).await.unwrap().partition;
    stage.open(&other).await.unwrap();
    let codes = codes(partition, 10);
    let good = chunk_of(&terms, 0, &codes[..4]);
    for (code, field, bad) in [
        ("CHUNK_OUT_OF_RANGE", "chunk", PublishRequest { chunk: 3, ..good.clone() }),
        ("CHUNK_OUT_OF_RANGE", "chunk", PublishRequest { chunk: u32::MAX, ..good.clone() }),
        ("DIGESTS_LENGTH", "digests", chunk_of(&terms, 0, &codes[..3])),
        ("DIGESTS_LENGTH", "digests", chunk_of(&terms, 2, &codes[..4])),
        ("DIGESTS_LENGTH", "digests", PublishRequest { digests: good.digests.slice(1..), ..good.clone() }),
        ("DIGESTS_LENGTH", "digests", PublishRequest { digests: Bytes::new(), ..good.clone() }),
        ("FENCE_OUT_OF_RANGE", "fence", PublishRequest { fence: -1, ..good.clone() }),
        ("ID_MALFORMED", "batchId", PublishRequest { batch_id: String::new(), ..good.clone() }),
    ] {
        let refused = stage.publish(vec![bad]).await.unwrap_err();
        assert_eq!((refused.code(), refused.field_name()), (code, Some(field)));
    }
    let mixed = stage.publish(vec![good, chunk_of(&other, 0, &codes[4..8])]).await.unwrap_err();
    assert_eq!(mixed.code(), "ONE_BATCH");
    let unknown = OpenPublicationRequest { batch_id: mintmark_ids::BatchId::new().to_string(), ..terms };
    assert_eq!(stage.publish(chunks(&unknown, &codes)).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn publish_by_two_fences_at_once_leaves_every_unit_once() {
    let stage = Stage::new().await;
    let old = terms(stage.product(None).await, STATIC, 1, 4000, 100);
    let partition = stage.open(&old).await.unwrap().partition;
    let codes = codes(partition, 4000);
    let new = OpenPublicationRequest { fence: 2, ..old.clone() };
    let usurp = async {
        // In the middle of the other's stream.
        crate::eventually("some chunks are in", || async {
            stage.get(&old.batch_id).await.unwrap().units_published > 0
        })
        .await;
        let next = stage.open(&new).await.unwrap().next_chunk as usize;
        let rest = chunks(&new, &codes).split_off(next);
        stage.publish(rest).await.unwrap();
    };
    let (overtaken, ()) = tokio::join!(stage.publish(chunks(&old, &codes)), usurp);
    if let Err(fault) = overtaken {
        assert_eq!(fault.code(), "STALE_FENCE");
    }
    stage.seal(&new.batch_id, 2).await.unwrap();
    let row = stage
        .superuser()
        .await
        .query_one("SELECT count(*), count(DISTINCT serial), (SELECT count(*) FROM publication_chunk) FROM code_0000", &[])
        .await
        .unwrap();
    let read: [i64; 3] = std::array::from_fn(|at| row.get(at));
    assert_eq!(read, [4000, 4000, 40]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_refuses_a_token_without_its_scope() {
    let stage = Stage::new().await;
    let channel = mintmark_rpc::connect_lazy(
        &format!("http://{}", stage.directory_addr),
        &tokio::runtime::Handle::current(),
    )
    .unwrap();
    let mut client = DirectoryServiceClient::new(channel);
    let anonymous = client.get_publication(Request::new(GetPublicationRequest::default())).await.unwrap_err();
    assert_eq!(anonymous.code(), Code::Unauthenticated);
    let read = stage.tokens.for_tenant(audience::RESOLVER, &stage.tenant, &[scope::DIRECTORY_READ]);
    let publish = stage.tokens.for_tenant(audience::RESOLVER, &stage.tenant, &[scope::DIRECTORY_PUBLISH]);
    let revoke = stage.tokens.for_tenant(audience::RESOLVER, &stage.tenant, &[scope::DIRECTORY_REVOKE]);
    let within = std::time::Duration::from_secs(5);
    macro_rules! refused {
        ($method:ident, $token:expr) => {
            let request = mintmark_rpc::authorized(Default::default(), $token, within);
            assert_eq!(
                client.$method(request).await.unwrap_err().code(),
                Code::PermissionDenied,
                stringify!($method)
            );
        };
    }
    refused!(put_product, &read);
    refused!(open_publication, &read);
    refused!(seal_publication, &read);
    refused!(abort_publication, &read);
    refused!(get_publication, &publish);
    refused!(revoke_batch, &publish);
    refused!(revoke_codes, &publish);
    refused!(get_publication, &revoke);
    refused!(seal_publication, &revoke);
    let stream = mintmark_rpc::authorized(futures::stream::empty::<PublishRequest>(), &read, within);
    assert_eq!(client.publish(stream).await.unwrap_err().code(), Code::PermissionDenied);
}
