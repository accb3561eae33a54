//! A bar that counts bytes, on standard error, where somebody watches.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar of `total` bytes. It draws nothing where `quiet` says so or standard error is no terminal.
pub fn bar(what: &str, total: u64, quiet: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template(
        "{msg:<28} {bar:30} {bytes:>10} of {total_bytes:<10} {bytes_per_sec:>12} {eta:>4}",
    ) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.set_message(what.to_owned());
    if !quiet {
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    bar
}
