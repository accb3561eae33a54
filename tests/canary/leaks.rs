//! Planted leaks, each hidden in another way: all are found, so a clean transcript says something.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use h2::client::SendRequest;
use http::Request;
use mintmark_auth::control;
use mintmark_tests::recording::{Recorder, Secrets, Transcript};
use secrecy::ExposeSecret;
use tokio::net::TcpStream;

use crate::sink;

/// A service that leaks, behind a recorder.
struct Leaky {
    recorder: Recorder,
    token: String,
    client: SendRequest<Bytes>,
}

impl Leaky {
    async fn start() -> Self {
        let recorder = Recorder::between("leaky → sink", sink::start().await).unwrap();
        let socket = TcpStream::connect(recorder.address()).await.unwrap();
        let (client, connection) = h2::client::handshake(socket).await.unwrap();
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Self { recorder, token: control::generate().expose_secret().to_owned(), client }
    }

    /// Calls with these headers and pieces of a body, and waits for the whole answer.
    async fn call(&self, path: &str, headers: &[(&str, &str)], body: &[&[u8]]) {
        let mut request = Request::post(format!("http://sink{path}")).header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut client = self.client.clone().ready().await.unwrap();
        let request = request.body(()).unwrap();
        let (response, mut stream) = client.send_request(request, body.is_empty()).unwrap();
        for (number, piece) in body.iter().enumerate() {
            stream.send_data(Bytes::copy_from_slice(piece), number + 1 == body.len()).unwrap();
        }
        let mut answer = response.await.unwrap().into_body();
        while let Some(piece) = answer.data().await {
            piece.unwrap();
        }
        answer.trailers().await.unwrap();
    }

    fn caught(&self) -> BTreeSet<String> {
        caught(&self.recorder.transcript(), &self.token)
    }
}

/// The places in which the token was found, once everything could be read.
fn caught(transcript: &Transcript, token: &str) -> BTreeSet<String> {
    assert_eq!(transcript.problems, Vec::<String>::new());
    let mut secrets = Secrets::new();
    secrets.add("the control token", token.as_bytes());
    transcript.find(&secrets).into_iter().map(|finding| finding.place).collect()
}

