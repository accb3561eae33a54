//! Whoever can write to the database and to the store, and has no key: nothing that is swapped, cut, spliced or played back
//! is given out, and each attempt to read it is audited.

use std::path::PathBuf;

use mintmark_ids::EvidenceId;
use tonic::Code;

use crate::stage::{Cast, OTHER, Stage, codes, noise};

/// Two records of a tenant and one of another, all in one dispute.
struct Scene {
    stage: Stage,
    cast: Cast,
    ours: EvidenceId,
    content: Vec<u8>,
    second: EvidenceId,
    foreign: EvidenceId,
}

impl Scene {
    async fn new() -> Self {
        let (stage, cast) = (Stage::start().await, Cast::new());
        let content = noise(50_000);
        let ours = stage.upload(&cast.user, &content).await.evidence_id.parse().unwrap();
        let second = stage.upload(&cast.user, &noise(50_000)).await.evidence_id.parse().unwrap();
        let foreign = stage.upload(&cast.user.clone().of(OTHER), &noise(50_000)).await;
        Scene { stage, cast, ours, content, second, foreign: foreign.evidence_id.parse().unwrap() }
    }

    async fn object(&self, id: EvidenceId) -> PathBuf {
        let sql = "SELECT encrypted_blob FROM evidence WHERE id = $1";
        let row = self.stage.sql().await.query_one(sql, &[&id.as_uuid()]).await.unwrap();
        self.stage.folder.path().join("objects").join(row.get::<_, String>(0))
    }

    /// Reading it is refused and audited.
    async fn is_damaged(&self, what: &str) {
        let id = self.ours.to_string();
        let before = self.noted(&id).await;
        let answer = self.stage.read(&self.cast.arbitrator, &id, None, None).await;
        assert_eq!(
            codes(answer.map(|(head, _)| head)),
            (Code::DataLoss, "EVIDENCE_DAMAGED".to_owned()),
            "{what}"
        );
        assert_eq!(self.noted(&id).await, before + 1, "{what}");
    }

    async fn is_whole(&self, what: &str) {
        let read = self.stage.read(&self.cast.arbitrator, &self.ours.to_string(), None, None).await;
        assert!(read.unwrap().1 == self.content, "{what}");
    }

