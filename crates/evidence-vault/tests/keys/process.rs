//! No test: the entry of processes that tests start from this binary. In a run of the tests themselves it returns at once.

use crate::inside;
use crate::token::PROGRAM;

#[tokio::test(flavor = "multi_thread")]
async fn program_of_another_test() {
    let Ok(program) = std::env::var(PROGRAM) else { return };
    match program.as_str() {
        "contract" => inside::contract().await,
        "attributes" => inside::attributes().await,
        "another_process" => inside::another_process().await,
        "beside_another_process" => inside::beside_another_process().await,
        "lost_sessions" => inside::lost_sessions().await,
        "away_and_back" => inside::away_and_back().await,
        "refusals_at_start" => inside::refusals_at_start().await,
        "after_the_ceremony" => inside::after_the_ceremony().await,
        "wycheproof" => inside::wycheproof(),
        other => panic!("there is no program {other}"),
    }
}
