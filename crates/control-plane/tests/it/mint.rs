//! The mint job against a directory that fails in every way it can.

use mintmark_jobs::Cancel;
use mintmark_wire::directory::v1::{ActivationMode, PublicationState};
use serde_json::{Value, json};

use crate::directory::{FakeDirectory, Publication, Trouble};
use crate::harness::{Plane, Shop, text};
use crate::stage::{Another, connection, eventually, history, job, order, until, variables, working};

/// A plane with small chunks, its directory, and a brand with a product.
async fn stage() -> (Plane, FakeDirectory, Shop) {
    let directory = FakeDirectory::start().await;
    let plane = working(&directory.url()).await;
    let shop = plane.shop().await;
    (plane, directory, shop)
}

async fn sealed(plane: &Plane, shop: &Shop, batch: &str) -> Value {
    until(plane, shop, &format!("/v1/batches/{batch}"), "sealed").await
}

#[track_caller]
fn publication(directory: &FakeDirectory, shop: &Shop, batch: &str) -> Publication {
    directory.publication(&shop.owner.tenant, batch).unwrap()
}

/// Asserts that the ledger has every unit, once, and that the batch can be scanned.
#[track_caller]
fn assert_whole(publication: &Publication, units: usize) {
    let mut digests = publication.digests();
    assert_eq!(digests.len(), units);
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), units, "no two units share a code");
    assert_eq!(publication.state, i32::from(PublicationState::Sealed));
}

