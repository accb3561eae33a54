//! Files that no reader should have to read: each ends its job in words, and the worker goes on.

use crate::documents::tiny;
use crate::stage::{Stage, TARGET};

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_none_end_in_a_verdict_or_a_reason() {
    let stage = Stage::start().await;
    stage.work().await;
    let whole = tiny("0 0 10 10 re f");
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("text", b"this is no PDF".to_vec()),
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("zeros", vec![0; 100_000]),
        ("loop", tiny("q").iter().map(|byte| if *byte == b'4' { b'3' } else { *byte }).collect()),
    ];
    for (name, content) in &files {
        let target = stage.put(&format!("{name}.pdf"), content);
        stage.create(name, &target).await;
    }
    for (name, _) in &files {
        let ended = stage.until(name, &["succeeded", "failed"]).await;
        match ended["state"].as_str().unwrap() {
            "succeeded" => assert_ne!(ended["verdict"], "pass", "{name}: {ended:#}"),
            _ => assert!(ended["failure"]["message"].as_str().unwrap().len() > 20, "{name}: {ended:#}"),
        }
    }
    stage.create("after", TARGET).await;
    stage.until("after", &["succeeded"]).await;
}
