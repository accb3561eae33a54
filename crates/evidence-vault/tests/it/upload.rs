//! Uploads.

use futures::StreamExt as _;
use mintmark_auth::scope;
use mintmark_ids::EvidenceId;
use mintmark_wire::evidence::v1::*;
use tonic::Code;

use crate::stage::{Cast, OTHER, Stage, codes, data, end, header, messages, noise, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn upload_of_any_size_is_read_back_and_lies_encrypted() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    for bytes in [1, 16_383, 16_384, 16_385, 1_048_583] {
        let content = noise(bytes);
        let stored = stage.upload(&cast.user, &content).await;
        assert_eq!((stored.bytes, stored.media_type.as_str()), (bytes as u64, "image/jpeg"));
        assert_eq!((stored.state(), stored.legal_hold), (EvidenceState::Stored, false));
        assert_eq!(stored.subject_id, cast.dispute.to_string());
        assert_eq!(stored.uploaded_by, cast.user.subject);
        assert_eq!(stored.ciphertext_sha256.len(), 32);
        let kept = stored.expires_at.unwrap().seconds - stored.created_at.unwrap().seconds;
        assert_eq!(kept, 2_555 * 86_400);
        let (head, read) = stage.read(&cast.arbitrator, &stored.evidence_id, None, None).await.unwrap();
        assert!(read == content, "{bytes} bytes come back as others");
        assert_eq!((head.bytes, head.offset, head.length), (bytes as u64, 0, bytes as u64));
        assert_eq!(head.media_type, "image/jpeg");
        if bytes > 32 {
            let probe = &content[..32];
            for path in stage.objects() {
                let lies = std::fs::read(path).unwrap();
                assert!(!lies.windows(probe.len()).any(|window| window == probe), "plaintext in the store");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_that_is_not_as_it_should_be_is_refused_and_leaves_nothing() {
    let (stage, cast) = (Stage::start_with(&[("EVIDENCE_MAX_BYTES", "100000")]).await, Cast::new());
    let id = EvidenceId::new();
    let typed = |media_type: &str| {
        let header =
            UploadHeader { evidence_id: id.to_string(), media_type: media_type.to_owned(), bytes: None };
        UploadRequest { piece: Some(upload_request::Piece::Header(header)) }
    };
    let named = UploadHeader { evidence_id: "evd_1".to_owned(), media_type: "a/b".to_owned(), bytes: None };
    let named = UploadRequest { piece: Some(upload_request::Piece::Header(named)) };
    let nothing = UploadRequest { piece: None };
    let large = vec![0; 60_000];
    let cases: Vec<(Vec<UploadRequest>, Code, &str)> = vec![
        (vec![], Code::InvalidArgument, "UPLOAD_OUT_OF_ORDER"),
        (vec![data(b"x")], Code::InvalidArgument, "UPLOAD_OUT_OF_ORDER"),
        (vec![header(id, None), header(id, None)], Code::InvalidArgument, "UPLOAD_OUT_OF_ORDER"),
        (vec![header(id, None), nothing], Code::InvalidArgument, "UPLOAD_OUT_OF_ORDER"),
        (
            vec![header(id, None), data(b"x"), end(1), data(b"y")],
            Code::InvalidArgument,
            "UPLOAD_OUT_OF_ORDER",
        ),
        (vec![header(id, None), data(b"x"), end(1), end(1)], Code::InvalidArgument, "UPLOAD_OUT_OF_ORDER"),
        (vec![header(id, None), data(&[0; (1 << 20) + 1])], Code::InvalidArgument, "UPLOAD_OUT_OF_ORDER"),
        (vec![named, data(b"x"), end(1)], Code::InvalidArgument, "EVIDENCE_ID_INVALID"),
        (vec![typed("jpeg"), data(b"x"), end(1)], Code::InvalidArgument, "MEDIA_TYPE_INVALID"),
        (vec![typed("a/b\r\nc: d"), data(b"x"), end(1)], Code::InvalidArgument, "MEDIA_TYPE_INVALID"),
        (vec![header(id, Some(0)), end(0)], Code::InvalidArgument, "EVIDENCE_EMPTY"),
        (vec![header(id, None), end(0)], Code::InvalidArgument, "EVIDENCE_EMPTY"),
        (vec![header(id, None), data(b""), end(0)], Code::InvalidArgument, "EVIDENCE_EMPTY"),
        (vec![header(id, Some(100_001))], Code::OutOfRange, "EVIDENCE_TOO_LARGE"),
        (vec![header(id, None), data(&large), data(&large)], Code::OutOfRange, "EVIDENCE_TOO_LARGE"),
        (vec![header(id, Some(3)), data(b"xy"), end(2)], Code::InvalidArgument, "UPLOAD_INCOMPLETE"),
        (vec![header(id, Some(1)), data(b"xy"), end(2)], Code::InvalidArgument, "UPLOAD_INCOMPLETE"),
        (vec![header(id, None), data(b"xy"), end(3)], Code::InvalidArgument, "UPLOAD_INCOMPLETE"),
        (vec![header(id, None), data(b"xy")], Code::InvalidArgument, "UPLOAD_INCOMPLETE"),
        (vec![header(id, Some(2)), data(b"xy")], Code::InvalidArgument, "UPLOAD_INCOMPLETE"),
    ];
    for (at, (messages, code, reason)) in cases.into_iter().enumerate() {
        let answer = stage.send(&cast.user, futures::stream::iter(messages)).await;
        assert_eq!(codes(answer), (code, reason.to_owned()), "case {at}");
        assert_eq!(stage.objects(), [""; 0].map(std::path::PathBuf::from), "case {at}");
        let seen = stage.get(&cast.governance, &id.to_string()).await;
        assert_eq!(codes(seen).0, Code::NotFound, "case {at}");
    }
    // The limit itself is fine, and the id is as good as new.
    let most = noise(100_000);
    stage.send(&cast.user, futures::stream::iter(messages(id, &most))).await.unwrap();
    assert_eq!(stage.objects().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_under_an_id_that_is_stored_is_refused_and_changes_nothing() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    let id = EvidenceId::new();
    stage.send(&cast.user, futures::stream::iter(messages(id, b"first"))).await.unwrap();
    let again = stage.send(&cast.user, futures::stream::iter(messages(id, b"second"))).await;
    assert_eq!(codes(again), (Code::AlreadyExists, "EVIDENCE_EXISTS".to_owned()));
    // Also for another tenant, who learns no more than that.
    let foreign = cast.user.clone().of(OTHER);
    let again = stage.send(&foreign, futures::stream::iter(messages(id, b"third"))).await;
    assert_eq!(codes(again).1, "EVIDENCE_EXISTS");
    assert_eq!(stage.read(&cast.arbitrator, &id.to_string(), None, None).await.unwrap().1, b"first");
    assert_eq!(stage.objects().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_that_breaks_off_leaves_nothing_visible_and_its_id_usable() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    let id = EvidenceId::new();
    // Twelve megabytes, so that parts are in the store already, and then silence.
    let pieces = vec![header(id, None)].into_iter().chain((0..12).map(|_| data(&[7; 1 << 20])));
    let stream = futures::stream::iter(pieces).chain(futures::stream::pending());
    let request = stage.request(&cast.user, scope::EVIDENCE_UPLOAD, stream);
    let mut client = stage.client();
    let upload = tokio::spawn(async move { client.upload(request).await });
    until("parts are in the store", || !stage.objects().is_empty()).await;
    upload.abort();
    until("they are gone", || stage.objects().is_empty()).await;
    let seen = stage.get(&cast.governance, &id.to_string()).await;
    assert_eq!(codes(seen).0, Code::NotFound);
    stage.send(&cast.user, futures::stream::iter(messages(id, b"whole"))).await.unwrap();
    assert_eq!(stage.read(&cast.governance, &id.to_string(), None, None).await.unwrap().1, b"whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_to_a_closed_dispute_is_refused_and_audited() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    let id = EvidenceId::new();
    let late = cast.user.clone().about(cast.dispute, "closed");
    let (code, fault) = refusal(stage.send(&late, futures::stream::iter(messages(id, b"late"))).await);
    assert_eq!((code, fault.code()), (Code::FailedPrecondition, "DISPUTE_CLOSED"));
    let entries = stage.audited(&id.to_string()).await;
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].0.as_str(), entries[0].1.as_str()), ("EVIDENCE_UPLOADED", "refused"));
    assert_eq!(entries[0].2["reason"], "dispute_closed");
    assert_eq!(stage.objects().len(), 0);
}

async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !so() {
        assert!(begun.elapsed().as_secs() < 30, "never: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