    async fn noted(&self, id: &str) -> usize {
        let entries = self.stage.audited(id).await;
        entries.iter().filter(|(act, outcome, _)| act == "EVIDENCE_DAMAGED" && outcome == "refused").count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_field_of_another_record_tenant_or_key_is_refused_and_audited() {
    let scene = Scene::new().await;
    let sql = scene.stage.sql().await;
    let (ours, second, foreign) = (scene.ours.as_uuid(), scene.second.as_uuid(), scene.foreign.as_uuid());
    let key = ["kek_id", "wrapped_dek", "iv", "tag"];
    let all = "kek_id = b.kek_id, wrapped_dek = b.wrapped_dek, iv = b.iv, tag = b.tag";
    // A key of the same tenant under which the record was never wrapped.
    scene.stage.hold(&scene.cast.governance, &scene.second.to_string(), true).await.unwrap();
    for from in [second, foreign] {
        let whole: (String, &str) = (all.to_owned(), "evidence_key");
        let single = key.iter().map(|column| (format!("{column} = b.{column}"), "evidence_key"));
        let record = ["encrypted_blob", "ciphertext_sha256", "sealed_digest"];
        let record = record.iter().map(|column| (format!("{column} = b.{column}"), "evidence"));
        let pair = "encrypted_blob = b.encrypted_blob, ciphertext_sha256 = b.ciphertext_sha256, sealed_digest = b.sealed_digest";
        for (set, table) in
            std::iter::once(whole).chain(single).chain(record).chain([(pair.to_owned(), "evidence")])
        {
            let id = if table == "evidence" { "id" } else { "record_id" };
            let columns = if table == "evidence" {
                "encrypted_blob = k.encrypted_blob, ciphertext_sha256 = k.ciphertext_sha256, sealed_digest = k.sealed_digest"
            } else {
                "kek_id = k.kek_id, wrapped_dek = k.wrapped_dek, iv = k.iv, tag = k.tag"
            };
            let keep = format!("CREATE TEMPORARY TABLE kept AS SELECT * FROM {table} WHERE {id} = '{ours}'");
            sql.batch_execute(&keep).await.unwrap();
            let swap = format!(
                "UPDATE {table} a SET {set} FROM {table} b WHERE a.{id} = '{ours}' AND b.{id} = '{from}'"
            );
            sql.batch_execute(&swap).await.unwrap();
            scene.is_damaged(&format!("{set} of {from}")).await;
            let back =
                format!("UPDATE {table} a SET {columns} FROM kept k WHERE a.{id} = k.{id}; DROP TABLE kept");
            sql.batch_execute(&back).await.unwrap();
            scene.is_whole(&format!("after {set}")).await;
        }
    }
    for (set, back) in [
        ("bytes = bytes + 1", "bytes = bytes - 1"),
        ("bytes = bytes - 1", "bytes = bytes + 1"),
        ("bytes = bytes - 16384", "bytes = bytes + 16384"),
    ] {
        sql.execute(&format!("UPDATE evidence SET {set} WHERE id = $1"), &[&ours]).await.unwrap();
        scene.is_damaged(set).await;
        sql.execute(&format!("UPDATE evidence SET {back} WHERE id = $1"), &[&ours]).await.unwrap();
    }
    scene.is_whole("after lengths").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrapping_from_before_is_of_no_use_once_the_record_has_another() {
    let scene = Scene::new().await;
    let (sql, id) = (scene.stage.sql().await, scene.ours);
    let keep = format!(
        "CREATE TEMPORARY TABLE old AS SELECT * FROM evidence_key WHERE record_id = '{}'",
        id.as_uuid()
    );
    sql.batch_execute(&keep).await.unwrap();
    scene.stage.hold(&scene.cast.governance, &id.to_string(), true).await.unwrap();
    // Its ciphertext with the new key's name: the name is part of what is authenticated.
    let back = "UPDATE evidence_key k SET wrapped_dek = o.wrapped_dek, iv = o.iv, tag = o.tag FROM old o WHERE k.record_id = o.record_id";
    sql.batch_execute(back).await.unwrap();
    scene.is_damaged("an older wrapping under a newer key's name").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_moved_to_another_tenant_is_refused() {
    let scene = Scene::new().await;
    let (sql, id) = (scene.stage.sql().await, scene.ours);
    sql.execute("UPDATE evidence SET tenant_id = 'globex' WHERE id = $1", &[&id.as_uuid()]).await.unwrap();
    let thief = scene.cast.arbitrator.clone().of(OTHER);
    let answer = scene.stage.read(&thief, &id.to_string(), None, None).await;
    assert_eq!(codes(answer.map(|(head, _)| head)).0, Code::DataLoss);
    assert_eq!(scene.noted(&id.to_string()).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_was_altered_gives_nothing_and_is_audited() {
    let scene = Scene::new().await;
    let path = scene.object(scene.ours).await;
    let other = std::fs::read(scene.object(scene.second).await).unwrap();
    let sealed = std::fs::read(&path).unwrap();
    let (head, chunk) = (56, 16_400);
    let at = |number: usize| head + number * chunk;
    let altered = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = sealed.clone();
        change(&mut bytes);
        bytes
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a bit of the salt", altered(&|bytes| bytes[0] ^= 1)),
        ("a bit of the commitment", altered(&|bytes| bytes[30] ^= 1)),
        ("a bit of the first chunk", altered(&|bytes| bytes[head] ^= 1)),
        ("a bit of a tag", altered(&|bytes| bytes[at(1) - 1] ^= 0x80)),
        ("the last bit", altered(&|bytes| *bytes.last_mut().unwrap() ^= 1)),
        ("cut by a byte", altered(&|bytes| bytes.truncate(bytes.len() - 1))),
        ("cut by a chunk", altered(&|bytes| bytes.truncate(at(3)))),
        ("cut to its header", altered(&|bytes| bytes.truncate(head))),
        ("cut to nothing", Vec::new()),
        ("a byte more", altered(&|bytes| bytes.push(0))),
        (
            "two chunks swapped",
            altered(&|bytes| {
                let (first, second) = (sealed[at(0)..at(1)].to_vec(), sealed[at(1)..at(2)].to_vec());
                bytes[at(0)..at(1)].copy_from_slice(&second);
                bytes[at(1)..at(2)].copy_from_slice(&first);
            }),
        ),
        ("a chunk twice", altered(&|bytes| bytes.copy_within(at(0)..at(1), at(1)))),
        (
            "a chunk of another record",
            altered(&|bytes| bytes[at(1)..at(2)].copy_from_slice(&other[at(1)..at(2)])),
        ),
        ("another record's whole object", other.clone()),
    ];
    for (what, bytes) in cases {
        std::fs::write(&path, bytes).unwrap();
        scene.is_damaged(what).await;
    }
    std::fs::remove_file(&path).unwrap();
    scene.is_damaged("no object").await;
    std::fs::write(&path, &sealed).unwrap();
    scene.is_whole("put back").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_behind_a_range_does_not_keep_the_range_from_being_read() {
    let scene = Scene::new().await;
    let path = scene.object(scene.ours).await;
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[56 + 16_400 + 5] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let id = scene.ours.to_string();
    let (_, read) = scene.stage.read(&scene.cast.arbitrator, &id, Some(0), Some(100)).await.unwrap();
    assert!(read == scene.content[..100]);
    let answer = scene.stage.read(&scene.cast.arbitrator, &id, Some(16_380), Some(10)).await;
    assert_eq!(codes(answer.map(|(head, _)| head)).0, Code::DataLoss);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_cut_in_its_object_and_in_its_row_gives_not_even_a_range() {
    let scene = Scene::new().await;
    let path = scene.object(scene.ours).await;
    let sealed = std::fs::read(&path).unwrap();
    let id = scene.ours.to_string();
    // Cut within the second chunk: the lengths fit, and the tag at its end does not.
    std::fs::write(&path, &sealed[..56 + 16_400 + 5_016]).unwrap();
    let sql = "UPDATE evidence SET bytes = 16384 + 5000 WHERE id = $1";
    scene.stage.sql().await.execute(sql, &[&scene.ours.as_uuid()]).await.unwrap();
    for (offset, length) in [(None, None), (Some(0), Some(100)), (Some(21_000), None)] {
        let answer = scene.stage.read(&scene.cast.arbitrator, &id, offset, length).await;
        assert_eq!(codes(answer.map(|(head, _)| head)).0, Code::DataLoss, "{offset:?}");
    }
    assert_eq!(scene.noted(&id).await, 3);
}
