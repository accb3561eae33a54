//! TLS to the control plane: the context's authority is trusted, nobody else's, and no credential goes to a stranger.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::desk::Desk;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A control plane with no brands, behind a certificate of `authority`: its address, and the headers that came.
fn platform(authority: &Authority) -> (String, Receiver<String>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let chain = vec![CertificateDer::from(params.signed_by(&key, authority).unwrap())];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind(("localhost", 0)).unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let (sender, headers) = channel();
    std::thread::spawn(move || {
        for tcp in listener.incoming().map_while(Result::ok) {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), tcp);
            let mut head = String::new();
            let lines = BufReader::new(&mut stream).lines().map_while(Result::ok);
            lines.take_while(|line| !line.is_empty()).for_each(|line| head.push_str(&format!("{line}\n")));
            if head.is_empty() {
                continue;
            }
            let body = r#"{"items":[],"nextCursor":null}"#;
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            let _ = stream.flush();
            if sender.send(head).is_err() {
                return;
            }
        }
    });
    (url, headers)
}

#[test]
fn context_trusts_its_authority_and_shows_a_stranger_nothing() {
    let desk = Desk::alone();
    let (ours, theirs) = (authority(), authority());
    let (url, headers) = platform(&ours);
    let session = format!("file:{}", desk.write("session", 0o600, "a.b.c").display());
    desk.shows(&["context", "add", "prod", "--control", &url, "--session", &session]);

    let unknown = desk.fails(2, &["brand", "list"]);
    assert!(unknown["hint"].as_str().unwrap().contains("--ca-file"), "{unknown}");
    let foreign = desk.write("foreign.pem", 0o644, &theirs.pem());
    desk.shows(&["context", "set", "prod", "--ca-file", foreign.to_str().unwrap()]);
    assert_eq!(desk.fails(2, &["brand", "list"])["code"], "CERTIFICATE");
    assert!(headers.try_recv().is_err(), "nobody is asked before the certificate is judged");

    let known = desk.write("ours.pem", 0o644, &ours.pem());
    desk.shows(&["context", "set", "prod", "--ca-file", known.to_str().unwrap()]);
    assert!(desk.shows(&["brand", "list"]).starts_with("No brand"));
    assert!(headers.recv().unwrap().to_ascii_lowercase().contains("authorization: bearer a.b.c"));

    let nothing = desk.write("nothing.pem", 0o644, "no certificate");
    desk.shows(&["context", "set", "prod", "--ca-file", nothing.to_str().unwrap()]);
    assert!(desk.fails(2, &["brand", "list"])["message"].as_str().unwrap().contains("nothing.pem"));
}
