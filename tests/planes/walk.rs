//! Every way into the resolver is walked, and none of them mints: what each may change is a table.

use std::collections::{BTreeMap, BTreeSet};

use mintmark_auth::{audience, scope};
use mintmark_codes::{Code, CodeDigest, Partition};
use mintmark_ids::{BatchId, ProductId, TenantId};
use mintmark_wire::directory::v1::{
    AbortPublicationRequest, ActivationMode, GetPublicationRequest, OpenPublicationRequest, Product,
    PublishRequest, PullScansRequest, PutProductRequest, RevokeBatchRequest, RevokeCodesRequest,
    SealPublicationRequest,
};
use prost::Message;
use tokio_postgres::Client;

use crate::calls::{Caller, DIRECTORY, services};
use crate::estate::{Estate, PHONE};
use crate::eventually;

const GTIN: &str = "09506000134352";

/// What each method of the directory may change. A method that reflection names and this table does not is a failure.
const MAY_CHANGE: &[(&str, &str, &[&str])] = &[
    ("PutProduct", scope::DIRECTORY_PUBLISH, &["change_counter", "product"]),
    ("OpenPublication", scope::DIRECTORY_PUBLISH, &["partition", "publication"]),
    ("Publish", scope::DIRECTORY_PUBLISH, &["code_0000", "publication", "publication_chunk"]),
    ("GetPublication", scope::DIRECTORY_READ, &[]),
    ("SealPublication", scope::DIRECTORY_PUBLISH, &["change_counter", "publication"]),
    ("RevokeCodes", scope::DIRECTORY_REVOKE, &["change_counter", "revoked_code"]),
    ("RevokeBatch", scope::DIRECTORY_REVOKE, &["change_counter", "publication"]),
    ("AbortPublication", scope::DIRECTORY_PUBLISH, &["change_counter", "publication"]),
    ("PullScans", scope::DIRECTORY_READ, &[]),
];

/// What scanning leaves behind, and what the directory role makes of it.
const LEFT_BY_SCANS: [&str; 6] =
    ["activation", "scan_event", "scan_segment", "scan_summary", "scan_summary_counter", "scan_summary_mark"];

/// Number and digest of the rows of each table.
async fn contents(superuser: &Client) -> BTreeMap<String, String> {
    let query =
        "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename !~ '^scan_event_'";
    let mut contents = BTreeMap::new();
    for row in superuser.query(query, &[]).await.unwrap() {
        let table: String = row.get(0);
        let query = format!(
            "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '') FROM {table} t"
        );
        contents.insert(table, superuser.query_one(&query, &[]).await.unwrap().get(0));
    }
    contents
}

