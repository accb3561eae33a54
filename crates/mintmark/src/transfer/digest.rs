//! SHA-256 of what passes by.

use ring::digest::{Context, SHA256};

/// A digest that grows.
pub struct Digest(Context);

impl Digest {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Takes some more in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Of all that was taken in so far, in lower-case hexadecimal.
    pub fn hex(&self) -> String {
        self.0.clone().finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
