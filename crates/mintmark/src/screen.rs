//! What a person sees: aligned steps, and progress bars that turn into plain lines where nobody watches.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Prints a heading.
pub fn heading(text: &str) {
    println!("\n{text}");
}

/// Prints one finished step: a mark, what it was, and what came of it.
pub fn step(what: &str, result: &str) {
    println!("  ✓ {what:<34} {result}");
}

/// Prints one check of a list: whether it holds, what it was, and what came of it.
pub fn check(good: bool, what: &str, result: &str) {
    println!("  {} {what:<42} {result}", if good { '✓' } else { '✗' });
}

/// Prints a plain line, indented under the steps.
pub fn line(text: &str) {
    println!("    {text}");
}

/// A progress bar of `total` units; without a terminal it draws nothing and the finished step speaks.
pub fn bar(what: &str, total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    if !std::io::stdout().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
        return bar;
    }
    bar.set_draw_target(ProgressDrawTarget::stdout());
    if let Ok(style) = ProgressStyle::with_template("    {msg:<34} {bar:30} {pos:>9}/{len} {per_sec:>14}") {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// A count with separators: `10,000`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A duration for people: `0.84 s`.
pub fn seconds(elapsed: Duration) -> String {
    format!("{:.2} s", elapsed.as_secs_f64())
}

/// Bytes for people: `1.4 MB`.
pub fn bytes(size: u64) -> String {
    match size {
        0..=999 => format!("{size} B"),
        1_000..=999_999 => format!("{:.1} kB", size as f64 / 1e3),
        _ => format!("{:.1} MB", size as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn count_groups_by_three() {
        assert_eq!(super::count(7), "7");
        assert_eq!(super::count(1_000), "1,000");
        assert_eq!(super::count(12_345_678), "12,345,678");
    }
}
