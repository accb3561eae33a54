use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::IdError;

/// The services of the platform: who a key belongs to, who a token was minted by, whose name a log line carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceName {
    /// Tenants, batches, exports: the only service that makes codes.
    ControlPlane,
    /// The public scan edge and the directory behind it.
    Resolver,
    /// Preflight jobs, facts and policies.
    PreflightGateway,
    /// Encrypted evidence and its erasure.
    EvidenceVault,
    /// Counters of requests.
    Ratelimit,
    /// The web console's backend.
    Console,
}

impl ServiceName {
    /// Every service, in the order of their default ports.
    pub const ALL: [Self; 6] = [
        Self::ControlPlane,
        Self::Resolver,
        Self::PreflightGateway,
        Self::EvidenceVault,
        Self::Ratelimit,
        Self::Console,
    ];

    /// The name as it stands in tokens, logs and configuration: `control-plane`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ControlPlane => "control-plane",
            Self::Resolver => "resolver",
            Self::PreflightGateway => "preflight-gateway",
            Self::EvidenceVault => "evidence-vault",
            Self::Ratelimit => "ratelimit",
            Self::Console => "console",
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ServiceName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::ALL.into_iter().find(|service| service.as_str() == text).ok_or(IdError::Service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_as_text_and_as_json() {
        for service in ServiceName::ALL {
            assert_eq!(service.as_str().parse(), Ok(service));
            assert_eq!(serde_json::to_value(service).unwrap(), service.as_str());
            assert_eq!(serde_json::from_value::<ServiceName>(service.as_str().into()).unwrap(), service);
        }
    }

    #[test]
    fn parse_error_lists_every_service() {
        let message = "Resolver".parse::<ServiceName>().unwrap_err().to_string();
        for service in ServiceName::ALL {
            assert!(message.contains(service.as_str()), "{message}");
        }
    }
}
