//! TLS to the control plane: the context's authority is trusted, nobody else's, and no credential goes to a stranger.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use mintmark_devstack::authority::Authority;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::desk::Desk;

/// A control plane with no brands, behind a certificate of `authority`: its address, and the headers that came.
fn platform(authority: &Authority) -> (String, Receiver<String>) {
    let issued = authority.issue("localhost").unwrap();
    let chain = vec![CertificateDer::from(issued.der)];
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
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
    let [ours, theirs] = ["ours", "theirs"].map(|name| Authority::new(&desk.path(""), name).unwrap());
    let (url, headers) = platform(&ours);
    let session = format!("file:{}", desk.write("session", 0o600, "a.b.c").display());
    desk.shows(&["context", "add", "prod", "--control", &url, "--session", &session]);

    let unknown = desk.fails(2, &["brand", "list"]);
    assert!(unknown["hint"].as_str().unwrap().contains("--ca-file"), "{unknown}");
    desk.shows(&["context", "set", "prod", "--ca-file", theirs.file().to_str().unwrap()]);
    assert_eq!(desk.fails(2, &["brand", "list"])["code"], "CERTIFICATE");
    assert!(headers.try_recv().is_err(), "nobody is asked before the certificate is judged");

    desk.shows(&["context", "set", "prod", "--ca-file", ours.file().to_str().unwrap()]);
    assert!(desk.shows(&["brand", "list"]).starts_with("No brand"));
    assert!(headers.recv().unwrap().to_ascii_lowercase().contains("authorization: bearer a.b.c"));

    let nothing = desk.write("nothing.pem", 0o644, "no certificate");
    desk.shows(&["context", "set", "prod", "--ca-file", nothing.to_str().unwrap()]);
    assert!(desk.fails(2, &["brand", "list"])["message"].as_str().unwrap().contains("nothing.pem"));
}
