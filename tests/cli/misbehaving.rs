//! Waiting, repeating and fetching while the platform is away, hangs up, or sends something else.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json as document};

use crate::desk::{Desk, Said};
use crate::pretender::{Pretender, Request, bytes, json};

fn beside(platform: &Pretender) -> Desk {
    let desk = Desk::alone();
    let place = format!("file:{}", desk.write("session", 0o600, "a.b.c").display());
    desk.shows(&[
        "context",
        "add",
        "here",
        "--control",
        &platform.url(),
        "--session",
        &place,
        "--brand",
        "brd_1",
    ]);
    desk
}

fn batch(state: &str, done: u64) -> Value {
    document!({
        "id": "bat_1", "state": state, "units": 1000, "progress": { "done": done, "total": 1000 },
        "firstSerial": 1, "lastSerial": 1000, "mode": "static",
    })
}

/// Starts a command and reads its standard error up to the line with `words`.
fn started(desk: &Desk, words: &[&str], until: &str) -> (Child, impl BufRead + use<>) {
    let mut child = desk.command(words).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    read_until(&mut lines, until);
    (child, lines)
}

fn read_until(lines: &mut impl BufRead, until: &str) {
    let mut line = String::new();
    let mut all = String::new();
    while !line.contains(until) {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "'{until}' was not said: {all}");
        all.push_str(&line);
    }
}

#[test]
fn batch_watch_survives_a_platform_that_is_away() {
    let mut platform = Pretender::new();
    let desk = beside(&platform);
    platform.answer(|_, _| json("200 OK", "", &batch("minting", 400)));
    let (child, mut lines) =
        started(&desk, &["batch", "watch", "bat_1"], "mint: minting, 400 of 1,000 units");
    platform.leave();
    read_until(&mut lines, "trying again");
    platform.answer(|_, _| json("200 OK", "", &batch("sealed", 1000)));
    read_until(&mut lines, "mint: sealed, 1,000 of 1,000 units");
    let said = Said::from(child.wait_with_output().unwrap());
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("sealed"), "{said:?}");
}

