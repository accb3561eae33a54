//! Content and metadata.

use mintmark_auth::scope;
use mintmark_wire::evidence::v1::*;
use tonic::Code;

use crate::stage::{Cast, OTHER, Stage, codes, noise, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn read_of_a_range_gives_exactly_it_and_is_audited_first() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    let content = noise(70_000);
    let id = stage.upload(&cast.user, &content).await.evidence_id;
    for (offset, length, expected) in [
        (None, None, 0..70_000),
        (Some(0), Some(1), 0..1),
        (Some(16_383), Some(2), 16_383..16_385),
        (Some(16_384), Some(16_384), 16_384..32_768),
        (Some(69_999), None, 69_999..70_000),
        (Some(60_000), Some(u64::MAX), 60_000..70_000),
        (None, Some(70_000), 0..70_000),
    ] {
        let (head, read) = stage.read(&cast.arbitrator, &id, offset, length).await.unwrap();
        assert!(read == content[expected.clone()], "{expected:?}");
        let said = (head.bytes, head.offset, head.length);
        assert_eq!(said, (70_000, expected.start as u64, expected.len() as u64));
        let (action, outcome, detail) = stage.audited(&id).await.pop().unwrap();
        assert_eq!((action.as_str(), outcome.as_str()), ("EVIDENCE_ACCESSED", "allowed"));
        assert_eq!((&detail["offset"], &detail["length"]), (&head.offset.into(), &head.length.into()));
        assert_eq!(detail["right"], "ARBITRATOR");
    }
    let entries = stage.audited(&id).await.len();
    for (offset, length) in [(Some(70_000), None), (Some(u64::MAX), Some(1)), (Some(5), Some(0))] {
        let (code, fault) = refusal(stage.read(&cast.arbitrator, &id, offset, length).await);
        assert_eq!((code, fault.code()), (Code::OutOfRange, "RANGE_NOT_SATISFIABLE"));
        assert_eq!(fault.members()["bytes"], 70_000);
    }
    assert_eq!(stage.audited(&id).await.len(), entries, "nothing was read");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_another_tenant_or_dispute_is_not_found() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    let id = stage.upload(&cast.user, b"ours").await.evidence_id;
    for other in [cast.governance.clone().of(OTHER), Cast::new().governance, Cast::new().arbitrator] {
        assert_eq!(codes(stage.get(&other, &id).await).0, Code::NotFound, "{other:?}");
        assert_eq!(codes(stage.read(&other, &id, None, None).await).0, Code::NotFound, "{other:?}");
    }
    assert_eq!(codes(stage.hold(&cast.governance.clone().of(OTHER), &id, true).await).0, Code::NotFound);
    for odd in ["", "evd_", "evd_00000000000000000000000000", "1", "x'; --"] {
        assert_eq!(codes(stage.get(&cast.governance, odd).await).0, Code::NotFound, "{odd}");
    }
    assert!(
        stage
            .audited(&id)
            .await
            .iter()
            .any(|(_, outcome, detail)| { outcome == "refused" && detail["reason"] == "other_dispute" })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn list_is_of_the_dispute_newest_first_and_paged_and_shows_a_user_his_own() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    let mut ids = Vec::new();
    for at in 0..5 {
        let who = if at % 2 == 0 { &cast.user } else { &cast.arbitrator };
        ids.push(stage.upload(who, b"x").await.evidence_id);
    }
    stage.upload(&Cast::new().user, b"of another dispute").await;
    ids.reverse();
    let list = async |who, page_size, page_token: &str| {
        let message = ListEvidenceRequest { page_size, page_token: page_token.to_owned() };
        stage.client().list_evidence(stage.request(who, scope::EVIDENCE_READ, message)).await
    };
    let named = |page: &ListEvidenceResponse| -> Vec<String> {
        page.evidence.iter().map(|it| it.evidence_id.clone()).collect()
    };
    let first = list(&cast.governance, 3, "").await.unwrap().into_inner();
    assert_eq!(named(&first), ids[..3]);
    let second = list(&cast.governance, 3, &first.next_page_token).await.unwrap().into_inner();
    assert_eq!((named(&second).as_slice(), second.next_page_token.as_str()), (&ids[3..], ""));
    let own = list(&cast.user, 0, "").await.unwrap().into_inner();
    assert_eq!(named(&own), [ids[0].clone(), ids[2].clone(), ids[4].clone()]);
    assert_eq!(
        codes(list(&cast.user, 201, "").await),
        (Code::InvalidArgument, "PAGE_SIZE_OUT_OF_RANGE".to_owned())
    );
    assert_eq!(
        codes(list(&cast.user, 1, "x").await),
        (Code::InvalidArgument, "PAGE_TOKEN_INVALID".to_owned())
    );
    // A user sees the metadata of what he uploaded, and of nothing else.
    assert_eq!(stage.get(&cast.user, &ids[0]).await.unwrap().evidence_id, ids[0]);
    assert_eq!(codes(stage.get(&cast.user, &ids[1]).await).1, "EVIDENCE_ROLE_REQUIRED");
}
