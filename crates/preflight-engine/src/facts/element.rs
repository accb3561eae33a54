//! What is painted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ObjectRef, Rect};

/// Painted things of one page that are alike: the same kind, paint and circumstances. A fill-and-stroke is two elements.
/// Elements outside the MediaBox, wholly clipped away or on layers that are off are kept with `visible: false`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Element {
    /// What it is.
    pub kind: ElementKind,
    /// How it is inked; of an image (not a mask) the space alone, of a shading likewise.
    pub paint: Paint,
    /// Whether it is seen: not outside the page's media, not clipped away, not on a layer that is off, alpha above 0.
    pub visible: bool,
    /// Whether it is in front of another visible element and meets it (by bounding boxes). Where that was not determined:
    /// `true`, which may find more and never fewer.
    pub overlapping: bool,
    /// Index of the innermost layer in `layers.groups` that it belongs to.
    pub layer: Option<usize>,
    /// It belongs to a layer that is a processing step, and so is no page element.
    pub step: bool,
    /// What it is drawn within: `form`, `pattern`, `type3`, `soft_mask`, `annotation`; empty for the page's own content.
    pub within: Vec<String>,
    /// Where it is.
    pub places: Places,
}

/// Kind of element.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ElementKind {
    /// Text.
    Text {
        /// Index of its font; absent where the resource is missing.
        font: Option<usize>,
        /// Effective size in points: size times text matrix times CTM, by the vertical axis.
        size_pt: f64,
        /// Rendering mode.
        mode: u8,
    },
    /// A stroked path, or a thin filled rectangle taken for a line.
    Line {
        /// Effective width in points, the smaller axis. 0 is the device's thinnest line.
        width_pt: f64,
        /// Whether it is a filled rectangle.
        filled: bool,
    },
    /// A filled path that is no line.
    Path {},
    /// An image or a stencil mask.
    Image {
        /// Pixels.
        width: u64,
        /// Pixels.
        height: u64,
        /// Bits of a component.
        bits: u8,
        /// A stencil mask: painted in the current colour.
        mask: bool,
        /// Effective resolution along the image's width, in pixels per inch.
        ppi_x: f64,
        /// The same along its height.
        ppi_y: f64,
        /// Filters, in order.
        filters: Vec<String>,
        /// It has a soft mask.
        soft_mask: bool,
        /// It has a stencil mask or a colour key.
        masked: bool,
        /// It is inline.
        inline: bool,
        /// It covers the whole TrimBox.
        covers_trim: bool,
    },
    /// A shading, painted by `sh` or as a pattern.
    Shading {
        /// `ShadingType`.
        shading: u8,
    },
}

/// Fill or stroke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// With the non-stroking colour.
    Fill,
    /// With the stroking colour.
    Stroke,
}

/// How an element is inked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Paint {
    /// Which of the two colours.
    pub operation: Operation,
    /// Index of the colour space; absent where it cannot be known.
    pub space: Option<usize>,
    /// Components in that space (an Indexed colour is resolved to its base); absent for images, shadings and patterns.
    pub values: Option<Vec<f64>>,
    /// It is painted with a pattern: `tiling` or `shading`.
    pub pattern: Option<String>,
    /// Overprint for this operation: of a fill `op`, or `OP` where `op` was never set; of a stroke `OP`.
    pub overprint: bool,
    /// `OPM`.
    pub overprint_mode: u8,
    /// `ca` or `CA`, of this operation, times those of the groups around it.
    pub alpha: f64,
    /// Blend mode.
    pub blend: String,
    /// A soft mask of the graphics state is in force.
    pub soft_mask: bool,
}

/// Where alike elements are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Places {
    /// How many.
    pub count: u64,
    /// The first of them, at most eight.
    pub first: Vec<Place>,
}

/// Where one element is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// Its box on the page in points.
    pub bbox: Rect,
    /// The content stream, form or image that it is in.
    pub object: Option<ObjectRef>,
    /// Which operator of its content stream, counted from 0.
    pub operator: u64,
}