#[test]
fn batch_watch_that_is_interrupted_says_how_to_go_on() {
    let mut platform = Pretender::new();
    let desk = beside(&platform);
    platform.answer(|_, _| json("200 OK", "", &batch("minting", 400)));
    let (mut child, mut lines) = started(&desk, &["batch", "watch", "bat_1"], "minting");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    read_until(&mut lines, "`mintmark batch watch bat_1`");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn batch_that_fails_ends_the_wait_with_7() {
    let mut platform = Pretender::new();
    let desk = beside(&platform);
    platform.answer(|_, _| {
        let mut failed = batch("failed", 400);
        failed["failure"] = document!({ "code": "MINT_COLLISION", "message": "a code exists already" });
        json("200 OK", "", &failed)
    });
    let said = desk.run(&["batch", "watch", "bat_1", "--json"]);
    assert_eq!(said.code, Some(7), "{said:?}");
    let (shown, error): (Value, Value) =
        (serde_json::from_str(&said.out).unwrap(), serde_json::from_str(&said.err).unwrap());
    assert_eq!(
        (shown["state"].as_str(), error["error"]["code"].as_str()),
        (Some("failed"), Some("MINT_COLLISION"))
    );
    let said = desk.run(&["batch", "watch", "bat_1"]);
    assert!(said.code == Some(7) && said.err.contains("a code exists already"), "{said:?}");
}

#[test]
fn creation_is_repeated_under_one_key_where_the_platform_keeps_keys() {
    let mut platform = Pretender::new();
    let desk = beside(&platform);
    platform.answer(|before, _| match before {
        0 => None,
        1 => json("503 Service Unavailable", "", &document!({ "code": "BUSY", "detail": "not now" })),
        _ => json("202 Accepted", "", &batch("queued", 0)),
    });
    let made = desk.json(&["batch", "create", "--product", "prd_1", "--units", "1000"]);
    assert_eq!(made["id"], "bat_1");
    let keys: Vec<_> = platform.seen().iter().map(|request| request.key.clone()).collect();
    assert_eq!(keys.len(), 3, "{keys:?}");
    assert!(keys[0].is_some() && keys.iter().all(|key| *key == keys[0]), "one creation, one key: {keys:?}");

    // Where no key is kept, what may have arrived is not sent twice.
    let before = platform.seen().len();
    platform.answer(|_, _| None);
    assert_eq!(desk.run(&["brand", "create", "Gin"]).code, Some(3));
    assert_eq!(platform.seen().len(), before + 1, "{:?}", platform.seen());
}

#[test]
fn lists_follow_pages_as_far_as_they_are_wanted() {
    let mut platform = Pretender::new();
    let desk = beside(&platform);
    platform.answer(|_, request| {
        let page = request.line.split_once("cursor=c").map_or(0, |(_, page)| page.parse::<usize>().unwrap());
        let asked = request.line.split_once("limit=").unwrap().1;
        let limit: usize = asked.split('&').next().unwrap().parse().unwrap();
        let left = 450 - page;
        let items: Vec<Value> =
            (page..page + left.min(limit)).map(|n| document!({ "id": format!("brd_{n}") })).collect();
        let next = (left > limit).then(|| format!("c{}", page + limit));
        json("200 OK", "", &document!({ "items": items, "nextCursor": next }))
    });
    let all = desk.json(&["brand", "list", "--all"]);
    assert_eq!((all["items"].as_array().unwrap().len(), &all["nextCursor"]), (450, &Value::Null));
    let some = desk.json(&["brand", "list", "--limit", "230"]);
    assert_eq!((some["items"].as_array().unwrap().len(), some["nextCursor"].as_str()), (230, Some("c230")));
    let rest = desk.json(&["brand", "list", "--all", "--cursor", "c230"]);
    assert_eq!(rest["items"][0]["id"], "brd_230");
    let said = desk.run(&["brand", "list"]);
    assert!(said.out.lines().count() == 51 && said.err.contains("--cursor c50"), "{said:?}");
}

/// A pack of one part of 200,000 bytes. The first download breaks off in its middle.
fn pack(platform: &Pretender, garbled: bool) -> impl Fn(usize, &Request) -> Option<Vec<u8>> + Send + use<> {
    let url = platform.url();
    move |_, request| {
        let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).take(200_000).collect();
        let sha256 = |bytes: &[u8]| {
            let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
            digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let (index, wrong) = (b"{}", [0_u8; 200_000]);
        match (request.line.as_str(), &request.range) {
            ("GET /v1/exports/exp_1/download", _) => json(
                "200 OK",
                "",
                &document!({
                    "parts": [{
                        "part": 1, "url": format!("{url}/part"), "bytes": content.len(), "sha256": sha256(&content),
                    }],
                    "index": { "url": format!("{url}/index"), "bytes": index.len(), "sha256": sha256(index) },
                }),
            ),
            ("GET /index", _) => bytes("200 OK", "", index),
            ("GET /part", _) if garbled => bytes("200 OK", "", &wrong),
            ("GET /part", None) => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.len());
                Some([head.as_bytes(), &content[..120_000]].concat())
            }
            ("GET /part", Some(range)) => {
                let from: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
                let part = format!("Content-Range: bytes {from}-{}/{}\r\n", content.len() - 1, content.len());
                bytes("206 Partial Content", &part, &content[from..])
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn export_download_goes_on_where_it_broke_off() {
    let mut platform = Pretender::new();
    let desk = beside(&platform);
    platform.answer(pack(&platform, false));
    let done = desk.json(&["export", "download", "exp_1", "--to", "pack"]);
    assert_eq!(done["bytes"], 200_002);
    let parts: Vec<Request> =
        platform.seen().into_iter().filter(|request| request.line == "GET /part").collect();
    assert_eq!(parts[1].range.as_deref(), Some("bytes=120000-"), "{parts:?}");
    assert!(
        parts.iter().all(|part| part.credential.is_none()),
        "a signed link is shown no session: {parts:?}"
    );
    assert_eq!(std::fs::metadata(desk.path("pack/part-0001.zip")).unwrap().len(), 200_000);

    // Again: what is whole stays.
    let before = platform.seen().len();
    let again = desk.json(&["export", "download", "exp_1", "--to", "pack"]);
    assert!(again["files"].as_array().unwrap().iter().all(|file| file["wasThere"] == true), "{again}");
    assert_eq!(platform.seen().len(), before + 1, "{:?}", platform.seen());
}

#[test]
fn export_download_of_something_else_ends_with_8_and_leaves_nothing() {
    let mut platform = Pretender::new();
    let desk = beside(&platform);
    platform.answer(pack(&platform, true));
    desk.fails(8, &["export", "download", "exp_1", "--to", "pack"]);
    let left: Vec<_> =
        std::fs::read_dir(desk.path("pack")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}
