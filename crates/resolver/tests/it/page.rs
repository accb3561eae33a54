//! The verification page in a real Chromium without JavaScript: every state in every language, on a phone and on a desk,
//! light and dark, judged by axe-core. Pictures of all pages are left in `target/tmp/page` for people to look at.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use mintmark_codes::Code;
use mintmark_ids::ProductId;
use mintmark_wire::directory::v1::{ActivationMode, Image, Presentation, Product};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::stage::{PEPPER_2, Scan, Stage, link, product, terms};

/// Opening and judging seventy pages, on a machine with much else to do.
const VISITED_WITHIN: Duration = Duration::from_secs(900);
const LANGUAGES: [(&str, &str); 5] =
    [("en-GB", "en"), ("de-AT", "de"), ("es-419", "es"), ("fr-CA", "fr"), ("zh-TW", "zh-Hans")];
const PHONE: (u32, u32) = (390, 844);
const DESK: (u32, u32) = (1280, 900);
pub const LOGO: &[u8] = include_bytes!("../../../mintmark/demo/logo.png");
pub const PICTURE: &[u8] = include_bytes!("../../../mintmark/demo/espresso.png");

/// A product as a brand that cares presents it.
pub fn dressed(id: ProductId, version: u64) -> Product {
    let image = |content: &[u8]| Image { content_type: "image/png".to_owned(), content: content.to_vec() };
    Product {
        brand_name: "Fjord Roastery".to_owned(),
        product_name: "Midnight Sun espresso, 250 g".to_owned(),
        presentation: Some(Presentation {
            primary_colour: Some("#12475a".to_owned()),
            logo: Some(image(LOGO)),
            picture: Some(image(PICTURE)),
        }),
        ..product(id, version, None)
    }
}

/// The addresses of each state; a first scan needs a fresh one each time.
struct Addresses {
    states: Vec<(&'static str, &'static str, u16, String)>,
    fresh: Vec<String>,
    button: String,
    _blind: Scan,
}

async fn addresses(stage: &Stage) -> Addresses {
    let id = ProductId::new();
    stage.directory.put_product(&stage.tenant, dressed(id, 1)).await.unwrap();
    let fixed = stage.sealed(id, ActivationMode::Static, 1, 4).await;
    let first = stage.sealed(id, ActivationMode::FirstScan, 101, 12).await;
    let confirmed = stage.sealed(id, ActivationMode::ConfirmedScan, 201, 4).await;
    let recalled = terms(id, ActivationMode::Static, 301, 4, 4);
    let gone = stage.published(&recalled).await;
    stage.seal(&recalled.batch_id, 1).await.unwrap();
    stage.revoke_batch(&recalled.batch_id).await.unwrap();
    stage.scan.becomes(&link(&gone[0]), "recalled").await;
    // It was not given the pepper of the only partition.
    let blind = Scan::with_peppers(&stage.db, Vec::new(), PEPPER_2).await;
    let at = |path: String| format!("http://{}{path}", stage.scan.addr);
    let code = |code: &Code| at(link(code));
    let before = &first[11];
    stage.scan.json(&link(before)).await;
    let unknown = crate::stage::codes(0, 1)[0];
    Addresses {
        states: vec![
            ("genuine", "Genuine", 200, code(&fixed[0])),
            ("already", "Genuine, already activated", 200, code(before)),
            ("awaiting", "Genuine, not yet activated", 200, code(&confirmed[0])),
            ("recalled", "Recalled", 200, code(&gone[0])),
            ("unknown", "Not recognised", 404, code(&unknown)),
            (
                "unconfirmed",
                "Cannot be confirmed now",
                503,
                format!("http://{}{}", blind.addr, link(&fixed[0])),
            ),
            ("malformed", "This is not a code", 400, at("/HELLO".to_owned())),
            ("welcome", "Is it genuine?", 200, at("/".to_owned())),
        ],
        fresh: first[..11].iter().map(code).collect(),
        button: code(&confirmed[1]),
        _blind: blind,
    }
}

/// Every language on a light phone, and the first of them in the other sizes and schemes.
fn views() -> Vec<(&'static str, &'static str, &'static str, (u32, u32))> {
    let mut views: Vec<_> = LANGUAGES.iter().map(|(asked, given)| (*asked, *given, "light", PHONE)).collect();
    let (asked, given) = LANGUAGES[0];
    views.extend([
        (asked, given, "dark", PHONE),
        (asked, given, "light", DESK),
        (asked, given, "dark", DESK),
    ]);
    views
}

