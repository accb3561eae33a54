//! Mutual TLS between the services of this machine: an authority of the launcher's own, and a certificate for each service.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mintmark_devstack::authority::Authority;
use mintmark_ids::ServiceName;
use mintmark_service::tls::ZONE;

use crate::failure::Failure;
use crate::home::{Home, write_private};

/// Asked for by name: on one machine plaintext between the services harms nobody, and is easier to look at.
const VARIABLE: &str = "MINTMARK_TLS";

/// The certificates of this start.
pub struct Certificates {
    authority: PathBuf,
    /// Certificate and key of each service.
    files: BTreeMap<&'static str, (PathBuf, PathBuf)>,
}

impl Certificates {
    /// Makes them where `MINTMARK_TLS=1` asks for it. All are new at each start: nobody else has to trust them.
    pub fn make(home: &Home) -> Result<Option<Self>, Failure> {
        if std::env::var(VARIABLE).is_ok_and(|value| value == "1") {
            let folder = home.path("tls");
            std::fs::create_dir_all(&folder)
                .map_err(|error| Failure::new(format!("{} cannot be made: {error}", folder.display())))?;
            return Self::make_in(&folder).map(Some);
        }
        Ok(None)
    }

    fn make_in(folder: &Path) -> Result<Self, Failure> {
        let authority = Authority::new(folder, "authority")?;
        let mut files = BTreeMap::new();
        for service in ServiceName::ALL {
            let name = service.as_str();
            let issued = authority.issue(&format!("{name}.{ZONE}"))?;
            let (chain, secret) =
                (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key.pem")));
            write_private(&chain, issued.chain)?;
            write_private(&secret, issued.key)?;
            files.insert(name, (chain, secret));
        }
        Ok(Self { authority: authority.file().to_owned(), files })
    }

    /// Gives a service its certificate, and has it speak TLS to the others.
    pub fn apply(&self, service: ServiceName, environment: &mut Vec<(String, String)>) {
        for (name, value) in environment.iter_mut() {
            if name.ends_with("_GRPC_URL")
                && let Some(rest) = value.strip_prefix("http://")
            {
                *value = format!("https://{rest}");
            }
        }
        let Some((certificate, key)) = self.files.get(service.as_str()) else { return };
        for (name, path) in
            [("TLS_CERT_FILE", certificate), ("TLS_KEY_FILE", key), ("TLS_CA_FILE", &self.authority)]
        {
            environment.push((name.to_owned(), path.display().to_string()));
        }
    }
}
