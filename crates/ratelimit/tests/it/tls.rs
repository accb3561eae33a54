//! Redis over TLS: only with a certificate that the configured authority signed.

use std::path::Path;
use std::process::Command;

use mintmark_auth::Tier;
use mintmark_devstack::free_port;
use mintmark_devstack::redis::RedisServer;
use mintmark_rpc::client::Decision;

use crate::stage::{self, Stage, request};

const KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

fn openssl(folder: &Path, words: &[&str]) {
    let output = Command::new("openssl").args(words).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// `{name}.pem`, an authority that signs itself.
fn authority(folder: &Path, name: &str) {
    let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
    let mut words = vec!["req", "-x509", "-days", "2", "-subj", "/CN=authority"];
    words.extend(KEY);
    words.extend(["-keyout", &key, "-out", &certificate]);
    openssl(folder, &words);
}

/// `server.pem` for localhost, signed by the authority `ours`.
fn server(folder: &Path) {
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost").unwrap();
    let mut words =
        vec!["req", "-new", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"];
    words.extend(KEY);
    openssl(folder, &words);
    let words = "x509 -req -in server.csr -CA ours.pem -CAkey ours.key -CAcreateserial -days 2 -extfile names -out server.pem";
    openssl(folder, &words.split(' ').collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn check_over_tls_believes_the_configured_authority_alone() {
    let folder = tempfile::tempdir().unwrap();
    authority(folder.path(), "ours");
    authority(folder.path(), "another");
    server(folder.path());
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let port = free_port().to_string();
    let (certificate, key, authority) = (file("server.pem"), file("server.key"), file("ours.pem"));
    let settings = ["--tls-port", &port, "--tls-auth-clients", "no", "--tls-cert-file", &certificate];
    let settings = [&settings[..], &["--tls-key-file", &key, "--tls-ca-cert-file", &authority]].concat();
    let _redis = RedisServer::start(&settings).await.unwrap();

    let stage = Stage::new();
    let url = format!("rediss://localhost:{port}");
    let with = async |authority: &str| {
        let variables = [("RATE_LIMIT_REDIS_URL", url.as_str()), ("RATE_LIMIT_REDIS_CA_FILE", authority)];
        stage.replica(&variables).await
    };
    let trusting = with(&file("ours.pem")).await;
    stage::ready(&stage.caller(&trusting)).await;

    let distrusting = with(&file("another.pem")).await;
    let caller = stage.caller(&distrusting);
    // As long as the other one needed, and longer.
    for _ in 0..20 {
        let decision = caller.check(&request("acme", Tier::Free)).await;
        assert!(matches!(decision, Decision::Unavailable { .. }), "{decision:?}");
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
}
