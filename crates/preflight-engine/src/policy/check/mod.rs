//! The checks behind the rules: each looks at a scene and pushes what it finds.

pub(super) mod binding;
pub(super) mod document;
pub(super) mod images;
pub(super) mod listed;
pub(super) mod pages;
pub(super) mod pdfx;
pub(super) mod product;
pub(super) mod small;
pub(super) mod spots;
pub(super) mod steps;
