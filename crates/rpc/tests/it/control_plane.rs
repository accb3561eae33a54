//! The typed client of the control plane: an exchange is made once more where nobody answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mintmark_fault::{Fault, Kind};
use mintmark_rpc::client::ControlPlane;
use mintmark_rpc::status;
use mintmark_wire::control::v1::preflight_token_service_server::{
    PreflightTokenService, PreflightTokenServiceServer,
};
use mintmark_wire::control::v1::{ExchangePreflightTokenRequest, ExchangePreflightTokenResponse};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::edge::{local, stranger, tenant};

/// What becomes of the first exchange.
#[derive(Clone, Copy)]
enum First {
    /// Its connection ends before it is answered.
    IsCutOff,
    /// A proxy between us has nobody to hand it to.
    FindsNobody,
    /// The control plane has no place for it.
    IsRefused,
}

#[derive(Clone)]
struct Exchanges {
    first: First,
    made: Arc<AtomicUsize>,
    /// The call that is never answered has begun.
    cut: Arc<Notify>,
}

#[tonic::async_trait]
impl PreflightTokenService for Exchanges {
    async fn exchange_preflight_token(
        &self,
        request: Request<ExchangePreflightTokenRequest>,
    ) -> Result<Response<ExchangePreflightTokenResponse>, Status> {
        let made = self.made.fetch_add(1, Ordering::SeqCst);
        match self.first {
            _ if made > 0 => {}
            First::IsCutOff => {
                self.cut.notify_one();
                return std::future::pending().await;
            }
            First::FindsNobody => return Err(Status::unavailable("no healthy upstream")),
            First::IsRefused => return Err(status(Fault::unavailable("OVERLOADED", "too many calls"))),
        }
        let scopes = request.into_inner().scopes;
        Ok(Response::new(ExchangePreflightTokenResponse {
            token: "narrowed".to_owned(),
            expires_at: Some(Default::default()),
            scopes,
        }))
    }
}

/// A control plane, and how often it was called.
async fn control_plane(first: First) -> (SocketAddr, Exchanges) {
    let exchanges = Exchanges { first, made: Arc::default(), cut: Arc::default() };
    let listener = TcpListener::bind(local(0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let served = Server::builder().add_service(PreflightTokenServiceServer::new(exchanges.clone()));
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(served.serve_with_incoming(incoming));
    (addr, exchanges)
}

/// Passes connections on, and cuts them off each time that it is told to.
async fn cut_off(target: SocketAddr, cut: Arc<Notify>) -> SocketAddr {
    let listener = TcpListener::bind(local(0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut caller, _)) = listener.accept().await {
            let (mut target, cut) = (TcpStream::connect(target).await.unwrap(), cut.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = cut.notified() => {}
                    _ended = tokio::io::copy_bidirectional(&mut caller, &mut target) => {}
                }
            });
        }
    });
    addr
}

async fn exchanged(first: First) -> (Result<String, Fault>, usize) {
    let (addr, exchanges) = control_plane(first).await;
    let addr = cut_off(addr, exchanges.cut.clone()).await;
    let client = ControlPlane::new(&format!("http://{addr}"), stranger()).unwrap();
    let token = client.exchange_preflight(&tenant(), "presented", &["preflight:read"]).await;
    let token = token.map(|token| {
        assert_eq!(token.scopes(), ["preflight:read"], "the message is the same");
        token.expose().to_owned()
    });
    (token, exchanges.made.load(Ordering::SeqCst))
}

#[tokio::test]
async fn exchange_that_nobody_answered_is_made_once_more() {
    for first in [First::IsCutOff, First::FindsNobody] {
        let (token, made) = exchanged(first).await;
        assert_eq!((token.unwrap().as_str(), made), ("narrowed", 2));
    }
}

#[tokio::test]
async fn exchange_that_the_control_plane_refuses_for_now_is_not_repeated() {
    let (refused, made) = exchanged(First::IsRefused).await;
    let refused = refused.unwrap_err();
    assert_eq!((refused.kind(), refused.code(), made), (Kind::Unavailable, "OVERLOADED", 1));
}
