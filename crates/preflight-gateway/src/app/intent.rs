//! What the product shall be, where whoever creates a job says so.

use mintmark_fault::{Fault, Result};
use mintmark_preflight_engine::policy;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the product shall be; what is absent is not expected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Intent {
    /// Width of the trimmed page, 1 to 100,000 mm; goes with the height.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trim_width_mm: Option<f64>,
    /// Height of the trimmed page, 1 to 100,000 mm; goes with the width.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trim_height_mm: Option<f64>,
    /// Bleed on each side, 0 to 1,000 mm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bleed_mm: Option<f64>,
    /// How many pages, 1 to 1,000,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<u32>,
    /// One of the product types of GWG 2022, such as `Label & Leaflet`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_type: Option<String>,
    /// How many times larger it is printed than it is drawn, 0.01 to 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling_factor: Option<f64>,
    /// From how far it is looked at, 0.01 to 10,000 m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewing_distance_m: Option<f64>,
}

impl Intent {
    /// The intent, when each value is one that a product can have.
    ///
    /// # Errors
    /// 400 `INTENT_INVALID` with the field.
    pub fn checked(self) -> Result<Self> {
        if self.trim_width_mm.is_some() != self.trim_height_mm.is_some() {
            let sentence = "a trim size has both trimWidthMm and trimHeightMm";
            return Err(refused("trimHeightMm", sentence.to_owned()));
        }
        match self.for_engine().problems().into_iter().next() {
            Some(problem) => Err(refused(field(&problem.at), problem.message)),
            None => Ok(self),
        }
    }

    /// As policies are evaluated with it.
    #[must_use]
    pub fn for_engine(&self) -> policy::Intent {
        policy::Intent {
            trim_mm: self.trim_width_mm.zip(self.trim_height_mm).map(|(width, height)| [width, height]),
            bleed_mm: self.bleed_mm,
            pages: self.pages,
            product_type: self.product_type.clone(),
            scaling_factor: self.scaling_factor,
            viewing_distance_m: self.viewing_distance_m,
        }
    }
}

/// Our field for a place in the engine's intent.
fn field(at: &str) -> &str {
    match at {
        "/trimMm/0" => "trimWidthMm",
        "/trimMm/1" => "trimHeightMm",
        other => other.trim_start_matches('/'),
    }
}

fn refused(field: &str, sentence: String) -> Fault {
    Fault::invalid("INTENT_INVALID", format!("intent.{field}"), sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checked_takes_what_can_be_printed_only() {
        let size =
            |width, height| Intent { trim_width_mm: width, trim_height_mm: height, ..Intent::default() };
        assert!(Intent::default().checked().is_ok());
        assert!(size(Some(210.0), Some(297.0)).checked().is_ok());
        let bad = [
            (size(Some(210.0), None), "intent.trimHeightMm"),
            (size(Some(0.0), Some(1.0)), "intent.trimWidthMm"),
            (size(Some(1.0), Some(1e9)), "intent.trimHeightMm"),
            (size(Some(f64::NAN), Some(1.0)), "intent.trimWidthMm"),
            (Intent { bleed_mm: Some(-1.0), ..Intent::default() }, "intent.bleedMm"),
            (Intent { pages: Some(0), ..Intent::default() }, "intent.pages"),
            (Intent { scaling_factor: Some(0.0), ..Intent::default() }, "intent.scalingFactor"),
            (Intent { viewing_distance_m: Some(1e9), ..Intent::default() }, "intent.viewingDistanceM"),
            (Intent { product_type: Some("a b".to_owned()), ..Intent::default() }, "intent.productType"),
        ];
        for (intent, field) in bad {
            let fault = intent.clone().checked().unwrap_err();
            assert_eq!((fault.code(), fault.field_name()), ("INTENT_INVALID", Some(field)), "{intent:?}");
        }
    }
}
