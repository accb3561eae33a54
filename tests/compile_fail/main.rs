//! What must not compile: the control token leaves nobody's hands, no write without its permit, no permit but the policy's.
//!
//! Each file of `cases` has beside it what the compiler must say; `TRYBUILD=overwrite` writes that anew. One run for all
//! of them, because it checks every dependency a second time, under `target/tests`. That the resolver cannot link the
//! crate that makes codes is the layout test's (`tests/layout/edges.rs`).

#[test]
fn what_must_not_compile_does_not() {
    trybuild::TestCases::new().compile_fail("compile_fail/cases/*.rs");
}
