use crate::config::{AppEnv, Reader};
use crate::telemetry;

/// What happens to a request that nobody can count: `RATE_LIMIT_FAIL_OPEN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailMode {
    /// It is refused (503): an outage of Redis cannot be used to get past the limits.
    Closed,
    /// It passes, uncounted.
    Open,
}

impl FailMode {
    /// The mode of an environment where nobody chose one. An environment that could not be read counts as production.
    #[must_use]
    pub fn default_for(app_env: Option<AppEnv>) -> Self {
        match app_env {
            Some(AppEnv::Development | AppEnv::Test) => Self::Open,
            Some(AppEnv::Production) | None => Self::Closed,
        }
    }

    /// Reads `RATE_LIMIT_FAIL_OPEN`; unset means [`FailMode::default_for`].
    pub fn read(reader: &mut Reader, app_env: Option<AppEnv>) -> Option<Self> {
        let about = "what happens to a request while nobody can count it: true lets it pass, false refuses it (503); unset: false in production, true elsewhere";
        let default = Self::default_for(app_env) == Self::Open;
        let open = reader.boolean("RATE_LIMIT_FAIL_OPEN", default, about)?;
        Some(if open { Self::Open } else { Self::Closed })
    }

    /// Says at the start what is in force: the gauge `rate_limit_fail_open`, and a warning where an operator chose to
    /// fail open in production.
    pub fn announce(self, app_env: AppEnv) {
        telemetry::meter()
            .u64_gauge("rate_limit_fail_open")
            .with_description("1 where requests pass uncounted while nobody can count them")
            .build()
            .record(u64::from(self == Self::Open), &[]);
        if self == Self::Open && app_env.is_production() {
            tracing::warn!(
                "RATE_LIMIT_FAIL_OPEN is true in production: whoever can take Redis away gets past every rate limit"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<FailMode, String> {
        let mut reader = Reader::from_pairs(pairs.iter().copied());
        let app_env = reader.app_env();
        let mode = FailMode::read(&mut reader, app_env);
        reader.finish(mode).map_err(|errors| errors.to_string())
    }

    #[test]
    fn read_is_closed_unless_somebody_said_otherwise() {
        assert_eq!(read(&[]), Ok(FailMode::Closed), "nothing set at all");
        assert_eq!(read(&[("APP_ENV", "production")]), Ok(FailMode::Closed));
        assert_eq!(read(&[("APP_ENV", "development")]), Ok(FailMode::Open));
        assert_eq!(read(&[("APP_ENV", "test")]), Ok(FailMode::Open));
        assert_eq!(read(&[("RATE_LIMIT_FAIL_OPEN", "true")]), Ok(FailMode::Open), "honoured in production");
        let closed = [("APP_ENV", "test"), ("RATE_LIMIT_FAIL_OPEN", "false")];
        assert_eq!(read(&closed), Ok(FailMode::Closed));
    }

    #[test]
    fn read_of_a_word_that_is_no_boolean_is_refused() {
        let errors = read(&[("APP_ENV", "test"), ("RATE_LIMIT_FAIL_OPEN", "maybe")]).unwrap_err();
        assert!(errors.starts_with("RATE_LIMIT_FAIL_OPEN: "), "{errors}");
        assert_eq!(FailMode::default_for(None), FailMode::Closed, "an APP_ENV that nobody can read");
    }

    #[test]
    fn announce_shows_the_mode_on_a_gauge() {
        FailMode::Open.announce(AppEnv::Production);
        assert!(telemetry::metrics_text().contains("\nrate_limit_fail_open 1\n"));
        FailMode::Closed.announce(AppEnv::Production);
        assert!(telemetry::metrics_text().contains("\nrate_limit_fail_open 0\n"));
    }
}
