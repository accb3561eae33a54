//! Pages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Element, ObjectRef, Rect};

/// One page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// Counted from 1.
    pub number: u32,
    /// Its object.
    pub object: Option<ObjectRef>,
    /// Boxes as the file states them (inherited ones too), in units of user space, `UserUnit` not applied.
    pub boxes: Boxes,
    /// `Rotate`, as written.
    pub rotate: i64,
    /// `UserUnit`, where present.
    pub user_unit: Option<f64>,
    /// The page's own transparency group.
    pub group: Option<Group>,
    /// Transparency groups of forms and soft masks that are executed on it, each kind once.
    pub groups: Vec<Group>,
    /// Whether anything on it needs transparency: alpha below 1, a blend mode other than Normal, a soft mask.
    pub transparency: bool,
    /// Whether anything paints ink: an element that is not white, on a layer that is on and is no processing step.
    /// Images and shadings count as ink unless every sample that was looked at is white.
    pub inked: bool,
    /// Number of executed painting operations by kind.
    pub counts: Counts,
    /// Elements, alike ones together (see [`Element`]).
    pub elements: Vec<Element>,
    /// Distinct elements that were left off above the budget `page_elements`.
    pub elements_left_off: u64,
    /// Annotations.
    pub annotations: Vec<Annotation>,
    /// Box around everything painted on layers that are on, clipped to the MediaBox, in points.
    pub ink_box: Option<Rect>,
}

/// Boxes of a page, normalised to `[left, bottom, right, top]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Boxes {
    /// `MediaBox`; absent where the file has none or it is no rectangle.
    pub media: Option<Rect>,
    /// `CropBox`, where present.
    pub crop: Option<Rect>,
    /// `BleedBox`, where present.
    pub bleed: Option<Rect>,
    /// `TrimBox`, where present.
    pub trim: Option<Rect>,
    /// `ArtBox`, where present.
    pub art: Option<Rect>,
}

/// A transparency group, or one that a soft mask uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// Index of its `CS` in `spaces`, where present.
    pub space: Option<usize>,
    /// `I`.
    pub isolated: bool,
    /// `K`.
    pub knockout: bool,
    /// `luminosity` or `alpha` where it is the group of a soft mask.
    pub soft_mask: Option<String>,
    /// The object that carries it.
    pub object: Option<ObjectRef>,
}

/// Executed painting operations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Strings of text shown visibly.
    pub text: u64,
    /// Strings of text in rendering mode 3.
    pub invisible_text: u64,
    /// Stroked paths.
    pub strokes: u64,
    /// Filled paths.
    pub fills: u64,
    /// Images, masks included.
    pub images: u64,
    /// Shadings.
    pub shadings: u64,
    /// Operators executed.
    pub operators: u64,
}

/// An annotation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Annotation {
    /// `Subtype`.
    pub kind: String,
    /// `Rect`.
    pub rect: Option<Rect>,
    /// `F`.
    pub flags: i64,
    /// Whether it has a normal appearance.
    pub appearance: bool,
    /// Its object.
    pub object: Option<ObjectRef>,
}
