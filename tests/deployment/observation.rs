//! Alerts and dashboards against the services: every expression parses, and names metrics and labels that are really exported.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use mintmark_tests::{Home, Platform};
use serde_json::{Value, json};

use crate::description::{NOT_OURS, ROLES, describe};
use crate::metrics::{self, Families};

/// Counters that are not there before something happened that the demonstration does not bring about: where each is made,
/// under which name, and its labels.
const AFTER_AN_EVENT: [(&str, &str, &[&str]); 9] = [
    ("crates/service/src/telemetry/security.rs", "security.events", &["service", "event", "place"]),
    ("crates/jobs/src/metrics.rs", "jobs.lease.lost", &["kind"]),
    ("crates/db/src/transaction.rs", "db.transaction.retries", &["name"]),
    ("crates/resolver/src/app/metrics.rs", "publish_chunks_repeated", &[]),
    ("crates/resolver/src/app/metrics.rs", "publish_chunks_refused", &["code"]),
    ("crates/preflight-gateway/src/jobs/preflight.rs", "preflight.facts.reused", &[]),
    (
        "crates/ratelimit/src/app/envoy/decision.rs",
        "rate_limit_envoy_descriptors",
        &["domain", "rule", "outcome"],
    ),
    ("crates/service/src/limit/metrics.rs", "rate_limit_passed_open", &["tier"]),
    ("crates/service/src/limit/metrics.rs", "rate_limit_rejected", &["tier", "key_id", "reason"]),
];
/// What Prometheus adds to every series.
const ADDED: [&str; 2] = ["job", "instance"];
/// How long the sums and samples that come by a timer may take.
const EXPORTED_WITHIN: Duration = Duration::from_secs(60);

/// What a shell adds to the environment: the launcher starts its services behind one that ends with it.
const SHELLS: &str = "PWD";

/// Names of series, each with the names of its labels.
type Exported = BTreeMap<String, BTreeSet<String>>;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub fn tool(name: &str) -> PathBuf {
    mintmark_devstack::tools::find(name).unwrap_or_else(|| panic!("{name} is missing: run `make setup-test`"))
}

pub fn ran(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap()
}

pub fn yaml(file: &str) -> Value {
    let script = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    let path = workspace().join("deploy/prometheus").join(file);
    let text = ran(Command::new(tool("python-kubernetes")).args(["-c", script]).arg(path));
    serde_json::from_str(&text).unwrap()
}

/// Every expression, with where it stands.
fn expressions() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for group in yaml("alerts.yaml")["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            let name = rule.get("alert").or(rule.get("record")).unwrap().as_str().unwrap();
            found.push((format!("alerts.yaml: {name}"), rule["expr"].as_str().unwrap().to_owned()));
        }
    }
    let before = found.len();
    for file in std::fs::read_dir(workspace().join("deploy/grafana")).unwrap().map(Result::unwrap) {
        if file.path().extension().is_none_or(|it| it != "json") {
            continue;
        }
        let board: Value = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap_or(&Vec::new()) {
                let place = format!("{}: {}", file.file_name().display(), panel["title"]);
                let expression = target["expr"].as_str().unwrap().replace("$__rate_interval", "5m");
                found.push((place, expression));
            }
        }
    }
    assert!(before > 25 && found.len() > before + 50, "only {} expressions were found", found.len());
    found
}

/// A metric of an expression, and the labels that its selector names with their values.
type Selector = (String, Vec<(String, String)>);

