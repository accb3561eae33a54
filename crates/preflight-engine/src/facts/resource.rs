//! Fonts and colour spaces.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ObjectRef;

/// A font.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Font {
    /// `BaseFont` without the subset tag.
    pub name: String,
    /// The tag of a subset, for example `ABCDEF`.
    pub subset_tag: Option<String>,
    /// Kind of font.
    pub kind: FontKind,
    /// Kind of the descendant of a composite font.
    pub descendant: Option<FontKind>,
    /// Whether its program is embedded (a Type 3 font always is).
    pub embedded: bool,
    /// Which program: `FontFile`, `FontFile2`, `Type1C`, `CIDFontType0C`, `OpenType`.
    pub program: Option<String>,
    /// Whether there is a `ToUnicode` map.
    pub to_unicode: bool,
    /// Encoding by name, where it has one (`Identity-H`, `WinAnsiEncoding`, …).
    pub encoding: Option<String>,
    /// Its dictionary.
    pub object: Option<ObjectRef>,
    /// Whether some text shows glyphs with it (rendering mode 3 aside).
    pub used: bool,
    /// Pages on which a resource names it, at most the first 16, counted from 1.
    pub pages: Vec<u32>,
}

/// Kind of font.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FontKind {
    /// Type 1.
    Type1,
    /// Multiple master Type 1.
    MmType1,
    /// TrueType.
    TrueType,
    /// Type 3: glyphs are content streams.
    Type3,
    /// Composite.
    Type0,
    /// Descendant with Type 1 outlines.
    CidType0,
    /// Descendant with TrueType outlines.
    CidType2,
    /// Something else, or none said.
    Unknown,
}

/// A colour space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Space {
    /// Its family.
    pub family: Family,
    /// Number of components.
    pub components: u8,
    /// Colorants: of Separation one, of DeviceN all, in order; empty for the others.
    pub colorants: Vec<String>,
    /// Index of the base space (Indexed, uncoloured Pattern), or the alternate one (Separation, DeviceN, ICCBased).
    pub base: Option<usize>,
    /// Fingerprint (hexadecimal) of the tint transform as a PDF object, direct and indirect alike: equal exactly for equal
    /// objects.
    pub tint_transform: Option<String>,
    /// The profile of an ICCBased space.
    pub profile: Option<IccProfile>,
    /// For DeviceN: `NChannel` or `DeviceN` as its attributes say.
    pub subtype: Option<String>,
    /// Names of the process components that the attributes of a DeviceN declare.
    pub process: Vec<String>,
    /// The device space that it stands in for, as `DefaultGray`, `DefaultRGB` or `DefaultCMYK` of some resources.
    #[serde(default)]
    pub default_for: Option<Family>,
    /// Its object, where it has one.
    pub object: Option<ObjectRef>,
    /// Whether a visible element is painted in it (directly, or as base of an Indexed or Pattern space).
    pub used: bool,
}

/// Family of a colour space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Family {
    /// DeviceGray.
    DeviceGray,
    /// DeviceRGB.
    DeviceRGB,
    /// DeviceCMYK.
    DeviceCMYK,
    /// CalGray.
    CalGray,
    /// CalRGB.
    CalRGB,
    /// Lab.
    Lab,
    /// ICCBased.
    ICCBased,
    /// Indexed.
    Indexed,
    /// Separation.
    Separation,
    /// DeviceN.
    DeviceN,
    /// Pattern.
    Pattern,
    /// One that the engine does not know, or that is damaged.
    Unknown,
}

/// What the header of an ICC profile says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IccProfile {
    /// Class, for example `prtr`.
    pub class: String,
    /// Colour space of data, for example `CMYK`.
    pub space: String,
    /// Version, for example `2.1` or `4.3`.
    pub version: String,
    /// `N` of the stream dictionary.
    pub components: Option<u8>,
    /// Length in bytes.
    pub bytes: u64,
    /// Description tag, cut at 120 characters.
    pub description: Option<String>,
    /// SHA-256 of the profile, hexadecimal.
    pub sha256: String,
    /// Its stream.
    pub object: Option<ObjectRef>,
}
