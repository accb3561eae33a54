//! The program from outside: its options, its codes, its envelope, and what hostile files do to it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/hostile.rs"]
mod hostile;
#[path = "../support/pdf.rs"]
mod pdf;

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use hostile::Hostile;
use mintmark_preflight_engine::Facts;
use mintmark_preflight_engine::envelope::{ENVELOPE_VERSION, Envelope, exit};

/// What a file may take here: half of what the gateway grants, of an engine that was not optimised.
const MEMORY: u64 = 512 << 20;
const LONGEST: Duration = Duration::from_secs(20);

fn start(options: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_preflight-engine"))
        .args(options)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn run(options: &[&str], input: &[u8]) -> Output {
    let mut child = start(options);
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // It may end without having read everything.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    })
}

fn facts(output: &Output) -> Envelope<Facts> {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn probe_reaches_every_layer() {
    let output = run(&["--probe"], b"");
    let envelope: Envelope<Option<Facts>> = serde_json::from_slice(&output.stdout).unwrap();
    assert!(envelope.sandbox.full, "{}", envelope.sandbox);
    assert_eq!((envelope.envelope, envelope.facts), (ENVELOPE_VERSION, None));
    let names: Vec<&str> = envelope.sandbox.layers.iter().map(|layer| layer.name.as_str()).collect();
    let all = [
        "environment",
        "descriptors",
        "parent_death",
        "no_new_privs",
        "not_dumpable",
        "landlock",
        "limits",
        "seccomp",
    ];
    assert_eq!(names, all);
}

#[test]
fn facts_of_an_ordinary_file_come_in_an_envelope() {
    let output = run(&["--require=full"], &pdf::Doc::x4().build());
    let envelope = facts(&output);
    assert_eq!(envelope.facts.pages.len(), 1);
    assert!(envelope.sandbox.full && envelope.cpu_us > 0);
    assert_eq!(output.stderr, b"");
}

#[test]
fn full_confinement_with_a_variable_is_refused() {
    let command = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_preflight-engine"));
        command.args(options).env_clear().env("SECRET", "1").stdin(Stdio::null()).output().unwrap()
    };
    let refused = command(&["--require=full"]);
    assert_eq!(refused.status.code(), Some(i32::from(exit::OPEN)));
    assert_eq!(refused.stdout, b"");
    let told = facts(&command(&[])).sandbox;
    assert_eq!(told.missing().map(|layer| layer.name.as_str()).collect::<Vec<_>>(), ["environment"]);
}

#[test]
fn options_that_are_wrong_are_refused() {
    for wrong in
        [&["--unknown"][..], &["--memory"], &["--memory=much"], &["--require=some"], &["--probe=1"], &["x"]]
    {
        assert_eq!(run(wrong, b"").status.code(), Some(i32::from(exit::USAGE)), "{wrong:?}");
    }
}

#[test]
fn input_longer_than_allowed_is_refused() {
    let file = pdf::Doc::x4().build();
    let exact = format!("--input={}", file.len());
    facts(&run(&[&exact], &file));
    let short = format!("--input={}", file.len() - 1);
    assert_eq!(run(&[&short], &file).status.code(), Some(i32::from(exit::INPUT)));
}

#[test]
fn output_longer_than_allowed_is_refused() {
    let file = pdf::Doc::x4().build();
    let length = run(&[], &file).stdout.len();
    assert_eq!(run(&["--output=1000"], &file).status.code(), Some(i32::from(exit::OUTPUT)));
    facts(&run(&[&format!("--output={}", length + 100)], &file));
}

#[test]
fn memory_that_is_too_little_ends_by_abort() {
    let output = run(&["--memory=33554432"], &vec![b' '; 64 << 20]);
    assert_eq!(output.status.signal(), Some(6), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("memory allocation of"), "{output:?}");
}

#[test]
fn parent_of_another_number_ends_it() {
    let wrong = run(&["--parent=1", "--probe"], b"");
    assert_eq!(wrong.status.code(), Some(i32::from(exit::BROKEN)));
    assert!(run(&[&format!("--parent={}", std::process::id()), "--probe"], b"").status.success());
}

#[test]
fn reader_that_leaves_ends_it() {
    let mut child = start(&[]);
    drop(child.stdout.take());
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(i32::from(exit::BROKEN)));
}

#[test]
fn death_of_its_parent_ends_it() {
    // The shell starts an engine that waits for its input, says its number and waits for it.
    let program = env!("CARGO_BIN_EXE_preflight-engine");
    let mut shell = Command::new("/bin/sh")
        .args(["-c", &format!("exec 3<&0; {program} <&3 & echo $!; wait")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut number = String::new();
    let mut shell_says = std::io::BufReader::new(shell.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut shell_says, &mut number).unwrap();
    let status = format!("/proc/{}/status", number.trim());
    let filtered = || std::fs::read_to_string(&status).is_ok_and(|status| status.contains("Seccomp:\t2"));
    assert!(within(Duration::from_secs(5), filtered), "it shut itself in");
    shell.kill().unwrap();
    shell.wait().unwrap();
    let gone = || std::fs::read_to_string(&status).map_or(true, |status| status.contains("State:\tZ"));
    assert!(within(Duration::from_secs(5), gone), "it died with its parent");
    drop(shell.stdin);
}

fn within(time: Duration, condition: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < time {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

#[test]
fn bombs_are_read_within_their_limits() {
    judge(&hostile::bombs());
}

#[test]
fn loops_are_read_within_their_limits() {
    judge(&hostile::loops());
}

#[test]
fn extremes_are_read_within_their_limits() {
    judge(&hostile::extremes());
}

#[test]
fn broken_files_are_read_as_what_they_are() {
    judge(&hostile::broken());
}

#[test]
fn files_cut_anywhere_are_read_as_what_they_are() {
    for (part, bytes) in hostile::cut(24).enumerate() {
        let facts = facts(&run(&[], &bytes)).facts;
        assert!(!facts.file.damage.is_empty(), "part {part} of a file is no whole one");
    }
}

/// Each gives facts, in time, within its memory, and the facts say what was wrong.
fn judge(files: &[Hostile]) {
    let memory = format!("--memory={MEMORY}");
    for file in files {
        let begun = Instant::now();
        let output = run(&["--require=full", "--cpu=20", &memory], &file.bytes);
        let took = begun.elapsed();
        println!("{}: {} bytes, {took:?}", file.name, file.bytes.len());
        assert!(
            output.status.success(),
            "{}: {:?} {}",
            file.name,
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(took < LONGEST, "{}: {took:?}", file.name);
        let facts = facts(&output).facts;
        let said = said(&facts);
        println!("    {said:?}");
        let known = file.says.is_empty() || file.says.iter().any(|word| said.iter().any(|said| said == word));
        assert!(known, "{}: one of {:?} is said, not {said:?}", file.name, file.says);
    }
}

/// Budgets that ran out and kinds of damage, and two words for what is a fact of its own.
fn said(facts: &Facts) -> Vec<String> {
    let mut said: Vec<String> = facts.limits.iter().map(|hit| hit.budget.clone()).collect();
    said.extend(facts.file.damage.iter().map(|damage| damage.kind.clone()));
    if !facts.file.damage.is_empty() {
        said.push("damaged".to_owned());
    }
    if facts.file.encryption.is_some() {
        said.push("encrypted".to_owned());
    }
    said.dedup();
    said
}
