//! No test: the entry of processes that tests start from this binary. In a run of the tests themselves it returns at once.

use crate::drill;
use crate::token::PROGRAM;

#[tokio::test(flavor = "multi_thread")]
async fn program_of_another_test() {
    let Ok(program) = std::env::var(PROGRAM) else { return };
    match program.as_str() {
        "drill_with_a_token" => drill::with_a_token().await,
        "attacker" => drill::attacker::program().await,
        other => panic!("there is no program {other}"),
    }
}
