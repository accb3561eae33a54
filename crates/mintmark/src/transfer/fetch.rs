//! A file that is fetched: into a part beside it first, and under its name when it is whole and right.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;
use reqwest::header::CONTENT_RANGE;
use reqwest::{Response, StatusCode};

use super::Digest;
use crate::exit::Exit;
use crate::failure::{Doing, Failure};

/// How often a transfer that brings nothing is taken up again.
const ATTEMPTS: u32 = 5;

/// The wait before the first of these; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(250);

/// The longest wait for a piece.
const SILENCE: Duration = Duration::from_secs(30);

/// What is fetched.
pub struct Fetch<'a> {
    /// Its id, which is in the name of the part: a part of something else is never continued.
    pub of: &'a str,
    /// The file to write.
    pub out: &'a Path,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal, where it is known.
    pub sha256: Option<&'a str>,
    /// Whether a file that is there may be replaced.
    pub replace: bool,
}

/// What was fetched.
pub struct Fetched {
    /// SHA-256 of the whole file, in hexadecimal.
    pub sha256: String,
    /// How many bytes an earlier attempt had left; 0 without one.
    pub resumed_at: u64,
}

/// Fetches it. `ask` requests everything from a position on; what it says is away is asked again, a refusal is final.
///
/// What an earlier attempt left is continued. A part that turns out to be wrong is deleted.
pub async fn fetch(
    what: &Fetch<'_>,
    bar: &ProgressBar,
    mut ask: impl AsyncFnMut(u64) -> Result<Response, Failure>,
) -> Result<Fetched, Failure> {
    if what.out.exists() && !what.replace {
        return Err(Failure::usage(format!(
            "{} is there already: give another name, or --force to replace it",
            what.out.display()
        )));
    }
    let mut part = Part::open(what)?;
    let resumed_at = part.bytes;
    bar.set_position(resumed_at);
    let mut tries = 0;
    while part.bytes < what.bytes {
        let before = part.bytes;
        let broken = match ask(before).await {
            Ok(response) => part.take(response, bar).await?,
            Err(failure) if failure.exit() == Exit::Away => Some(failure),
            Err(failure) => {
                part.leave();
                return Err(failure);
            }
        };
        let Some(failure) = broken else { break };
        // Progress gives all attempts back.
        tries = if part.bytes > before { 0 } else { tries + 1 };
        if tries == ATTEMPTS {
            part.leave();
            return Err(failure.hinting(format!(
                "{} of {} bytes are in {}: run the same command again to go on.",
                part.bytes,
                what.bytes,
                part.path.display()
            )));
        }
        tokio::time::sleep(PAUSE * 2_u32.pow(tries)).await;
    }
    let sha256 = part.finish(what)?;
    Ok(Fetched { sha256, resumed_at })
}

struct Part {
    path: PathBuf,
    file: File,
    bytes: u64,
    digest: Digest,
}

impl Part {
    /// Opens what is there of it, or begins.
    fn open(what: &Fetch<'_>) -> Result<Self, Failure> {
        let name = what.out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let path = what.out.with_file_name(format!("{name}.{}.part", what.of));
        let open = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path);
        let mut part = Self {
            file: open.doing(format_args!("write {}", path.display()))?,
            bytes: 0,
            digest: Digest::new(),
            path,
        };
        part.read_back()?;
        if part.bytes > what.bytes {
            part.restart()?;
        }
        Ok(part)
    }

    fn read_back(&mut self) -> Result<(), Failure> {
        let mut piece = vec![0; 256 << 10];
        loop {
            let read = self.file.read(&mut piece).doing(format_args!("read {}", self.path.display()))?;
            if read == 0 {
                return Ok(());
            }
            self.digest.update(&piece[..read]);
            self.bytes += read as u64;
        }
    }

    fn restart(&mut self) -> Result<(), Failure> {
        self.file.set_len(0).doing(format_args!("write {}", self.path.display()))?;
        (self.bytes, self.digest) = (0, Digest::new());
        Ok(())
    }

    /// Writes what the answer brings; what broke it off, if something did.
    async fn take(&mut self, mut response: Response, bar: &ProgressBar) -> Result<Option<Failure>, Failure> {
        if !continues(&response, self.bytes) {
            self.restart()?;
            bar.set_position(0);
        }
        loop {
            let piece = match tokio::time::timeout(SILENCE, response.chunk()).await {
                Ok(Ok(piece)) => piece,
                Ok(Err(error)) => return Ok(Some(broken(&format!("the transfer broke off ({error})")))),
                Err(_) => return Ok(Some(broken("the transfer stood still"))),
            };
            match piece {
                Some(piece) => {
                    self.file.write_all(&piece).doing(format_args!("write {}", self.path.display()))?;
                    self.digest.update(&piece);
                    self.bytes += piece.len() as u64;
                    bar.inc(piece.len() as u64);
                }
                None => return Ok(None),
            }
        }
    }

    /// Leaves what is there for another run; a part of nothing goes.
    fn leave(&self) {
        if self.bytes == 0 {
            // Nothing is lost where it stays.
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Puts it in its place if it is what it should be; its SHA-256.
    fn finish(self, what: &Fetch<'_>) -> Result<String, Failure> {
        let sha256 = self.digest.hex();
        let wrong = if self.bytes != what.bytes {
            Some(format!("{} bytes came, and {} were announced", self.bytes, what.bytes))
        } else {
            let other = what.sha256.filter(|wanted| !wanted.eq_ignore_ascii_case(&sha256));
            other.map(|wanted| format!("its SHA-256 is {sha256}, and should be {wanted}"))
        };
        if let Some(why) = wrong {
            fs::remove_file(&self.path).doing(format_args!("delete {}", self.path.display()))?;
            return Err(Failure::local(format!(
                "what was fetched is not {}: {why}. It was deleted; fetch it again",
                what.of
            )));
        }
        self.file.sync_all().doing(format_args!("write {}", self.path.display()))?;
        fs::rename(&self.path, what.out).doing(format_args!("write {}", what.out.display()))?;
        Ok(sha256)
    }
}

fn broken(why: &str) -> Failure {
    Failure::new(why).ending(Exit::Away).coded("TRANSFER_BROKEN")
}

/// Whether the answer goes on where the part ends; otherwise it begins at the beginning.
fn continues(response: &Response, at: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    at == 0
        || (response.status() == StatusCode::PARTIAL_CONTENT
            && range.is_some_and(|range| range.starts_with(&format!("bytes {at}-"))))
}

/// A file to write that only its owner may read, emptied if it was there.
pub fn private(out: &Path) -> Result<File, Failure> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(out);
    file.doing(format_args!("write {}", out.display()))
}
