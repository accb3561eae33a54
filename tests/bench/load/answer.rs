//! Just enough of HTTP/1.1 to know where an answer ends.

/// The head of an answer.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Bytes of head and body.
    pub length: usize,
}

impl Answer {
    /// `None` while the head is not whole. An answer without `Content-Length` ends with its head.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let line = line(&mut rest)?;
        let status = line.get(9..12).and_then(number)? as u16;
        let mut body = 0;
        loop {
            let line = self::line(&mut rest)?;
            if line.is_empty() {
                return Some(Self { status, length: bytes.len() - rest.len() + body });
            }
            if line.len() > 15 && line[14] == b':' && line[..14].eq_ignore_ascii_case(b"content-length") {
                body = number(line[15..].trim_ascii())?;
            }
        }
    }
}

fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (line, behind) = rest.split_at(end + 1);
    *rest = behind;
    Some(line.strip_suffix(b"\r\n").unwrap_or(&line[..end]))
}

fn number(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0_usize, |value, digit| {
        digit.is_ascii_digit().then(|| value * 10 + usize::from(digit - b'0'))
    })
}
