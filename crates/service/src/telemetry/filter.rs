//! Which events become log lines.

use std::str::FromStr;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::Targets;

/// Libraries whose information is noise to an operator, unless `LOG_LEVEL` names them.
const QUIET: [&str; 5] = ["actix_server", "h2", "hyper", "opentelemetry", "tower"];

/// Which events become log lines: `LOG_LEVEL`, a level or a list such as `info,mintmark_jobs=debug`.
#[derive(Clone, Debug)]
pub struct LogFilter(Targets);

impl LogFilter {
    /// Spans of information level always pass: without them an event at a stricter level would have no trace id.
    pub(super) fn passes(&self, metadata: &Metadata<'_>) -> bool {
        (metadata.is_span() && *metadata.level() <= Level::INFO)
            || self.0.would_enable(metadata.target(), metadata.level())
    }
}

/// Not a list of levels.
#[derive(Debug, thiserror::Error)]
#[error("must be error, warn, info, debug or trace, or a list such as info,mintmark_jobs=debug")]
pub struct BadLogFilter;

impl FromStr for LogFilter {
    type Err = BadLogFilter;

    fn from_str(text: &str) -> Result<Self, BadLogFilter> {
        let mut targets: Targets = text.parse().map_err(|_| BadLogFilter)?;
        // `Targets` takes any word as a target: "verbose" would silently switch off everything else.
        let bare = text.split(',').filter(|directive| !directive.contains('='));
        if bare.into_iter().any(|level| level.trim().parse::<LevelFilter>().is_err()) {
            return Err(BadLogFilter);
        }
        for target in QUIET {
            if !text.contains(target) && targets.default_level() > Some(LevelFilter::WARN) {
                targets = targets.with_target(target, LevelFilter::WARN);
            }
        }
        Ok(Self(targets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_of_an_unknown_word_is_refused() {
        assert!("verbose".parse::<LogFilter>().is_err());
        assert!("info,mintmark_jobs=loud".parse::<LogFilter>().is_err());
    }

    #[test]
    fn parse_of_a_level_quietens_libraries_unless_named() {
        let filter: LogFilter = "debug".parse().unwrap();
        assert!(filter.0.would_enable("mintmark_web", &Level::DEBUG));
        assert!(!filter.0.would_enable("h2::codec", &Level::INFO));
        let named: LogFilter = "info,h2=debug".parse().unwrap();
        assert!(named.0.would_enable("h2::codec", &Level::DEBUG));
        let strict: LogFilter = "error".parse().unwrap();
        assert!(!strict.0.would_enable("h2::codec", &Level::WARN));
    }
}
