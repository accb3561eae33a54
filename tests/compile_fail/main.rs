//! What must not compile: the control token leaves nobody's hands, no write without its permit, no permit but the policy's.
//!
//! Each file of `cases` has beside it what the compiler must say; `TRYBUILD=overwrite` writes that anew. One run for all
//! of them, because it checks every dependency a second time, under `target/tests`. That the resolver cannot link the
//! crate that makes codes is the layout test's (`tests/layout/edges.rs`).

use std::process::Command;

/// What the compiler is told of everything, in the form of cargo's variable.
///
/// trybuild checks the dependencies under other flags than the cases, by the width of messages, so that cargo would check
/// several hundred crates twice. This variable goes before the flags of either.
const FLAGS: (&str, &str) = ("CARGO_ENCODED_RUSTFLAGS", "-Adead_code\u{1f}--diagnostic-width=140");

#[test]
fn what_must_not_compile_does_not() {
    if std::env::var(FLAGS.0).is_ok_and(|flags| flags == FLAGS.1) {
        trybuild::TestCases::new().compile_fail("compile_fail/cases/*.rs");
        return;
    }
    // Once more in a process of its own: no safe code changes the variables of the one that it runs in.
    let mut again = Command::new(std::env::current_exe().unwrap());
    let again =
        again.args(["--exact", "what_must_not_compile_does_not", "--nocapture"]).env(FLAGS.0, FLAGS.1);
    let told = again.output().unwrap();
    let said = String::from_utf8_lossy(&told.stdout) + String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success() && said.contains("1 passed"), "{said}");
}
