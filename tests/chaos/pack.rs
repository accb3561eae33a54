//! An export as its reader has it: whole, right by its index, and the same bytes each time.

use serde_json::Value;

use crate::stage::{Stage, text};

/// What two packs of one batch must agree in: of each part its first serial, units, size and digest; and the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    parts: Vec<(u64, u64, u64, String)>,
    index: String,
}

impl Pack {
    /// Fetches every file of an export that is ready, and holds it against what was said of it.
    pub async fn fetch(stage: &Stage, export: &str) -> Self {
        let download = stage.api.get(&format!("/v1/exports/{export}/download")).await;
        let mut parts = Vec::new();
        let mut next = None;
        for part in download["parts"].as_array().unwrap() {
            let bytes = stage.api.fetch(&text(part, "url")).await;
            let (first, units) = (number(part, "firstSerial"), number(part, "units"));
            assert_eq!(sha256(&bytes), text(part, "sha256"), "{export}: part at {first}");
            assert_eq!(bytes.len() as u64, number(part, "bytes"), "{export}: part at {first}");
            assert_eq!(next.unwrap_or(first), first, "{export}: parts follow one another");
            next = Some(first + units);
            parts.push((first, units, bytes.len() as u64, sha256(&bytes)));
        }
        let bytes = stage.api.fetch(&text(&download["index"], "url")).await;
        let index: Value = serde_json::from_slice(&bytes).unwrap();
        let listed: Vec<_> = index["parts"].as_array().unwrap().iter().map(listed).collect();
        assert_eq!(listed, parts, "{export}: the index lists the parts");
        assert_eq!(number(&index, "units"), parts.iter().map(|part| part.1).sum::<u64>(), "{export}");
        Self { parts, index: sha256(&bytes) }
    }
}

fn listed(part: &Value) -> (u64, u64, u64, String) {
    (number(part, "firstSerial"), number(part, "units"), number(part, "bytes"), text(part, "sha256"))
}

fn number(value: &Value, member: &str) -> u64 {
    value[member].as_u64().unwrap_or_else(|| panic!("no number '{member}' in {value:#}"))
}

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
