//! Small disks: one for the objects of exports, one for the spool of scans, which can be filled and freed.
//!
//! They are tmpfs mounts in a mount namespace that one child process holds and the services join; nothing of this
//! machine's own mounts changes, and all is gone when the child ends, which it does when we do. An ordinary user makes the
//! namespace inside a user namespace. Where neither is allowed, a limit on the size of files stands in (`RLIMIT_FSIZE`,
//! with its signal ignored, which makes writes fail).

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How a full disk is made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A mount namespace, as root.
    MountNamespace,
    /// The same inside a user namespace, as an ordinary user.
    UserNamespace,
    /// No disk of its own: a limit on the size of files.
    FileSizeLimit,
}

/// What `CHAOS_DISK` may ask for, to try the ways that this machine would not choose.
const WAYS: [(&str, Way); 3] =
    [("mount", Way::MountNamespace), ("user", Way::UserNamespace), ("limit", Way::FileSizeLimit)];

pub struct Disks {
    pub way: Way,
    holder: Option<Child>,
    pub objects: Disk,
    pub spool: Disk,
}

/// One of the two.
#[derive(Clone)]
pub struct Disk {
    /// Where the services see it.
    pub path: PathBuf,
    /// Where we see it.
    pub seen: PathBuf,
}

impl Disks {
    /// Makes both below `folder`.
    pub fn make(folder: &Path, object_megabytes: u64) -> Self {
        let (objects, spool) = (folder.join("objects"), folder.join("spool"));
        for path in [&objects, &spool] {
            fs::create_dir_all(path).unwrap();
        }
        let asked = std::env::var("CHAOS_DISK").ok();
        for (name, way) in WAYS {
            if asked.as_ref().is_some_and(|asked| asked != name) || way == Way::FileSizeLimit {
                continue;
            }
            if let Some(holder) = hold(way, &objects, &spool, object_megabytes) {
                let root = PathBuf::from(format!("/proc/{}/root", holder.id()));
                let seen = |path: &Path| root.join(path.strip_prefix("/").unwrap());
                let disk = |path: PathBuf| Disk { seen: seen(&path), path };
                return Self { way, holder: Some(holder), objects: disk(objects), spool: disk(spool) };
            }
        }
        let disk = |path: PathBuf| Disk { seen: path.clone(), path };
        Self { way: Way::FileSizeLimit, holder: None, objects: disk(objects), spool: disk(spool) }
    }

    /// The words before a service's program that let it see the disks.
    pub fn prefix(&self) -> Vec<String> {
        let words: Vec<&str> = match self.way {
            Way::MountNamespace => vec!["nsenter", "--mount"],
            Way::UserNamespace => vec!["nsenter", "--user", "--preserve-credentials", "--mount"],
            Way::FileSizeLimit => vec!["sh", "-c", "trap '' XFSZ; exec \"$@\"", "limited"],
        };
        let mut words: Vec<String> = words.into_iter().map(ToOwned::to_owned).collect();
        if let Some(holder) = &self.holder {
            words.extend(["--target".to_owned(), holder.id().to_string(), "--".to_owned()]);
        }
        words
    }

    /// Leaves no room on a disk, for these processes.
    pub fn fill(&self, disk: &Disk, users: &[i32]) {
        if self.way == Way::FileSizeLimit {
            // No file may grow.
            limit(users, "0:");
            return;
        }
        let mut file = File::create(disk.seen.join("filler")).unwrap();
        let block = vec![0_u8; 64 * 1024];
        // Large blocks first, so that the last free page goes too.
        for size in [block.len(), 4096, 1] {
            while file.write_all(&block[..size]).is_ok() {}
        }
    }

    /// Makes the room again.
    pub fn free(&self, disk: &Disk, users: &[i32]) {
        if self.way == Way::FileSizeLimit {
            limit(users, "unlimited:");
        } else if let Err(error) = fs::remove_file(disk.seen.join("filler")) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
        }
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        if let Some(holder) = &mut self.holder {
            let _ = holder.kill();
            let _ = holder.wait();
        }
    }
}

impl Disk {
    /// Deletes a folder of it, and what is in it.
    pub fn clear(&self, folder: &str) {
        fs::remove_dir_all(self.seen.join(folder)).unwrap();
    }

    /// Every file on it but the filler, by its path from here.
    pub fn files(&self) -> Vec<String> {
        let (mut found, mut folders) = (Vec::new(), vec![self.seen.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(path);
                } else if entry.file_name() != "filler" {
                    found.push(path.strip_prefix(&self.seen).unwrap().to_string_lossy().into_owned());
                }
            }
        }
        found
    }
}

/// The process that holds the namespace, if this machine lets us make one that way.
fn hold(way: Way, objects: &Path, spool: &Path, megabytes: u64) -> Option<Child> {
    let script = r#"mount -t tmpfs -o "size=${3}m,mode=0700" chaos "$1" &&
        mount -t tmpfs -o size=2m,mode=0700 chaos "$2" && echo ready && exec cat >/dev/null"#;
    let mut unshare = Command::new("unshare");
    if way == Way::UserNamespace {
        unshare.args(["--user", "--map-root-user"]);
    }
    let mut child = unshare
        .args(["--mount", "sh", "-c", script, "holder"])
        .args([objects, spool])
        .arg(megabytes.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .ok()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take()?).read_line(&mut line).ok()?;
    if line.trim() == "ready" {
        return Some(child);
    }
    let _ = child.wait();
    None
}

fn limit(users: &[i32], size: &str) {
    for pid in users {
        let fsize = format!("--fsize={size}");
        let done = Command::new("prlimit").args(["--pid", &pid.to_string(), &fsize]).status().unwrap();
        assert!(done.success(), "prlimit (package util-linux) must work on our own processes");
    }
}
