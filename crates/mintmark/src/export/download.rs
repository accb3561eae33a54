//! `mintmark export download`: every part and the index, into a folder.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::api::text;
use crate::client::{Client, path};
use crate::desk::Desk;
use crate::exit::Exit;
use crate::failure::{Doing, Failure};
use crate::screen;
use crate::transfer::{Digest, Fetch, bar, fetch};

/// What is downloaded, and whereto.
#[derive(Args)]
pub struct DownloadOptions {
    /// The export, `exp_…`.
    id: String,
    /// The folder; made when it is missing. Without it, one that is called as the export is.
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// Replace files there that are something else.
    #[arg(long)]
    force: bool,
}

/// A file of the export.
struct Offered {
    name: String,
    /// Works for five minutes.
    url: String,
    bytes: u64,
    sha256: String,
}

/// Downloads it.
pub async fn run(desk: &Desk, options: DownloadOptions) -> Result<(), Failure> {
    let folder = options.to.clone().unwrap_or_else(|| PathBuf::from(safe(&options.id)));
    let again = format!("mintmark export download {} --to {}", options.id, folder.display());
    let fetched = tokio::select! {
        fetched = all(desk, &options, &folder) => fetched,
        _ = tokio::signal::ctrl_c() => {
            Err(Failure::new("stopped").ending(Exit::Interrupted).coded("INTERRUPTED"))
        }
    };
    let items = fetched.map_err(|failure| match failure.exit() {
        Exit::Away | Exit::Interrupted => failure.hinting(format!("`{again}` goes on where it stopped.")),
        _ => failure,
    })?;
    let total: u64 = items.iter().filter_map(|item| item["bytes"].as_u64()).sum();
    let (files, size) = (items.len().to_string(), screen::bytes(total));
    desk.screen.thing(
        &json!({ "exportId": options.id, "folder": folder, "bytes": total, "files": items }),
        &[
            ("folder", folder.display().to_string()),
            ("files", files),
            ("size", size),
            ("SHA-256", "each as the platform says".to_owned()),
        ],
    )
}

async fn all(desk: &Desk, options: &DownloadOptions, folder: &Path) -> Result<Vec<Value>, Failure> {
    let person = desk.person()?;
    let files = offer(&person, &options.id).await?;
    std::fs::create_dir_all(folder).doing(format_args!("make {}", folder.display()))?;
    let mut items = Vec::with_capacity(files.len());
    for file in files {
        let out = folder.join(&file.name);
        let whole = digest(&out)?.is_some_and(|there| there == file.sha256);
        let mut resumed_at = 0;
        if !whole {
            let bar = bar(&file.name, file.bytes, desk.screen.json);
            let what = Fetch {
                of: &options.id,
                out: &out,
                bytes: file.bytes,
                sha256: Some(&file.sha256),
                replace: options.force,
            };
            let mut url = file.url.clone();
            let fetched =
                fetch(&what, &bar, async |from| open(&person, options, &file, &mut url, from).await);
            resumed_at = fetched.await?.resumed_at;
            bar.finish_and_clear();
        }
        items.push(json!({
            "file": out, "bytes": file.bytes, "sha256": file.sha256, "wasThere": whole, "resumedAt": resumed_at,
        }));
    }
    Ok(items)
}

/// Opens the file at its link; one that ran out is asked for again.
async fn open(
    person: &Client,
    options: &DownloadOptions,
    file: &Offered,
    url: &mut String,
    from: u64,
) -> Result<reqwest::Response, Failure> {
    let refused = match person.open(url, from).await {
        Err(failure) if matches!(failure.exit(), Exit::Unauthenticated | Exit::Forbidden) => failure,
        opened => return opened,
    };
    let fresh = offer(person, &options.id).await?.into_iter().find(|fresh| fresh.name == file.name);
    let Some(fresh) = fresh.filter(|fresh| fresh.sha256 == file.sha256) else { return Err(refused) };
    *url = fresh.url;
    person.open(url, from).await
}

async fn offer(person: &Client, id: &str) -> Result<Vec<Offered>, Failure> {
    let links = person.get(&path(&["v1", "exports", id, "download"])).await?;
    let lacks = |member: &str| Failure::new(format!("the answer has no '{member}'"));
    let offered = |file: &Value, name: String| {
        let bytes = file["bytes"].as_u64().ok_or_else(|| lacks("bytes"))?;
        let (url, sha256) = (text(file, "url")?.to_owned(), text(file, "sha256")?.to_ascii_lowercase());
        Ok::<_, Failure>(Offered { name, url, bytes, sha256 })
    };
    let mut files = Vec::new();
    for part in links["parts"].as_array().into_iter().flatten() {
        let number = part["part"].as_u64().ok_or_else(|| lacks("part"))?;
        files.push(offered(part, format!("part-{number:04}.zip"))?);
    }
    files.push(offered(&links["index"], "index.json".to_owned())?);
    Ok(files)
}

/// The SHA-256 of a file; nothing when there is none.
fn digest(file: &Path) -> Result<Option<String>, Failure> {
    let doing = format!("read {}", file.display());
    let mut reader = match File::open(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.doing(&doing)?,
    };
    let (mut digest, mut piece) = (Digest::new(), vec![0; 256 << 10]);
    loop {
        match reader.read(&mut piece).doing(&doing)? {
            0 => return Ok(Some(digest.hex())),
            read => digest.update(&piece[..read]),
        }
    }
}

/// An id as the name of a folder: whatever was typed stays one name.
fn safe(id: &str) -> String {
    id.chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || letter == '_' { letter } else { '-' })
        .collect()
}
