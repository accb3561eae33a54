//! Reading a database URL: the driver knows neither `sslmode=verify-full` nor `sslrootcert`, so we take both out first.

use std::path::PathBuf;

use tokio_postgres::config::Host;

/// How much TLS the URL asks for, in libpq's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SslMode {
    Disable,
    Prefer,
    Require,
    VerifyFull,
}

/// Why a URL cannot be used; never repeats it, because it holds a password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UrlProblem {
    #[error("is not a database URL: write it like postgres://user:password@host:5432/database")]
    Form,
    #[error("has an sslmode that we do not know: use disable, prefer, require or verify-full")]
    Mode,
    #[error("names no user or no database: write it like postgres://user@host/database")]
    Incomplete,
}

/// A parsed URL.
pub(crate) struct Target {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) mode: SslMode,
    pub(crate) ca_file: Option<PathBuf>,
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, UrlProblem> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(UrlProblem::Form);
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let mut mode = None;
        let mut ca_file = None;
        let mut kept = Vec::new();
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = Some(parse_mode(value)?),
                Some(("sslrootcert", value)) => ca_file = Some(PathBuf::from(value)),
                _ => kept.push(pair),
            }
        }
        let rest = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
        let config: tokio_postgres::Config = rest.parse().map_err(|_| UrlProblem::Form)?;
        if config.get_hosts().is_empty() || config.get_user().is_none() || config.get_dbname().is_none() {
            return Err(UrlProblem::Incomplete);
        }
        let mut target = Self { config, mode: SslMode::Disable, ca_file };
        if target.has_tcp() {
            target.mode = mode.unwrap_or(SslMode::Prefer);
        }
        Ok(target)
    }

    /// A socket, this very machine, or a verified server.
    pub(crate) fn is_safe_in_production(&self) -> bool {
        self.mode == SslMode::VerifyFull
            || self.config.get_hosts().iter().all(|host| match host {
                Host::Tcp(name) => is_loopback(name),
                Host::Unix(_) => true,
            })
    }

    fn has_tcp(&self) -> bool {
        self.config.get_hosts().iter().any(|h| matches!(h, Host::Tcp(_)))
    }
}

fn is_loopback(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn parse_mode(value: &str) -> Result<SslMode, UrlProblem> {
    match value {
        "disable" => Ok(SslMode::Disable),
        "prefer" | "allow" => Ok(SslMode::Prefer),
        "require" => Ok(SslMode::Require),
        "verify-full" => Ok(SslMode::VerifyFull),
        _ => Err(UrlProblem::Mode),
    }
}
