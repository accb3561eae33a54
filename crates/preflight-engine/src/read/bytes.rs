//! Raw bytes: white space, whole numbers, `n g obj`.

/// White space of PDF.
pub(super) const fn white(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

/// A position in the bytes of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    /// At an offset; one behind the end is the end.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at: at.min(bytes.len()) }
    }

    /// What follows.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Passes over white space.
    pub(super) fn skip_white(&mut self) {
        self.at += self.rest().iter().take_while(|byte| white(**byte)).count();
    }

    /// Passes over exactly these bytes.
    pub(super) fn tag(&mut self, tag: &[u8]) -> bool {
        let here = self.rest().starts_with(tag);
        if here {
            self.at += tag.len();
        }
        here
    }

    /// A whole number without a sign, after white space.
    pub(super) fn number(&mut self) -> Option<u64> {
        self.skip_white();
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = std::str::from_utf8(&self.rest()[..digits]).ok()?;
        let value = text.parse().ok()?;
        self.at += digits;
        Some(value)
    }

    /// `n g obj`, after white space: number and generation.
    pub(super) fn object_header(&mut self) -> Option<(u32, u32)> {
        let number = u32::try_from(self.number()?).ok()?;
        let generation = u32::try_from(self.number()?).ok()?;
        self.skip_white();
        self.tag(b"obj").then_some((number, generation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_header_reads_number_and_generation() {
        let mut cursor = Cursor::new(b" 12\n3  obj<<", 0);
        assert_eq!(cursor.object_header(), Some((12, 3)));
        assert_eq!(cursor.rest(), b"<<");
        assert_eq!(Cursor::new(b"12 endobj", 0).object_header(), None);
        assert_eq!(Cursor::new(b"99999999999999999999999 0 obj", 0).object_header(), None);
        assert_eq!(Cursor::new(b"1", 7).number(), None);
    }
}
