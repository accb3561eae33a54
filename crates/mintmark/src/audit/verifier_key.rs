//! `mintmark audit verifier-key`: by what others verify a log.

use std::path::PathBuf;

use clap::Args;
use mintmark_audit::note::Signer;

use crate::failure::{Doing, Failure};

/// Options of `mintmark audit verifier-key`.
#[derive(Args)]
pub struct VerifierKeyOptions {
    /// The private key (PEM).
    pub file: PathBuf,
    /// The log's name, as `AUDIT_ORIGIN` has it.
    #[arg(long, value_name = "ORIGIN")]
    pub log: String,
}

/// Prints the line for `AUDIT_VERIFIER_KEYS_FILE`.
#[expect(clippy::print_stdout, reason = "the key is this command's output")]
pub async fn print(options: &VerifierKeyOptions) -> Result<(), Failure> {
    let pem =
        std::fs::read_to_string(&options.file).doing(format_args!("read {}", options.file.display()))?;
    let signer = Signer::from_pem(&options.log, &pem).map_err(|error| Failure::because(&error))?;
    println!("{}", signer.verifier());
    Ok(())
}