/// The selectors of an expression that parses, and the labels that it groups by.
fn parts(expression: &str) -> (Vec<Selector>, BTreeSet<String>) {
    let (mut selectors, mut grouped): (Vec<Selector>, _) = (Vec::new(), BTreeSet::new());
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '{' {
            let end = rest.find('}').unwrap();
            let matchers = rest[1..end].split(',').filter(|it| !it.trim().is_empty());
            let named = matchers.map(|it| {
                let at = it.find(['=', '!']).unwrap();
                let value = it[at..].trim_start_matches(['=', '!', '~']).trim().trim_matches('"');
                (it[..at].trim().to_owned(), value.to_owned())
            });
            selectors.last_mut().unwrap().1.extend(named);
            rest = &rest[end + 1..];
        } else if first.is_ascii_alphabetic() || first == '_' {
            let word = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == ':';
            let (name, after) = rest.split_at(rest.find(|it| !word(it)).unwrap_or(rest.len()));
            let after = after.trim_start();
            rest = after;
            match name {
                "by" | "without" | "on" | "ignoring" => {
                    let end = after.find(')').unwrap();
                    let labels = after[1..end].split(',').map(str::trim).filter(|it| !it.is_empty());
                    grouped.extend(labels.map(str::to_owned));
                    rest = &after[end + 1..];
                }
                "and" | "or" | "unless" | "offset" | "bool" => {}
                _ if after.starts_with('(') || after.starts_with("by ") => {}
                _ => selectors.push((name.to_owned(), Vec::new())),
            }
        } else if first.is_ascii_digit() {
            rest = rest.trim_start_matches(|it: char| it.is_ascii_alphanumeric() || it == '.');
        } else {
            rest = &rest[first.len_utf8()..];
        }
        rest = rest.trim_start();
    }
    (selectors, grouped)
}

/// Where the services of a platform answer to their operator: what each was started with says so.
fn operations(home: &Home) -> BTreeSet<String> {
    let folder = home.path().display().to_string();
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(environment) = std::fs::read(entry.path().join("environ")) else { continue };
        let environment = String::from_utf8_lossy(&environment).into_owned();
        if environment.contains(&folder) {
            found.extend(
                environment.split('\0').filter_map(|it| it.strip_prefix("OPS_ADDR=")).map(str::to_owned),
            );
        }
    }
    found
}

/// What the launcher gives each of its services is what that service reads.
fn assert_given_what_is_read(home: &Home) {
    let folder = home.path().display().to_string();
    let mut looked_at = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let part = |name: &str| {
            std::fs::read(entry.path().join(name)).map(|it| String::from_utf8_lossy(&it).into_owned())
        };
        let (Ok(environment), Ok(command)) = (part("environ"), part("cmdline")) else { continue };
        if !environment.contains(&folder) || !environment.contains("OPS_ADDR=") {
            continue;
        }
        let mut words = command.split('\0').filter(|word| !word.is_empty());
        let program = Path::new(words.next().unwrap()).file_name().unwrap().to_str().unwrap();
        if ROLES.iter().all(|(of, _)| *of != program) {
            continue;
        }
        let read = describe(program, words);
        let names = environment.split('\0').filter_map(|it| it.split_once('=')).map(|(name, _)| name);
        let wrong: Vec<&str> = names
            .filter(|name| {
                !NOT_OURS.contains(name) && *name != SHELLS && read.iter().all(|it| it.name != *name)
            })
            .collect();
        assert!(wrong.is_empty(), "{program} is started with {wrong:?}, which it does not read");
        looked_at += 1;
    }
    assert!(looked_at >= 10, "only {looked_at} services were found");
}

/// What each of the services says to Prometheus.
fn scrape(addresses: &BTreeSet<String>) -> Vec<String> {
    let get = |address| {
        ran(Command::new("curl").args(["--silent", "--fail"]).arg(format!("http://{address}/metrics")))
    };
    addresses.iter().map(get).collect()
}

fn series(texts: &[String]) -> Exported {
    let mut found = Exported::new();
    let lines = texts.iter().flat_map(|text| text.lines());
    for line in lines.filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let end = line.find(['{', ' ']).unwrap();
        let labels = found.entry(line[..end].to_owned()).or_default();
        labels.extend(metrics::labels(line));
        if line[end..].contains("le=\"") {
            labels.insert("le".to_owned());
        }
    }
    found
}

/// The counters that come later, as they will be exported; the sources say that they exist.
fn later() -> Families {
    let named = AFTER_AN_EVENT.map(|(file, name, labels)| {
        let source = std::fs::read_to_string(workspace().join(file)).unwrap();
        let made = source.find(&format!("u64_counter(\"{name}\")"));
        let made = made.unwrap_or_else(|| panic!("{file} has no counter {name} any more"));
        for label in labels {
            assert!(source.contains(&format!("\"{label}\"")), "{name} in {file} has no label {label}");
        }
        let about = source[made..].split("with_description(\"").nth(1).unwrap().split('"').next().unwrap();
        let family = metrics::Family {
            kind: "counter".to_owned(),
            about: about.trim_end_matches('.').to_owned(),
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
        };
        (format!("{}_total", name.replace('.', "_")), family)
    });
    named.into()
}