#[tokio::test(flavor = "multi_thread")]
async fn page_is_readable_by_everybody_in_every_state() {
    let stage = Stage::new().await;
    let mut addresses = addresses(&stage).await;
    let mut visits = Vec::new();
    let mut expected = Vec::new();
    for (asked, given, scheme, (width, height)) in views() {
        let first = ("first", "Genuine, first scan", 200, addresses.fresh.pop().unwrap());
        for (state, headline, status, url) in addresses.states.iter().chain([&first]) {
            let size = if width < 700 { "phone" } else { "desk" };
            let name = format!("{state}-{given}-{scheme}-{size}");
            visits.push(json!({ "name": name, "url": url, "language": asked, "scheme": scheme,
                "width": width, "height": height, "axe": true, "press": false }));
            expected.push((given, (given == "en").then_some(*headline), *status));
        }
    }
    visits.push(json!({ "name": "pressed-en-light-phone", "url": addresses.button, "language": "en-GB",
        "scheme": "light", "width": PHONE.0, "height": PHONE.1, "axe": true, "press": true }));
    expected.push(("en", Some("Genuine, activated just now"), 200));

    let seen = visit(&visits).await;
    assert_eq!(seen.len(), expected.len());
    for (page, (language, headline, status)) in seen.iter().zip(expected) {
        judge(page, language, headline, status);
    }
    let headlines = |language: &str| {
        let of = seen.iter().filter(|page| page["lang"] == language);
        of.map(|page| page["headline"].as_str().unwrap()).collect::<std::collections::BTreeSet<_>>()
    };
    for (_, language) in &LANGUAGES[1..] {
        assert_eq!(headlines(language).len(), 9, "{language} says each state in words of its own");
        assert!(headlines(language).is_disjoint(&headlines("en")), "{language}");
    }
    let path = addresses.button.split_once(&stage.scan.addr.to_string()).unwrap().1;
    let (_, view) = stage.scan.json(path).await;
    assert_eq!(view["activation"]["state"], "activated", "the button worked without JavaScript: {view}");
}

/// Whether one page is as every page must be.
#[track_caller]
fn judge(page: &Value, language: &str, headline: Option<&str>, status: u16) {
    let name = &page["name"];
    assert_eq!((&page["status"], &page["lang"]), (&json!(status), &json!(language)), "{name}: {page:#}");
    assert_eq!(page["contentLanguage"], language, "{name}");
    if let Some(headline) = headline {
        assert_eq!(page["headline"], headline, "{name}");
    }
    for none in ["foreign", "complaints", "broken"] {
        assert_eq!(page[none], json!([]), "{name}: {none}");
    }
    assert_eq!(page["styled"], true, "{name}: the policy lets its own style through");
    assert_eq!(page["overflows"], false, "{name}: nobody has to scroll sideways");
    assert_eq!(page["headlineFitsFirstScreen"], true, "{name}");
    assert!(page["bytes"].as_u64().unwrap() < 12 * 1024, "{name} has {} bytes", page["bytes"]);
    if page["images"].as_u64().unwrap() > 0 {
        assert_eq!((&page["images"], &page["accent"]), (&json!(2), &json!("rgb(18, 71, 90)")), "{name}");
    }
    let grave: Vec<_> = page["violations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|found| ["serious", "critical"].contains(&found["impact"].as_str().unwrap_or_default()))
        .collect();
    assert!(grave.is_empty(), "{name}: {grave:#?}");
}

/// Opens the pages; waits until the browser is gone.
async fn visit(visits: &[Value]) -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let tools = root.join("target/tools").canonicalize().unwrap_or_default();
    let (Some(node), Some(chromium)) = (program("node"), program("chromium")) else {
        panic!("the tests of the page need Node.js and Chromium: run `make setup-test`");
    };
    assert!(tools.join("node_modules/axe-core").exists(), "axe-core is missing: run `make setup-test`");
    let shots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&shots).unwrap();
    // The browser keeps its profile below this folder, so that its processes can be told from others.
    let own = tempfile::tempdir().unwrap();
    let order = json!({ "tools": tools, "chromium": chromium, "shots": shots, "visits": visits });
    let mut child = Command::new(node)
        .arg(root.join("tests/page/visit.mjs"))
        .env("TMPDIR", own.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    // Open until the answer is here: the script ends with its input, also when this process is killed.
    let mut input = child.stdin.take().unwrap();
    input.write_all(format!("{order}\n").as_bytes()).await.unwrap();
    let output = tokio::time::timeout(VISITED_WITHIN, child.wait_with_output()).await;
    let output =
        output.unwrap_or_else(|_| panic!("the pages were not visited within {VISITED_WITHIN:?}")).unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    drop(input);
    crate::eventually("the browser is gone", || async { processes_that_name(own.path()).is_empty() }).await;
    serde_json::from_slice(&output.stdout).unwrap()
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn processes_that_name(folder: &Path) -> Vec<String> {
    let needle = folder.display().to_string();
    let commands = std::fs::read_dir("/proc").unwrap().flatten();
    commands
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|command| String::from_utf8_lossy(&command).replace('\0', " "))
        .filter(|command| command.contains(&needle))
        .collect()
}
