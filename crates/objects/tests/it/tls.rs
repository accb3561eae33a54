//! TLS to the object store: whom a service believes, by `S3_CA_FILE`.

use std::io::Write as _;
use std::path::Path;

use bytes::Bytes;
use futures::TryStreamExt as _;
use mintmark_devstack::authority::Authority;
use mintmark_devstack::s3::S3Server;
use mintmark_fault::{Fault, Kind};
use mintmark_objects::{Intake, IntakeConfig, Store, StoreConfig, Target};
use mintmark_service::config::Reader;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

const BUCKET: &str = "sealed";
/// More than a part of an upload in several.
const LARGE: usize = 7 * 1024 * 1024;
/// Set for the copy of this test binary to which the system's authorities are what this file holds.
const SYSTEM: &str = "SSL_CERT_FILE";
/// What that copy says when it has tried all that it should.
const DONE: &str = "the copy has tried it";

/// Two authorities in a folder.
fn authorities(folder: &TempDir) -> [Authority; 2] {
    ["ours", "another"].map(|name| Authority::new(folder.path(), name).unwrap())
}

/// A server for `localhost` with a certificate of this authority, and with a bucket.
async fn server_of(authority: &Authority) -> S3Server {
    let server = S3Server::start_with_tls(&authority.object_store().unwrap()).await.unwrap();
    server.make_bucket(BUCKET).unwrap();
    server
}

/// The variables of a service in production.
fn variables(server: &S3Server, endpoint: &str, authority: Option<&Path>) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("EXPORT_STORE_URL", format!("s3://{BUCKET}/of/tests")),
        (
            "PREFLIGHT_BUCKETS",
            format!(r#"{{"{BUCKET}": {{"store": "s3", "tenants": {{"acme": ["of/"]}}}}}}"#),
        ),
    ];
    variables.extend(server.variables());
    variables.push(("S3_ENDPOINT", endpoint.to_owned()));
    variables.extend(authority.map(|file| ("S3_CA_FILE", file.display().to_string())));
    variables
}

fn open(variables: &[(&'static str, String)]) -> Store {
    let mut reader = Reader::from_pairs(variables.iter().cloned());
    let config = StoreConfig::read(&mut reader, "EXPORT", "");
    Store::open(&reader.finish(config).unwrap()).unwrap()
}

/// Everything that is asked of a store that is away, or is not believed.
async fn refusal(store: &Store) -> Fault {
    let faults = [
        store.put("refused", "x".into()).await.err().unwrap(),
        store.stream("small").await.err().unwrap(),
        store.refuse_versions().await.err().unwrap(),
    ];
    for fault in &faults {
        assert_eq!((fault.kind(), fault.code()), (Kind::Unavailable, "STORE_UNAVAILABLE"));
    }
    let [first, ..] = faults;
    first
}

/// All that we do with a store.
async fn use_everything(store: &Store, variables: &[(&'static str, String)]) {
    store.put("small", "content".into()).await.unwrap();
    assert_eq!(store.get_range("small", 3..7).await.unwrap(), "tent");
    let content: Vec<u8> = (0..LARGE).map(|i| (i / 3) as u8).collect();
    let (mut writer, copy) = (store.writer("large").unwrap(), content.clone());
    spawn_blocking(move || {
        writer.write_all(&copy).unwrap();
        writer.finish().unwrap()
    })
    .await
    .unwrap();
    let whole: Vec<Bytes> = store.stream("large").await.unwrap().bytes.try_collect().await.unwrap();
    assert!(whole.concat() == content);
    let end = store.stream_range("large", 6_000_000..LARGE as u64).await.unwrap();
    let end: Vec<Bytes> = end.bytes.try_collect().await.unwrap();
    assert!(end.concat() == content[6_000_000..]);
    store.refuse_versions().await.unwrap();
    store.erase("large").await.unwrap();
    assert_eq!(store.head("large").await.unwrap(), None);

    let mut reader = Reader::from_pairs(variables.iter().cloned());
    let config = IntakeConfig::read(&mut reader, "PREFLIGHT_BUCKETS");
    let intake = Intake::open(&reader.finish(config).unwrap()).unwrap();
    let target = format!("s3://{BUCKET}/of/tests/small").parse::<Target>().unwrap();
    let pin = intake.pin("acme", &target).await.unwrap();
    let fetched: Vec<Bytes> = intake.fetch("acme", &target, &pin).await.unwrap().try_collect().await.unwrap();
    assert_eq!(fetched.concat(), b"content");
}

#[tokio::test]
async fn bucket_over_tls_believes_the_authorities_of_the_file_and_the_name_in_the_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let [ours, another] = authorities(&folder);
    let server = server_of(&ours).await;
    let endpoint = server.endpoint();

    let trusting = variables(&server, endpoint, Some(ours.file()));
    use_everything(&open(&trusting), &trusting).await;
    // While one authority follows another the file has both.
    let both = folder.path().join("both.pem");
    std::fs::write(&both, format!("{}{}", another.pem(), ours.pem())).unwrap();
    let trusting = variables(&server, endpoint, Some(&both));
    use_everything(&open(&trusting), &trusting).await;

    let refused =
        async |endpoint: &str, authority| refusal(&open(&variables(&server, endpoint, authority))).await;
    refused(endpoint, Some(another.file())).await;
    refused(endpoint, None).await;
    let by_address = endpoint.replace("localhost", "127.0.0.1");
    refused(&by_address, Some(ours.file())).await;
    let plain = endpoint.replace("https://", "http://");
    refused(&plain, Some(ours.file())).await;
}

#[tokio::test]
async fn authorities_of_the_system_count_only_where_no_file_is_named() {
    if std::env::var_os(SYSTEM).is_some_and(|file| Path::new(&file).ends_with("ours.pem")) {
        let given = |name: &'static str| (name, std::env::var(name).unwrap());
        let mut variables = ["EXPORT_STORE_URL", "S3_ENDPOINT", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"]
            .map(given)
            .to_vec();
        open(&variables).put("a", "x".into()).await.unwrap();
        variables.push(given("S3_CA_FILE"));
        refusal(&open(&variables)).await;
        println!("{DONE}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [ours, another] = authorities(&folder);
    let server = server_of(&ours).await;
    let variables = variables(&server, server.endpoint(), Some(another.file()));
    let copy = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tls::authorities_of_the_system_count_only_where_no_file_is_named", "--nocapture"])
        .env_clear()
        .env(SYSTEM, ours.file())
        .envs(variables)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&copy.stdout);
    assert!(copy.status.success() && said.contains(DONE), "{said}{}", String::from_utf8_lossy(&copy.stderr));
}
