//! Requests that no HTTP library writes: the bytes of a head as an attacker types them.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::stage::{Stage, on_stage};

const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// What a head looks like, with `{}` in the place of a rightful credential. None of them may be let in.
const HEADS: [(&str, &str); 16] = [
    ("white space before the colon", "Authorization : Bearer {}"),
    ("white space before the name", " Authorization: Bearer {}"),
    ("a folded line", "Authorization: Bearer\r\n {}"),
    ("a folded line with a tab", "Authorization:\r\n\tBearer {}"),
    ("a line feed alone inside", "Authorization: Bearer\n{}"),
    ("a carriage return alone inside", "Authorization: Bearer \r{}"),
    ("NUL behind it", "Authorization: Bearer {}\0"),
    ("NUL before it", "Authorization: Bearer \0{}"),
    ("a control character", "Authorization: Bearer \x07{}"),
    ("no colon", "Authorization Bearer {}"),
    ("an equals sign", "Authorization= Bearer {}"),
    ("a name with an underscore", "Authorization_: Bearer {}"),
    ("an empty name", ": Bearer {}"),
    ("two in other cases", "authorization: Bearer {}\r\nAUTHORIZATION: Bearer {}"),
    ("one behind an empty one", "Authorization:\r\nAuthorization: Bearer {}"),
    ("behind the end of the head", "X-A: b\r\n\r\nAuthorization: Bearer {}"),
];

#[test]
fn every_malformed_head_is_refused() {
    on_stage(async |stage| {
        let (session, control) = (stage.ours.owner.session.as_str(), stage.control_token.as_str());
        for (path, credential) in [("/v1/brands", session), ("/api/admin/tenants", control)] {
            let good = exchange(stage, path, &format!("Authorization: Bearer {credential}")).await;
            assert!(good.starts_with("HTTP/1.1 200 "), "the untouched one is let in: {good}");
            for (name, head) in HEADS {
                let answer = exchange(stage, path, &head.replace("{}", credential)).await;
                let refused = answer.is_empty()
                    || answer.starts_with("HTTP/1.1 400 ")
                    || answer.starts_with("HTTP/1.1 401 ");
                assert!(refused, "{path} with {name}: {answer}");
                assert!(!answer.contains(credential), "{path} with {name}: {answer}");
            }
        }
    });
}

/// Sends a GET with these lines of a head; the answer as it came, empty when the connection was closed.
async fn exchange(stage: &Stage, path: &str, lines: &str) -> String {
    let addr = stage.control.trim_start_matches("http://");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n{lines}\r\n\r\n");
    let talk = async {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A reset is a refusal as well.
        let _read = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::time::timeout(ANSWERED_WITHIN, talk).await.unwrap()
}
