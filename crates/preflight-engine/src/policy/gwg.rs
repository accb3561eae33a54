//! The 23 variants of GWG 2022 as policies, out of the figures in `data/`.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use super::{Limit, POLICY_SCHEMA, Policy, RuleUse, Severity};

/// A variant of GWG 2022.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// Its name in the specification.
    pub name: &'static str,
    /// It as a policy.
    pub policy: Policy,
}

/// Names of the variants, in the specification's order, with the ids of their policies.
const NAMES: [(&str, &str); 23] = [
    ("Magazine Ads CMYK", "gwg-2022-magazineads-cmyk"),
    ("Magazine Ads CMYK + RGB", "gwg-2022-magazineads-cmyk-rgb"),
    ("Newspaper Ads CMYK", "gwg-2022-newspaperads-cmyk"),
    ("Newspaper Ads CMYK + RGB", "gwg-2022-newspaperads-cmyk-rgb"),
    ("SheetCMYK CMYK", "gwg-2022-sheetcmyk-cmyk"),
    ("SheetCMYK CMYK + RGB", "gwg-2022-sheetcmyk-cmyk-rgb"),
    ("SheetSpot CMYK", "gwg-2022-sheetspot-cmyk"),
    ("SheetSpot CMYK + RGB", "gwg-2022-sheetspot-cmyk-rgb"),
    ("WebCMYK CMYK", "gwg-2022-webcmyk-cmyk"),
    ("WebCMYK CMYK + RGB", "gwg-2022-webcmyk-cmyk-rgb"),
    ("WebSpot CMYK", "gwg-2022-webspot-cmyk"),
    ("WebSpot CMYK + RGB", "gwg-2022-webspot-cmyk-rgb"),
    ("WebCMYKNews CMYK", "gwg-2022-webcmyknews-cmyk"),
    ("WebCMYKNews CMYK + RGB", "gwg-2022-webcmyknews-cmyk-rgb"),
    ("Packaging Offset", "gwg-2022-packaging-offset"),
    ("Packaging Gravure", "gwg-2022-packaging-gravure"),
    ("Packaging Flexo", "gwg-2022-packaging-flexo"),
    ("Label & Leaflet", "gwg-2022-label-leaflet"),
    ("Folding Carton & Corrugated Box", "gwg-2022-folding-carton-corrugated-box"),
    ("Flexible", "gwg-2022-flexible"),
    ("Corrugated Display", "gwg-2022-corrugated-display"),
    ("Digital Print", "gwg-2022-digital-print"),
    ("Large Format Print", "gwg-2022-large-format-print"),
];

/// Product types of R1001.
const PRODUCT_TYPES: [&str; 4] =
    ["Label & Leaflet", "Folding Carton & Corrugated Box", "Flexible", "Corrugated Display"];

/// A rule's figures in a variant, as the data file has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Figures {
    severity: Option<Severity>,
    error: Option<String>,
    warning: Option<String>,
    #[serde(rename = "A")]
    a: Option<String>,
    #[serde(rename = "B")]
    b: Option<String>,
}

/// What a product type asks of processing steps.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Steps {
    pub(super) required: Vec<String>,
    /// Not needed to judge: what is neither required nor forbidden is allowed.
    #[serde(rename = "allowed")]
    _allowed: Vec<String>,
    #[serde(rename = "not allowed")]
    pub(super) not_allowed: Vec<String>,
    pub(super) recommended: Vec<String>,
}

#[expect(clippy::expect_used, reason = "the file is part of the program, and a test reads it")]
static STEPS: LazyLock<BTreeMap<String, Steps>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../data/gwg2022_processing_steps.json")).expect("our own data file")
});

#[expect(clippy::expect_used, reason = "the file is part of the program, and a test reads it")]
static VARIANTS: LazyLock<Vec<Variant>> = LazyLock::new(|| {
    let figures: BTreeMap<String, BTreeMap<String, Figures>> =
        serde_json::from_str(include_str!("../../data/gwg2022_limits.json")).expect("our own data file");
    NAMES.iter().map(|(name, id)| variant(name, id, &figures[*name])).collect()
});

/// The variants, in the specification's order.
#[must_use]
pub fn variants() -> &'static [Variant] {
    &VARIANTS
}

/// Product types of R1001.
#[must_use]
pub fn product_types() -> &'static [&'static str] {
    &PRODUCT_TYPES
}

