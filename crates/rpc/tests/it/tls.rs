//! Mutual TLS: who gets through, and who does not.

use std::path::Path;

use mintmark_devstack::authority;
use mintmark_fault::Kind;
use mintmark_rpc::Target;
use mintmark_rpc::client::Directory;
use mintmark_service::Context;
use mintmark_service::tls::{Tls, TlsFiles, ZONE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::edge::{Edge, product, tenant};

/// An authority with a folder for what it makes.
pub struct Authority {
    issuer: authority::Authority,
    folder: tempfile::TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { issuer: authority::Authority::new(folder.path(), "authority").unwrap(), folder }
    }

    /// Files of a service: its certificate, key, and whom it trusts.
    fn files(&self, service: &str) -> TlsFiles {
        self.write(self.folder.path(), service)
    }

    fn write(&self, folder: &Path, service: &str) -> TlsFiles {
        let at = |what: &str| folder.join(format!("{service}.{what}.pem"));
        let files = TlsFiles { certificate: at("cert"), key: at("key"), authority: at("ca") };
        let issued = self.issuer.issue(&format!("{service}.{ZONE}")).unwrap();
        std::fs::write(&files.certificate, issued.chain).unwrap();
        std::fs::write(&files.key, issued.key).unwrap();
        std::fs::write(&files.authority, self.issuer.pem()).unwrap();
        files
    }

    pub fn context(&self, service: &str) -> Context {
        Context { tls: Some(Tls::load(self.files(service)).unwrap()), ..Context::for_tests("directory") }
    }
}

/// What becomes of a call over TLS from somebody with this context.
async fn call(edge: &Edge, from: &Context) -> Result<(), Kind> {
    let url = format!("https://{}", edge.addr);
    let directory = Directory::new(Target::new(&url, from), edge.tokens.clone()).unwrap();
    directory.put_product(&tenant(), product("x")).await.map(drop).map_err(|fault| fault.kind())
}

#[tokio::test]
async fn call_between_services_with_their_certificates_goes_through() {
    let authority = Authority::new();
    let edge = Edge::start_with(authority.context("resolver"), |edge| edge).await;
    assert_eq!(call(&edge, &authority.context("control-plane")).await, Ok(()));
}

#[tokio::test]
async fn edge_with_a_certificate_refuses_plaintext_and_strangers() {
    let authority = Authority::new();
    let edge = Edge::start_with(authority.context("resolver"), |edge| edge).await;

    let plain = Directory::new(&edge.url(), edge.tokens.clone()).unwrap();
    let fault = plain.put_product(&tenant(), product("x")).await.unwrap_err();
    assert_eq!(fault.kind(), Kind::Unavailable, "in the clear");

    let foreign = Authority::new();
    let mut files = foreign.files("control-plane");
    assert_eq!(
        call(&edge, &foreign.context("control-plane")).await,
        Err(Kind::Unavailable),
        "a foreign authority"
    );
    // It trusts us, and we do not trust it.
    files.authority = authority.files("control-plane").authority;
    let context = Context { tls: Some(Tls::load(files).unwrap()), ..Context::for_tests("directory") };
    assert_eq!(call(&edge, &context).await, Err(Kind::Unavailable), "a certificate of a foreign authority");

    let mut raw = TcpStream::connect(edge.addr).await.unwrap();
    raw.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _reset = raw.read_to_end(&mut answer).await;
    assert!(!answer.windows(4).any(|four| four == b"grpc"), "{answer:?}");
    assert_eq!(edge.directory.calls(), 0);
}

#[tokio::test]
async fn caller_refuses_a_server_with_another_services_certificate() {
    let authority = Authority::new();
    let edge = Edge::start_with(authority.context("ratelimit"), |edge| edge).await;
    assert_eq!(call(&edge, &authority.context("control-plane")).await, Err(Kind::Unavailable));
    assert_eq!(edge.directory.calls(), 0);
}

#[tokio::test]
async fn token_on_another_services_connection_opens_nothing() {
    let authority = Authority::new();
    let edge = Edge::start_with(authority.context("resolver"), |edge| edge).await;
    // The token is the control plane's, and good; the connection is the console's.
    assert_eq!(call(&edge, &authority.context("console")).await, Err(Kind::Internal));
    assert_eq!(edge.directory.calls(), 0);
    let metrics = mintmark_service::telemetry::metrics_text();
    assert!(metrics.contains("token_of_another_service"), "it is counted");
}

#[tokio::test]
async fn renewed_certificates_are_used_without_a_restart() {
    let old = Authority::new();
    let context = old.context("resolver");
    let edge = Edge::start_with(context.clone(), |edge| edge).await;
    let before = old.context("control-plane");
    assert_eq!(call(&edge, &before).await, Ok(()));

    let new = Authority::new();
    new.write(old.folder.path(), "resolver");
    let tls = context.tls.as_ref().unwrap();
    assert!(tls.reload().unwrap());
    assert!(!tls.reload().unwrap(), "nothing changed since");
    assert_eq!(call(&edge, &before).await, Err(Kind::Unavailable), "of the authority that was replaced");
    assert_eq!(call(&edge, &new.context("control-plane")).await, Ok(()));

    // A torn file changes nothing.
    std::fs::write(old.folder.path().join("resolver.key.pem"), "-----BEGIN").unwrap();
    assert!(tls.reload().is_err());
    assert_eq!(call(&edge, &new.context("control-plane")).await, Ok(()));
}
