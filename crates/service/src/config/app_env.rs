//! The environment that the operator declares.

use std::fmt;
use std::str::FromStr;

/// Which environment this is (`APP_ENV`; the specification's `NODE_ENV`). Unset means production: every insecure
/// combination must be asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppEnv {
    /// Secure defaults only.
    Production,
    /// A developer's machine.
    Development,
    /// Automated tests.
    Test,
}

impl AppEnv {
    /// The value as it stands in `APP_ENV`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Development => "development",
            Self::Test => "test",
        }
    }

    /// Whether only secure defaults are allowed.
    #[must_use]
    pub fn is_production(self) -> bool {
        self == Self::Production
    }
}

impl fmt::Display for AppEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not one of the three environments.
#[derive(Debug, thiserror::Error)]
#[error("must be production, development or test")]
pub struct UnknownAppEnv;

impl FromStr for AppEnv {
    type Err = UnknownAppEnv;

    fn from_str(text: &str) -> Result<Self, UnknownAppEnv> {
        match text {
            "production" => Ok(Self::Production),
            "development" => Ok(Self::Development),
            "test" => Ok(Self::Test),
            _ => Err(UnknownAppEnv),
        }
    }
}
