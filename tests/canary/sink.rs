//! A gRPC server that takes every call and answers it with an empty message: a collector of traces, or whoever a leak goes to.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};

/// A request with this header is answered with a trailer of its value, said backwards.
pub const SAY: &str = "x-say";

/// Starts one; it ends with the runtime.
pub async fn start() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket));
        }
    });
    address
}

async fn serve(socket: TcpStream) {
    let Ok(mut connection) = h2::server::handshake(socket).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(answer(request, respond));
    }
}

async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    if let Some(say) = request.headers().get(SAY) {
        let backwards: Vec<u8> = say.as_bytes().iter().rev().copied().collect();
        trailers.insert("x-said", HeaderValue::from_bytes(&backwards).unwrap());
    }
    let mut body = request.into_body();
    while let Some(Ok(piece)) = body.data().await {
        let _ = body.flow_control().release_capacity(piece.len());
    }
    let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    // A caller that has gone wants no answer.
    let Ok(mut stream) = respond.send_response(head, false) else { return };
    if stream.send_data(Bytes::from_static(&[0; 5]), false).is_ok() {
        let _ = stream.send_trailers(trailers);
    }
}
