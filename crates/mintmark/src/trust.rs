//! `mintmark trust-bundle`: what services verify one another by.

use std::path::PathBuf;

use clap::Args;
use mintmark_auth::TrustBundle;

use crate::failure::{Doing, Failure};
use crate::up::keys::bundle_of;

/// Options of `mintmark trust-bundle`.
#[derive(Args)]
pub struct TrustBundleOptions {
    /// The folder with the key files.
    pub folder: PathBuf,
    /// The bundle that is in force: its issuer, and the Envoys that it names, are kept.
    #[arg(long, value_name = "FILE")]
    pub like: Option<PathBuf>,
}

/// Prints the trust bundle of a folder of key files; it holds no secret.
#[expect(clippy::print_stdout, reason = "the bundle is this command's output")]
pub async fn bundle(options: &TrustBundleOptions) -> Result<(), Failure> {
    let like = options.like.as_ref().map(|path| {
        let text = std::fs::read_to_string(path).doing(format_args!("read {}", path.display()))?;
        TrustBundle::parse(&text).map_err(|error| Failure::because(&error))
    });
    println!("{}", bundle_of(&options.folder, like.transpose()?.as_ref())?.trim_end());
    Ok(())
}
