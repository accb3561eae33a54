//! The facts about one file: what is there, never what is right. Policies judge them (`crate::policy`).
//!
//! Lengths are points (1/72 inch) after every transformation and `UserUnit`, unless a field says otherwise; rectangles are
//! `[left, bottom, right, top]` in the page's default user space. Tables (`fonts`, `spaces`, `layers.groups`) are named by
//! their index. Objects are named by number and generation.

mod document;
mod element;
mod page;
mod resource;

pub use document::{
    Action, Claim, Damage, Document, EmbeddedFile, Encryption, File, Layer, Layers, LimitHit, Metadata,
    OutputIntent, PrepressUse, ProcessingStep, Xmp,
};
pub use element::{Element, ElementKind, Operation, Paint, Place, Places};
pub use page::{Annotation, Boxes, Counts, Group, Page};
pub use resource::{Family, Font, FontKind, IccProfile, Space};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of this model. A reader of facts refuses a version that it does not know.
pub const SCHEMA_VERSION: u32 = 1;

/// `[left, bottom, right, top]` in points.
pub type Rect = [f64; 4];

/// An indirect object: number and generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ObjectRef(pub i32, pub i32);

/// Everything that one reading of a file found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Facts {
    /// [`SCHEMA_VERSION`].
    pub schema: u32,
    /// [`crate::ENGINE_VERSION`].
    pub engine: String,
    /// The file as bytes: length, header, damage, encryption.
    pub file: File,
    /// The document's catalog: metadata, claims, actions, embedded files.
    pub document: Document,
    /// Output intents, in the order of the catalog.
    pub output_intents: Vec<OutputIntent>,
    /// Optional content; absent where the document has none.
    pub layers: Option<Layers>,
    /// Fonts that some text uses or some resource names.
    pub fonts: Vec<Font>,
    /// Colour spaces, each once; bases and alternates are entries of their own.
    pub spaces: Vec<Space>,
    /// Pages, in order.
    pub pages: Vec<Page>,
    /// Budgets that ran out: what lies behind them was not read.
    pub limits: Vec<LimitHit>,
}
