//! Look-ups that come together go to the database together, and each gets its own answer.

use futures::future::join_all;
use mintmark_wire::directory::v1::ActivationMode;

use super::stage::{Stage, codes, link};

#[tokio::test(flavor = "multi_thread")]
async fn find_of_many_codes_at_once_answers_each_its_own() {
    let stage = Stage::new().await;
    let product = stage.product(None).await;
    let known = stage.sealed(product, ActivationMode::Static, 100, 150).await;
    stage.scan.becomes(&link(&known[0]), "genuine").await;
    let absent = codes(u32::from(known[0].partition().get()), 50);

    // Each code twice: two who ask for the same one at once are both answered.
    let scan = &stage.scan;
    let genuine = known.iter().zip(100..).chain(known.iter().zip(100..)).map(|(code, serial)| async move {
        let (status, view) = scan.json(&link(code)).await;
        assert_eq!((status, view["status"].as_str()), (200, Some("genuine")), "{view}");
        assert_eq!(view["serial"], serial);
    });
    let unknown = absent.iter().map(|code| async move {
        let (status, view) = scan.json(&link(code)).await;
        assert_eq!((status, view["status"].as_str()), (404, Some("unknown")), "{view}");
    });
    futures::join!(join_all(genuine), join_all(unknown));
}

#[tokio::test(flavor = "multi_thread")]
async fn find_of_those_who_stay_survives_those_who_go() {
    let stage = Stage::new().await;
    let product = stage.product(None).await;
    let known = stage.sealed(product, ActivationMode::Static, 1, 200).await;
    stage.scan.becomes(&link(&known[0]), "genuine").await;
    let scan = &stage.scan;
    let answers = known.iter().enumerate().map(|(at, code)| async move {
        let path = link(code);
        let asked = scan.json(&path);
        if at % 2 == 0 {
            // Hangs up, some before and some while the database is asked.
            let patience = std::time::Duration::from_micros(20 * at as u64);
            let _gone = tokio::time::timeout(patience, asked).await;
        } else {
            assert_eq!(asked.await.1["status"], "genuine");
        }
    });
    join_all(answers).await;
}
