//! The rules of the publication ledger, one by one.

use mintmark_fault::Kind;
use mintmark_ids::{BatchId, ProductId};
use mintmark_wire::directory::v1::{ActivationMode, OpenPublicationRequest, PublicationState};

use crate::stage::{Stage, chunk_of, chunks, codes, product, tenant, terms};

const STATIC: ActivationMode = ActivationMode::Static;

#[tokio::test(flavor = "multi_thread")]
async fn put_product_is_idempotent_by_version() {
    let stage = Stage::new().await;
    let superuser = stage.superuser().await;
    let read = async || -> (String, i64) {
        let row = superuser
            .query_one("SELECT product_name, (SELECT value FROM change_counter) FROM product", &[])
            .await
            .unwrap();
        (row.get(0), row.get(1))
    };
    let id = ProductId::new();
    let mut put = product(id, 2, None);
    stage.directory.put_product(&stage.tenant, put.clone()).await.unwrap();
    let (_, counter) = read().await;
    put.product_name = "older".to_owned();
    put.version = 1;
    stage.directory.put_product(&stage.tenant, put.clone()).await.unwrap();
    assert_eq!(read().await, ("Mountain jacket <M>".to_owned(), counter), "an older version changes nothing");
    put.product_name = "newer".to_owned();
    put.version = 3;
    stage.directory.put_product(&stage.tenant, put).await.unwrap();
    assert_eq!(read().await, ("newer".to_owned(), counter + 1), "a newer one moves the counter by one");
}

#[tokio::test(flavor = "multi_thread")]
async fn put_product_keeps_the_gtin_and_the_tenant() {
    let stage = Stage::new().await;
    let id = stage.product(None).await;
    let mut other = product(id, 2, None);
    let refused = stage.directory.put_product(&tenant("other"), other.clone()).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::NotFound);
    other.gtin = "04006381333931".to_owned();
    let refused = stage.directory.put_product(&stage.tenant, other).await.unwrap_err();
    assert_eq!(refused.code(), "GTIN_FIXED");
}

