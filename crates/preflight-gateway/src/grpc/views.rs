//! Between messages and what the use cases speak.

use chrono::{DateTime, Utc};
use mintmark_fault::{Fault, Result};
use mintmark_web::Cursor;
use mintmark_wire::preflight::v1 as wire;
use mintmark_wire::preflight::v1::{
    CreateJobRequest, GetMetricsResponse, JobState, ListChangedJobsRequest, ListChangedJobsResponse,
    ListJobsRequest, ReportTelemetryRequest, StateCount, UpdateJobRequest, VerdictCount,
};
use prost_types::Timestamp;
use uuid::Uuid;

use crate::app::changes::Changed;
use crate::app::create::Order;
use crate::app::intent::Intent;
use crate::app::job::{Job, State, Verdict, hex};
use crate::app::jobs::{Edit, Wanted};
use crate::app::metrics::{self, Metrics};
use crate::app::names::{PolicyRef, name};
use crate::app::policies::Known;
use crate::app::telemetry::{Event, Repair};

/// Jobs of a page when nothing is said, and the most.
const PAGE: (u32, u32) = (50, 200);
/// The most jobs of a pull.
const PULL_MAX: u16 = 1_000;

/// The job to create.
pub fn order(message: CreateJobRequest) -> Result<Order> {
    Ok(Order {
        key: message.job_id.parse()?,
        target: message.target_file.parse()?,
        policy: message.policy.as_deref().map_or_else(|| Ok(PolicyRef::default()), str::parse)?,
        intent: message.intent.map(intent).transpose()?,
        batch: message.batch_id.as_deref().map(batch).transpose()?,
        run: message.run.unwrap_or(true),
    })
}

/// What shall change.
pub fn edit(message: UpdateJobRequest) -> Result<Edit> {
    let batch_of = |text: String| match text.as_str() {
        "" => Ok(None),
        text => batch(text).map(Some),
    };
    Ok(Edit {
        policy: message.policy.as_deref().map(str::parse).transpose()?,
        intent: message.intent.map(intent).transpose()?,
        batch: message.batch_id.map(batch_of).transpose()?,
        run: message.run.unwrap_or(false),
    })
}

fn batch(text: &str) -> Result<String> {
    name("BATCH_ID_INVALID", "batchId", text)
}

fn intent(message: wire::Intent) -> Result<Intent> {
    Intent {
        trim_width_mm: message.trim_width_mm,
        trim_height_mm: message.trim_height_mm,
        bleed_mm: message.bleed_mm,
        pages: message.pages,
        product_type: message.product_type,
        scaling_factor: message.scaling_factor,
        viewing_distance_m: message.viewing_distance_m,
    }
    .checked()
}

/// Which jobs, how many, and after which.
pub fn page(message: &ListJobsRequest) -> Result<(Wanted, u32, Option<Uuid>)> {
    let size = if message.page_size == 0 { PAGE.0 } else { message.page_size };
    if size > PAGE.1 {
        let sentence = format!("pageSize must be from 1 to {}, or 0 for {}", PAGE.1, PAGE.0);
        return Err(Fault::invalid("PAGE_SIZE_OUT_OF_RANGE", "pageSize", sentence));
    }
    let after = match message.page_token.as_str() {
        "" => None,
        token => Some(Cursor::decode(token).map_err(|_| {
            Fault::invalid(
                "PAGE_TOKEN_INVALID",
                "pageToken",
                "pageToken must be one that a page answered, or empty",
            )
        })?),
    };
    let wanted = Wanted {
        state: match message.state() {
            JobState::Unspecified => None,
            JobState::Recorded => Some(State::Recorded),
            JobState::Queued => Some(State::Queued),
            JobState::Running => Some(State::Running),
            JobState::Succeeded => Some(State::Succeeded),
            JobState::Failed => Some(State::Failed),
            JobState::Cancelled => Some(State::Cancelled),
        },
        verdict: match message.verdict() {
            wire::Verdict::Unspecified => None,
            wire::Verdict::Pass => Some(Verdict::Pass),
            wire::Verdict::PassWithWarnings => Some(Verdict::PassWithWarnings),
            wire::Verdict::Fail => Some(Verdict::Fail),
            wire::Verdict::Incomplete => Some(Verdict::Incomplete),
        },
        batch: message.batch_id.as_deref().map(batch).transpose()?,
    };
    Ok((wanted, size, after))
}

/// A page out of one row more than it holds.
pub fn listed(mut jobs: Vec<Job>, size: u32) -> wire::ListJobsResponse {
    let size = size as usize;
    let more = jobs.len() > size;
    jobs.truncate(size);
    let next = jobs.last().filter(|_| more).map(|last| Cursor::encode(&last.id));
    wire::ListJobsResponse {
        jobs: jobs.into_iter().map(job).collect(),
        next_page_token: next.unwrap_or_default(),
    }
}

