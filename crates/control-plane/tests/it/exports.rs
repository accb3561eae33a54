//! Exports from the request to the printed symbol.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use mintmark_codes::{Code, CodeDigest};
use reqwest::StatusCode;
use serde_json::{Value, json};
use zip::ZipArchive;

use crate::directory::FakeDirectory;
use crate::harness::{Plane, text};
use crate::raster::read_symbol;
use crate::stage::{
    Another, Stage, UNITS, connection, count, eventually, folder, history, order, until, variables,
};

fn entries(zip: Vec<u8>) -> BTreeMap<String, Vec<u8>> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut entry = archive.by_index(index).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.name().unwrap().into_owned(), content)
        })
        .collect()
}

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn export_shows_exactly_the_codes_that_were_published() {
    let stage = Stage::set().await;
    let (id, view) = stage.ready(json!({})).await;
    assert_eq!((&view["formats"], &view["parts"]), (&json!(["csv", "svg"]), &3.into()));
    assert_eq!(view["progress"], json!({ "done": UNITS, "total": UNITS }));
    let download = stage.download(&id).await;
    let digests = stage.directory.publication(&stage.shop.owner.tenant, &stage.batch).unwrap().digests();
    let gtin = text(
        &stage.plane.get(&stage.shop.owner, &format!("/v1/batches/{}", stage.batch)).await.expect(200),
        "gtin",
    )
    .to_owned();
    let mut serial = 0;
    for (part, units) in download["parts"].as_array().unwrap().iter().zip([50_u64, 50, 30]) {
        assert_eq!((&part["firstSerial"], &part["units"]), (&(serial + 1).into(), &units.into()));
        let zip = stage.fetch(&part["url"]).await;
        assert_eq!(
            (part["bytes"].as_u64(), text(part, "sha256")),
            (Some(zip.len() as u64), sha256(&zip).as_str())
        );
        let entries = entries(zip);
        assert_eq!(entries.len() as u64, units + 2);
        let mut rows = csv::Reader::from_reader(entries["codes.csv"].as_slice());
        for row in rows.deserialize::<BTreeMap<String, String>>() {
            let row = row.unwrap();
            assert_eq!(
                (row["serial"].as_str(), row["gtin"].as_str()),
                ((serial + 1).to_string().as_str(), gtin.as_str())
            );
            let code = Code::parse(&row["code"]).unwrap();
            assert_eq!(CodeDigest::of(&code).as_bytes(), &digests[serial as usize], "unit {}", serial + 1);
            assert_eq!(row["uri"], format!("https://id.example/01/{}/21/{}", row["gtin"], row["code"]));
            assert_eq!(row["qr_uri"], row["uri"].to_uppercase());
            let svg = std::str::from_utf8(&entries[&row["svg"]]).unwrap();
            assert_eq!(read_symbol(svg), row["qr_uri"]);
            serial += 1;
        }
    }
    assert_eq!(serial, UNITS);
    let index: Value = serde_json::from_slice(&stage.fetch(&download["index"]["url"]).await).unwrap();
    assert_eq!((&index["units"], &index["batchId"]), (&UNITS.into(), &json!(stage.batch)));
    for (listed, part) in index["parts"].as_array().unwrap().iter().zip(download["parts"].as_array().unwrap())
    {
        assert_eq!((&listed["sha256"], &listed["firstSerial"]), (&part["sha256"], &part["firstSerial"]));
    }
    assert_eq!(stage.history().await[3..], ["export.created", "export.ready", "export.downloaded"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn export_made_again_is_the_same_bytes() {
    let stage = Stage::set().await;
    let ((first, view), (second, _)) = (stage.ready(json!({})).await, stage.ready(json!({})).await);
    let (first, second) = (stage.download(&first).await, stage.download(&second).await);
    for (one, other) in first["parts"].as_array().unwrap().iter().zip(second["parts"].as_array().unwrap()) {
        assert_eq!(one["sha256"], other["sha256"]);
        assert!(stage.fetch(&one["url"]).await == stage.fetch(&other["url"]).await);
    }
    assert_eq!(first["index"]["sha256"], second["index"]["sha256"]);
    let bytes: u64 =
        first["parts"].as_array().unwrap().iter().map(|part| part["bytes"].as_u64().unwrap()).sum();
    assert_eq!(view["bytes"], bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn export_of_one_format_holds_that_one() {
    let stage = Stage::set().await;
    for (format, present, absent) in
        [("csv", "codes.csv", "svg/0000000001.svg"), ("svg", "svg/0000000001.svg", "codes.csv")]
    {
        let (id, view) = stage.ready(json!({ "formats": [format] })).await;
        assert_eq!(view["formats"], json!([format]));
        let part = stage.download(&id).await["parts"][0]["url"].clone();
        let entries = entries(stage.fetch(&part).await);
        assert!(entries.contains_key(present) && !entries.contains_key(absent), "{format}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn export_after_its_retention_is_gone() {
    let stage = Stage::set().await;
    let (id, view) = stage.ready(json!({})).await;
    let expires_at: chrono::DateTime<chrono::Utc> = text(&view, "expiresAt").parse().unwrap();
    assert_eq!((expires_at - chrono::Utc::now()).num_hours(), 7 * 24 - 1);
    let url = text(&stage.download(&id).await["parts"][0], "url").to_owned();
    let folder = folder(&stage.plane, &stage.shop, &id);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 4, "three parts and an index");
    let moved = "UPDATE export SET expires_at = now() - interval '1 second';
                 UPDATE jobs SET run_at = now() - interval '1 second' WHERE kind = 'expire-export'";
    stage.plane.sql(moved).await;
    let path = format!("/v1/exports/{id}");
    let expired = async || {
        let view = stage.plane.get(&stage.shop.owner, &path).await.expect(200);
        (text(&view, "state") == "expired").then_some(())
    };
    eventually("the export is expired", expired).await;
    let reply = stage.plane.get(&stage.shop.owner, &format!("{path}/download")).await;
    assert_eq!(reply.problem(410), "EXPORT_EXPIRED");
    assert_eq!(std::fs::read_dir(&folder).map_or(0, Iterator::count), 0, "its objects are deleted");
    assert_eq!(stage.open("GET", &url).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(stage.history().await.last().unwrap(), "export.expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn export_that_was_interrupted_goes_on_at_the_first_missing_part() {
    let directory = FakeDirectory::start().await;
    let plane = Plane::start_with(&[("EXPORT_PART_UNITS", "50")]).await;
    let shop = plane.shop().await;
    let worker = Another::beside(&plane, &variables(&directory.url())).await;
    let batch = order(&plane, &shop, UNITS as u32).await;
    until(&plane, &shop, &format!("/v1/batches/{batch}"), "sealed").await;
    worker.end().await;

    let exports = format!("/v1/batches/{batch}/exports");
    let everything = json!({ "formats": ["csv", "svg", "png", "pdf"] });
    let asked = plane.as_person(&shop.owner, "POST", &exports, everything.clone()).await.expect(202);
    let path = format!("/v1/exports/{}", text(&asked, "id"));
    let early = plane.get(&shop.owner, &format!("{path}/download")).await;
    assert_eq!(early.problem(409), "EXPORT_NOT_READY");

    // A folder stands where the second part belongs, so the first worker comes no further than the first part.
    let folder = folder(&plane, &shop, text(&asked, "id"));
    std::fs::create_dir_all(folder.join("part-0002.zip/occupied")).unwrap();
    let worker = Another::beside(&plane, &variables(&directory.url())).await;
    let one_part = async || (count(&plane, "SELECT count(*) AS n FROM export_part").await == 1).then_some(());
    eventually("the first part is finished", one_part).await;
    worker.end().await;
    let before = std::fs::metadata(folder.join("part-0001.zip")).unwrap().modified().unwrap();
    std::fs::remove_dir_all(folder.join("part-0002.zip")).unwrap();

    let _worker = Another::beside(&plane, &variables(&directory.url())).await;
    let view = until(&plane, &shop, &path, "ready").await;
    assert_eq!(view["progress"], json!({ "done": UNITS, "total": UNITS }));
    let after = std::fs::metadata(folder.join("part-0001.zip")).unwrap().modified().unwrap();
    assert_eq!(before, after, "the first part was not written again");
    let download = plane.get(&shop.owner, &format!("{path}/download")).await.expect(200);
    let hashes = |download: &Value| -> Vec<Value> {
        download["parts"].as_array().unwrap().iter().map(|part| part["sha256"].clone()).collect()
    };
    assert_eq!(hashes(&download).len(), 3);
    let again = plane.as_person(&shop.owner, "POST", &exports, everything).await.expect(202);
    let path = format!("/v1/exports/{}", text(&again, "id"));
    until(&plane, &shop, &path, "ready").await;
    let whole = plane.get(&shop.owner, &format!("{path}/download")).await.expect(200);
    assert_eq!(hashes(&download), hashes(&whole), "as if it had never been interrupted");
}

#[tokio::test(flavor = "multi_thread")]
async fn export_of_a_batch_that_is_not_sealed_is_refused() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let path = format!("/v1/batches/{}/exports", order(&plane, &shop, 10).await);
    let asked = plane.as_person(&shop.owner, "POST", &path, json!({})).await;
    assert_eq!(asked.problem(409), "BATCH_NOT_SEALED");
    assert_eq!(plane.get(&shop.owner, &path).await.expect(200)["items"], json!([]));
    assert_eq!(count(&plane, "SELECT count(*) AS n FROM jobs WHERE kind = 'export-pack'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn export_asked_for_twice_under_one_key_is_one_export() {
    let stage = Stage::set().await;
    let ask = async |body: Value| {
        let headers = [("Idempotency-Key", "the-same")];
        stage
            .plane
            .send("POST", &stage.exports(), Some(&stage.shop.owner.session), &headers, Some(&body))
            .await
    };
    let first = ask(json!({ "formats": ["csv"] })).await;
    assert_eq!(first.header("location"), Some(format!("/v1/exports/{}", text(&first.body, "id")).as_str()));
    let again = ask(json!({ "formats": ["csv"] })).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.expect(202)["id"], first.expect(202)["id"]);
    assert_eq!(ask(json!({ "formats": ["svg"] })).await.problem(422), "IDEMPOTENCY_KEY_REUSED");
    let listed = stage.plane.get(&stage.shop.owner, &stage.exports()).await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn export_with_bad_formats_names_the_field() {
    let stage = Stage::set().await;
    for (formats, status, code) in [
        (json!([]), 400, "FORMATS_EMPTY"),
        (json!(["eps"]), 422, "FORMAT_NOT_SUPPORTED"),
        (json!(["csv", "CSV"]), 422, "FORMAT_NOT_SUPPORTED"),
    ] {
        let reply = stage.post(&stage.shop.owner, json!({ "formats": formats })).await;
        assert_eq!((reply.problem(status), text(&reply.body, "field")), (code, "formats"));
        assert_eq!(reply.body["supportedFormats"], json!(["csv", "svg", "png", "pdf"]));
    }
    for body in [json!({ "formats": "csv" }), json!({ "format": ["csv"] })] {
        stage.post(&stage.shop.owner, body).await.problem(400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_are_for_those_whom_the_role_table_names() {
    let stage = Stage::set().await;
    let plane = &stage.plane;
    let (id, _) = stage.ready(json!({ "formats": ["csv"] })).await;
    let (view, download) = (format!("/v1/exports/{id}"), format!("/v1/exports/{id}/download"));
    let cancel = format!("/v1/exports/{id}/cancel");
    let tenant = &stage.shop.owner.tenant;
    let (member, admin) = (plane.person(tenant, false).await, plane.person(tenant, false).await);
    plane.grant(&member, &stage.shop.brand, "member").await;
    plane.grant(&admin, &stage.shop.brand, "admin").await;
    let outsider = plane.person(tenant, false).await;
    let stranger = plane.shop().await.owner;
    // Who, and what they get for asking, listing, viewing, downloading, and cancelling what is ready
    // (spec/minting-security.md, "Role-Based Access").
    let table = [
        ("an owner", Some(&stage.shop.owner.session), [202, 200, 200, 200, 409]),
        ("an admin", Some(&admin.session), [202, 200, 200, 200, 409]),
        ("a member", Some(&member.session), [403, 200, 200, 200, 403]),
        ("a person without a role", Some(&outsider.session), [403; 5]),
        ("another tenant's owner", Some(&stranger.session), [404; 5]),
        ("the control token", Some(&plane.control), [401; 5]),
        ("nobody", None, [401; 5]),
    ];
    for (who, token, expected) in table {
        let token = token.map(String::as_str);
        let body = json!({ "formats": ["csv"] });
        let asked = plane.send("POST", &stage.exports(), token, &[], Some(&body)).await;
        let mut got = vec![asked.status];
        for path in [&stage.exports(), &view, &download] {
            got.push(plane.send("GET", path, token, &[], None).await.status);
        }
        got.push(plane.send("POST", &cancel, token, &[], None).await.status);
        assert_eq!(got, expected, "{who}");
        if got[0] == 403 {
            assert_eq!(asked.body["requiredRole"], "admin", "{}", asked.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn export_whose_secret_cannot_be_read_fails_and_a_replay_under_the_right_key_heals_it() {
    let directory = FakeDirectory::start().await;
    let plane = Plane::start_with(&[("EXPORT_PART_UNITS", "50")]).await;
    let shop = plane.shop().await;
    let worker = Another::beside(&plane, &variables(&directory.url())).await;
    let batch = order(&plane, &shop, UNITS as u32).await;
    until(&plane, &shop, &format!("/v1/batches/{batch}"), "sealed").await;
    worker.end().await;

    let directory_url = directory.url();
    let mut wrong_key = variables(&directory_url).to_vec();
    wrong_key.push(("CODE_MASTER_KEY_ID", "cmk-2"));
    let worker = Another::beside(&plane, &wrong_key).await;
    let asked = plane
        .as_person(&shop.owner, "POST", &format!("/v1/batches/{batch}/exports"), json!({}))
        .await
        .expect(202);
    let path = format!("/v1/exports/{}", text(&asked, "id"));
    let view = until(&plane, &shop, &path, "failed").await;
    assert_eq!(view["failure"]["code"], "SECRET_UNREADABLE");
    assert!(text(&view["failure"], "message").contains("CODE_MASTER_KEY"), "{view}");
    let refused = plane.get(&shop.owner, &format!("{path}/download")).await;
    assert_eq!(refused.problem(409), "EXPORT_NOT_READY");
    worker.end().await;

    let _worker = Another::beside(&plane, &variables(&directory.url())).await;
    let mut conn = connection(&plane).await;
    let dead = mintmark_jobs::dead_letters(&mut conn, 10, None).await.unwrap();
    mintmark_jobs::replay(&mut conn, dead[0].job).await.unwrap();
    let ready = async || {
        let view = plane.get(&shop.owner, &path).await.expect(200);
        (text(&view, "state") == "ready" && view.get("failure").is_none()).then_some(())
    };
    eventually("the replayed export is ready", ready).await;
    let history = history(&plane, &shop, &batch).await;
    assert_eq!(history[3..], ["export.created", "export.failed", "export.ready"]);
}
