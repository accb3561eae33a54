//! How long a call may take.

use std::time::Duration;

use http::HeaderMap;

/// Without a `grpc-timeout`, and at most: a call that takes longer is stuck.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);

/// We answer this much before the caller's own clock ends, so that the answer and not a reset reaches it.
const HEAD_START: Duration = Duration::from_millis(100);

/// The time until a call must have begun to answer. A stream's body is not bounded by it: when its caller gives up,
/// the stream is reset and dropped.
pub(crate) fn of(headers: &HeaderMap) -> Duration {
    let Some(asked) = asked(headers) else {
        return LONGEST;
    };
    let head_start = HEAD_START.min(asked / 10);
    asked.saturating_sub(head_start).min(LONGEST)
}

/// The time that the caller gives the call.
pub(crate) fn asked(headers: &HeaderMap) -> Option<Duration> {
    headers.get("grpc-timeout").and_then(|value| parse(value.to_str().ok()?))
}

/// `TimeoutValue TimeoutUnit` of the gRPC over HTTP/2 specification: at most eight digits and one unit.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_reads_every_unit_and_nothing_else() {
        let table = [
            ("2H", Some(Duration::from_secs(7200))),
            ("3M", Some(Duration::from_secs(180))),
            ("4S", Some(Duration::from_secs(4))),
            ("5m", Some(Duration::from_millis(5))),
            ("6u", Some(Duration::from_micros(6))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("100000000n", None),
            ("S", None),
            ("", None),
            ("5", None),
            ("-5S", None),
            ("+5S", None),
            ("5é", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn deadline_is_a_little_before_the_callers_and_never_beyond_ours() {
        let asking = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            of(&headers)
        };
        assert_eq!(asking("10S"), Duration::from_millis(9900));
        assert_eq!(asking("100m"), Duration::from_millis(90));
        assert_eq!(asking("5H"), LONGEST);
        assert_eq!(asking("soon"), LONGEST);
        assert_eq!(of(&HeaderMap::new()), LONGEST);
    }
}