/// Cursor, mark and limit of a pull.
pub fn window(message: &ListChangedJobsRequest) -> Result<(i64, Option<Uuid>, u16)> {
    let cursor = i64::try_from(message.cursor).map_err(|_| {
        Fault::invalid("CURSOR_OUT_OF_RANGE", "cursor", "cursor must be one that a pull answered, or 0")
    })?;
    let limit = u16::try_from(message.limit).ok().filter(|limit| (1..=PULL_MAX).contains(limit));
    let limit = limit.ok_or_else(|| {
        Fault::invalid("LIMIT_OUT_OF_RANGE", "limit", format!("limit must be from 1 to {PULL_MAX}"))
    })?;
    let mark = match message.mark.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|_| {
            Fault::invalid("MARK_MALFORMED", "mark", "mark must be one that a pull answered, or empty")
        })?),
    };
    Ok((cursor, mark, limit))
}

/// The answer to a pull.
pub fn pulled(changed: Changed) -> ListChangedJobsResponse {
    ListChangedJobsResponse {
        jobs: changed.jobs.into_iter().map(job).collect(),
        next_cursor: changed.next_cursor.unsigned_abs(),
        more: changed.more,
        mark: changed.mark.map_or_else(String::new, |mark| mark.to_string()),
    }
}

/// Name and content of an event.
pub fn event(message: ReportTelemetryRequest) -> Result<(String, Event)> {
    let repairs = message.repairs.into_iter().map(|repair| Repair { rule: repair.rule, count: repair.count });
    let event = Event {
        tool: message.tool,
        tool_version: message.tool_version,
        repairs: repairs.collect(),
        repaired_sha256: message.repaired_sha256,
        duration_ms: message.duration_ms,
    };
    Ok((message.event_id, event.checked()?))
}

/// A time of a request.
pub fn since(at: Option<Timestamp>) -> Result<Option<DateTime<Utc>>> {
    let Some(at) = at else { return Ok(None) };
    let read = u32::try_from(at.nanos).ok().and_then(|nanos| DateTime::from_timestamp(at.seconds, nanos));
    // A time that is none is refused as the very last one is.
    metrics::since(read.unwrap_or(DateTime::<Utc>::MAX_UTC)).map(Some)
}

/// How many jobs there are.
pub fn counted(metrics: &Metrics) -> GetMetricsResponse {
    let mut answer = GetMetricsResponse {
        since: Some(timestamp(metrics.since)),
        median_run_ms: metrics.run_ms.map(|(median, _)| median),
        p95_run_ms: metrics.run_ms.map(|(_, p95)| p95),
        ..GetMetricsResponse::default()
    };
    for count in &metrics.counts {
        answer.jobs += count.jobs;
        let state = i32::from(state(count.state));
        match answer.states.iter_mut().find(|known| known.state == state) {
            Some(known) => known.jobs += count.jobs,
            None => answer.states.push(StateCount { state, jobs: count.jobs }),
        }
        if let Some(verdict) = count.verdict {
            answer
                .verdicts
                .push(VerdictCount { verdict: verdict_of(Some(verdict)).into(), jobs: count.jobs });
        }
    }
    answer
}

/// A policy; with its document or without.
pub fn policy(policy: Known, whole: bool) -> wire::Policy {
    wire::Policy {
        name: policy.name,
        version: policy.version,
        title: policy.title,
        built_in: policy.built_in,
        created_at: policy.created_at.map(timestamp),
        document_json: if whole { policy.document } else { String::new() },
    }
}

/// A job.
pub fn job(job: Job) -> wire::Job {
    wire::Job {
        target_file: job.target.to_string(),
        job_id: job.job_id,
        policy: job.policy,
        policy_version: job.policy_version,
        intent: job.intent.map(|intent| wire::Intent {
            trim_width_mm: intent.trim_width_mm,
            trim_height_mm: intent.trim_height_mm,
            bleed_mm: intent.bleed_mm,
            pages: intent.pages,
            product_type: intent.product_type,
            scaling_factor: intent.scaling_factor,
            viewing_distance_m: intent.viewing_distance_m,
        }),
        batch_id: job.batch,
        state: state(job.state).into(),
        verdict: verdict_of(job.verdict).into(),
        failure: job.failure.map(|failure| wire::Failure { code: failure.code, message: failure.message }),
        target_etag: job.pin.etag,
        target_bytes: job.pin.bytes,
        content_sha256: job.content_sha256.map(|digest| hex(&digest)),
        engine_version: job.engine_version,
        created_at: Some(timestamp(job.created_at)),
        updated_at: Some(timestamp(job.updated_at)),
        started_at: job.started_at.map(timestamp),
        finished_at: job.finished_at.map(timestamp),
        revision: job.revision.unsigned_abs(),
    }
}

fn state(state: State) -> JobState {
    match state {
        State::Recorded => JobState::Recorded,
        State::Queued => JobState::Queued,
        State::Running => JobState::Running,
        State::Succeeded => JobState::Succeeded,
        State::Failed => JobState::Failed,
        State::Cancelled => JobState::Cancelled,
    }
}

fn verdict_of(verdict: Option<Verdict>) -> wire::Verdict {
    match verdict {
        None => wire::Verdict::Unspecified,
        Some(Verdict::Pass) => wire::Verdict::Pass,
        Some(Verdict::PassWithWarnings) => wire::Verdict::PassWithWarnings,
        Some(Verdict::Fail) => wire::Verdict::Fail,
        Some(Verdict::Incomplete) => wire::Verdict::Incomplete,
    }
}

fn timestamp(at: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: at.timestamp(), nanos: at.timestamp_subsec_nanos().cast_signed() }
}
