//! The images: each service's is assembled as an operator does it, looked into, and run with a root that nobody can write to.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Each service, and what its image holds besides what all of them hold.
const SERVICES: [(&str, &[&str]); 6] = [
    ("control-plane", &[]),
    ("resolver", &[]),
    ("preflight-gateway", &["usr/local/bin/preflight-engine"]),
    ("evidence-vault", &VAULT),
    ("ratelimit", &[]),
    ("console", &[]),
];
/// What a PKCS#11 module is linked with.
const VAULT: [&str; 5] = ["libcrypto.so.3", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libstdc++.so.6"];
/// What every program of ours is linked with: the loader, and the C library's parts.
const LINKED: [&str; 4] = ["ld-linux", "libc.so.6", "libgcc_s.so.1", "libm.so.6"];
/// The user that every image runs as.
const USER: u32 = 65532;

/// An image in a store of its own, mounted; both are gone when it is dropped.
struct Image {
    store: tempfile::TempDir,
    root: PathBuf,
    config: Value,
}

impl Image {
    fn assemble(service: &str) -> Self {
        let store = tempfile::tempdir().unwrap();
        let script = workspace().join("deploy/images/assemble.sh");
        let programs = mintmark_tests::program(service);
        let name = ran(Command::new(script)
            .arg(service)
            .arg(programs.parent().unwrap())
            .env("MINTMARK_IMAGES", store.path()));
        let mut image = Self { store, root: PathBuf::new(), config: Value::Null };
        let container = image.buildah(&["from", name.trim()]);
        image.root = PathBuf::from(image.buildah(&["mount", container.trim()]).trim());
        let described = image.buildah(&["inspect", "--type", "image", name.trim()]);
        image.config = serde_json::from_str::<Value>(&described).unwrap()["OCIv1"]["config"].take();
        image
    }

    fn buildah(&self, arguments: &[&str]) -> String {
        ran(Command::new("buildah")
            .args(["--storage-driver", "vfs", "--root"])
            .arg(self.store.path().join("root"))
            .arg("--runroot")
            .arg(self.store.path().join("run"))
            .args(arguments))
    }

    /// Every file, from the root.
    fn files(&self) -> BTreeSet<String> {
        let (mut found, mut folders) = (BTreeSet::new(), vec![self.root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    found.insert(entry.path().strip_prefix(&self.root).unwrap().display().to_string());
                }
            }
        }
        found
    }

    /// A program inside, as the image's user, in a mount namespace where the root is read-only.
    fn inside(&self, setup: &str, program: &[&str]) -> Command {
        let root = self.root.display();
        let script = format!(
            "set -e; mount --bind {root} {root}; {setup} mount -o remount,ro,bind {root}; exec chroot --userspec={USER}:{USER} {root} \"$@\""
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script, "sh"]).args(program).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
        command
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // Unmounts what is mounted; the folder goes with the store.
        self.buildah(&["rm", "--all"]);
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn ran(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_image_holds_its_program_and_nothing_that_could_be_used_against_it() {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("not checked: to mount an image takes root, as which CI runs");
        return;
    }
    for (service, besides) in SERVICES {
        let image = Image::assemble(service);
        assert_only_expected_files(&image, service, besides);
        assert_said_by_its_labels(&image.config, service);
        assert_bill_of_materials(&image, service);
        assert_nothing_gains_rights(&image);
        refuses_to_start_unconfigured(&image, service);
        if service == "evidence-vault" {
            finds_what_a_module_needs(&image);
        }
        if service == "resolver" {
            answers_with_a_root_that_is_read_only(&image);
        }
    }
}

fn assert_only_expected_files(image: &Image, service: &str, besides: &[&str]) {
    let mut left = image.files();
    for wanted in [
        format!("usr/local/bin/{service}"),
        "usr/local/bin/service".to_owned(),
        format!("usr/share/sbom/{service}.cdx.json"),
        "etc/ssl/certs/ca-certificates.crt".to_owned(),
        "etc/passwd".to_owned(),
        "etc/group".to_owned(),
        "etc/nsswitch.conf".to_owned(),
    ] {
        assert!(left.remove(&wanted), "{service}: {wanted} is missing");
    }
    for part in LINKED.iter().chain(besides) {
        let file = left.iter().find(|file| file.contains(part)).cloned();
        assert!(file.is_some_and(|file| left.remove(&file)), "{service}: {part} is missing");
    }
    assert!(left.is_empty(), "{service}: nobody asked for {left:?}");
    let link = std::fs::read_link(image.root.join("usr/local/bin/service")).unwrap();
    assert_eq!(link, Path::new(service), "the entry point is the program");
}

/// No set-user-id program, and no file that everybody may change.
fn assert_nothing_gains_rights(image: &Image) {
    for name in image.files() {
        let about = std::fs::symlink_metadata(image.root.join(&name)).unwrap();
        assert!(about.is_symlink() || about.mode() & 0o6022 == 0, "{name} has mode {:o}", about.mode());
        assert_eq!(about.uid(), 0, "{name} belongs to somebody who could change it");
    }
}

fn assert_said_by_its_labels(config: &Value, service: &str) {
    assert_eq!(config["User"], format!("{USER}:{USER}"));
    assert_eq!(config["Entrypoint"], serde_json::json!(["/usr/local/bin/service"]));
    assert!(config["Env"].is_null(), "{service} brings variables of its own: {}", config["Env"]);
    let label =
        |name: &str| config["Labels"][format!("org.opencontainers.image.{name}")].as_str().unwrap_or("");
    assert_eq!(label("title"), format!("mintmark/{service}"));
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(label("licenses"), "Apache-2.0");
    assert!(!label("revision").is_empty() && !label("description").is_empty());
}

fn assert_bill_of_materials(image: &Image, service: &str) {
    let text = std::fs::read(image.root.join(format!("usr/share/sbom/{service}.cdx.json"))).unwrap();
    let bill: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    let named: BTreeSet<&str> =
        bill["components"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    for linked in ["tokio", "rustls", "libc6", "ca-certificates", "mintmark-service"] {
        assert!(named.contains(linked), "{service}: {linked} is in the image and not in its bill");
    }
    for other in ["trybuild", "mintmark-devstack", "mintmark-tests"] {
        assert!(!named.contains(other), "{service}: {other} is not shipped");
    }
    // What mints cannot be in what the public reaches.
    assert_eq!(named.contains("mintmark-minting"), service == "control-plane", "{service}");
}

fn refuses_to_start_unconfigured(image: &Image, service: &str) {
    let role: &[&str] = match service {
        "resolver" => &["scan"],
        "preflight-gateway" => &["worker"],
        "evidence-vault" => &["vault"],
        _ => &[],
    };
    let program = [&["/usr/local/bin/service"], role, &["--check-config"]].concat();
    let output = image.inside("", &program).output().unwrap();
    assert_eq!(output.status.code(), Some(64), "{service}: {}", said(&output));
    assert!(said(&output).contains("is not set"), "{service}: {}", said(&output));
    let shell = image.inside("", &["/bin/sh", "-c", "true"]).output().unwrap();
    assert_eq!(shell.status.code(), Some(127), "{service} has a shell");
}

/// The loader inside finds every library of a module that is mounted where the documentation says.
fn finds_what_a_module_needs(image: &Image) {
    let module = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .unwrap_or_else(|| panic!("softhsm2 is missing: run `make setup-test`"));
    let place = image.root.join("usr/lib/pkcs11/module.so");
    let setup = format!("touch {0}; mount --bind {module} {0};", place.display());
    let loader = image.files().into_iter().find(|file| file.contains("ld-linux")).unwrap();
    let output = image
        .inside(&setup, &[&format!("/{loader}"), "--list", "/usr/lib/pkcs11/module.so"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(found.contains("libcrypto.so.3 => /") && !found.contains("not found"), "{found}");
}

/// A process that is killed when the test ends, whichever way.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The service lives without its database, says that it is not ready, and ends when it is asked to.
fn answers_with_a_root_that_is_read_only(image: &Image) {
    let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let (ops, http, nobody) = (free(), free(), free());
    let child = image
        .inside("", &["/usr/local/bin/service", "scan"])
        .env("APP_ENV", "development")
        .env("OPS_ADDR", ops.to_string())
        .env("SCAN_HTTP_ADDR", http.to_string())
        .env("SCAN_DATABASE_URL", format!("postgres://resolver_scan:x@{nobody}/mintmark_resolver"))
        .env("CODE_PEPPERS", "1:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut running = Running(child);
    assert_eq!(status(ops, "/healthz"), 200);
    assert_eq!(status(ops, "/readyz"), 503, "nothing is ready without its database");
    let process = std::fs::metadata(format!("/proc/{}", running.0.id())).unwrap();
    assert_eq!(process.uid(), USER, "it runs as somebody else");
    let id = running.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(running.0.wait().unwrap().code(), Some(0), "SIGTERM ends it in order");
    let spool = image.root.join("var/lib/mintmark/spool");
    let spool = std::fs::metadata(spool).unwrap();
    assert_eq!((spool.uid(), spool.permissions().mode() & 0o777), (USER, 0o755));
}

fn status(at: std::net::SocketAddr, path: &str) -> u16 {
    let started = Instant::now();
    loop {
        let output = Command::new("curl")
            .args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"])
            .arg(format!("http://{at}{path}"))
            .output()
            .unwrap();
        if output.status.success() {
            return String::from_utf8(output.stdout).unwrap().parse().unwrap();
        }
        assert!(started.elapsed() < Duration::from_secs(20), "nobody answers at {at}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
