//! What the console does: it looks things up for whoever has the right token.

pub mod desk;
