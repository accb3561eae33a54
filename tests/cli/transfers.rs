//! Evidence that is sent and fetched while the platform hangs up.

use serde_json::json as document;

use crate::desk::Desk;
use crate::pretender::{Pretender, Request, bytes, json};

fn beside(platform: &Pretender) -> Desk {
    let desk = Desk::alone();
    let place = format!("file:{}", desk.write("session", 0o600, "a.b.c").display());
    desk.shows(&["context", "add", "here", "--control", &platform.url(), "--session", &place]);
    desk
}

fn of<'a>(seen: &'a [Request], line: &str) -> Vec<&'a Request> {
    seen.iter().filter(|request| request.line == line).collect()
}

#[test]
fn evidence_upload_that_got_no_answer_is_sent_again_under_its_key() {
    let mut platform = Pretender::new();
    let desk = beside(&platform);
    platform.answer(|before, request| match (before, request.line.as_str()) {
        (_, "GET /v1/disputes/dsp_1") => json("200 OK", "", &document!({ "id": "dsp_1", "state": "open" })),
        // The body was read to its end, and nobody says so.
        (1, _) => None,
        _ => json("201 Created", "", &document!({ "id": "evd_1", "state": "stored", "bytes": 3 })),
    });
    desk.write("a.png", 0o644, "abc");
    let stored = desk.json(&["evidence", "upload", "a.png", "--dispute", "dsp_1"]);
    assert_eq!(stored["sha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let seen = platform.seen();
    let sent = of(&seen, "POST /v1/evidence?dispute=dsp_1");
    assert_eq!(sent.len(), 2, "{seen:?}");
    assert!(sent[0].key.is_some() && sent[0].key == sent[1].key, "{sent:?}");

    // A closed dispute is known before anything is sent.
    platform.answer(|_, _| json("200 OK", "", &document!({ "id": "dsp_1", "state": "closed" })));
    let before = platform.seen().len();
    assert_eq!(
        desk.fails(1, &["evidence", "upload", "a.png", "--dispute", "dsp_1"])["code"],
        "DISPUTE_CLOSED"
    );
    assert_eq!(of(&platform.seen()[before..], "POST /v1/evidence?dispute=dsp_1").len(), 0);
}

#[test]
fn evidence_download_goes_on_where_it_broke_off_and_leaves_what_it_has() {
    let content: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut platform = Pretender::new();
    let desk = beside(&platform);
    let sent = content.clone();
    // Each answer breaks off after 40,000 bytes; the third is a refusal, which is final.
    platform.answer(move |before, request| {
        let from: usize = match &request.range {
            Some(range) => range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap(),
            None => 0,
        };
        match request.line.as_str() {
            "GET /v1/evidence/evd_1" => json("200 OK", "", &document!({ "id": "evd_1", "bytes": sent.len() })),
            _ if before == 3 => bytes("403 Forbidden", "", b"{\"code\":\"DISPUTE_CLOSED\"}"),
            _ => {
                let end = sent.len().min(from + 40_000);
                let head = format!(
                    "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{}\r\nContent-Length: {}\r\n\r\n",
                    sent.len() - 1,
                    sent.len(),
                    sent.len() - from
                );
                Some([head.as_bytes(), &sent[from..end]].concat())
            }
        }
    });
    let words = ["evidence", "download", "evd_1", "--out", "a.bin"];
    let said = desk.run(&words);
    assert_eq!(said.code, Some(5), "{said:?}");
    assert_eq!(std::fs::metadata(desk.path("a.bin.evd_1.part")).unwrap().len(), 80_000);
    assert!(!desk.path("a.bin").exists());
    let told = desk.json(&words);
    assert_eq!(told["resumedAt"], 80_000);
    assert_eq!(std::fs::read(desk.path("a.bin")).unwrap(), content);
    let ranges: Vec<_> = platform.seen().into_iter().filter_map(|request| request.range).collect();
    assert_eq!(ranges.first().map(String::as_str), Some("bytes=40000-"), "{ranges:?}");
    assert!(platform.seen().iter().all(|request| request.credential.as_deref() == Some("Bearer a.b.c")));
}
