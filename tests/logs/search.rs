//! The logs of a run, and the list of what must not stand in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use mintmark_devstack::logs::SECRETS;

use crate::shapes;

/// What the canary plants and a log may hold all the same: a request's id is there so that people find its lines.
const MAY_BE_LOGGED: [&str; 1] = ["the header x-request-id"];

/// What all tests of a run left.
pub struct Run {
    /// Names of the test binaries' folders.
    pub folders: Vec<String>,
    pub logs: Vec<PathBuf>,
    /// Name and value.
    pub secrets: BTreeSet<(String, String)>,
    pub codes: usize,
}

impl Run {
    /// Everything beneath a folder; nothing where it is not.
    pub fn read(root: &Path) -> Self {
        let mut run = Self { folders: vec![], logs: vec![], secrets: BTreeSet::new(), codes: 0 };
        for folder in entries(root) {
            run.folders.push(folder.file_name().unwrap().to_string_lossy().into_owned());
            for file in entries(&folder) {
                if file.ends_with(SECRETS) {
                    run.list(&fs::read_to_string(&file).unwrap());
                } else {
                    run.logs.push(file);
                }
            }
        }
        run
    }

    fn list(&mut self, text: &str) {
        for line in text.lines() {
            let mut parts = line.splitn(3, '\t');
            let (kind, name, value) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
            if MAY_BE_LOGGED.contains(&name) {
                continue;
            }
            let mut add = |value: &str| self.secrets.insert((name.to_owned(), value.to_owned()));
            add(value);
            if kind == "code" {
                let groups: Vec<&str> =
                    value.as_bytes().chunks(4).map(|it| str::from_utf8(it).unwrap()).collect();
                add(&groups.join("-"));
                self.codes += 1;
            } else if value.starts_with("eyJ") {
                // Of a token its claims and its signature alone are bad enough.
                value.split('.').skip(1).filter(|part| part.len() >= 16).for_each(|part| {
                    add(part);
                });
            }
        }
    }

    /// Where something stands that must not: log, line and what it is, never itself. Each thing once a log.
    pub fn findings(&self) -> BTreeSet<String> {
        let (names, values): (Vec<&str>, Vec<&str>) =
            self.secrets.iter().map(|(name, value)| (name.as_str(), value.as_str())).unzip();
        let known = AhoCorasick::builder().ascii_case_insensitive(true).build(values).unwrap();
        let mut found = BTreeSet::new();
        for log in &self.logs {
            let content = fs::read(log).unwrap();
            let text = String::from_utf8_lossy(&content);
            let place = format!("{}/{}", name(log.parent().unwrap()), name(log));
            let mut seen = BTreeSet::new();
            for hit in known.find_iter(text.as_ref()) {
                let what = names[hit.pattern().as_usize()];
                if seen.insert(what) {
                    let line = text[..hit.start()].matches('\n').count() + 1;
                    found.insert(format!("{place}, line {line}: {what}"));
                }
            }
            for (number, line) in text.lines().enumerate() {
                if let Some(shape) = shapes::found(line)
                    && seen.insert(shape)
                {
                    found.insert(format!("{place}, line {}: what looks like {shape}", number + 1));
                }
            }
        }
        found
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_name_the_log_and_the_line_and_not_the_secret() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("planes-0a1b-77");
        fs::create_dir(&folder).unwrap();
        let listed = "secret\ta master key\tbWFzdGVyLWtleS1vZi1h\ncode\ta code\t0A1B2C3D4E5F6G7H8J9K\n\
                      secret\ta session\teyJhIjoxfQ.eyJpc3MiOiJmb3JnZWQifQ.c2lnbmF0dXJlLW9m\n";
        fs::write(folder.join(SECRETS), listed).unwrap();
        fs::write(folder.join("good-0.log"), "{\"message\":\"nothing\"}\n").unwrap();
        let run = Run::read(root.path());
        assert_eq!((run.logs.len(), run.codes), (1, 1));
        assert_eq!(run.findings(), BTreeSet::new());

        for (said, what) in [
            ("key bWFzdGVyLWtleS1vZi1h", "a master key"),
            ("claims eyJpc3MiOiJmb3JnZWQifQ", "a session"),
            ("x0a1b2c3d4e5f6g7h8j9kx", "a code"),
            ("x0A1B-2C3D-4E5F-6G7H-8J9Kx", "a code"),
            ("of nobody: 9Z8Y7X6W5V4T3S2R1Q0P", "what looks like a printable code"),
        ] {
            fs::write(folder.join("bad-1.log"), format!("first\n{said}\n")).unwrap();
            let expected = format!("planes-0a1b-77/bad-1.log, line 2: {what}");
            assert_eq!(Run::read(root.path()).findings(), BTreeSet::from([expected]), "{said}");
        }
    }
}
