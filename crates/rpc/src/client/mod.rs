//! Our own services as Rust functions.

mod directory;

pub use directory::{Acknowledgements, Directory};
