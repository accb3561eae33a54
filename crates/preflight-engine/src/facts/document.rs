//! The file and the document's own dictionaries.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ObjectRef, resource::IccProfile};

/// The file as bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct File {
    /// Length in bytes.
    pub bytes: u64,
    /// Version of the header, for example `1.6`; absent where there is no header.
    pub header_version: Option<String>,
    /// Bytes before the header.
    pub bytes_before_header: u64,
    /// Bytes after the last `%%EOF` (line ends aside).
    pub bytes_after_eof: u64,
    /// Number of `%%EOF` markers: more than one means incremental updates.
    pub revisions: u32,
    /// Encryption; absent where there is none.
    pub encryption: Option<Encryption>,
    /// Whether the document could be opened at all. Where not, everything else is empty and `damage` says why.
    pub readable: bool,
    /// Damage met and repairs made while reading, each with a stable `kind`.
    pub damage: Vec<Damage>,
}

/// One piece of structural damage, or one repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Damage {
    /// Stable name, for example `xref_rebuilt`, `stream_undecodable`, `page_missing`, `operator_unknown`, `unbalanced_q`.
    pub kind: String,
    /// A sentence for a person, without any of the file's text.
    pub detail: String,
    /// The page, counted from 1, where it belongs to one.
    pub page: Option<u32>,
    /// The object, where it belongs to one.
    pub object: Option<ObjectRef>,
    /// Whether the reader could go on as if nothing had been (`true`), or something was left out (`false`).
    pub repaired: bool,
}

/// The encryption dictionary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Encryption {
    /// Security handler, `Standard` as a rule.
    pub filter: String,
    /// `V`.
    pub version: i64,
    /// `R`.
    pub revision: i64,
    /// Whether the empty user password opened it.
    pub opened: bool,
}

/// A budget that ran out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LimitHit {
    /// Name of the field of `Budgets`.
    pub budget: String,
    /// Its value.
    pub limit: u64,
    /// The page, counted from 1, where it belongs to one.
    pub page: Option<u32>,
}

/// The catalog and what hangs on it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// `Version` of the catalog.
    pub catalog_version: Option<String>,
    /// Info dictionary and XMP.
    pub metadata: Metadata,
    /// PDF/X (and PDF/A, PDF/VT) conformance that the file claims.
    pub claims: Vec<Claim>,
    /// Actions: of the document, pages, annotations, fields, bookmarks. JavaScript among them.
    pub actions: Vec<Action>,
    /// Number of fields of the `AcroForm` that have no fields below them.
    pub form_fields: u32,
    /// Whether the form is XFA.
    pub xfa: bool,
    /// Embedded and attached files.
    pub embedded_files: Vec<EmbeddedFile>,
    /// `ID` of the trailer is there.
    pub has_id: bool,
    /// What only a press may set: transfer functions, halftones, OPI, PostScript, alternate images.
    pub prepress: Vec<PrepressUse>,
    /// Dictionaries that hold one key twice, by object.
    pub duplicate_keys: Vec<ObjectRef>,
}

/// Info dictionary and XMP.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// Text entries of the Info dictionary that say how the file was made and what it claims (never author or subject):
    /// `Title`, `Creator`, `Producer`, `CreationDate`, `ModDate`, `Trapped`, `GTS_PDFXVersion`, `GTS_PDFXConformance`.
    pub info: BTreeMap<String, String>,
    /// The document's XMP packet; absent where there is none.
    pub xmp: Option<Xmp>,
}

/// What is read of the document's XMP.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Xmp {
    /// Whether it is well-formed XML.
    pub well_formed: bool,
    /// Simple properties by prefixed name with the usual prefixes (`xmp:CreateDate`, `pdf:Trapped`,
    /// `pdfxid:GTS_PDFXVersion`, `xmpMM:DocumentID`, `xmpMM:VersionID`, `xmpMM:RenditionClass`, `dc:title`, …).
    pub properties: BTreeMap<String, String>,
}

/// A conformance that the file claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    /// The claim as written, for example `PDF/X-4` or `PDF/X-1a:2003`.
    pub standard: String,
    /// `info` or `xmp`.
    pub source: String,
}

/// An action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Action {
    /// `S`, for example `JavaScript`, `URI`, `Launch`, `GoTo`.
    pub kind: String,
    /// Where it hangs: `open`, `document`, `page`, `annotation`, `field`, `outline`, `names`.
    pub place: String,
    /// The page, counted from 1, where it belongs to one.
    pub page: Option<u32>,
    /// The object, where it has one.
    pub object: Option<ObjectRef>,
}

/// An embedded file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EmbeddedFile {
    /// Declared MIME type.
    pub mime: Option<String>,
    /// Declared size in bytes.
    pub bytes: Option<u64>,
    /// The file specification's object.
    pub object: Option<ObjectRef>,
}

/// Something that PDF/X reserves for the press, or forbids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrepressUse {
    /// `transfer_function`, `halftone`, `halftone_phase`, `halftone_name`, `opi`, `postscript`, `alternate_image`,
    /// `reference_xobject`, `lzw`, `jbig2`, `jpx`, `external_stream`, `preseparated`, `black_generation`, `undercolor_removal`.
    pub kind: String,
    /// What it says, for example the type of the halftone or the bits of a JPEG 2000 image.
    pub detail: Option<String>,
    /// The page, counted from 1, where it belongs to one.
    pub page: Option<u32>,
    /// The object, where it has one.
    pub object: Option<ObjectRef>,
}

/// An output intent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutputIntent {
    /// `S`, for example `GTS_PDFX`.
    pub subtype: String,
    /// `OutputConditionIdentifier`.
    pub condition_identifier: Option<String>,
    /// `OutputCondition`.
    pub condition: Option<String>,
    /// `RegistryName`.
    pub registry: Option<String>,
    /// `Info`.
    pub info: Option<String>,
    /// The embedded destination profile.
    pub profile: Option<IccProfile>,
    /// Whether the profile is referenced from outside (`DestOutputProfileRef`).
    pub profile_reference: bool,
}

/// Optional content.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Layers {
    /// The groups.
    pub groups: Vec<Layer>,
    /// `OCProperties` has `Configs`, with this many alternate configurations.
    pub alternate_configurations: Option<u32>,
    /// `BaseState` of the default configuration.
    pub base_state: String,
    /// The default configuration has automatic states (`AS`).
    pub automatic_states: bool,
    /// The default configuration has a `Name`, an `Order` that lists every group, … : names of keys that it has.
    pub default_keys: Vec<String>,
}

/// An optional content group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// Its object.
    pub object: Option<ObjectRef>,
    /// Whether the default configuration shows it.
    pub on: bool,
    /// The processing step (ISO 19593-1) that its metadata declare.
    pub step: Option<ProcessingStep>,
}

/// `GTS_ProcStepsGroup` and `GTS_ProcStepsType`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ProcessingStep {
    /// For example `Structural`.
    pub group: String,
    /// For example `Cutting`.
    pub step: String,
}