/// What is wrong with the expressions, given what is exported.
fn complaints(expressions: &[(String, String)], exported: &Exported, jobs: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for (place, expression) in expressions {
        let (selectors, grouped) = parts(expression);
        let mut labels: BTreeSet<&str> = ADDED.into();
        for (metric, matchers) in &selectors {
            let recorded = metric.starts_with("mintmark:");
            let own = exported.get(metric);
            if own.is_none() && metric != "up" && !recorded {
                found.push(format!("{place}: no service exports {metric}"));
            }
            let own: BTreeSet<&str> = own.into_iter().flatten().map(String::as_str).collect();
            for (label, value) in matchers {
                if !ADDED.contains(&label.as_str()) && !own.contains(label.as_str()) {
                    found.push(format!("{place}: {metric} has no label {label}"));
                }
                let plain = value.trim_end_matches(".*");
                if label == "job" && !jobs.iter().any(|job| job.starts_with(plain)) {
                    found.push(format!("{place}: there is no role {value}"));
                }
            }
            labels.extend(own);
        }
        let missing = grouped.iter().filter(|label| !labels.contains(label.as_str()));
        found.extend(missing.map(|label| format!("{place}: nothing in it has a label {label}")));
    }
    found
}

#[test]
fn every_expression_names_what_the_services_export() {
    let expressions = expressions();
    let jobs: BTreeSet<String> = yaml("prometheus.yaml")["scrape_configs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["job_name"].as_str().unwrap().to_owned())
        .collect();
    let home = Home::new().unwrap();
    let platform = Platform::start_with(&home, &["--units", "200"], &[("MINTMARK_TLS", "1")]).unwrap();
    crate::compose::assert_same_grants(&home.path().join("trust-bundle.json"));
    assert_given_what_is_read(&home);
    let addresses = operations(&home);
    assert_eq!(addresses.len(), jobs.len(), "{addresses:?} are not the roles {jobs:?}");
    let updating = std::env::var_os("UPDATE_GOLDEN").is_some();
    let started = Instant::now();
    let (exported, families) = loop {
        let texts = scrape(&addresses);
        let mut families = later();
        let mut exported: Exported =
            families.iter().map(|(name, family)| (name.clone(), family.labels.clone())).collect();
        exported.extend(series(&texts));
        texts.iter().for_each(|text| metrics::add(&mut families, text));
        let mut wrong = complaints(&expressions, &exported, &jobs);
        if !updating {
            wrong.extend(metrics::complaints(&families));
        }
        if wrong.is_empty() {
            break (exported, families);
        }
        assert!(started.elapsed() < EXPORTED_WITHIN, "{}", wrong.join("\n"));
        std::thread::sleep(Duration::from_millis(500));
    };
    if updating {
        metrics::update(&families);
    }
    // The test itself: it notices a metric, a label and a role that are not there.
    for wrong in [
        "rate(scans_total[5m]) > 0",
        "scan_total{result=\"x\"}",
        "sum by (tenant) (scan_total)",
        "up{job=\"nobody\"}",
    ] {
        let only = [(String::new(), wrong.to_owned())];
        assert_eq!(complaints(&only, &exported, &jobs).len(), 1, "{wrong} passes");
    }
    assert!(platform.stop().unwrap().success());
}

#[test]
fn alerts_and_dashboards_are_accepted_by_prometheus() {
    let promtool = tool("promtool");
    let folder = workspace().join("deploy/prometheus");
    ran(Command::new(&promtool).args(["check", "config", "prometheus.yaml"]).current_dir(&folder));
    ran(Command::new(&promtool).args(["test", "rules", "alerts_test.yaml"]).current_dir(&folder));
    // A dashboard's expressions as rules, for the same parser.
    let rules: Vec<Value> = expressions()
        .into_iter()
        .enumerate()
        .map(|(number, (_, expression))| json!({ "record": format!("expression:{number}"), "expr": expression }))
        .collect();
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    let text = json!({ "groups": [{ "name": "all", "rules": rules }] }).to_string();
    std::fs::write(file.path(), text).unwrap();
    ran(Command::new(&promtool).args(["check", "rules"]).arg(file.path()));
}