#[tokio::test(flavor = "multi_thread")]
async fn mint_publishes_every_unit_once_and_in_order() {
    let (plane, directory, shop) = stage().await;
    let batch = order(&plane, &shop, 950).await;
    let view = sealed(&plane, &shop, &batch).await;
    assert_eq!((&view["progress"]["done"], &view["progress"]["total"]), (&950.into(), &950.into()));
    let publication = publication(&directory, &shop, &batch);
    assert_whole(&publication, 950);
    assert_eq!(publication.arrived, (0..10).collect::<Vec<_>>());
    assert_eq!((publication.first_serial, publication.units, publication.chunk_units), (1, 950, 100));
    assert_eq!(publication.mode, i32::from(ActivationMode::FirstScan));
    assert_eq!(publication.product_id, shop.product);
    let product = directory.product(&shop.owner.tenant, &shop.product).unwrap();
    assert_eq!((product.product_name.as_str(), product.brand_name.as_str()), ("A product", "A brand"));
    assert_eq!((product.gtin.as_str(), product.version), (text(&view, "gtin"), 1));
    assert_eq!(history(&plane, &shop, &batch).await, ["batch.created", "batch.minting", "batch.sealed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mint_of_two_batches_takes_serials_that_follow_each_other() {
    let (plane, directory, shop) = stage().await;
    let (first, second) = (order(&plane, &shop, 30).await, order(&plane, &shop, 20).await);
    for batch in [&first, &second] {
        sealed(&plane, &shop, batch).await;
    }
    assert_eq!(publication(&directory, &shop, &first).first_serial, 1);
    assert_eq!(publication(&directory, &shop, &second).first_serial, 31);
}

#[tokio::test(flavor = "multi_thread")]
async fn mint_after_a_failure_goes_on_at_the_first_missing_chunk() {
    let (plane, directory, shop) = stage().await;
    directory.trouble(Trouble::RefuseChunkOnce(3, "DIRECTORY_AWAY"));
    let batch = order(&plane, &shop, 800).await;
    sealed(&plane, &shop, &batch).await;
    let publication = publication(&directory, &shop, &batch);
    assert_whole(&publication, 800);
    for published in 0..3 {
        assert_eq!(
            publication.arrived.iter().filter(|chunk| **chunk == published).count(),
            1,
            "{:?}",
            publication.arrived
        );
    }
    assert_eq!(publication.openings.len(), 2);
    assert!(publication.openings[0] < publication.openings[1], "a later claim has a higher fence");
    assert_eq!(history(&plane, &shop, &batch).await, ["batch.created", "batch.minting", "batch.sealed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mint_with_a_stale_fence_stops_and_does_not_fail_the_batch() {
    let (plane, directory, shop) = stage().await;
    directory.trouble(Trouble::TakeOverAt(2));
    let batch = order(&plane, &shop, 500).await;
    sealed(&plane, &shop, &batch).await;
    let publication = publication(&directory, &shop, &batch);
    assert_whole(&publication, 500);
    assert_eq!(publication.openings.len(), 2, "the fenced worker stopped; the next claim finished");
}

#[tokio::test(flavor = "multi_thread")]
async fn mint_that_the_directory_refuses_for_good_fails_the_batch_with_a_reason() {
    let table = [
        (Trouble::RefuseOpen("SERIALS_OVERLAP"), "SERIALS_OVERLAP", "create a new batch"),
        (Trouble::RefuseOpen("PUBLICATION_DIFFERS"), "PUBLICATION_DIFFERS", "create a new batch"),
        (Trouble::RefuseChunk(1, "CODE_EXISTS"), "CODE_EXISTS", "do not print"),
        (Trouble::RefuseChunk(1, "CHUNK_DIFFERS"), "CHUNK_DIFFERS", "create a new batch"),
    ];
    for (trouble, code, advice) in table {
        let (plane, directory, shop) = stage().await;
        directory.trouble(trouble);
        let batch = order(&plane, &shop, 300).await;
        let view = until(&plane, &shop, &format!("/v1/batches/{batch}"), "failed").await;
        assert_eq!(view["failure"]["code"], code);
        assert!(view["failure"]["message"].as_str().unwrap().contains(advice), "{view}");
        assert_eq!(history(&plane, &shop, &batch).await, ["batch.created", "batch.minting", "batch.failed"]);
        let sealed = directory
            .publication(&shop.owner.tenant, &batch)
            .is_some_and(|publication| publication.state == i32::from(PublicationState::Sealed));
        assert!(!sealed, "nothing of a failed batch can be scanned");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mint_waits_for_a_directory_that_is_away() {
    let addr = format!("127.0.0.1:{}", mintmark_devstack::free_port());
    let plane = working(&format!("http://{addr}")).await;
    let shop = plane.shop().await;
    let batch = order(&plane, &shop, 250).await;
    let path = format!("/v1/batches/{batch}");
    until(&plane, &shop, &path, "minting").await;
    let directory = FakeDirectory::start_at(addr.parse().unwrap()).await;
    sealed(&plane, &shop, &batch).await;
    assert_whole(&publication(&directory, &shop, &batch), 250);
}

#[tokio::test(flavor = "multi_thread")]
async fn mint_whose_seal_was_not_answered_ends_sealed() {
    let (plane, directory, shop) = stage().await;
    // The client repeats a call once by itself.
    directory.trouble(Trouble::LoseSealAnswers(2));
    let batch = order(&plane, &shop, 150).await;
    sealed(&plane, &shop, &batch).await;
    let publication = publication(&directory, &shop, &batch);
    assert_whole(&publication, 150);
    assert_eq!(publication.arrived, [0, 1], "no chunk is sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn mint_keeps_four_chunks_in_flight_at_most() {
    let (plane, directory, shop) = stage().await;
    directory.hold(true);
    let batch = order(&plane, &shop, 2_000).await;
    let arrived = async || {
        directory.publication(&shop.owner.tenant, &batch).filter(|publication| publication.arrived.len() >= 4)
    };
    eventually("the window is full", arrived).await;
    // A whole other job runs over the same channel meanwhile: time enough for a fifth chunk, which takes 0.2 ms to derive.
    let path = format!("/v1/products/{}", shop.product);
    plane.as_person(&shop.owner, "PATCH", &path, json!({ "name": "Red 2025" })).await.expect(200);
    let put =
        async || directory.product(&shop.owner.tenant, &shop.product).filter(|product| product.version == 2);
    eventually("the directory knows version 2", put).await;
    assert_eq!(publication(&directory, &shop, &batch).arrived, [0, 1, 2, 3]);
    directory.hold(false);
    sealed(&plane, &shop, &batch).await;
    assert_whole(&publication(&directory, &shop, &batch), 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn mint_by_two_services_publishes_each_chunk_once() {
    let (plane, directory, shop) = stage().await;
    let _second = Another::beside(&plane, &variables(&directory.url())).await;
    let mut batches = Vec::new();
    for _ in 0..6 {
        batches.push(order(&plane, &shop, 330).await);
    }
    for batch in &batches {
        sealed(&plane, &shop, batch).await;
        let publication = publication(&directory, &shop, batch);
        assert_whole(&publication, 330);
        assert_eq!(
            (publication.arrived.as_slice(), publication.openings.len()),
            ([0, 1, 2, 3].as_slice(), 1)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mint_that_is_cancelled_gives_the_publication_up() {
    let (plane, directory, shop) = stage().await;
    directory.hold(true);
    let batch = order(&plane, &shop, 2_000).await;
    let arrived = async || {
        directory.publication(&shop.owner.tenant, &batch).filter(|publication| publication.arrived.len() >= 4)
    };
    eventually("the window is full", arrived).await;
    let mut conn = connection(&plane).await;
    let job = job(&plane, "mint-batch").await;
    assert_eq!(mintmark_jobs::request_cancel(&mut conn, job).await.unwrap(), Cancel::Requested);
    until(&plane, &shop, &format!("/v1/batches/{batch}"), "cancelled").await;
    assert_eq!(publication(&directory, &shop, &batch).state, i32::from(PublicationState::Aborted));
    assert_eq!(history(&plane, &shop, &batch).await, ["batch.created", "batch.minting", "batch.cancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mint_that_failed_goes_on_when_it_is_replayed() {
    let (plane, directory, shop) = stage().await;
    directory.trouble(Trouble::RefuseChunkOnce(2, "CODE_EXISTS"));
    let batch = order(&plane, &shop, 500).await;
    let path = format!("/v1/batches/{batch}");
    until(&plane, &shop, &path, "failed").await;
    let job = job(&plane, "mint-batch").await;
    mintmark_jobs::replay(&mut *connection(&plane).await, job).await.unwrap();
    let sealed = async || {
        let view = plane.get(&shop.owner, &path).await.expect(200);
        (text(&view, "state") == "sealed" && view.get("failure").is_none()).then_some(())
    };
    eventually("the replayed batch is sealed", sealed).await;
    assert_whole(&publication(&directory, &shop, &batch), 500);
    let kinds = ["batch.created", "batch.minting", "batch.failed", "batch.minting", "batch.sealed"];
    assert_eq!(history(&plane, &shop, &batch).await, kinds);
}

#[tokio::test(flavor = "multi_thread")]
async fn product_change_reaches_the_directory() {
    let (plane, directory, shop) = stage().await;
    let change =
        json!({ "name": "Red 2025", "destinationTemplate": "https://vineyard.example/{gtin}/{serial}" });
    let path = format!("/v1/products/{}", shop.product);
    plane.as_person(&shop.owner, "PATCH", &path, change).await.expect(200);
    let put =
        async || directory.product(&shop.owner.tenant, &shop.product).filter(|product| product.version == 2);
    let product = eventually("the directory knows version 2", put).await;
    assert_eq!(product.product_name, "Red 2025");
    assert_eq!(product.destination_template.as_deref(), Some("https://vineyard.example/{gtin}/{serial}"));
}
