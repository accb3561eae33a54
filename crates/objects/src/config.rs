//! Which store, and what signs its URLs.

use std::fmt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mintmark_service::config::{Reader, Secret};
use url::Url;

use crate::LocalSigner;
use crate::bucket::{BucketConfig, BucketVariables};

/// Everything that opening a store needs. Holds keys: its debug output does not.
#[derive(Clone)]
pub struct StoreConfig(pub(crate) Place);

/// Where the objects lie.
#[derive(Clone)]
pub(crate) enum Place {
    Folder(FolderConfig),
    /// A folder out of which nothing is given by a link.
    Closed(PathBuf),
    Bucket(BucketConfig),
}

/// A folder of this machine, whose files are served by ourselves.
#[derive(Clone)]
pub(crate) struct FolderConfig {
    pub(crate) folder: PathBuf,
    pub(crate) signer: LocalSigner,
    pub(crate) public_base: String,
}

/// The variables of one area of a service that keeps files.
struct Variables {
    area: &'static str,
    url: &'static str,
    key: &'static str,
}

const AREAS: [Variables; 1] =
    [Variables { area: "EXPORT", url: "EXPORT_STORE_URL", key: "EXPORT_URL_SIGNING_KEY" }];

impl StoreConfig {
    /// Reads `<AREA>_STORE_URL`: `file:///absolute/folder`, with `<AREA>_URL_SIGNING_KEY` (base64 of 32 bytes), or
    /// `s3://bucket/prefix`, with the variables `S3_…`. `area` is `EXPORT`. Signed URLs of a folder begin with
    /// `public_base`, the address under which the service is reached from outside.
    pub fn read(reader: &mut Reader, area: &str, public_base: &str) -> Option<Self> {
        let Some(variables) = AREAS.iter().find(|variables| variables.area == area) else {
            reader.problem(
                format!("{area}_STORE_URL"),
                "is not a store that this program knows: report this as a bug",
            );
            return None;
        };
        let url = reader.required(
            variables.url,
            "where files are kept: file:///absolute/folder (created when missing; give it a disk of its own) or s3://bucket/prefix",
        );
        let key = reader.optional_secret(
            variables.key,
            "signs download URLs of a file:// store: 32 random bytes in base64",
        );
        reader.needed_when(variables.key, "the store is a folder");
        // All are asked for, whatever the store, so that the list of variables does not depend on it.
        let bucket = BucketVariables::read(reader);
        let place = match url.as_deref() {
            Some(url) if url.starts_with("s3:") => {
                Place::Bucket(bucket?.checked(reader, variables.url, url)?)
            }
            url => {
                let signer = signer(reader, variables.key, key?);
                let folder = url.and_then(|url| match folder(url) {
                    Ok(folder) => Some(folder),
                    Err(sentence) => {
                        reader.problem(variables.url, sentence);
                        None
                    }
                });
                let public_base = public_base.trim_end_matches('/').to_owned();
                Place::Folder(FolderConfig { folder: folder?, signer: signer?, public_base })
            }
        };
        Some(Self(place))
    }

    /// Reads the variable `name`: `file:///absolute/folder` or `s3://bucket/prefix`, with the variables `S3_…`; a store
    /// that nobody outside is given a link to, so a folder needs no key.
    pub fn read_closed(reader: &mut Reader, name: &'static str, about: &'static str) -> Option<Self> {
        let url = reader.required(name, about);
        let bucket = BucketVariables::read(reader);
        let url = url?;
        if url.starts_with("s3:") {
            return Some(Self(Place::Bucket(bucket?.checked(reader, name, &url)?)));
        }
        match folder(&url) {
            Ok(folder) => Some(Self(Place::Closed(folder))),
            Err(sentence) => {
                reader.problem(name, sentence);
                None
            }
        }
    }
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Folder(config) => f
                .debug_struct("StoreConfig")
                .field("folder", &config.folder)
                .field("public_base", &config.public_base)
                .finish_non_exhaustive(),
            Place::Closed(folder) => f.debug_struct("StoreConfig").field("folder", folder).finish(),
            Place::Bucket(config) => config.fmt(f),
        }
    }
}

// The value is not repeated in a sentence: the URL of a store may carry credentials.
pub(crate) fn folder(text: &str) -> Result<PathBuf, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL: write it like file:///var/lib/mintmark/objects")?;
    match url.scheme() {
        "file" => url
            .to_file_path()
            .ok()
            .filter(|path| path.parent().is_some())
            .ok_or("must name an absolute folder other than the root: write it like file:///var/lib/mintmark/objects"),
        _ => Err("must begin with file:// or s3:// : write it like file:///var/lib/mintmark/objects or s3://bucket/exports"),
    }
}

fn signer(reader: &mut Reader, name: &'static str, key: Option<Secret>) -> Option<LocalSigner> {
    let Some(key) = key else {
        reader.problem(name, "is not set: a folder needs it, make one with `openssl rand -base64 32`");
        return None;
    };
    let mut bytes = STANDARD.decode(key.expose()).unwrap_or_default();
    let signer = <&[u8; 32]>::try_from(bytes.as_slice()).ok().map(LocalSigner::new);
    zeroize::Zeroize::zeroize(&mut bytes);
    if signer.is_none() {
        reader.problem(name, "must be base64 of exactly 32 bytes: make one with `openssl rand -base64 32`");
    }
    signer
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Base64 of 32 zero bytes.
    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    fn read(url: &str, key: &str) -> Result<StoreConfig, String> {
        let mut reader = Reader::from_pairs([("EXPORT_STORE_URL", url), ("EXPORT_URL_SIGNING_KEY", key)]);
        let config = StoreConfig::read(&mut reader, "EXPORT", "http://127.0.0.1:8080/");
        reader.finish(config).map_err(|errors| errors.to_string())
    }

    #[test]
    fn read_of_a_folder_and_a_key_is_good_and_prints_no_key() {
        let config = read("file:///srv/objects", KEY).unwrap();
        assert!(!format!("{config:?}").contains("AAAA"));
        let Place::Folder(config) = config.0 else { panic!("not a folder") };
        assert_eq!(config.folder, PathBuf::from("/srv/objects"));
        assert_eq!(config.public_base, "http://127.0.0.1:8080");
    }

    #[test]
    fn read_of_bad_values_names_the_variable_and_the_way_out() {
        let table = [
            ("", KEY, "EXPORT_STORE_URL"),
            ("/srv/objects", KEY, "is not a URL"),
            ("file:///", KEY, "other than the root"),
            ("file://objects/here", KEY, "absolute folder"),
            ("ftp://host/x", KEY, "must begin with file://"),
            ("file:///srv/objects", "", "EXPORT_URL_SIGNING_KEY: is not set"),
            ("file:///srv/objects", "AAAA", "exactly 32 bytes"),
            ("file:///srv/objects", "not base64", "exactly 32 bytes"),
        ];
        for (url, key, expected) in table {
            let errors = read(url, key).unwrap_err();
            assert!(errors.contains(expected), "{url} {key}: {errors}");
        }
    }

    #[test]
    fn read_reports_all_problems_at_once() {
        let errors = read("ftp://host/x", "short").unwrap_err();
        assert_eq!(errors.lines().count(), 2, "{errors}");
    }
}