#[tokio::test(flavor = "multi_thread")]
async fn put_product_names_the_field_that_is_wrong() {
    let stage = Stage::new().await;
    let good = product(ProductId::new(), 1, None);
    let long = "x".repeat(201);
    for (field, bad) in [
        ("product.gtin", {
            let mut p = good.clone();
            p.gtin = "09506000134353".to_owned();
            p
        }),
        ("product.productId", {
            let mut p = good.clone();
            p.product_id = "bat_x".to_owned();
            p
        }),
        ("product.brandName", {
            let mut p = good.clone();
            p.brand_name = long;
            p
        }),
        ("product.productName", {
            let mut p = good.clone();
            p.product_name = "a\u{7}b".to_owned();
            p
        }),
        ("product.version", {
            let mut p = good.clone();
            p.version = 0;
            p
        }),
    ] {
        let refused = stage.directory.put_product(&stage.tenant, bad).await.unwrap_err();
        assert_eq!((refused.kind(), refused.field_name()), (Kind::InvalidInput, Some(field)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_is_idempotent_and_reserves_once() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, STATIC, 1, 10, 4);
    let first = stage.open(&terms).await.unwrap();
    assert_eq!((first.partition, first.next_chunk, first.state()), (0, 0, PublicationState::Open));
    assert_eq!(stage.open(&terms).await.unwrap(), first);
    let reserved: i64 =
        stage.superuser().await.query_one("SELECT units_reserved FROM partition", &[]).await.unwrap().get(0);
    assert_eq!(reserved, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn open_at_once_by_many_opens_once() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, STATIC, 1, 10, 4);
    let opened = futures::future::join_all((0..8).map(|_| stage.open(&terms))).await;
    assert!(opened.iter().all(|answer| answer.as_ref().unwrap() == opened[0].as_ref().unwrap()));
    let row = stage
        .superuser()
        .await
        .query_one(
            "SELECT (SELECT count(*) FROM publication), (SELECT sum(units_reserved)::bigint FROM partition)",
            &[],
        )
        .await
        .unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn open_with_other_terms_is_refused() {
    let stage = Stage::new().await;
    let good = terms(stage.product(None).await, STATIC, 1, 10, 4);
    stage.open(&good).await.unwrap();
    let other_product = stage.product(None).await.to_string();
    for bad in [
        OpenPublicationRequest { units: 9, ..good.clone() },
        OpenPublicationRequest { first_serial: 2, ..good.clone() },
        OpenPublicationRequest { chunk_units: 5, ..good.clone() },
        OpenPublicationRequest { mode: ActivationMode::FirstScan.into(), ..good.clone() },
        OpenPublicationRequest { product_id: other_product, ..good.clone() },
    ] {
        let refused = stage.open(&bad).await.unwrap_err();
        assert_eq!((refused.kind(), refused.code()), (Kind::Conflict, "PUBLICATION_DIFFERS"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_with_serials_of_another_publication_is_refused() {
    let stage = Stage::new().await;
    let id = stage.product(None).await;
    let first = terms(id, STATIC, 100, 10, 4);
    stage.open(&first).await.unwrap();
    stage.abort(&first.batch_id, 1).await.unwrap();
    for (from, units) in [(100, 1), (109, 1), (95, 6), (1, 1000)] {
        let refused = stage.open(&terms(id, STATIC, from, units, 4)).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.code()),
            (Kind::Unprocessable, "SERIALS_OVERLAP"),
            "{from}+{units}"
        );
    }
    stage.open(&terms(id, STATIC, 110, 1, 4)).await.unwrap();
    stage.open(&terms(id, STATIC, 99, 1, 4)).await.unwrap();
    stage.open(&terms(stage.product(None).await, STATIC, 100, 10, 4)).await.unwrap();
    let reserved: i64 =
        stage.superuser().await.query_one("SELECT units_reserved FROM partition", &[]).await.unwrap().get(0);
    assert_eq!(reserved, 10 + 1 + 1 + 10, "a refused opening reserves nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn open_checks_numbers_tenant_and_product() {
    let stage = Stage::new().await;
    let good = terms(stage.product(None).await, STATIC, 1, 10, 4);
    for (field, bad) in [
        ("units", OpenPublicationRequest { units: 10_000_001, ..good.clone() }),
        ("chunkUnits", OpenPublicationRequest { chunk_units: 0, ..good.clone() }),
        ("firstSerial", OpenPublicationRequest { first_serial: 0, ..good.clone() }),
        ("fence", OpenPublicationRequest { fence: 0, ..good.clone() }),
        ("mode", OpenPublicationRequest { mode: 0, ..good.clone() }),
        ("batchId", OpenPublicationRequest { batch_id: "x".to_owned(), ..good.clone() }),
        ("productId", OpenPublicationRequest { product_id: good.batch_id.clone(), ..good.clone() }),
    ] {
        let refused = stage.open(&bad).await.unwrap_err();
        assert_eq!((refused.kind(), refused.field_name()), (Kind::InvalidInput, Some(field)));
    }
    let other = tenant("other");
    let refused = stage.directory.open_publication(&other, good.clone()).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::NotFound, "another tenant's product");
    stage.open(&good).await.unwrap();
    let refused = stage.directory.open_publication(&other, good.clone()).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::NotFound, "another tenant's batch");
    let unknown = OpenPublicationRequest {
        batch_id: BatchId::new().to_string(),
        product_id: ProductId::new().to_string(),
        ..good
    };
    assert_eq!(stage.open(&unknown).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn open_when_a_partition_is_full_opens_the_next() {
    let stage = Stage::new().await;
    let id = stage.product(None).await;
    assert_eq!(stage.open(&terms(id, STATIC, 1, 10, 4)).await.unwrap().partition, 0);
    let superuser = stage.superuser().await;
    superuser.batch_execute("UPDATE partition SET capacity = 25").await.unwrap();
    assert_eq!(stage.open(&terms(id, STATIC, 11, 10, 4)).await.unwrap().partition, 0);
    let second = terms(id, STATIC, 21, 10, 4);
    assert_eq!(stage.open(&second).await.unwrap().partition, 1);
    assert_eq!(
        stage.open(&terms(id, STATIC, 31, 5, 4)).await.unwrap().partition,
        0,
        "what fits fills the gap"
    );
    let codes = codes(1, 10);
    stage.publish(chunks(&second, &codes)).await.unwrap();
    stage.seal(&second.batch_id, 1).await.unwrap();
    let rows: i64 = superuser.query_one("SELECT count(*) FROM code_0001", &[]).await.unwrap().get(0);
    assert_eq!(rows, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_higher_fence_takes_over_and_the_lower_one_is_stale_everywhere() {
    let stage = Stage::new().await;
    let old = terms(stage.product(None).await, STATIC, 1, 8, 4);
    let partition = stage.open(&old).await.unwrap().partition;
    let codes = codes(partition, 8);
    stage.publish(vec![chunk_of(&old, 0, &codes[..4])]).await.unwrap();

    let new = OpenPublicationRequest { fence: 2, ..old.clone() };
    let taken_over = stage.open(&new).await.unwrap();
    assert_eq!(
        (taken_over.partition, taken_over.next_chunk),
        (partition, 1),
        "the ledger says where to go on"
    );

    let stale = |fault: mintmark_fault::Fault| {
        assert_eq!((fault.kind(), fault.code()), (Kind::Conflict, "STALE_FENCE"));
    };
    stale(stage.open(&old).await.unwrap_err());
    stale(stage.publish(vec![chunk_of(&old, 1, &codes[4..])]).await.unwrap_err());
    stale(stage.seal(&old.batch_id, 1).await.unwrap_err());
    stale(stage.abort(&old.batch_id, 1).await.unwrap_err());
    assert_eq!(
        stage.get(&old.batch_id).await.unwrap().units_published,
        4,
        "the stale publisher wrote nothing"
    );

    let unopened = OpenPublicationRequest { fence: 3, ..old.clone() };
    let refused = stage.publish(vec![chunk_of(&unopened, 1, &codes[4..])]).await.unwrap_err();
    assert_eq!(refused.code(), "FENCE_NOT_OPENED");

    stage.publish(vec![chunk_of(&new, 1, &codes[4..])]).await.unwrap();
    stage.seal(&new.batch_id, 2).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn seal_needs_every_chunk_and_is_idempotent() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, STATIC, 1, 10, 4);
    let partition = stage.open(&terms).await.unwrap().partition;
    let codes = codes(partition, 10);
    let all = chunks(&terms, &codes);
    stage.publish(vec![all[0].clone(), all[2].clone()]).await.unwrap();
    let refused = stage.seal(&terms.batch_id, 1).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (Kind::Unprocessable, "PUBLICATION_INCOMPLETE"));
    assert_eq!(refused.members()["nextChunk"], 1);
    let view = stage.get(&terms.batch_id).await.unwrap();
    assert_eq!(
        (view.state(), view.units_published, view.units, view.next_chunk),
        (PublicationState::Open, 6, 10, 1)
    );

    stage.publish(vec![all[1].clone()]).await.unwrap();
    let sealed_at = stage.seal(&terms.batch_id, 1).await.unwrap();
    assert_eq!(stage.seal(&terms.batch_id, 1).await.unwrap(), sealed_at);
    let view = stage.get(&terms.batch_id).await.unwrap();
    assert_eq!((view.state(), view.units_published, view.next_chunk), (PublicationState::Sealed, 10, 3));
    assert_eq!(stage.open(&terms).await.unwrap().state(), PublicationState::Sealed);

    let refused = stage.publish(vec![all[0].clone()]).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (Kind::Unprocessable, "PUBLICATION_CLOSED"));
    assert_eq!(stage.abort(&terms.batch_id, 1).await.unwrap_err().code(), "PUBLICATION_CLOSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn abort_is_terminal_and_idempotent() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, STATIC, 1, 4, 4);
    let partition = stage.open(&terms).await.unwrap().partition;
    let codes = codes(partition, 4);
    stage.publish(chunks(&terms, &codes)).await.unwrap();
    stage.abort(&terms.batch_id, 1).await.unwrap();
    stage.abort(&terms.batch_id, 1).await.unwrap();
    assert_eq!(stage.seal(&terms.batch_id, 1).await.unwrap_err().code(), "PUBLICATION_CLOSED");
    assert_eq!(stage.publish(chunks(&terms, &codes)).await.unwrap_err().code(), "PUBLICATION_CLOSED");
    assert_eq!(stage.open(&terms).await.unwrap().state(), PublicationState::Aborted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recalled_publication_cannot_be_sealed() {
    let stage = Stage::new().await;
    let terms = terms(stage.product(None).await, STATIC, 1, 4, 4);
    stage.published(&terms).await;
    stage.revoke_batch(&terms.batch_id).await.unwrap();
    assert_eq!(stage.seal(&terms.batch_id, 1).await.unwrap_err().code(), "PUBLICATION_CLOSED");
    assert_eq!(stage.get(&terms.batch_id).await.unwrap().state(), PublicationState::Revoked);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_another_tenant_is_found() {
    let mut stage = Stage::new().await;
    let terms = terms(stage.product(None).await, STATIC, 1, 4, 4);
    let partition = stage.open(&terms).await.unwrap().partition;
    let codes = codes(partition, 4);
    stage.tenant = tenant("thief");
    for refused in [
        stage.publish(chunks(&terms, &codes)).await.map(drop),
        stage.seal(&terms.batch_id, 1).await.map(drop),
        stage.abort(&terms.batch_id, 9).await,
        stage.get(&terms.batch_id).await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind(), Kind::NotFound);
    }
    stage.tenant = tenant("acme");
    assert_eq!(stage.get(&terms.batch_id).await.unwrap().units_published, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn open_when_every_partition_is_full_says_so() {
    let stage = Stage::new().await;
    let id = stage.product(None).await;
    let fill = "INSERT INTO partition (id, pepper_id, units_reserved) SELECT n, 1, 16000000 FROM generate_series(0, 1023) n";
    stage.superuser().await.batch_execute(fill).await.unwrap();
    let refused = stage.open(&terms(id, STATIC, 1, 1, 1)).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (Kind::Unavailable, "DIRECTORY_FULL"));
}
