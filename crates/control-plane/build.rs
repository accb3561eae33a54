//! The migrations are embedded by a macro, which cargo cannot see through: a changed one must rebuild the crate.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations/control-plane");
}