/// What a product type asks.
pub(super) fn steps_of(product_type: &str) -> Option<&'static Steps> {
    STEPS.get(product_type)
}

/// Whether R1002 is asked of a product type in its own variant.
pub(super) fn asks_for_creasing(product_type: &str) -> bool {
    VARIANTS.iter().any(|variant| {
        variant.name == product_type && variant.policy.rules.iter().any(|item| item.rule == "R1002")
    })
}

fn variant(name: &'static str, id: &str, figures: &BTreeMap<String, Figures>) -> Variant {
    let rules = figures.iter().map(|(rule, figures)| rule_use(name, rule, figures)).collect();
    let policy = Policy {
        schema: POLICY_SCHEMA,
        id: id.to_owned(),
        version: 1,
        title: format!("GWG 2022: {name}"),
        summary: "The rules and limits of this variant of GWG 2022. The base standard is judged by listed checks of \
                  PDF/X-4, which is no certification."
            .to_owned(),
        rules,
    };
    Variant { name, policy }
}

fn rule_use(variant: &str, rule: &str, figures: &Figures) -> RuleUse {
    let mut limits = BTreeMap::new();
    let mut put = |name: &str, text: &Option<String>| {
        if let Some(value) = text.as_deref().and_then(figure) {
            limits.insert(name.to_owned(), Limit::Number(value));
        }
    };
    match rule {
        "R0031" | "R0032" | "R0033" => {
            put("error_ppi", &figures.error);
            put("warning_ppi", &figures.warning);
        }
        "R0015" => {
            put("black", &figures.a);
            put("sum", &figures.b);
        }
        "R0020" => put("at_most", &figures.a),
        "R0025" | "R0026" => {
            put("percent", &figures.a);
            put("square_mm", &figures.b);
        }
        "R0001" => {}
        _ => put("pt", &figures.a),
    }
    if rule == "R1001" && PRODUCT_TYPES.contains(&variant) {
        limits.insert("product_type".to_owned(), Limit::Text(variant.to_owned()));
    }
    RuleUse { rule: rule.to_owned(), severity: figures.severity, limits }
}

/// The number of `305%`, `15mm`, `149ppi`, `0.25`.
fn figure(text: &str) -> Option<f64> {
    text.trim_end_matches(|letter: char| !letter.is_ascii_digit()).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_is_a_valid_policy_with_all_its_figures() {
        let raw: BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>> =
            serde_json::from_str(include_str!("../../data/gwg2022_limits.json")).unwrap();
        assert_eq!((variants().len(), raw.len()), (23, 23));
        for variant in variants() {
            assert_eq!(super::super::validate(&variant.policy), [], "{}", variant.name);
            let figures = &raw[variant.name];
            assert_eq!(variant.policy.rules.len(), figures.len());
            for item in &variant.policy.rules {
                let wanted =
                    figures[&item.rule].iter().filter(|(key, _)| *key != "severity" && item.rule != "R0001");
                let numbers = item.limits.values().filter(|limit| matches!(limit, Limit::Number(_))).count();
                assert_eq!(numbers, wanted.count(), "{} of {}", item.rule, variant.name);
            }
        }
    }

    #[test]
    fn figures_of_one_variant_are_the_published_ones() {
        let sheet = &variants()[4].policy;
        let rule = |id: &str| sheet.rules.iter().find(|item| item.rule == id).unwrap();
        assert_eq!(sheet.id, "gwg-2022-sheetcmyk-cmyk");
        assert_eq!(rule("R0031").number("error_ppi"), Some(149.0));
        assert_eq!(rule("R0031").number("warning_ppi"), Some(224.0));
        assert_eq!(rule("R0026").number("percent"), Some(320.0));
        assert_eq!(rule("R0026").number("square_mm"), Some(15.0));
        assert_eq!(rule("R0016").number("pt"), Some(8.0));
        assert_eq!(rule("R0018").number("pt"), Some(0.25));
    }

    #[test]
    fn processing_steps_know_every_product_type() {
        for product_type in product_types() {
            let steps = steps_of(product_type).unwrap();
            assert_eq!(steps.required, ["Structural/Cutting"]);
            assert!(!steps.not_allowed.is_empty() && !steps.recommended.is_empty());
        }
        assert!(
            asks_for_creasing("Folding Carton & Corrugated Box") && !asks_for_creasing("Label & Leaflet")
        );
    }
}
