//! `index.json`: the short page over the parts of an export.

use serde::Serialize;

use super::manifest::hex;
use super::{FORMAT_VERSION, PackError, PackSource, PartRange};

/// The object's name, beside the parts.
pub const INDEX_NAME: &str = "index.json";

/// What is known of a finished part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedPart {
    /// Which units it holds.
    pub range: PartRange,
    /// Size of the ZIP.
    pub bytes: u64,
    /// SHA-256 of the ZIP.
    pub sha256: [u8; 32],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IndexView<'a> {
    format_version: u32,
    batch_id: String,
    product_id: String,
    gtin: &'a str,
    formats: Vec<&'static str>,
    units: u64,
    bytes: u64,
    parts: Vec<PartView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartView {
    part: u32,
    name: String,
    bytes: u64,
    sha256: String,
    first_serial: u64,
    last_serial: u64,
    units: u64,
}

/// The index over `parts`, which stand in order.
///
/// # Errors
/// Only if JSON cannot be written to memory.
pub fn write_index(source: &PackSource, parts: &[IndexedPart]) -> Result<Vec<u8>, PackError> {
    let view = IndexView {
        format_version: FORMAT_VERSION,
        batch_id: source.batch_id.to_string(),
        product_id: source.product_id.to_string(),
        gtin: source.gtin.as_str(),
        formats: source.formats.names(),
        units: parts.iter().map(|part| part.range.units).sum(),
        bytes: parts.iter().map(|part| part.bytes).sum(),
        parts: parts.iter().map(PartView::from).collect(),
    };
    let mut json = serde_json::to_vec_pretty(&view)?;
    json.push(b'\n');
    Ok(json)
}

impl From<&IndexedPart> for PartView {
    fn from(part: &IndexedPart) -> Self {
        Self {
            part: part.range.part,
            name: part.range.file_name(),
            bytes: part.bytes,
            sha256: hex(&part.sha256),
            first_serial: part.range.first_serial,
            last_serial: part.range.last_serial(),
            units: part.range.units,
        }
    }
}
