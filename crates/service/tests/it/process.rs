//! A whole process: this test binary starts itself again with one test that is a service.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Output, Stdio};

use mintmark_service::{Ask, Launch, launch};
use serde_json::Value;

const MODE: &str = "SERVICE_TEST_MODE";

// Not a test of its own: without the variable it does nothing.
#[test]
fn child() {
    let Ok(mode) = std::env::var(MODE) else { return };
    let ask = match mode.as_str() {
        "check" => Ask::CheckConfig,
        "describe" => Ask::DescribeConfig,
        _ => Ask::Run,
    };
    let start = Launch { name: "example", default_ops_addr: "127.0.0.1:0", ask };
    let code = launch(
        start,
        |reader| reader.secret("EXAMPLE_KEY", "a key"),
        async |_key, context| {
            context.health.gate("example").set(true);
            context.shutdown.requested().await;
            if mode == "stuck" {
                std::future::pending::<()>().await;
            }
            Ok(())
        },
    );
    // The harness has an exit code of its own, so ours must not pass through it.
    let codes = [(ExitCode::SUCCESS, 0), (ExitCode::FAILURE, 1), (ExitCode::from(64), 64)];
    let number = codes.into_iter().find(|(known, _)| *known == code).map_or(255, |(_, number)| number);
    std::process::exit(number);
}

fn command(mode: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "process::child", "--nocapture"]).env_clear().env(MODE, mode);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// Starts the service, waits for its first log line and asks it to stop.
fn start_and_terminate(mut command: Command) -> (Child, Vec<String>) {
    let mut child = command.env("EXAMPLE_KEY", "hunter2").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let starting = lines.find(|line| line.contains("\"starting\"")).unwrap();
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let rest = std::iter::once(starting).chain(lines).collect();
    (child, rest)
}

#[test]
fn launch_with_bad_configuration_exits_64_with_every_problem() {
    let mut bad = command("serve");
    bad.env("APP_ENV", "staging");
    let (code, _, stderr) = run(bad);
    assert_eq!(code, Some(64));
    assert!(stderr.contains("APP_ENV: ") && stderr.contains("EXAMPLE_KEY: is not set"), "{stderr}");
}

#[test]
fn launch_to_check_the_configuration_exits_0_and_serves_nothing() {
    let mut good = command("check");
    good.env("EXAMPLE_KEY", "hunter2");
    let (code, stdout, _) = run(good);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("configuration ok"), "{stdout}");
    assert!(!stdout.contains("starting"));
}

#[test]
fn launch_to_describe_the_configuration_prints_it_and_no_value() {
    let mut asked = command("describe");
    asked.env("EXAMPLE_KEY", "hunter2").env("APP_ENV", "staging");
    let (code, stdout, _) = run(asked);
    assert_eq!(code, Some(0));
    let start = stdout.find('{').unwrap();
    let mut parsed = serde_json::Deserializer::from_str(&stdout[start..]).into_iter::<Value>();
    let described = parsed.next().unwrap().unwrap();
    let names: Vec<&str> = described["variables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variable| variable["name"].as_str().unwrap())
        .collect();
    assert!(names.starts_with(&["APP_ENV", "OPS_ADDR"]) && names.ends_with(&["EXAMPLE_KEY"]), "{names:?}");
    assert!(!stdout.contains("hunter2"));
}

#[test]
fn launch_after_sigterm_exits_0_with_json_lines_and_no_secret() {
    let (mut child, lines) = start_and_terminate(command("serve"));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let ours: Vec<Value> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(
        ours.iter().any(|line| line["message"] == "asked to stop" && line["fields"]["signal"] == "SIGTERM")
    );
    assert!(ours.iter().any(|line| line["message"] == "stopped"));
    assert!(!lines.concat().contains("hunter2"));
}

#[test]
fn launch_that_does_not_drain_exits_1_with_a_log_line() {
    let mut stuck = command("stuck");
    stuck.env("SHUTDOWN_GRACE_SECS", "1");
    let (mut child, lines) = start_and_terminate(stuck);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(lines.concat().contains("did not finish within 1 seconds"), "{lines:?}");
}
