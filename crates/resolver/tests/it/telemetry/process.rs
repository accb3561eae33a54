//! A real process, killed, and searched for what it must not keep.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mintmark_devstack::Process;
use mintmark_devstack::testdb::TestDb;
use mintmark_wire::directory::v1::ActivationMode;

use super::away::waiting;
use super::{networks, reachable, scans};
use crate::stage::{GTIN, PEPPER, Stage, codes, link};

struct ScanProcess {
    process: Process,
    addr: SocketAddr,
}

/// `resolver scan` with a spool and a log in `folder`.
/// A port is free when it is chosen and may be somebody else's when it is bound: then others are tried.
async fn start(db: &TestDb, folder: &Path, more: &[(&str, String)]) -> ScanProcess {
    for _ in 0..5 {
        if let Some(scan) = try_start(db, folder, more).await {
            return scan;
        }
    }
    panic!("no ports were free five times in a row");
}

async fn try_start(db: &TestDb, folder: &Path, more: &[(&str, String)]) -> Option<ScanProcess> {
    let port = mintmark_devstack::free_port;
    let (addr, ops): (SocketAddr, SocketAddr) =
        (([127, 0, 0, 1], port()).into(), ([127, 0, 0, 1], port()).into());
    let own = [
        ("APP_ENV", "test".to_owned()),
        ("SCAN_HTTP_ADDR", addr.to_string()),
        ("OPS_ADDR", ops.to_string()),
        ("SCAN_DATABASE_URL", db.url("resolver_scan")),
        ("CODE_PEPPERS", PEPPER.to_owned()),
        ("SCAN_TRUSTED_PROXIES", "127.0.0.0/8".to_owned()),
        ("SCAN_SPOOL_DIR", folder.join("spool").display().to_string()),
    ];
    let environment: Vec<(String, String)> =
        own.iter().chain(more).map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let program = Path::new(env!("CARGO_BIN_EXE_resolver"));
    let mut process = Process::spawn(program, &["scan"], &environment, &folder.join("scan.log")).unwrap();
    process.wait_ready(&format!("http://{ops}/readyz"), Duration::from_secs(30)).await.ok()?;
    // Whoever answered on the operations port may be another process.
    tokio::net::TcpStream::connect(addr).await.ok()?;
    Some(ScanProcess { process, addr })
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_killed_process_spooled_arrive_once() {
    let stage = Stage::new().await;
    let (superuser, folder) = (stage.superuser().await, tempfile::tempdir().unwrap());
    let spool = folder.path().join("spool");
    let scan = start(&stage.db, folder.path(), &[]).await;
    let http = stage.scan.http.clone();
    scans(scan.addr, &http, 0, 100).await;
    crate::eventually("the first rows are written", || async { networks(&superuser).await == 100 }).await;
    reachable(&superuser, false).await;
    scans(scan.addr, &http, 100, 300).await;
    crate::eventually("the rows are spooled", || async { waiting(&spool).1 == 300 }).await;
    tokio::task::spawn_blocking(move || scan.process.kill()).await.unwrap();
    assert_eq!(waiting(&spool).1, 300);
    reachable(&superuser, true).await;
    let scan = start(&stage.db, folder.path(), &[]).await;
    scans(scan.addr, &http, 400, 100).await;
    crate::eventually("every row arrives", || async { networks(&superuser).await == 500 }).await;
    crate::eventually("the spool is empty", || async { waiting(&spool).0.is_empty() }).await;
    tokio::task::spawn_blocking(move || scan.process.terminate()).await.unwrap();
    assert_eq!(networks(&superuser).await, 500);
}

/// Keeps what is sent to it, like a collector that never answers; gRPC needs one empty SETTINGS frame to go on.
fn collector() -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (addr, received) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let kept = received.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let kept = kept.clone();
            std::thread::spawn(move || {
                let mut stream = stream;
                let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
                let _ = stream.set_read_timeout(Some(Duration::from_secs(3)));
                let mut part = [0; 65_536];
                while let Ok(length @ 1..) = stream.read(&mut part) {
                    kept.lock().unwrap().extend_from_slice(&part[..length]);
                }
            });
        }
    });
    (addr, received)
}

