//! What the wire says, as JSON and pages show it.

use chrono::{DateTime, Utc};
use mintmark_wire::preflight::v1::{Job, JobState, Policy, Verdict};
use serde::Serialize;
use url::form_urlencoded::byte_serialize;

/// A policy in a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    pub name: String,
    pub version: String,
    pub title: String,
    pub built_in: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
}

impl From<Policy> for PolicyView {
    fn from(policy: Policy) -> Self {
        Self {
            name: policy.name,
            version: policy.version,
            title: policy.title,
            built_in: policy.built_in,
            created_at: policy.created_at.and_then(time),
        }
    }
}

/// A job as a page shows it.
pub struct JobView {
    pub job_id: String,
    /// The path of its page.
    pub href: String,
    pub file: String,
    pub policy: String,
    pub batch: Option<String>,
    pub tone: Tone,
    /// The state, or the verdict once there is one, in a few words.
    pub headline: &'static str,
    /// What that means for whoever sent the file.
    pub lead: &'static str,
    pub failure: Option<String>,
    pub created: String,
    pub took: Option<String>,
    pub size: String,
    pub sha256: Option<String>,
    pub engine: Option<String>,
    /// Whether it may still change.
    pub under_way: bool,
    /// Whether there is a report.
    pub reported: bool,
}

/// How something looks at first sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Warn,
    Bad,
    Wait,
}

impl Tone {
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Wait => "wait",
        }
    }
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        let (state, verdict) = (job.state(), job.verdict());
        let (tone, headline, lead) = words(state, verdict);
        let ended = job.finished_at.and_then(time);
        let took = job.started_at.and_then(time).zip(ended).map(|(from, to)| took(to - from));
        Self {
            tone,
            headline,
            lead,
            failure: job.failure.map(|failure| failure.message),
            created: job.created_at.and_then(time).map(moment).unwrap_or_default(),
            took,
            size: size(job.target_bytes),
            under_way: matches!(state, JobState::Queued | JobState::Running),
            reported: state == JobState::Succeeded,
            policy: format!("{} · version {}", job.policy, job.policy_version),
            href: format!("/jobs/{}", byte_serialize(job.job_id.as_bytes()).collect::<String>()),
            job_id: job.job_id,
            file: job.target_file,
            batch: job.batch_id,
            sha256: job.content_sha256,
            engine: job.engine_version,
        }
    }
}

/// The verdict belongs to the gateway; the words are ours.
fn words(state: JobState, verdict: Verdict) -> (Tone, &'static str, &'static str) {
    match (state, verdict) {
        (JobState::Succeeded, Verdict::Pass) => {
            (Tone::Good, "Pass", "Every rule of the policy was evaluated, and none found anything.")
        }
        (JobState::Succeeded, Verdict::PassWithWarnings) => (
            Tone::Warn,
            "Pass with warnings",
            "Every rule was evaluated. Look at the warnings before you print.",
        ),
        (JobState::Succeeded, Verdict::Fail) => {
            (Tone::Bad, "Fail", "The file breaks rules of the policy. Mend what is listed and send it again.")
        }
        (JobState::Succeeded, _) => (
            Tone::Warn,
            "Incomplete",
            "No error was found, but some rules could not be evaluated: this is no pass.",
        ),
        (JobState::Failed, _) => {
            (Tone::Bad, "Could not be preflighted", "There is no report, and there will be none.")
        }
        (JobState::Cancelled, _) => (Tone::Wait, "Cancelled", "Somebody cancelled this job."),
        (JobState::Running, _) => {
            (Tone::Wait, "Running", "A worker reads the file. This page looks again by itself.")
        }
        (JobState::Recorded, _) => (Tone::Wait, "Recorded", "The engine was not asked for yet."),
        _ => (Tone::Wait, "Waiting", "It waits for a worker. This page looks again by itself."),
    }
}

fn time(at: prost_types::Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.seconds, u32::try_from(at.nanos).ok()?)
}

pub fn moment(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M:%S UTC").to_string()
}

fn took(duration: chrono::TimeDelta) -> String {
    let ms = duration.num_milliseconds().max(0);
    if ms < 1_000 { format!("{ms} ms") } else { format!("{}.{} s", ms / 1_000, ms % 1_000 / 100) }
}

fn size(bytes: u64) -> String {
    const STEPS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match STEPS.into_iter().find(|(step, _)| bytes >= *step) {
        Some((step, unit)) => format!("{}.{} {unit}", bytes / step, bytes % step * 10 / step),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_is_cut_and_not_rounded_up() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1023.9 KiB"),
            (1 << 30, "1.0 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn words_never_call_anything_a_pass_that_is_none() {
        let states = [
            JobState::Unspecified,
            JobState::Recorded,
            JobState::Queued,
            JobState::Running,
            JobState::Succeeded,
            JobState::Failed,
            JobState::Cancelled,
        ];
        let verdicts = [
            Verdict::Unspecified,
            Verdict::Pass,
            Verdict::PassWithWarnings,
            Verdict::Fail,
            Verdict::Incomplete,
        ];
        for state in states {
            for verdict in verdicts {
                let (tone, headline, _) = words(state, verdict);
                let passed = state == JobState::Succeeded && verdict == Verdict::Pass;
                assert_eq!(
                    (tone == Tone::Good, headline == "Pass"),
                    (passed, passed),
                    "{state:?} {verdict:?}"
                );
            }
        }
    }
}
