//! A unit is activated once, however many ask at the same moment and wherever.

use futures::future::join_all;

use crate::estate::Estate;
use crate::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_first_scans_on_two_processes_activate_once_and_each_answer_is_true() {
    let estate = Estate::new().await;
    let (directory, control) = (estate.directory().await, estate.control(&[]).await);
    let scans = [estate.scan().await, estate.scan().await];
    let shop = estate.shop(&control).await;
    let (_, codes) = estate.sealed(&control, &shop, 3, &[&scans[0], &scans[1]]).await;
    // Nobody else is needed.
    control.kill().await;
    directory.kill().await;

    // A code that both have looked at, and one that neither has ever seen.
    for code in [&codes[0], &codes[2]] {
        let asked = (0..200).map(|at| estate.scan_code(&scans[at % 2], code));
        let answers = join_all(asked).await;
        let winners: Vec<_> =
            answers.iter().filter(|(_, view)| view["activation"]["state"] == "activated_now").collect();
        assert_eq!(winners.len(), 1, "exactly one scan was the first");
        let at = &winners[0].1["activation"]["at"];
        for (status, view) in &answers {
            assert_eq!((*status, view["status"].as_str()), (200, Some("genuine")));
            assert_eq!(view["activation"]["at"], *at, "everybody hears the same time");
        }
        let others = answers.iter().filter(|(_, view)| view["activation"]["state"] == "activated");
        assert_eq!(others.count(), 199, "and the others that it was activated before");
    }
    let superuser = estate.resolver().await;
    let rows = superuser.query_one("SELECT count(*) FROM activation", &[]).await.unwrap();
    assert_eq!(rows.get::<_, i64>(0), 2);
    eventually("each scan is counted, and one of each code as the first", async || {
        let query = "SELECT count(*) FILTER (WHERE outcome = 'activated_now'), count(*) FILTER (WHERE outcome = 'activated')
            FROM scan_event";
        let row = superuser.query_one(query, &[]).await.unwrap();
        ((row.get::<_, i64>(0), row.get::<_, i64>(1)) == (2, 398)).then_some(())
    })
    .await;
}
