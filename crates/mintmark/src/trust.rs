//! What others verify by: the trust bundle of the services' keys, and the public keys of the audit logs.

use mintmark_audit::note::Signer;
use mintmark_auth::TrustBundle;

use crate::cli::{TrustBundleOptions, VerifierKeyOptions};
use crate::failure::{Doing, Failure};
use crate::up::keys::bundle_of;

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

/// Prints the line for `AUDIT_VERIFIER_KEYS_FILE`.
#[expect(clippy::print_stdout, reason = "the key is this command's output")]
pub async fn verifier_key(options: &VerifierKeyOptions) -> Result<(), Failure> {
    let pem =
        std::fs::read_to_string(&options.file).doing(format_args!("read {}", options.file.display()))?;
    let signer = Signer::from_pem(&options.log, &pem).map_err(|error| Failure::because(&error))?;
    println!("{}", signer.verifier());
    Ok(())
}
