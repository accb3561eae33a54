//! Addresses at which services speak to one another, which is over mutual TLS beyond this machine.

use std::net::SocketAddr;

use url::{Host, Url};

use super::variable::Variable;
use super::{AppEnv, Reader};

const CERTIFICATE: &str = "TLS_CERT_FILE";
const URLS: &str = "http:// or https:// URL; several, separated by commas, are replicas";

impl Reader {
    /// Whether whoever connects has to show a certificate.
    pub fn is_mutual(&self) -> bool {
        self.has(CERTIFICATE)
    }

    /// Where other services find this one over gRPC. In production an address beyond this machine needs `TLS_CERT_FILE`.
    pub fn grpc_addr(
        &mut self,
        app_env: Option<AppEnv>,
        name: &'static str,
        default: &str,
        about: &'static str,
    ) -> Option<SocketAddr> {
        let addr = self.addr(name, default, about)?;
        if !addr.ip().is_loopback() && app_env.is_some_and(AppEnv::is_production) && !self.has(CERTIFICATE) {
            self.problem(
                name,
                "answers other machines: set TLS_CERT_FILE, TLS_KEY_FILE and TLS_CA_FILE, or listen on 127.0.0.1",
            );
            return None;
        }
        Some(addr)
    }

    /// Where another service is found over gRPC: `https://` needs `TLS_CERT_FILE`; `http://` is for this machine alone,
    /// unless the environment says that nothing here is worth protecting. Several URLs of one scheme, separated by commas,
    /// are replicas that calls are spread over; a name is every address that it stands for.
    pub fn peer_url(
        &mut self,
        app_env: Option<AppEnv>,
        name: &'static str,
        default: &str,
        about: &'static str,
    ) -> Option<String> {
        let variable = Variable::open(name, about).like(URLS);
        let text = self.defaulted(variable, default)?;
        let mut urls = Vec::new();
        for one in text.split(',') {
            let url = self.checked_url(name, one.trim())?;
            self.encrypted(app_env, name, &url)?;
            urls.push(url);
        }
        let secure = urls.iter().filter(|url| url.starts_with("https:")).count();
        if secure > 0 && secure < urls.len() {
            self.problem(name, "has both http:// and https://: replicas of one service are called alike");
            return None;
        }
        Some(urls.join(","))
    }

    /// A URL that calls may go to in this environment.
    fn encrypted(&mut self, app_env: Option<AppEnv>, name: &'static str, text: &str) -> Option<()> {
        let url = Url::parse(text).ok()?;
        if url.scheme() == "https" && !self.has(CERTIFICATE) {
            self.problem(name, "is https://: set TLS_CERT_FILE, TLS_KEY_FILE and TLS_CA_FILE");
            return None;
        }
        // An APP_ENV that could not be read is reported by itself.
        if url.scheme() == "http" && !is_loopback(&url) && app_env.is_some_and(AppEnv::is_production) {
            self.problem(name, "is http:// to another machine: use https://, or set APP_ENV=development");
            return None;
        }
        Some(())
    }
}

/// Whether the URL's host is this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(env: AppEnv, certificate: bool, text: &str) -> bool {
        let set: &[(&str, &str)] = if certificate { &[(CERTIFICATE, "/c.pem")] } else { &[] };
        let mut reader = Reader::from_pairs(set.iter().copied().chain([("PEER_URL", text)]));
        let url = reader.peer_url(Some(env), "PEER_URL", "http://127.0.0.1:1", "a peer");
        reader.finish(url).is_ok()
    }

    #[test]
    fn peer_url_is_encrypted_in_production_beyond_this_machine() {
        for (env, certificate, text, fine) in [
            (AppEnv::Production, false, "http://127.0.0.1:9084", true),
            (AppEnv::Production, false, "http://[::1]:9084", true),
            (AppEnv::Production, false, "http://localhost:9084", true),
            (AppEnv::Production, true, "http://limiter:9084", false),
            (AppEnv::Production, true, "https://limiter:9084", true),
            (AppEnv::Production, false, "https://limiter:9084", false),
            (AppEnv::Development, false, "http://limiter:9084", true),
            (AppEnv::Development, false, "https://limiter:9084", false),
            (AppEnv::Production, false, "http://127.0.0.1:9084,http://[::1]:9084", true),
            (AppEnv::Production, true, "https://limiter:9084,https://other:9084", true),
            (AppEnv::Production, true, "http://127.0.0.1:9084,http://limiter:9084", false),
            (AppEnv::Development, true, "https://limiter:9084,http://limiter:9084", false),
            (AppEnv::Development, false, "http://limiter:9084,", false),
        ] {
            assert_eq!(url(env, certificate, text), fine, "{env} {certificate} {text}");
        }
    }

    #[test]
    fn grpc_addr_beyond_this_machine_needs_a_certificate_in_production() {
        for (env, certificate, text, fine) in [
            (AppEnv::Production, false, "127.0.0.1:9084", true),
            (AppEnv::Production, false, "0.0.0.0:9084", false),
            (AppEnv::Production, true, "0.0.0.0:9084", true),
            (AppEnv::Development, false, "0.0.0.0:9084", true),
        ] {
            let set: &[(&str, &str)] = if certificate { &[(CERTIFICATE, "/c.pem")] } else { &[] };
            let mut reader = Reader::from_pairs(set.iter().copied().chain([("GRPC", text)]));
            let addr = reader.grpc_addr(Some(env), "GRPC", "127.0.0.1:1", "here");
            assert_eq!(reader.finish(addr).is_ok(), fine, "{env} {certificate} {text}");
        }
    }
}
