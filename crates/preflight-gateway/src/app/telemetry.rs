//! What repairs changed in the documents of jobs.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use mintmark_auth::Principal;
use mintmark_auth::action::{ReportRepair, TrackPreflight};
use mintmark_db::transaction;
use mintmark_fault::{Fault, Kind, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::jobs::Jobs;
use super::names::{JobKey, name};
use super::{asker, permit};
use crate::store::{jobs as rows, stored, telemetry};

/// Events that a job may have.
const EVENTS_MAX: usize = 1_000;
const REPAIRS_MAX: usize = 200;
const COUNT_MAX: u32 = 1_000_000_000;

/// One kind of repair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Repair {
    /// The rule whose finding it mends, or a word of the tool's: 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'.
    #[schema(example = "R0031")]
    pub rule: String,
    /// How often, 1 to 1,000,000,000.
    pub count: u32,
}

/// What a repair changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Event {
    /// What repaired the document, 1 to 100 characters.
    pub tool: String,
    /// Its version, at most 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_version: Option<String>,
    /// What was repaired, 1 to 200.
    pub repairs: Vec<Repair>,
    /// SHA-256 of the repaired file, 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired_sha256: Option<String>,
    /// How long the repair took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

/// An event that is stored.
#[derive(Clone, Debug)]
pub struct Reported {
    /// Its name within the job.
    pub event_id: String,
    /// What it says.
    pub event: Event,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
}

impl Event {
    /// The event, when it says what it should.
    ///
    /// # Errors
    /// 400 `TELEMETRY_INVALID` with the field.
    pub fn checked(mut self) -> Result<Self> {
        let text = |field: &'static str, text: &str| {
            let good = (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control);
            if good {
                Ok(())
            } else {
                Err(refused(field, "this has 1 to 100 characters, none of them a control"))
            }
        };
        text("tool", &self.tool)?;
        if let Some(version) = &self.tool_version {
            text("toolVersion", version)?;
        }
        if !(1..=REPAIRS_MAX).contains(&self.repairs.len()) {
            return Err(refused("repairs", "these are from 1 to 200"));
        }
        for repair in &self.repairs {
            let rule = (1..=64).contains(&repair.rule.len())
                && repair.rule.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
            if !rule {
                return Err(refused("repairs.rule", "this is 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'"));
            }
            if !(1..=COUNT_MAX).contains(&repair.count) {
                return Err(refused("repairs.count", "this is from 1 to 1,000,000,000"));
            }
        }
        if let Some(digest) = &mut self.repaired_sha256 {
            if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(refused("repairedSha256", "this is a SHA-256 as 64 hexadecimal digits"));
            }
            digest.make_ascii_lowercase();
        }
        Ok(self)
    }
}

fn refused(field: &'static str, sentence: &'static str) -> Fault {
    Fault::invalid("TELEMETRY_INVALID", field, sentence)
}

impl Jobs {
    /// Stores an event under its name; false when that very event is there already.
    ///
    /// # Errors
    /// 400 `EVENT_ID_INVALID`; 404; 409 `TELEMETRY_FULL`; 422 `EVENT_ID_REUSED`.
    pub async fn report_repair(
        &self,
        who: &Principal,
        key: &JobKey,
        event_id: &str,
        event: &Event,
    ) -> Result<bool> {
        let permit = permit::<ReportRepair>(who)?;
        let event_id = name("EVENT_ID_INVALID", "eventId", event_id)?;
        let document = serde_json::to_value(event).map_err(Fault::internal)?;
        let (permit, event_id, document, asker) = (&permit, &event_id, &document, &asker(who));
        let mut conn = self.pool.get().await?;
        transaction("preflight.telemetry", &mut conn, async |conn: &mut AsyncPgConnection| {
            let job = rows::find_held(conn, permit, key).await?;
            let limit = i64::try_from(EVENTS_MAX).map_err(Fault::internal)?;
            let known = telemetry::list(conn, permit, job.id, limit).await?;
            if let Some(known) = known.iter().find(|known| known.event_id == *event_id) {
                if known.event == *document {
                    return Ok(false);
                }
                let sentence =
                    "an event of this name was stored with another content: give a new event a new eventId";
                return Err(Fault::new(Kind::Unprocessable, "EVENT_ID_REUSED", sentence).field("eventId"));
            }
            if known.len() >= EVENTS_MAX {
                let sentence = format!("a job has at most {EVENTS_MAX} events of telemetry");
                return Err(Fault::conflict("TELEMETRY_FULL", sentence));
            }
            telemetry::add(conn, permit, job.id, (event_id, document), asker).await
        })
        .await
    }

    /// The events of a job, oldest first.
    ///
    /// # Errors
    /// 404.
    pub async fn repairs(&self, who: &Principal, key: &JobKey) -> Result<Vec<Reported>> {
        let permit = permit::<TrackPreflight>(who)?;
        let mut conn = self.pool.get().await?;
        let job = rows::find(&mut conn, &permit, key).await?;
        let limit = i64::try_from(EVENTS_MAX).map_err(Fault::internal)?;
        let events = telemetry::list(&mut conn, &permit, job.id, limit).await?;
        let read = |event: telemetry::Stored| {
            Ok(Reported {
                event_id: event.event_id,
                event: stored("event", serde_json::from_value(event.event))?,
                created_at: event.created_at,
            })
        };
        events.into_iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checked_names_the_field_that_is_wrong() {
        let good = Event {
            tool: "fixer".to_owned(),
            tool_version: None,
            repairs: vec![Repair { rule: "R0031".to_owned(), count: 2 }],
            repaired_sha256: Some("AB".repeat(32)),
            duration_ms: Some(7),
        };
        let lower = good.clone().checked().unwrap().repaired_sha256.unwrap();
        assert_eq!(lower, "ab".repeat(32));
        let with = |change: fn(&mut Event)| {
            let mut event = good.clone();
            change(&mut event);
            event.checked().unwrap_err().field_name().map(str::to_owned).unwrap()
        };
        assert_eq!(with(|event| event.tool.clear()), "tool");
        assert_eq!(with(|event| event.tool_version = Some("a\nb".to_owned())), "toolVersion");
        assert_eq!(with(|event| event.repairs.clear()), "repairs");
        assert_eq!(with(|event| event.repairs[0].rule = "a b".to_owned()), "repairs.rule");
        assert_eq!(with(|event| event.repairs[0].count = 0), "repairs.count");
        assert_eq!(with(|event| event.repaired_sha256 = Some("xy".repeat(32))), "repairedSha256");
    }
}
