//! What an operator needs to resume a log: the sequencer's database and the place outside, and no private key.

use mintmark_auth::Actor;
use mintmark_db::DbConfig;
use mintmark_service::StartError;
use mintmark_service::config::Reader;

use crate::config::SEQUENCER_DATABASE;
use crate::{OutsideConfig, Resumed, resume};

/// Where a log is resumed.
#[derive(Clone, Debug)]
pub struct ResumeConfig {
    database: DbConfig,
    outside: OutsideConfig,
}

impl ResumeConfig {
    /// Reads the variables that the service's sequencer has; its signing key is not needed.
    pub fn read(reader: &mut Reader, database: &'static str, default_origin: &str) -> Option<Self> {
        let database = DbConfig::read(reader, database, SEQUENCER_DATABASE);
        let outside = OutsideConfig::read(reader, default_origin);
        Some(Self { database: database?, outside: outside? })
    }

    /// Opens the new log; see [`resume`].
    ///
    /// # Errors
    /// As [`resume`].
    pub async fn resume(&self, actor: &Actor) -> Result<Resumed, StartError> {
        resume(&self.database, &self.outside, actor).await
    }
}