/// Every row of every table, as text.
async fn database_as_text(stage: &Stage) -> String {
    let superuser = stage.superuser().await;
    let query = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
    let mut text = String::new();
    for table in superuser.query(query, &[]).await.unwrap() {
        let table: String = table.get(0);
        for row in superuser.query(&format!("SELECT t::text FROM \"{table}\" t"), &[]).await.unwrap() {
            text.push_str(row.get(0));
            text.push('\n');
        }
    }
    text
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_address_no_user_agent_and_no_code_is_kept_anywhere() {
    const USER_AGENT: &str =
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Distinctive/QZXJ Mobile Safari/604.1";
    const ADDRESSES: [&str; 2] = ["193.0.6.139", "2003:e0:1:9876:5432:10ab:cdef:1234"];
    let stage = Stage::new().await;
    let (superuser, folder) = (stage.superuser().await, tempfile::tempdir().unwrap());
    let sealed = stage.sealed(stage.product(None).await, ActivationMode::FirstScan, 1, 4).await;
    let unknown = codes(0, 1)[0];
    stage.scan.becomes(&link(&sealed[0]), "genuine").await;
    let (collector, traces) = collector();
    let talkative = [
        (
            "LOG_LEVEL",
            "trace,actix_server=trace,h2=trace,hyper=trace,tower=trace,opentelemetry=trace".to_owned(),
        ),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}")),
    ];
    let scan = start(&stage.db, folder.path(), &talkative).await;
    let paths = [
        link(&sealed[0]),
        link(&unknown),
        format!("/{}", unknown.as_str()),
        format!("/{}?{}={}", sealed[1].as_str().to_lowercase(), "code", sealed[1].as_str()),
        format!("/01/{GTIN}/21/{}%21", sealed[2].as_str()),
    ];
    let visit = async || {
        for (path, address) in paths.iter().flat_map(|path| ADDRESSES.map(|address| (path, address))) {
            let request = stage.scan.http.get(format!("http://{}{path}", scan.addr));
            let request = request.header("user-agent", USER_AGENT).header("x-forwarded-for", address);
            request.header("referer", format!("http://elsewhere{path}")).send().await.unwrap();
        }
    };
    visit().await;
    crate::eventually("rows are written", || async { networks_total(&superuser).await == 8 }).await;
    reachable(&superuser, false).await;
    visit().await;
    let spool = folder.path().join("spool");
    crate::eventually("rows are spooled", || async { waiting(&spool).1 == 8 }).await;
    let spooled: Vec<u8> = waiting(&spool).0.iter().flat_map(|file| std::fs::read(file).unwrap()).collect();
    reachable(&superuser, true).await;
    crate::eventually("spooled rows are written", || async { networks_total(&superuser).await == 16 }).await;
    tokio::task::spawn_blocking(move || scan.process.terminate()).await.unwrap();

    let log = std::fs::read(folder.path().join("scan.log")).unwrap();
    let traces = traces.lock().unwrap().clone();
    let database = database_as_text(&stage).await;
    assert!(contains(&log, b"TRACE"), "the log is as talkative as it can be");
    assert!(contains(&traces, b"resolver-scan"), "the traces arrived");
    assert!(database.contains("193.0.6.0/24") && database.contains("2003:e0:1::/48"), "the rows are there");
    let mut needles: Vec<Vec<u8>> = vec![b"Distinctive".to_vec(), b"QZXJ".to_vec()];
    needles.extend(ADDRESSES.map(|address| address.as_bytes().to_vec()));
    needles.push(b"9876:5432".to_vec());
    needles.push(vec![193, 0, 6, 139]);
    needles.push(vec![0x98, 0x76, 0x54, 0x32, 0x10, 0xab]);
    for code in [sealed[0], sealed[1], sealed[2], unknown] {
        let text = code.as_str().as_bytes();
        // The first two characters are the partition, which is no secret; half a code is already too much.
        needles.push(text[2..12].to_vec());
        needles.push(text[10..].to_vec());
    }
    let places: [(&str, &[u8]); 4] = [
        ("the log", &log),
        ("the traces", &traces),
        ("the spool", &spooled),
        ("the database", database.as_bytes()),
    ];
    for (place, bytes) in places {
        for needle in &needles {
            assert!(!contains(bytes, needle), "{place} keeps {:?}", String::from_utf8_lossy(needle));
        }
    }
}

async fn networks_total(superuser: &tokio_postgres::Client) -> i64 {
    superuser.query_one("SELECT count(*) FROM scan_event", &[]).await.unwrap().get(0)
}
