//! `deploy/compose.yaml` against the programs: what make-secrets.py makes is what they want, and databases.sh makes databases
//! that they can migrate. That it starts is for a machine with a container engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mintmark_devstack::{PostgresOptions, PostgresServer};
use serde_json::Value;
use tempfile::TempDir;

use crate::description::{Given, complaints, describe};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn ran(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn secrets() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    ran(Command::new("python3").arg(deploy().join("compose/make-secrets.py")).arg(folder.path()));
    folder
}

fn variables(file: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(file).unwrap();
    let pairs = text.lines().map(|line| line.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn services() -> Vec<Value> {
    let python = mintmark_devstack::tools::find("python-kubernetes")
        .unwrap_or_else(|| panic!("python-kubernetes is missing: run `make setup-test`"));
    let script = deploy().join("check/compose.py");
    let text = ran(Command::new(python).arg(script).args(["-", "--print"]));
    serde_json::from_str(&text).unwrap()
}

fn words(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().unwrap().iter().map(|it| it.as_str().unwrap())
}

#[test]
fn every_service_of_compose_is_configured_as_its_program_wants() {
    let made = secrets();
    let services = services();
    assert_eq!(services.len(), 14, "ten roles, four migrations");
    for service in services {
        let mut environment: BTreeMap<String, String> = BTreeMap::new();
        let mut given = Vec::new();
        for (name, value) in service["environment"].as_object().unwrap() {
            let value = value.as_str().unwrap();
            // A file is there if the service asks for it to be mounted.
            let here = service["files"].get(value).map(|it| made.path().join(it.as_str().unwrap()));
            given.push(Given { name, from_secret: false, secret_file: here.is_some() });
            let value = here.map_or_else(|| value.to_owned(), |path| path.display().to_string());
            environment.insert(name.clone(), value);
        }
        let secret: Vec<_> =
            words(&service["secret_variables"]).flat_map(|file| variables(&made.path().join(file))).collect();
        given.extend(secret.iter().map(|(name, _)| Given { name, from_secret: true, secret_file: false }));
        let read = describe(service["program"].as_str().unwrap(), words(&service["args"]));
        assert_eq!(complaints(&read, given), [""; 0], "{}", service["name"]);
        environment.extend(secret.iter().cloned());
        let output = Command::new(mintmark_tests::program(service["program"].as_str().unwrap()))
            .args(words(&service["args"]))
            .arg("--check-config")
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", service["name"]);
    }
}

#[test]
fn make_secrets_keeps_what_is_there_and_nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let made = secrets();
    let all = || -> BTreeMap<String, Vec<u8>> {
        ["values.json", "control-plane.env", "trust-bundle.json", "keys/proof.pem", "tls/resolver.crt"]
            .map(|name| (name.to_owned(), std::fs::read(made.path().join(name)).unwrap()))
            .into()
    };
    let before = all();
    ran(Command::new("python3").arg(deploy().join("compose/make-secrets.py")).arg(made.path()));
    assert_eq!(before, all());
    let mode = std::fs::metadata(made.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn databases_are_made_repeatably_and_migrated_by_their_owners() {
    let made = secrets();
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let options = PostgresOptions::durable(folder.path().join("data"), "superuser-of-a-test".to_owned());
    let server = PostgresServer::start(options).unwrap();
    let superuser: tokio_postgres::Config = server.superuser_url("postgres").parse().unwrap();
    for _ in 0..2 {
        ran(Command::new("bash")
            .arg(deploy().join("compose/databases.sh"))
            .env("MIGRATIONS", deploy().join("../migrations"))
            .envs(variables(&made.path().join("databases.env")))
            .env("PGHOST", server.socket_dir())
            .env("PGUSER", superuser.get_user().unwrap())
            .env("PGPASSWORD", "superuser-of-a-test"));
    }
    for service in services().iter().filter(|it| it["args"] == serde_json::json!(["migrate"])) {
        for file in words(&service["secret_variables"]) {
            for (name, url) in variables(&made.path().join(file)) {
                let theirs: tokio_postgres::Config = url.parse().unwrap();
                let password = std::str::from_utf8(theirs.get_password().unwrap()).unwrap().to_owned();
                let url =
                    server.url(theirs.get_user().unwrap(), Some(&password), theirs.get_dbname().unwrap());
                ran(Command::new(mintmark_tests::program(service["program"].as_str().unwrap()))
                    .arg("migrate")
                    .env_clear()
                    .env("APP_ENV", "development")
                    .env(name, url));
            }
        }
    }
    server.stop();
}

/// The bundle that make-secrets.py writes grants what the launcher's does, to the same services.
pub fn assert_same_grants(launchers: &Path) {
    let made = secrets();
    let grants = |path: &Path| -> Vec<(Value, Value)> {
        let bundle: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let keys = bundle["keys"].as_array().unwrap().iter();
        let mut found: Vec<_> = keys.map(|key| (key["service"].clone(), key["grants"].clone())).collect();
        found.sort_by_key(|(service, _)| service.to_string());
        found
    };
    assert_eq!(grants(&made.path().join("trust-bundle.json")), grants(launchers));
}
