//! `mintmark token`: credentials that an operator puts into configuration.

use mintmark_auth::control;
use secrecy::ExposeSecret;

use crate::failure::Failure;

/// Prints a new control token. It goes to standard output alone, so that `$(mintmark token control)` works.
#[expect(clippy::print_stdout, reason = "the token is this command's output")]
pub fn control() -> Result<(), Failure> {
    println!("{}", control::generate().expose_secret());
    Ok(())
}