/// The tables that differ.
fn changed(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> BTreeSet<String> {
    let tables = before.keys().chain(after.keys());
    tables.filter(|table| before.get(*table) != after.get(*table)).cloned().collect()
}

fn codes(units: u64) -> Vec<Code> {
    let partition = Partition::new(0).unwrap();
    (0..units).map(|_| Code::from_parts(partition, ProductId::new().as_uuid().as_u128())).collect()
}

fn opening(batch: &str, product: &str, first_serial: u64) -> OpenPublicationRequest {
    OpenPublicationRequest {
        batch_id: batch.to_owned(),
        product_id: product.to_owned(),
        mode: ActivationMode::FirstScan.into(),
        first_serial,
        units: 4,
        chunk_units: 4,
        fence: 1,
    }
}

fn product(product_id: &str, version: u64) -> PutProductRequest {
    let product = Product {
        product_id: product_id.to_owned(),
        gtin: GTIN.to_owned(),
        brand_name: "A brand".to_owned(),
        product_name: "A product".to_owned(),
        version,
        ..Product::default()
    };
    PutProductRequest { product: Some(product) }
}

/// One good message for each method, in an order in which each has something to do.
struct Messages {
    batch: String,
    given_up: String,
    product: String,
    codes: Vec<Code>,
}

impl Messages {
    fn of(&self, method: &str) -> Vec<u8> {
        let (batch_id, fence) = (self.batch.clone(), 1);
        let digests: Vec<u8> = self.codes.iter().flat_map(|code| *CodeDigest::of(code).as_bytes()).collect();
        match method {
            "PutProduct" => product(&self.product, 2).encode_to_vec(),
            "OpenPublication" => opening(&batch_id, &self.product, 1).encode_to_vec(),
            "Publish" => {
                PublishRequest { batch_id, fence, chunk: 0, digests: digests.into() }.encode_to_vec()
            }
            "SealPublication" => SealPublicationRequest { batch_id, fence }.encode_to_vec(),
            "AbortPublication" => {
                AbortPublicationRequest { batch_id: self.given_up.clone(), fence }.encode_to_vec()
            }
            "RevokeCodes" => {
                RevokeCodesRequest { batch_id, digests: digests[..32].to_vec().into() }.encode_to_vec()
            }
            "RevokeBatch" => RevokeBatchRequest { batch_id }.encode_to_vec(),
            "GetPublication" => GetPublicationRequest { batch_id }.encode_to_vec(),
            "PullScans" => PullScansRequest { cursor: 0, limit: 1, mark: String::new() }.encode_to_vec(),
            other => panic!("{other} is not in the table: say what it may change, and whether it mints"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rpc_of_the_directory_but_publish_makes_a_code_and_each_changes_what_its_row_says() {
    let estate = Estate::new().await;
    let directory = estate.directory().await;
    let mut services = services(&estate.directory_url()).await;
    let listed = services.remove(DIRECTORY).unwrap();
    let rows: BTreeSet<String> = MAY_CHANGE.iter().map(|(method, ..)| (*method).to_owned()).collect();
    assert_eq!(listed, rows, "each method that is served has a row");

    let (superuser, caller) = (estate.resolver().await, Caller::of(&estate));
    let tenant = TenantId::parse("acme").unwrap();
    let messages = Messages {
        batch: BatchId::new().to_string(),
        given_up: BatchId::new().to_string(),
        product: ProductId::new().to_string(),
        codes: codes(4),
    };
    // Reflection names what other programs serve, too; here nobody does.
    let everything = [scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ];
    for (service, method) in services.iter().flat_map(|(s, methods)| methods.iter().map(move |m| (s, m))) {
        let claims = Some((audience::RESOLVER, &tenant, &everything[..]));
        let refused =
            caller.call_path(&format!("/{service}/{method}"), claims, Vec::new()).await.unwrap_err();
        assert_eq!(
            refused.code(),
            tonic::Code::Unimplemented,
            "{service}/{method} is served and nobody has walked it"
        );
    }
    // A product and an open batch that are there already, so that no row of the table is about the first of all.
    let publish = [scope::DIRECTORY_PUBLISH];
    let call = async |method: &str, message: Vec<u8>| {
        caller.call(method, Some((audience::RESOLVER, &tenant, &publish)), message).await.unwrap()
    };
    call("PutProduct", product(&messages.product, 1).encode_to_vec()).await;
    call("OpenPublication", opening(&messages.given_up, &messages.product, 100).encode_to_vec()).await;

    let other = TenantId::parse("elsewhere").unwrap();
    for (method, right, may_change) in MAY_CHANGE {
        let message = messages.of(method);
        let before = contents(&superuser).await;
        let scopes = [scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ];
        let wrong: Vec<&'static str> = scopes.into_iter().filter(|scope| scope != right).collect();
        let right = [*right];
        for refused in [
            None,
            Some((audience::RESOLVER, &tenant, &wrong[..])),
            Some((audience::RESOLVER, &tenant, &[])),
            Some((audience::PREFLIGHT, &tenant, &right)),
        ] {
            assert!(caller.call(method, refused, message.clone()).await.is_err(), "{method}: {refused:?}");
        }
        if !["PullScans", "PutProduct"].contains(method) {
            let elsewhere = Some((audience::RESOLVER, &other, &right[..]));
            assert!(
                caller.call(method, elsewhere, message.clone()).await.is_err(),
                "{method} of another tenant"
            );
        }
        assert_eq!(changed(&before, &contents(&superuser).await), BTreeSet::new(), "{method} was refused");

        let answer = caller.call(method, Some((audience::RESOLVER, &tenant, &right)), message).await.unwrap();
        let expected: BTreeSet<String> = may_change.iter().map(|table| (*table).to_owned()).collect();
        assert_eq!(changed(&before, &contents(&superuser).await), expected, "{method}");
        for code in &messages.codes {
            for secret in [code.as_str().as_bytes(), CodeDigest::of(code).as_bytes()] {
                let leaks = answer.windows(secret.len()).any(|window| window == secret);
                assert!(!leaks, "{method} answers with a code or its digest");
            }
        }
    }
    drop(directory);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_of_the_scan_role_with_any_method_changes_what_is_published() {
    let estate = Estate::new().await;
    let (directory, control, scan) =
        (estate.directory().await, estate.control(&[]).await, estate.scan().await);
    let shop = estate.shop(&control).await;
    let (_, codes) = estate.sealed(&control, &shop, 40, &[&scan]).await;
    // So that nobody else is there to publish.
    control.kill().await;
    directory.kill().await;

    let superuser = estate.resolver().await;
    let before = contents(&superuser).await;
    let mut templates: BTreeSet<String> =
        mintmark_resolver::http::routes().iter().map(|route| route.template().to_owned()).collect();
    assert!(templates.len() > 4, "{templates:?}");
    // What a way in might be called, was there one.
    for guess in ["/v1/batches", "/publish", "/01/{gtin}/21", "/-/images", "/admin"] {
        templates.insert(guess.to_owned());
    }
    let body = r#"{"units":1000,"codes":["AAAAAAAAAAAAAAAAAAAA"],"mode":"static"}"#;
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "MINT"];
    let mut answered = BTreeMap::<u16, usize>::new();
    for (number, template) in templates.iter().enumerate() {
        for (step, method) in methods.iter().enumerate() {
            let code = codes[(number * methods.len() + step) % codes.len()].as_str().to_owned();
            let path = template.replace("{gtin}", GTIN).replace("{code}", &code).replace("{name}", "none");
            assert!(!path.contains('{'), "say in this test what {template} takes");
            let request = estate.http.request(method.parse().unwrap(), format!("{}{path}", scan.base));
            let request = request.header("user-agent", PHONE).header("content-type", "application/json");
            let status = request.body(body).send().await.unwrap().status().as_u16();
            assert!(status < 500 || status == 501, "{method} {path}: {status}");
            *answered.entry(status).or_default() += 1;
        }
    }
    assert!(answered.get(&200).is_some_and(|number| *number >= 3), "scans were answered: {answered:?}");
    eventually("the scans left their trace", async || {
        let rows = superuser.query_one("SELECT count(*) FROM scan_segment", &[]).await.unwrap();
        (rows.get::<_, i64>(0) > 0).then_some(())
    })
    .await;
    let after = contents(&superuser).await;
    let changed = changed(&before, &after);
    assert!(changed.contains("activation"), "a scan activates, so the walk reached something");
    let beyond: Vec<_> = changed.iter().filter(|table| !LEFT_BY_SCANS.contains(&table.as_str())).collect();
    assert!(beyond.is_empty(), "scanning changed {beyond:?}");
    assert!(after.contains_key("code_0000") && after["code_0000"].starts_with("40 "));
}
