//! Histograms for places where looking an instrument up costs more than what is measured.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, HistogramVec, Registry};

/// The durations of one value of a label. Recording one is a few atomic additions: nothing is looked up, nothing allocated.
#[derive(Clone, Debug)]
pub struct Durations(Option<Histogram>);

impl Durations {
    /// Counts one.
    pub fn record(&self, took: Duration) {
        if let Some(histogram) = &self.0 {
            histogram.observe(took.as_secs_f64());
        }
    }
}

/// A histogram in seconds with one label whose values are known beforehand, each there from the first moment.
///
/// `name` is as Prometheus shows it and ends in `_seconds`. Make it once in a process: a second one of the same name is not
/// shown.
pub(super) fn durations_by<const N: usize>(
    registry: &Registry,
    name: &str,
    about: &str,
    bounds: &[f64],
    label: &str,
    values: [&str; N],
) -> [Durations; N] {
    let options = HistogramOpts::new(name, about).buckets(bounds.to_vec());
    let made = HistogramVec::new(options, &[label]);
    // Only a name that is none, or one that is taken, can fail: then nothing is shown, and nobody is kept from working.
    let made = made.and_then(|made| registry.register(Box::new(made.clone())).map(|()| made));
    match made {
        Ok(made) => values.map(|value| Durations(made.get_metric_with_label_values(&[value]).ok())),
        Err(error) => {
            tracing::error!(%error, metric = name, "this metric cannot be shown");
            values.map(|_| Durations(None))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{durations_by, metrics_text};

    #[test]
    fn record_counts_in_the_bucket_and_every_value_is_there_before() {
        let [good, _bad] = durations_by(
            "test_durations_seconds",
            "only a test",
            &[0.0001, 0.001],
            "outcome",
            ["good", "bad"],
        );
        good.record(Duration::from_micros(300));
        good.record(Duration::from_secs(2));
        let text = metrics_text();
        for line in [
            r#"test_durations_seconds_bucket{outcome="good",le="0.0001"} 0"#,
            r#"test_durations_seconds_bucket{outcome="good",le="0.001"} 1"#,
            r#"test_durations_seconds_bucket{outcome="good",le="+Inf"} 2"#,
            r#"test_durations_seconds_count{outcome="bad"} 0"#,
        ] {
            assert!(text.contains(line), "{line} is not in:\n{text}");
        }
    }

    #[test]
    fn durations_by_of_a_name_that_is_taken_shows_the_first_alone() {
        let one = |value| durations_by("test_taken_seconds", "only a test", &[1.0], "of", [value]);
        let ([first], [second]) = (one("first"), one("second"));
        first.record(Duration::ZERO);
        second.record(Duration::ZERO);
        let text = metrics_text();
        assert!(text.contains(r#"test_taken_seconds_count{of="first"} 1"#), "{text}");
        assert!(!text.contains(r#"of="second""#), "{text}");
    }
}
