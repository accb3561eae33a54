//! What the product shall be, as it is typed.

use clap::Args;
use mintmark_preflight_engine::policy::Intent;
use serde_json::{Value, json};

/// What the product shall be; what is left out is not expected.
#[derive(Args, Clone, Default, PartialEq)]
pub struct Product {
    /// What its trim size shall be: width and height in millimetres, for example 148x210.
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = size)]
    pub trim: Option<[f64; 2]>,
    /// What its bleed shall be, in millimetres.
    #[arg(long, value_name = "MM")]
    pub bleed: Option<f64>,
    /// How many pages it shall have.
    #[arg(long)]
    pub pages: Option<u32>,
    /// Its product type, for processing steps in packaging.
    #[arg(long)]
    pub product_type: Option<String>,
    /// How many times as large as its pages it is printed (large format).
    #[arg(long)]
    pub scaling_factor: Option<f64>,
    /// From how many metres it is looked at (large format).
    #[arg(long, value_name = "METRES")]
    pub viewing_distance: Option<f64>,
}

impl Product {
    /// As the engine takes it.
    pub fn intent(&self) -> Intent {
        Intent {
            trim_mm: self.trim,
            bleed_mm: self.bleed,
            pages: self.pages,
            product_type: self.product_type.clone(),
            scaling_factor: self.scaling_factor,
            viewing_distance_m: self.viewing_distance,
        }
    }

    /// As the gateway takes it; nothing where nothing is expected.
    pub fn document(&self) -> Option<Value> {
        let members = [
            ("trimWidthMm", self.trim.map(|[width, _]| json!(width))),
            ("trimHeightMm", self.trim.map(|[_, height]| json!(height))),
            ("bleedMm", self.bleed.map(|bleed| json!(bleed))),
            ("pages", self.pages.map(|pages| json!(pages))),
            ("productType", self.product_type.as_ref().map(|kind| json!(kind))),
            ("scalingFactor", self.scaling_factor.map(|factor| json!(factor))),
            ("viewingDistanceM", self.viewing_distance.map(|distance| json!(distance))),
        ];
        let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Some(Value::Object(members.collect())).filter(|document| *document != json!({}))
    }
}

/// Reads `148x210`.
fn size(text: &str) -> Result<[f64; 2], String> {
    let parts = text
        .split_once(['x', '×'])
        .and_then(|(width, height)| Some([width.trim().parse().ok()?, height.trim().parse().ok()?]));
    parts.ok_or_else(|| "give width and height in millimetres, for example 148x210".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn document_has_what_was_said_and_nothing_else() {
        assert_eq!(Product::default().document(), None);
        let product = Product { trim: Some([148.0, 210.0]), pages: Some(2), ..Product::default() };
        let said = json!({ "trimWidthMm": 148.0, "trimHeightMm": 210.0, "pages": 2 });
        assert_eq!(product.document(), Some(said));
    }
}
