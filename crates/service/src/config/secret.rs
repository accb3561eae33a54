//! A value that must not be seen.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// A secret text: wiped when dropped, never printed, not comparable (compare in constant time what you expose).
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes the value; the given string's memory is wiped.
    #[must_use]
    pub fn new(value: String) -> Self {
        let value = Zeroizing::new(value);
        // `SecretString::from(String)` shrinks its buffer, which may leave an unwiped copy; a copy from our own does not.
        Self(SecretString::from(value.as_str()))
    }

    /// The value itself. Use it where it is needed and keep no copy.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The same value as the `secrecy` type, for crates that know nothing of this one.
    #[must_use]
    pub fn into_secret_string(self) -> SecretString {
        self.0
    }
}

impl From<Secret> for SecretString {
    fn from(secret: Secret) -> Self {
        secret.0
    }
}

impl From<SecretString> for Secret {
    fn from(secret: SecretString) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_a_secret_hides_it() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(secret.expose(), "hunter2");
    }
}
