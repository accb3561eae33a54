//! What a job says of its product.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;

/// What the product shall be. Everything is optional; what is stated is checked under every policy (P0001 to P0003).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Intent {
    /// Trim size in millimetres: width and height.
    pub trim_mm: Option<[f64; 2]>,
    /// Bleed on every side in millimetres.
    pub bleed_mm: Option<f64>,
    /// Number of pages.
    pub pages: Option<u32>,
    /// Product type of R1001, for example `Label & Leaflet`.
    pub product_type: Option<String>,
    /// Agreed scaling factor of a large format: the print is this many times the page. `UserUnit` goes before it.
    pub scaling_factor: Option<f64>,
    /// Viewing distance of a large format in metres.
    pub viewing_distance_m: Option<f64>,
}

impl Intent {
    /// What is wrong with it, each with a sentence.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut number = |at: &str, value: Option<f64>, least: f64, most: f64, unit: &str| {
            if value.is_some_and(|value| !(least..=most).contains(&value)) {
                problems.push(Problem::new(at, format!("must be from {least} to {most}{unit}")));
            }
        };
        number("/trimMm/0", self.trim_mm.map(|size| size[0]), 1.0, 100_000.0, " mm");
        number("/trimMm/1", self.trim_mm.map(|size| size[1]), 1.0, 100_000.0, " mm");
        number("/bleedMm", self.bleed_mm, 0.0, 1_000.0, " mm");
        number("/pages", self.pages.map(f64::from), 1.0, 1_000_000.0, "");
        number("/scalingFactor", self.scaling_factor, 0.01, 1_000.0, "");
        number("/viewingDistanceM", self.viewing_distance_m, 0.01, 10_000.0, " m");
        let types = super::gwg::product_types();
        if self.product_type.as_ref().is_some_and(|chosen| !types.iter().any(|known| known == chosen)) {
            problems.push(Problem::new("/productType", format!("must be one of: {}", types.join("; "))));
        }
        problems
    }
}
