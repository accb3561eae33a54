//! Jobs that changed, for whoever keeps a copy.

use std::collections::BTreeMap;

use mintmark_auth::scope::{JOBS_READ, PREFLIGHT_READ, PREFLIGHT_WRITE};
use mintmark_fault::Kind;
use mintmark_wire::preflight::v1::{Job, ListChangedJobsRequest, ListChangedJobsResponse};
use serde_json::json;

use crate::stage::{OTHER, Stage, TARGET, TENANT};

async fn pull(
    stage: &Stage,
    cursor: u64,
    limit: u32,
    mark: &str,
) -> mintmark_fault::Result<ListChangedJobsResponse> {
    let message = ListChangedJobsRequest { cursor, limit, mark: mark.to_owned() };
    stage.rpc().list_changed_jobs(&stage.token(TENANT, &[JOBS_READ]), message).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_puller_that_never_looks_twice_has_every_job_as_it_stands() {
    let stage = Stage::start().await;
    stage.work().await;
    let (mut copy, mut cursor, mut mark): (BTreeMap<String, Job>, u64, String) =
        (BTreeMap::new(), 0, String::new());
    let writers = async {
        let all = (0..20).map(|at| {
            let body = json!({ "jobId": format!("job-{at}"), "targetFile": TARGET });
            stage.post("/api/preflight/jobs", body)
        });
        futures::future::join_all(all).await.into_iter().for_each(|reply| drop(reply.expect(201)));
        for at in 0..20 {
            stage.until(&format!("job-{at}"), &["succeeded"]).await;
        }
    };
    let puller = async {
        while copy.len() < 20 || copy.values().any(|job| job.finished_at.is_none()) {
            let pulled = pull(&stage, cursor, 3, &mark).await.unwrap();
            let revisions: Vec<u64> = pulled.jobs.iter().map(|job| job.revision).collect();
            assert!(revisions.windows(2).all(|pair| pair[0] < pair[1]), "{revisions:?}");
            assert!(revisions.iter().all(|revision| *revision > cursor), "{revisions:?} after {cursor}");
            (cursor, mark) = (pulled.next_cursor, pulled.mark);
            copy.extend(pulled.jobs.into_iter().map(|job| (job.job_id.clone(), job)));
        }
    };
    tokio::join!(writers, puller);
    assert!(copy.values().all(|job| job.verdict != 0 && job.content_sha256.is_some()));
    let last = pull(&stage, cursor, 3, &mark).await.unwrap();
    assert!(last.jobs.is_empty() && !last.more && last.next_cursor == cursor && last.mark == mark);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_of_a_gateway_that_was_restored_starts_again() {
    let stage = Stage::start().await;
    stage.create("before", TARGET).await;
    let dump = stage.folder.path().join("dump");
    stage.db.dump(&dump);
    stage.create("lost", TARGET).await;
    let pulled = pull(&stage, 0, 10, "").await.unwrap();
    assert_eq!(pulled.jobs.len(), 2);
    stage.db.restore(&dump).await;
    let mut refused = pull(&stage, pulled.next_cursor, 10, &pulled.mark).await;
    for _ in 0..50 {
        match &refused {
            // Pooled connections ended with the old database.
            Err(fault) if fault.kind() == Kind::Unavailable => {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                refused = pull(&stage, pulled.next_cursor, 10, &pulled.mark).await;
            }
            _ => break,
        }
    }
    assert_eq!(refused.unwrap_err().code(), "JOBS_RESTARTED");
    // Also when as much has happened since, so that the number alone would be believed.
    for job in ["a", "b", "c"] {
        stage.create(job, TARGET).await;
    }
    let refused = pull(&stage, pulled.next_cursor, 10, &pulled.mark).await;
    assert_eq!(refused.unwrap_err().code(), "JOBS_RESTARTED");
    let anew = pull(&stage, 0, 10, "").await.unwrap();
    let names: Vec<&str> = anew.jobs.iter().map(|job| job.job_id.as_str()).collect();
    assert_eq!(names, ["before", "a", "b", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_takes_its_scopes_its_tenant_and_sound_numbers() {
    let stage = Stage::start().await;
    stage.create("mine", TARGET).await;
    let message = |limit| ListChangedJobsRequest { cursor: 0, limit, mark: String::new() };
    let rpc = stage.rpc();
    let read = rpc.list_changed_jobs(&stage.token(TENANT, &[PREFLIGHT_READ]), message(5)).await.unwrap();
    assert_eq!(read.jobs.len(), 1);
    let refused =
        rpc.list_changed_jobs(&stage.token(TENANT, &[PREFLIGHT_WRITE]), message(5)).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Forbidden);
    let other = rpc.list_changed_jobs(&stage.token(OTHER, &[JOBS_READ]), message(5)).await.unwrap();
    assert!(other.jobs.is_empty() && other.mark.is_empty());
    for limit in [0, 1_001] {
        let refused =
            rpc.list_changed_jobs(&stage.token(TENANT, &[JOBS_READ]), message(limit)).await.unwrap_err();
        assert_eq!(refused.code(), "LIMIT_OUT_OF_RANGE");
    }
    assert_eq!(pull(&stage, 0, 5, "no mark").await.unwrap_err().code(), "MARK_MALFORMED");
    assert_eq!(pull(&stage, u64::MAX, 5, "").await.unwrap_err().code(), "CURSOR_OUT_OF_RANGE");
}
