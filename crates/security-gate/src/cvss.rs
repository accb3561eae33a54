//! Base scores of CVSS v3: read as a number, or computed from a vector where only that is given.
//!
//! The formula is section 7.1 of the specification of CVSS v3.1; v3.0 has the same for base scores. Vectors of other
//! versions are not computed: their findings count as unscored, which is HIGH.

use std::fmt;

/// A base score in tenths, 0 to 100: scores have one decimal and are compared with bounds, so they are no floats here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score(u8);

impl Score {
    /// A score as reports write it; `None` outside 0 to 10.
    #[must_use]
    pub fn new(score: f64) -> Option<Self> {
        (0.0..=10.0).contains(&score).then(|| Self((score * 10.0).round() as u8))
    }

    /// The base score of a `CVSS:3.0/…` or `CVSS:3.1/…` vector; `None` if it is none, or not a whole one.
    #[must_use]
    pub fn of_vector(vector: &str) -> Option<Self> {
        Base::parse(vector)?.score()
    }

    /// The score in tenths.
    #[must_use]
    pub fn tenths(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

/// The weights of the eight base metrics.
struct Base {
    vector: f64,
    complexity: f64,
    privileges: f64,
    interaction: f64,
    scope_changes: bool,
    impacts: [f64; 3],
}

impl Base {
    fn parse(text: &str) -> Option<Self> {
        let metrics = text.strip_prefix("CVSS:3.1/").or_else(|| text.strip_prefix("CVSS:3.0/"))?;
        let mut pairs = Vec::new();
        for metric in metrics.split('/') {
            let (name, value) = metric.split_once(':')?;
            if pairs.iter().any(|(other, _)| *other == name) {
                return None;
            }
            pairs.push((name, value));
        }
        let value = |name: &str| pairs.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
        let scope_changes = match value("S")? {
            "U" => false,
            "C" => true,
            _ => return None,
        };
        Some(Self {
            vector: weight(value("AV")?, &[("N", 0.85), ("A", 0.62), ("L", 0.55), ("P", 0.2)])?,
            complexity: weight(value("AC")?, &[("L", 0.77), ("H", 0.44)])?,
            privileges: match (value("PR")?, scope_changes) {
                ("N", _) => 0.85,
                ("L", false) => 0.62,
                ("L", true) => 0.68,
                ("H", false) => 0.27,
                ("H", true) => 0.5,
                _ => return None,
            },
            interaction: weight(value("UI")?, &[("N", 0.85), ("R", 0.62)])?,
            scope_changes,
            impacts: [impact(value("C")?)?, impact(value("I")?)?, impact(value("A")?)?],
        })
    }

    fn score(&self) -> Option<Score> {
        let lost = 1.0 - self.impacts.iter().map(|impact| 1.0 - impact).product::<f64>();
        let impact = if self.scope_changes {
            7.52 * (lost - 0.029) - 3.25 * (lost - 0.02).powi(15)
        } else {
            6.42 * lost
        };
        if impact <= 0.0 {
            return Score::new(0.0);
        }
        let exploitability = 8.22 * self.vector * self.complexity * self.privileges * self.interaction;
        let factor = if self.scope_changes { 1.08 } else { 1.0 };
        Score::new(round_up((factor * (impact + exploitability)).min(10.0)))
    }
}

fn impact(value: &str) -> Option<f64> {
    weight(value, &[("H", 0.56), ("L", 0.22), ("N", 0.0)])
}

fn weight(value: &str, weights: &[(&str, f64)]) -> Option<f64> {
    weights.iter().find(|(name, _)| *name == value).map(|(_, weight)| *weight)
}

/// Up to the next tenth, as appendix A of the specification does it: 4.0000001 that only floats made stays 4.0.
fn round_up(score: f64) -> f64 {
    let fine = (score * 100_000.0).round();
    (fine / 10_000.0).ceil() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All 2592 vectors with the scores that an independent implementation gives them.
    const SCORES: &str = include_str!("../tests/fixtures/cvss31-scores.txt");

    fn every_vector() -> Vec<String> {
        let metrics = [
            ("AV", "NALP"),
            ("AC", "LH"),
            ("PR", "NLH"),
            ("UI", "NR"),
            ("S", "UC"),
            ("C", "HLN"),
            ("I", "HLN"),
            ("A", "HLN"),
        ];
        metrics.iter().fold(vec!["CVSS:3.1".to_owned()], |vectors, (name, values)| {
            let longer = |vector: &String| {
                values.chars().map(move |value| format!("{vector}/{name}:{value}")).collect::<Vec<_>>()
            };
            vectors.iter().flat_map(longer).collect()
        })
    }

    #[test]
    fn score_of_every_vector_is_what_another_implementation_computes() {
        let expected: Vec<&str> =
            SCORES.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).collect();
        let vectors = every_vector();
        assert_eq!((vectors.len(), expected.len()), (2592, 2592));
        for (vector, score) in vectors.iter().zip(expected) {
            assert_eq!(Score::of_vector(vector).unwrap().to_string(), score, "{vector}");
            let older = vector.replace("CVSS:3.1", "CVSS:3.0");
            assert_eq!(Score::of_vector(&older).unwrap().to_string(), score, "{older}");
        }
    }

    #[test]
    fn score_of_a_vector_ignores_order_and_temporal_metrics() {
        let score = Score::of_vector("CVSS:3.1/A:H/I:H/C:H/S:U/UI:N/PR:N/AC:L/AV:N/E:P/RL:O").unwrap();
        assert_eq!(score.to_string(), "9.8");
    }

    #[test]
    fn score_of_what_is_no_whole_v3_vector_is_none() {
        for text in [
            "",
            "9.8",
            "AV:N/AC:L/Au:N/C:P/I:P/A:P",
            "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N",
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H",
            "CVSS:3.1/AV:Q/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
            "CVSS:3.1/AV:N/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A",
        ] {
            assert_eq!(Score::of_vector(text), None, "{text}");
        }
        assert_eq!((Score::new(10.1), Score::new(-0.1), Score::new(f64::NAN)), (None, None, None));
    }
}
