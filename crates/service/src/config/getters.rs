//! The typed getters of the reader.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use super::variable::{Secrecy, Variable, unit};
use super::{AppEnv, Reader, Secret};

const PATH: &str = "path";
const URL: &str = "http:// or https:// URL";

impl Reader {
    /// An address to listen on, `host:port` with a numeric host.
    pub fn addr(&mut self, name: &'static str, default: &str, about: &'static str) -> Option<SocketAddr> {
        let text = self.defaulted(Variable::open(name, about).like("host:port"), default)?;
        self.parsed(name, text.parse(), || {
            format!("\"{text}\" is not an address: write it like 127.0.0.1:8080")
        })
    }

    /// A secret that must be there.
    pub fn secret(&mut self, name: &'static str, about: &'static str) -> Option<Secret> {
        let value = self.read(Variable::open(name, about).needed().hidden(Secrecy::Value))?;
        self.present(name, value).map(Secret::new)
    }

    /// A secret that may be absent: `Some(None)` when unset.
    pub fn optional_secret(&mut self, name: &'static str, about: &'static str) -> Option<Option<Secret>> {
        Some(self.read(Variable::open(name, about).hidden(Secrecy::Value))?.map(Secret::new))
    }

    /// A text with a default.
    pub fn string(&mut self, name: &'static str, default: &str, about: &'static str) -> Option<String> {
        self.defaulted(Variable::open(name, about), default)
    }

    /// A text that must be there.
    pub fn required(&mut self, name: &'static str, about: &'static str) -> Option<String> {
        let value = self.read(Variable::open(name, about).needed())?;
        self.present(name, value)
    }

    /// A text that may be absent: `Some(None)` when unset.
    pub fn optional(&mut self, name: &'static str, about: &'static str) -> Option<Option<String>> {
        self.read(Variable::open(name, about))
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
        let form = format!("{} to {}{}", range.start(), range.end(), unit(name));
        let text = self.defaulted(Variable::open(name, about).like(form), &default.to_string())?;
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
        self.needed_path(Variable::open(name, about))
    }

    /// The same for a file whose contents must never be shown.
    pub fn secret_path(&mut self, name: &'static str, about: &'static str) -> Option<PathBuf> {
        self.needed_path(Variable::open(name, about).hidden(Secrecy::File))
    }

    /// A path that may be absent: `Some(None)` when unset.
    pub fn optional_path(&mut self, name: &'static str, about: &'static str) -> Option<Option<PathBuf>> {
        Some(self.read(Variable::open(name, about).like(PATH))?.map(PathBuf::from))
    }

    /// The same for a file whose contents must never be shown.
    pub fn optional_secret_path(
        &mut self,
        name: &'static str,
        about: &'static str,
    ) -> Option<Option<PathBuf>> {
        let variable = Variable::open(name, about).like(PATH).hidden(Secrecy::File);
        Some(self.read(variable)?.map(PathBuf::from))
    }

    /// `true` or `false` (also `1` and `0`).
    pub fn boolean(&mut self, name: &'static str, default: bool, about: &'static str) -> Option<bool> {
        let variable = Variable::open(name, about).like("true or false");
        let text = self.defaulted(variable, if default { "true" } else { "false" })?;
        let value = match text.as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(()),
        };
        self.parsed(name, value, || format!("\"{text}\" is neither true nor false"))
    }

    /// An `http` or `https` URL with a host, given back without a slash at its end.
    pub fn url(&mut self, name: &'static str, default: &str, about: &'static str) -> Option<String> {
        let text = self.defaulted(Variable::open(name, about).like(URL), default)?;
        self.checked_url(name, &text)
    }

    /// The same for a URL that must be there.
    pub fn required_url(&mut self, name: &'static str, about: &'static str) -> Option<String> {
        let value = self.read(Variable::open(name, about).needed().like(URL))?;
        let text = self.present(name, value)?;
        self.checked_url(name, &text)
    }

    /// `APP_ENV`: production, development or test; unset means production.
    pub fn app_env(&mut self) -> Option<AppEnv> {
        let about = "which environment this is; every insecure choice needs development or test";
        let variable = Variable::open("APP_ENV", about).like("production, development or test");
        let text = self.defaulted(variable, AppEnv::Production.as_str())?;
        self.parsed("APP_ENV", text.parse(), || {
            format!("\"{text}\" is not an environment: write production, development or test")
        })
    }

    pub(super) fn defaulted(&mut self, variable: Variable, default: &str) -> Option<String> {
        let variable = Variable { default: Some(default.to_owned()), ..variable };
        Some(self.read(variable)?.unwrap_or_else(|| default.to_owned()))
    }

    fn needed_path(&mut self, variable: Variable) -> Option<PathBuf> {
        let name = variable.name;
        let value = self.read(variable.needed().like(PATH))?;
        self.present(name, value).map(PathBuf::from)
    }

    // The value is not repeated: a URL may carry a password.
    pub(super) fn checked_url(&mut self, name: &'static str, text: &str) -> Option<String> {
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
