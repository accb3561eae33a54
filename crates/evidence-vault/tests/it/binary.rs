//! The program itself: its configuration, its end in the middle of things, its memory.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use mintmark_auth::scope;
use mintmark_ids::EvidenceId;
use mintmark_wire::evidence::v1::*;
use tonic::Code;

use crate::stage::{Cast, Client, Stage, codes, data, end, header, messages, noise};

async fn run(arguments: &[&str], variables: Vec<(String, String)>) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evidence-vault"));
    command.args(arguments).env_clear().envs(variables);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn check_config_tells_every_problem_of_each_role() {
    let stage = Stage::prepare(&[]).await;
    let sound = stage.variables().to_vec();
    for (role, needs) in [
        (
            "vault",
            &[
                "EVIDENCE_DATABASE_URL",
                "TRUST_BUNDLE_FILE",
                "EVIDENCE_STORE_URL",
                "EVIDENCE_PKCS11_MODULE",
                "AUDIT_CHECKPOINT_URL",
                "RETENTION_TTL_EVIDENCE_DAYS",
            ][..],
        ),
        ("sequencer", &["EVIDENCE_SEQUENCER_DATABASE_URL", "AUDIT_SIGNING_KEY_FILE"][..]),
        ("migrate", &["EVIDENCE_MIGRATION_DATABASE_URL"][..]),
    ] {
        let (code, said) = run(&[role, "--check-config"], Vec::new()).await;
        assert_eq!(code, Some(64), "{role}: {said}");
        assert!(needs.iter().all(|name| said.contains(name)), "{role}: {said}");
        if role != "migrate" {
            let (code, said) = run(&[role, "--check-config"], sound.clone()).await;
            assert_eq!(code, Some(0), "{role}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_tests_or_destroys_at_once_is_refused_in_production() {
    let stage = Stage::prepare(&[("APP_ENV", "production")]).await;
    for (name, value, word) in [
        ("EVIDENCE_FAIL_AT", "upload.after_row", "for tests"),
        ("RETENTION_TTL_EVIDENCE_DAYS", "0", "at once"),
        ("RETENTION_TTL_EVIDENCE_DAYS", "30,acme/dispute=0", "at once"),
        ("EVIDENCE_ENCRYPTION_KEY", "0123456789abcdef0123456789abcdef", "EVIDENCE_ENCRYPTION_KEY"),
    ] {
        let mut variables = stage.variables().to_vec();
        variables.push((name.to_owned(), value.to_owned()));
        let (code, said) = run(&["vault", "--check-config"], variables).await;
        assert_eq!(code, Some(64), "{name}={value}: {said}");
        assert!(said.contains(name) && said.contains(word), "{name}={value}: {said}");
    }
}

/// A vault as a process of its own beside the stage's.
pub struct Process {
    child: Child,
    pub client: Client,
    pub addr: String,
    ops: u16,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have died already, as it was told to.
        let _dead = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Process {
    /// One that is ready.
    pub async fn start(stage: &Stage, further: &[(&str, &str)]) -> Self {
        let mut process = Self::spawn(stage, further);
        let begun = Instant::now();
        let grpc = process.addr.trim_start_matches("http://").to_owned();
        while !ready(process.ops).await || tokio::net::TcpStream::connect(&grpc).await.is_err() {
            assert!(process.child.try_wait().unwrap().is_none(), "the vault ended");
            assert!(begun.elapsed() < Duration::from_secs(60), "the vault is not ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        process
    }

    /// One that may die before it is ready.
    pub fn spawn(stage: &Stage, further: &[(&str, &str)]) -> Self {
        let (grpc, ops) = (mintmark_devstack::free_port(), mintmark_devstack::free_port());
        let mut variables = stage.variables().to_vec();
        variables.push(("EVIDENCE_GRPC_ADDR".to_owned(), format!("127.0.0.1:{grpc}")));
        variables.push(("OPS_ADDR".to_owned(), format!("127.0.0.1:{ops}")));
        variables.extend(further.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        mintmark_devstack::logs::configured(&variables);
        let (output, errors) = mintmark_devstack::logs::output("evidence-vault");
        let child = Command::new(env!("CARGO_BIN_EXE_evidence-vault"))
            .arg("vault")
            .env_clear()
            .envs(variables)
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap();
        let addr = format!("http://127.0.0.1:{grpc}");
        Process { child, client: stage.client_at(&addr), addr, ops }
    }

    /// That it died by itself.
    pub async fn died(mut self) {
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(30), "the vault lives on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The most memory that it ever had, in bytes.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }
}

async fn ready(ops: u16) -> bool {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", ops)).await else { return false };
    let request = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).await.is_ok()
        && stream.read_to_string(&mut answer).await.is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_step_of_an_upload_a_record_is_there_whole_or_not_at_all() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    let content = noise(6 << 20);
    for (step, stored) in [
        ("upload.after_row", false),
        ("upload.in_stream", false),
        ("upload.after_blob", false),
        ("upload.after_wrap", false),
        ("upload.after_commit", true),
    ] {
        let mut process = Process::start(&stage, &[("EVIDENCE_FAIL_AT", step)]).await;
        let id = EvidenceId::new();
        let request = stage.request(&cast.user, scope::EVIDENCE_UPLOAD, stream::iter(messages(id, &content)));
        assert!(process.client.upload(request).await.is_err(), "{step}");
        process.died().await;
        let id_text = id.to_string();
        if !stored {
            assert_eq!(codes(stage.get(&cast.governance, &id_text).await).0, Code::NotFound, "{step}");
            stage.send(&cast.user, stream::iter(messages(id, &content))).await.unwrap();
        }
        assert!(stage.read(&cast.arbitrator, &id_text, None, None).await.unwrap().1 == content, "{step}");
        let uploads =
            stage.audited(&id_text).await.into_iter().filter(|it| it.0 == "EVIDENCE_UPLOADED").count();
        assert_eq!(uploads, 1, "{step}");
        // Files that were being written have a name of their own until they are whole; they are swept a day later.
        let whole = |path: &&std::path::PathBuf| {
            path.starts_with(stage.folder.path().join("objects/acme").join(&id_text))
                && !path.to_string_lossy().contains('#')
        };
        assert_eq!(
            stage.objects().iter().filter(whole).count(),
            1,
            "{step}: the broken upload left its object"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_step_of_a_hold_or_its_end_nothing_is_lost() {
    let (stage, cast) = (Stage::start().await, Cast::new());
    for (step, hold) in [
        ("hold.after_kek", true),
        ("hold.after_provider", true),
        ("hold.after_commit", true),
        ("release.after_commit", false),
        ("release.after_provider", false),
    ] {
        let id = stage.upload(&cast.user, b"held").await.evidence_id;
        if !hold {
            stage.hold(&cast.governance, &id, true).await.unwrap();
        }
        let mut process = Process::start(&stage, &[("EVIDENCE_FAIL_AT", step)]).await;
        let message = SetLegalHoldRequest { evidence_id: id.clone(), legal_hold: hold };
        let request = stage.request(&cast.governance, scope::EVIDENCE_HOLD, message);
        assert!(process.client.set_legal_hold(request).await.is_err(), "{step}");
        process.died().await;
        assert_eq!(stage.read(&cast.arbitrator, &id, None, None).await.unwrap().1, b"held", "{step}");
        // Asked again it is done, whatever was done before.
        assert_eq!(stage.hold(&cast.governance, &id, hold).await.unwrap().legal_hold, hold, "{step}");
        assert_eq!(stage.read(&cast.arbitrator, &id, None, None).await.unwrap().1, b"held", "{step}");
        assert_eq!(stage.hold(&cast.governance, &id, !hold).await.unwrap().legal_hold, !hold, "{step}");
        assert_eq!(stage.read(&cast.arbitrator, &id, None, None).await.unwrap().1, b"held", "{step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_upload_and_its_reading_take_constant_memory() {
    const MIB: u64 = 160;
    let (stage, cast) = (Stage::start().await, Cast::new());
    let mut process = Process::start(&stage, &[]).await;
    let id = EvidenceId::new();
    let piece = noise(1 << 20);
    let pieces = std::iter::repeat_n(data(&piece), usize::try_from(MIB).unwrap());
    let all = std::iter::once(header(id, None)).chain(pieces).chain([end(MIB << 20)]);
    let request = stage.request(&cast.user, scope::EVIDENCE_UPLOAD, stream::iter(all.collect::<Vec<_>>()));
    process.client.upload(request).await.unwrap();
    let message = ReadContentRequest { evidence_id: id.to_string(), offset: None, length: None };
    let request = stage.request(&cast.arbitrator, scope::EVIDENCE_CONTENT, message);
    let mut answers = process.client.read_content(request).await.unwrap().into_inner();
    let mut read = 0;
    while let Some(answer) = answers.next().await {
        if let Some(read_content_response::Piece::Data(piece)) = answer.unwrap().piece {
            read += piece.len() as u64;
        }
    }
    assert_eq!(read, MIB << 20);
    let peak = process.peak() >> 20;
    assert!(peak < 128, "{peak} MiB for {MIB} MiB");
}
