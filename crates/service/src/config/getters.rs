//! The typed getters of the reader.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use super::{AppEnv, Reader, Secret, Variable};

impl Reader {
    /// An address to listen on, `host:port` with a numeric host.
    pub fn addr(&mut self, name: &'static str, default: &str, about: &'static str) -> Option<SocketAddr> {
        let text = self.string(name, default, about)?;
        self.parsed(name, text.parse(), || {
            format!("\"{text}\" is not an address: write it like 127.0.0.1:8080")
        })
    }

    /// A secret that must be there.
    pub fn secret(&mut self, name: &'static str, about: &'static str) -> Option<Secret> {
        let variable = Variable { name, default: None, about, required: true, secret: true };
        let value = self.read(variable)?;
        self.present(name, value).map(Secret::new)
    }

    /// A secret that may be absent: `Some(None)` when unset.
    pub fn optional_secret(&mut self, name: &'static str, about: &'static str) -> Option<Option<Secret>> {
        let variable = Variable { name, default: None, about, required: false, secret: true };
        Some(self.read(variable)?.map(Secret::new))
    }

    /// A text with a default.
    pub fn string(&mut self, name: &'static str, default: &str, about: &'static str) -> Option<String> {
        let variable =
            Variable { name, default: Some(default.to_owned()), about, required: false, secret: false };
        Some(self.read(variable)?.unwrap_or_else(|| default.to_owned()))
    }

    /// A text that must be there.
    pub fn required(&mut self, name: &'static str, about: &'static str) -> Option<String> {
        let variable = Variable { name, default: None, about, required: true, secret: false };
        let value = self.read(variable)?;
        self.present(name, value)
    }

    /// A text that may be absent: `Some(None)` when unset.
    pub fn optional(&mut self, name: &'static str, about: &'static str) -> Option<Option<String>> {
        self.read(Variable { name, default: None, about, required: false, secret: false })
    }

    /// A number within a range.
    pub fn number<T>(
        &mut self,
        name: &'static str,
        default: T,
        range: RangeInclusive<T>,
        about: &'static str,
    ) -> Option<T>
    where
        T: FromStr + PartialOrd + Display,
    {
        let text = self.string(name, &default.to_string(), about)?;
        let number = text.parse().ok().filter(|number| range.contains(number));
        self.parsed(name, number.ok_or(()), || {
            format!("\"{text}\" is not a number from {} to {}", range.start(), range.end())
        })
    }

    /// A time in whole seconds within a range of seconds.
    pub fn seconds(
        &mut self,
        name: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
        about: &'static str,
    ) -> Option<Duration> {
        self.number(name, default, range, about).map(Duration::from_secs)
    }

    /// A path that must be there; the file itself is opened by whoever needs it.
    pub fn path(&mut self, name: &'static str, about: &'static str) -> Option<PathBuf> {
        self.required(name, about).map(PathBuf::from)
    }

    /// A path that may be absent: `Some(None)` when unset.
    pub fn optional_path(&mut self, name: &'static str, about: &'static str) -> Option<Option<PathBuf>> {
        Some(self.optional(name, about)?.map(PathBuf::from))
    }

    /// `true` or `false` (also `1` and `0`).
    pub fn boolean(&mut self, name: &'static str, default: bool, about: &'static str) -> Option<bool> {
        let text = self.string(name, if default { "true" } else { "false" }, about)?;
        let value = match text.as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(()),
        };
        self.parsed(name, value, || format!("\"{text}\" is neither true nor false"))
    }

    /// An `http` or `https` URL with a host, given back without a slash at its end.
    pub fn url(&mut self, name: &'static str, default: &str, about: &'static str) -> Option<String> {
        let text = self.string(name, default, about)?;
        self.checked_url(name, &text)
    }

    /// The same for a URL that must be there.
    pub fn required_url(&mut self, name: &'static str, about: &'static str) -> Option<String> {
        let text = self.required(name, about)?;
        self.checked_url(name, &text)
    }

    /// `APP_ENV`: production, development or test; unset means production.
    pub fn app_env(&mut self) -> Option<AppEnv> {
        let about = "production, development or test; every insecure choice needs one of the latter two";
        let text = self.string("APP_ENV", AppEnv::Production.as_str(), about)?;
        self.parsed("APP_ENV", text.parse(), || {
            format!("\"{text}\" is not an environment: write production, development or test")
        })
    }

    // The value is not repeated: a URL may carry a password.
    fn checked_url(&mut self, name: &'static str, text: &str) -> Option<String> {
        let good =
            Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = good.then(|| text.trim_end_matches('/').to_owned());
        self.parsed(name, url.ok_or(()), || "is not a URL: write it like http://127.0.0.1:8080".to_owned())
    }

    fn present(&mut self, name: &'static str, value: Option<String>) -> Option<String> {
        if value.is_none() {
            self.problem(name, "is not set: the service needs it");
        }
        value
    }

    fn parsed<T, E>(
        &mut self,
        name: &'static str,
        parsed: Result<T, E>,
        sentence: impl FnOnce() -> String,
    ) -> Option<T> {
        if parsed.is_err() {
            self.problem(name, sentence());
        }
        parsed.ok()
    }
}
