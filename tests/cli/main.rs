//! `mintmark` as an operator uses it: the real program, against a real platform and against one that misbehaves.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alone;
mod batches;
mod completion;
mod contexts;
mod desk;
mod evidence;
mod exports;
mod jobs;
mod keys;
mod misbehaving;
mod people;
mod preflight;
mod pretender;
mod secure;
mod tenants;
mod transfers;

use mintmark_tests::{Home, Platform};

use desk::Desk;

#[test]
fn operator_does_the_daily_work_on_a_real_platform() {
    let home = Home::new().unwrap();
    let platform = Platform::start(&home, &["--no-demo"]).unwrap();
    let desk = Desk::at(home);
    tenants::checks(&desk);
    contexts::checks(&desk);
    let batch = batches::checks(&desk);
    exports::checks(&desk, &batch);
    keys::checks(&desk);
    evidence::checks(&desk);
    preflight::checks(&desk);
    jobs::checks(&desk, &batch);
    drop(platform);
}
