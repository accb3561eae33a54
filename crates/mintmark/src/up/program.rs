//! Where the other programs of the platform are.

use std::path::PathBuf;

use crate::failure::Failure;

/// A program of ours: it lies beside this one.
pub fn program(name: &str) -> Result<PathBuf, Failure> {
    let own = std::env::current_exe()?;
    let path = own.with_file_name(name);
    if !path.exists() {
        return Err(Failure::new(format!(
            "the program '{name}' is missing beside {}: run `make build` first",
            own.display()
        )));
    }
    Ok(path)
}
