//! `mintmark audit resume`: an operator's decision that a restored database is the one to go on with.

use std::path::Path;

use clap::{Args, ValueEnum};
use mintmark_audit::ResumeConfig;
use mintmark_auth::Actor;
use mintmark_service::config::Reader;

use crate::failure::Failure;
use crate::home::Home;
use crate::screen;

/// Options of `mintmark audit resume`.
#[derive(Args)]
pub struct ResumeOptions {
    /// Whose log.
    #[arg(long)]
    pub service: AuditedService,
}

/// A service with a log of its own.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuditedService {
    /// The evidence vault.
    EvidenceVault,
    /// The control plane.
    ControlPlane,
}

impl AuditedService {
    /// As people write it.
    pub const fn name(self) -> &'static str {
        match self {
            AuditedService::EvidenceVault => "evidence-vault",
            AuditedService::ControlPlane => "control-plane",
        }
    }

    /// The variable that names the sequencer's database.
    const fn database(self) -> &'static str {
        match self {
            AuditedService::EvidenceVault => "EVIDENCE_SEQUENCER_DATABASE_URL",
            AuditedService::ControlPlane => "CONTROL_SEQUENCER_DATABASE_URL",
        }
    }

    const fn origin(self) -> &'static str {
        match self {
            AuditedService::EvidenceVault => "mintmark.invalid/evidence-vault",
            AuditedService::ControlPlane => "mintmark.invalid/control-plane",
        }
    }
}

/// Opens a new log. The variables are those of the sequencer: of the environment, or of the platform in the launcher's folder.
pub async fn resume(root: &Path, service: AuditedService) -> Result<(), Failure> {
    let mut reader = match std::env::var_os(service.database()) {
        Some(_) => Reader::process(),
        None => Reader::from_pairs(launched(root, service)?),
    };
    let config = ResumeConfig::read(&mut reader, service.database(), service.origin());
    let config = reader.finish(config).map_err(|errors| Failure::new(errors.to_string()))?;
    let resumed = config.resume(&Actor::ControlToken).await.map_err(|error| Failure::because(&error))?;
    screen::heading(&format!("The audit log of {} goes on as {}", service.name(), resumed.origin));
    match &resumed.named {
        Some(note) => {
            screen::line(
                "Its first entry, AUDIT_LOG_RESUMED, names the newest checkpoint that was kept outside:",
            );
            note.lines().take(3).for_each(screen::line);
        }
        None => screen::line("There was no checkpoint outside the database to name."),
    }
    screen::line("Its sequencer signs it within seconds; then the service works again.");
    Ok(())
}

/// What `mintmark up` wrote down for the sequencer of a service.
fn launched(root: &Path, service: AuditedService) -> Result<Vec<(String, String)>, Failure> {
    let nothing = || {
        Failure::new(format!(
            "set the variables of the sequencer ({}, AUDIT_CHECKPOINT_URL, AUDIT_VERIFIER_KEYS_FILE, and AUDIT_ORIGIN where it \
             is not the default), or run this beside a platform of `mintmark up`",
            service.database()
        ))
    };
    let home = Home::existing(root).map_err(|_| nothing())?;
    let pairs = home.sequencer(service.name());
    if pairs.is_empty() { Err(nothing()) } else { Ok(pairs) }
}
