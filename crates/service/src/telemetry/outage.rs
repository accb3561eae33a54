//! Lines about what is unavailable: the first says it, those that follow say how many were held back.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines about the same: an outage refuses thousands of calls a second, and the metrics count each of them.
const BETWEEN: Duration = Duration::from_secs(60);
/// Codes that are told apart. They are constants of ours; those of a peer are the peer's word.
const CODES: usize = 64;

static LINES: LazyLock<Mutex<HashMap<String, Line>>> = LazyLock::new(Mutex::default);

struct Line {
    written: Instant,
    held_back: u64,
}

/// Whether a refusal with this code is to be logged now: with the number of lines that were held back since the last one.
/// `None`: somebody has been told within the last minute.
pub fn unavailable_line(code: &str) -> Option<u64> {
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    line_at(&mut lines, code, Instant::now())
}

fn line_at(lines: &mut HashMap<String, Line>, code: &str, now: Instant) -> Option<u64> {
    let code = if lines.len() < CODES || lines.contains_key(code) { code } else { "another" };
    let Some(line) = lines.get_mut(code) else {
        lines.insert(code.to_owned(), Line { written: now, held_back: 0 });
        return Some(0);
    };
    if now.saturating_duration_since(line.written) < BETWEEN {
        line.held_back += 1;
        return None;
    }
    let held_back = line.held_back;
    *line = Line { written: now, held_back: 0 };
    Some(held_back)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_written_at_once_and_then_once_a_minute_with_what_was_held_back() {
        let (mut lines, start) = (HashMap::new(), Instant::now());
        assert_eq!(line_at(&mut lines, "REDIS", start), Some(0));
        for second in 1..60 {
            assert_eq!(line_at(&mut lines, "REDIS", start + Duration::from_secs(second)), None);
        }
        assert_eq!(line_at(&mut lines, "DATABASE", start), Some(0), "another code has a line of its own");
        assert_eq!(line_at(&mut lines, "REDIS", start + BETWEEN), Some(59));
        assert_eq!(line_at(&mut lines, "REDIS", start + BETWEEN * 2), Some(0));
    }

    #[test]
    fn line_of_too_many_codes_is_shared() {
        let (mut lines, now) = (HashMap::new(), Instant::now());
        for code in 0..CODES * 2 {
            line_at(&mut lines, &code.to_string(), now);
        }
        assert_eq!(lines.len(), CODES + 1);
    }
}
