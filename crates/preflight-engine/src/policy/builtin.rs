//! Our own policies.

use std::sync::LazyLock;

use super::{
    POLICY_SCHEMA, Policy, RuleUse, Severity,
    check::listed::{X1A, X3, X4, listed},
    gwg,
};

static CATALOG: LazyLock<Vec<Policy>> = LazyLock::new(|| {
    let mut policies = vec![
        digital_print(),
        listed_checks("pdfx-1a-2003-listed", X1A),
        listed_checks("pdfx-3-2003-listed", X3),
        listed_checks("pdfx-4-listed", X4),
    ];
    policies.extend(gwg::variants().iter().map(|variant| variant.policy.clone()));
    policies
});

/// Our own policies: `digital-print`, the listed checks of PDF/X, the variants of GWG 2022.
#[must_use]
pub fn catalog() -> &'static [Policy] {
    &CATALOG
}

/// One of our own policies.
#[must_use]
pub fn find(id: &str) -> Option<&'static Policy> {
    CATALOG.iter().find(|policy| policy.id == id)
}

fn listed_checks(id: &str, standard: &str) -> Policy {
    Policy {
        schema: POLICY_SCHEMA,
        id: id.to_owned(),
        version: 1,
        title: format!("Listed checks of {standard}"),
        summary: format!(
            "What most often breaks {standard}, by a list of checks. It is not a certification of conformance."
        ),
        rules: [vec![RuleUse::new("D0001", Severity::Error)], listed(standard)].concat(),
    }
}

/// What spoils a digital print, and little else: colours of any kind, transparency and layers are welcome.
fn digital_print() -> Policy {
    use Severity::{Error, Warning};
    let ppi = |rule: &str, error: f64, warning: f64| {
        let item = RuleUse::new(rule, Error).with("error_ppi", error).with("warning_ppi", warning);
        RuleUse { severity: None, ..item }
    };
    Policy {
        schema: POLICY_SCHEMA,
        id: "digital-print".to_owned(),
        version: 1,
        title: "Digital print".to_owned(),
        summary: "Permissive: what spoils a digital print, and warnings about what often disappoints. It is not the \
                  GWG 2022 variant of that name (gwg-2022-digital-print)."
            .to_owned(),
        rules: vec![
            RuleUse::new("D0001", Error),
            RuleUse::new("D0002", Warning),
            RuleUse::new("D0003", Warning),
            RuleUse::new("D0004", Warning),
            RuleUse::new("D0005", Warning),
            RuleUse::new("X0009", Error),
            RuleUse::new("X0010", Error),
            RuleUse::new("P0004", Warning),
            RuleUse::new("R0005", Warning),
            RuleUse::new("R0007", Error),
            RuleUse::new("R0017", Warning).with("pt", 5.0),
            RuleUse::new("R0019", Warning).with("pt", 0.25),
            RuleUse::new("R0024", Warning),
            ppi("R0031", 95.0, 149.0),
            ppi("R0032", 349.0, 599.0),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_of_ours_is_valid_and_survives_json() {
        for policy in catalog() {
            assert_eq!(super::super::validate(policy), [], "{}", policy.id);
            let json = serde_json::to_vec(policy).unwrap();
            assert_eq!(super::super::parse(&json).as_ref(), Ok(policy));
        }
        let ids: std::collections::BTreeSet<&str> =
            catalog().iter().map(|policy| policy.id.as_str()).collect();
        assert_eq!((ids.len(), catalog().len()), (27, 27));
        for id in [
            "digital-print",
            "pdfx-1a-2003-listed",
            "pdfx-3-2003-listed",
            "pdfx-4-listed",
            "gwg-2022-sheetcmyk-cmyk",
        ] {
            assert!(find(id).is_some(), "{id}");
        }
    }
}