/// Found where it was planted, and nowhere in the bytes as they passed: without decoding it would have gone unseen.
#[track_caller]
fn assert_caught(places: &BTreeSet<String>, place: &str) {
    assert!(places.contains(place), "nothing in '{place}', but in {places:?}");
    let raw: Vec<_> = places.iter().filter(|place| place.starts_with("bytes of")).collect();
    assert!(raw.is_empty(), "it is no hidden leak: {raw:?}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn message(flag: u8, bytes: &[u8]) -> Vec<u8> {
    [&[flag], u32::try_from(bytes.len()).unwrap().to_be_bytes().as_slice(), bytes].concat()
}

#[tokio::test]
async fn talk_without_a_secret_is_clean() {
    let leaky = Leaky::start().await;
    let other = control::generate();
    leaky.call("/a/B", &[("x-other", other.expose_secret())], &[&message(0, b"nothing")]).await;
    assert_eq!(leaky.caught(), BTreeSet::new());
    assert_eq!(leaky.recorder.transcript().messages()["/a/B"], 1);
}

#[tokio::test]
async fn leak_in_a_huffman_coded_header_is_caught() {
    let leaky = Leaky::start().await;
    let bearer = format!("Bearer {}", leaky.token);
    leaky.call("/a/B", &[("authorization", &bearer)], &[]).await;
    assert_caught(&leaky.caught(), "request /a/B, header authorization");
}

#[tokio::test]
async fn leak_in_a_header_that_is_only_an_index_the_second_time_is_caught_both_times() {
    let leaky = Leaky::start().await;
    leaky.call("/first", &[("x-leak", &leaky.token)], &[]).await;
    leaky.call("/second", &[("x-leak", &leaky.token)], &[]).await;
    let places = leaky.caught();
    assert_caught(&places, "request /first, header x-leak");
    assert_caught(&places, "request /second, header x-leak");
}

#[tokio::test]
async fn leak_in_a_headers_name_is_caught() {
    let leaky = Leaky::start().await;
    let name = format!("x-{}", leaky.token.to_ascii_lowercase());
    leaky.call("/a/B", &[(&name, "1")], &[]).await;
    assert_caught(&leaky.caught(), "request /a/B, name of a header");
}

#[tokio::test]
async fn leak_in_binary_metadata_is_caught() {
    let leaky = Leaky::start().await;
    let value = STANDARD_NO_PAD.encode(format!("token={}", leaky.token));
    leaky.call("/a/B", &[("x-leak-bin", &value)], &[]).await;
    assert_caught(&leaky.caught(), "request /a/B, header x-leak-bin");
}

#[tokio::test]
async fn leak_in_a_compressed_message_is_caught() {
    let leaky = Leaky::start().await;
    let inner = format!("{} and more of that {}", leaky.token, leaky.token);
    let body = [message(0, b"plain"), message(1, &gzip(inner.as_bytes()))].concat();
    let headers = [("content-type", "application/grpc"), ("grpc-encoding", "gzip")];
    leaky.call("/a/B", &headers, &[&body]).await;
    assert_caught(&leaky.caught(), "request /a/B, contents");
    assert_eq!(leaky.recorder.transcript().messages()["/a/B"], 2);
}

#[tokio::test]
async fn leak_across_two_frames_of_data_is_caught() {
    let leaky = Leaky::start().await;
    let body = message(0, leaky.token.as_bytes());
    let (first, second) = body.split_at(body.len() / 2);
    leaky.call("/a/B", &[("content-type", "application/grpc")], &[first, second]).await;
    assert_caught(&leaky.caught(), "request /a/B, contents");
}

#[tokio::test]
async fn leak_in_an_answers_trailer_is_caught() {
    let leaky = Leaky::start().await;
    let backwards: String = leaky.token.chars().rev().collect();
    leaky.call("/a/B", &[(sink::SAY, &backwards)], &[]).await;
    assert_caught(&leaky.caught(), "answer /a/B, trailer x-said");
}

/// A connection without compression, so that the cut goes through the token itself.
#[tokio::test(flavor = "multi_thread")]
async fn leak_across_a_continuation_is_caught() {
    let recorder = Recorder::between("leaky → sink", sink::start().await).unwrap();
    let token = control::generate().expose_secret().to_owned();
    let literal = |name: &str, value: &str| -> Vec<u8> {
        let length = |text: &str| u8::try_from(text.len()).unwrap();
        [&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
    };
    // `:method: POST`, `:scheme: http` of the static table, and the rest letter by letter.
    let before = [
        [0x83, 0x86].as_slice(),
        &literal(":path", "/a/B"),
        &literal(":authority", "sink"),
        &literal("x-leak", &token),
    ]
    .concat();
    let (first, second) = before.split_at(before.len() - token.len() / 2);
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let bytes = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(4, 0, 0, &[]),
        frame(1, 1, 1, first),
        frame(9, 4, 1, second),
    ]
    .concat();
    let places = talk(&recorder, &bytes, |transcript| {
        let status = transcript.exchanges.first().and_then(|exchange| exchange.response.header(":status"));
        status.as_deref() == Some("200")
    })
    .await;
    assert_caught(&caught(&places, &token), "request /a/B, header x-leak");
}

#[tokio::test(flavor = "multi_thread")]
async fn leak_across_two_chunks_is_caught() {
    let recorder = Recorder::between("leaky → store", store()).unwrap();
    let token = control::generate().expose_secret().to_owned();
    let (first, second) = token.split_at(token.len() / 2);
    let request = format!(
        "PUT /bucket/object HTTP/1.1\r\nHost: s3\r\nTransfer-Encoding: chunked\r\n\r\n\
         {:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    let transcript = talk(&recorder, request.as_bytes(), |transcript| {
        transcript.exchanges.first().is_some_and(|exchange| exchange.response.ended)
    })
    .await;
    assert_caught(&caught(&transcript, &token), "request /bucket/object, body");
}

#[tokio::test(flavor = "multi_thread")]
async fn leak_in_a_compressed_body_of_http_is_caught() {
    let recorder = Recorder::between("leaky → store", store()).unwrap();
    let token = control::generate().expose_secret().to_owned();
    let body = gzip(format!("{{\"token\":\"{token}\"}}").as_bytes());
    let head = format!(
        "PUT /bucket/object HTTP/1.1\r\nHost: s3\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let request = [head.as_bytes(), &body].concat();
    let transcript = talk(&recorder, &request, |transcript| {
        transcript.exchanges.first().is_some_and(|exchange| exchange.response.ended)
    })
    .await;
    assert_caught(&caught(&transcript, &token), "request /bucket/object, contents");
}

/// Sends bytes as they are and waits until the answer is complete: the server took what we wrote for what we meant.
async fn talk(recorder: &Recorder, bytes: &[u8], complete: impl Fn(&Transcript) -> bool) -> Transcript {
    let (address, bytes) = (recorder.address(), bytes.to_vec());
    let talking = tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(&bytes).unwrap();
        stream
    });
    let _open = talking.await.unwrap();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let transcript = recorder.transcript();
        if complete(&transcript) {
            return transcript;
        }
        assert!(tokio::time::Instant::now() < deadline, "no answer: {:?}", transcript.problems);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// An object store that stores nothing: it answers 200 to the first bytes of each connection.
fn store() -> SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.shutdown(Shutdown::Write);
        }
    });
    address
}
