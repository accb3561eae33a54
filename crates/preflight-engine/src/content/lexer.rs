//! Operands and operators of a content stream.
//!
//! The reader of syntax has an iterator over operators too; this one exists because facts must not hide where a stream
//! breaks off (that one ends silently at an operand that it does not like), because an operand here is a slice and costs
//! no allocation, and because the end of an inline image is found in one pass.

/// An operand. Names and strings are as written, their escapes not undone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Operand<'d> {
    Number(f64),
    /// Without its slash.
    Name(&'d [u8]),
    /// With its delimiters.
    String(&'d [u8]),
    /// What is between the brackets.
    Array(&'d [u8]),
    /// What is between the brackets.
    Dict(&'d [u8]),
    /// `true`, or else `false` or `null`.
    Constant(bool),
}

impl<'d> Operand<'d> {
    pub(super) const fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    pub(super) const fn name(self) -> Option<&'d [u8]> {
        match self {
            Self::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// What comes next in a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Item<'d> {
    Operand(Operand<'d>),
    Operator(&'d [u8]),
    /// Something that belongs nowhere: a closing bracket without an opening one, an unclosed string.
    Broken,
}

/// Reads a content stream, or the inside of an array.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'d> {
    data: &'d [u8],
    pos: usize,
}

impl<'d> Lexer<'d> {
    pub(super) const fn new(data: &'d [u8]) -> Self {
        Self { data, pos: 0 }
    }

    /// Where it stands.
    pub(super) const fn position(&self) -> usize {
        self.pos
    }

    /// Goes to a position.
    pub(super) fn seek(&mut self, pos: usize) {
        self.pos = pos.min(self.data.len());
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'d [u8] {
        self.data.get(self.pos..).unwrap_or_default()
    }

    /// The next item.
    pub(super) fn next(&mut self) -> Option<Item<'d>> {
        self.skip_space();
        let first = *self.data.get(self.pos)?;
        Some(match first {
            b'0'..=b'9' | b'+' | b'-' | b'.' => self.number(),
            b'/' => {
                self.pos += 1;
                Item::Operand(Operand::Name(self.regular()))
            }
            b'(' | b'<' | b'[' => self.delimited(first),
            b')' | b'>' | b']' | b'{' | b'}' => {
                self.pos += 1;
                Item::Broken
            }
            _ => match self.regular() {
                constant @ (b"true" | b"false" | b"null") => {
                    Item::Operand(Operand::Constant(constant == b"true"))
                }
                operator => Item::Operator(operator),
            },
        })
    }

    fn skip_space(&mut self) {
        while let Some(byte) = self.data.get(self.pos) {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' | 0 | 12 => self.pos += 1,
                b'%' => {
                    while self.data.get(self.pos).is_some_and(|byte| !matches!(byte, b'\n' | b'\r')) {
                        self.pos += 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// Regular characters from here.
    fn regular(&mut self) -> &'d [u8] {
        let start = self.pos;
        while self.data.get(self.pos).is_some_and(|byte| is_regular(*byte)) {
            self.pos += 1;
        }
        self.data.get(start..self.pos).unwrap_or_default()
    }

    fn number(&mut self) -> Item<'d> {
        let token = self.regular();
        number(token).map_or(Item::Operator(token), |number| Item::Operand(Operand::Number(number)))
    }

    fn delimited(&mut self, first: u8) -> Item<'d> {
        let start = self.pos;
        let dict = first == b'<' && self.data.get(start + 1) == Some(&b'<');
        if first == b'[' || dict {
            let whole = self.skip_nested();
            let (open, close) = if dict { (2, 2) } else { (1, 1) };
            let end = self.pos.saturating_sub(if whole { close } else { 0 });
            let inside = self.data.get(start + open..end).unwrap_or_default();
            if !whole {
                return Item::Broken;
            }
            return Item::Operand(if dict { Operand::Dict(inside) } else { Operand::Array(inside) });
        }
        if !self.skip_string() {
            return Item::Broken;
        }
        Item::Operand(Operand::String(self.data.get(start..self.pos).unwrap_or_default()))
    }

    /// Passes a string; `false` where it does not end.
    fn skip_string(&mut self) -> bool {
        let hex = self.data.get(self.pos) == Some(&b'<');
        let mut depth = 0usize;
        while let Some(byte) = self.data.get(self.pos) {
            self.pos += 1;
            match byte {
                b'>' if hex => return true,
                b'\\' if !hex => self.pos += 1,
                b'(' if !hex => depth += 1,
                b')' if !hex => {
                    depth -= 1;
                    if depth == 0 {
                        return true;
                    }
                }
                _ => {}
            }
        }
        self.pos = self.data.len();
        false
    }

    /// Passes an array or a dictionary with all that is in it; `false` where it does not end. Without recursion, so that
    /// no nesting is too deep.
    fn skip_nested(&mut self) -> bool {
        let mut depth = 0usize;
        loop {
            self.skip_space();
            let Some(byte) = self.data.get(self.pos) else { return false };
            let double = self.data.get(self.pos + 1) == Some(byte);
            match byte {
                b'(' => {
                    if !self.skip_string() {
                        return false;
                    }
                    continue;
                }
                b'<' if !double => {
                    if !self.skip_string() {
                        return false;
                    }
                    continue;
                }
                b'[' => {
                    depth += 1;
                    self.pos += 1;
                }
                b'<' => {
                    depth += 1;
                    self.pos += 2;
                }
                b']' => {
                    depth = depth.saturating_sub(1);
                    self.pos += 1;
                }
                b'>' => {
                    if double {
                        depth = depth.saturating_sub(1);
                    }
                    self.pos += if double { 2 } else { 1 };
                }
                _ => self.pos += 1,
            }
            if depth == 0 {
                return true;
            }
        }
    }
}

/// Whether a byte is neither white space nor a delimiter.
pub(super) const fn is_regular(byte: u8) -> bool {
    !matches!(
        byte,
        b' ' | b'\n'
            | b'\r'
            | b'\t'
            | 0
            | 12
            | b'('
            | b')'
            | b'<'
            | b'>'
            | b'['
            | b']'
            | b'{'
            | b'}'
            | b'/'
            | b'%'
    )
}

const POWERS: [f64; 19] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

/// A number as PDF writes it; doubled signs and what follows a second minus are forgiven, as readers do.
fn number(token: &[u8]) -> Option<f64> {
    let signs = token.iter().take_while(|byte| matches!(byte, b'+' | b'-')).count();
    let negative = token.first() == Some(&b'-');
    let body = token.get(signs..)?;
    // `12-34` is written by broken producers for 12.
    let body = body.iter().position(|byte| *byte == b'-').map_or(body, |end| body.get(..end).unwrap_or(body));
    let (mut mantissa, mut digits, mut decimals, mut dot) = (0u64, 0usize, 0usize, false);
    for byte in body {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                if digits <= 18 {
                    mantissa = mantissa * 10 + u64::from(byte - b'0');
                    decimals += usize::from(dot);
                } else if !dot {
                    // More digits before the point than any coordinate has.
                    return Some(if negative { -1e15 } else { 1e15 });
                }
            }
            b'.' if !dot => dot = true,
            _ => return None,
        }
    }
    if digits == 0 && !dot && signs == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "eighteen digits, of which a number keeps fifteen")]
    let value = mantissa as f64 / POWERS.get(decimals).copied().unwrap_or(1e18);
    Some(if negative { -value } else { value })
}

/// A name with its `#` escapes undone.
pub(super) fn plain_name(raw: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if !raw.contains(&b'#') {
        return raw.into();
    }
    let mut plain = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((first, tail)) = rest.split_first() {
        if let (b'#', [high, low, after @ ..]) = (first, tail)
            && let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low))
        {
            plain.push(high << 4 | low);
            rest = after;
        } else {
            plain.push(*first);
            rest = tail;
        }
    }
    plain.into()
}

const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Writes the bytes of a string to `out`, its escapes undone.
pub(super) fn decode_string(raw: &[u8], out: &mut Vec<u8>) {
    out.clear();
    if let [b'<', inside @ .., b'>'] = raw {
        let mut high = None;
        for digit in inside.iter().filter_map(|byte| hex_digit(*byte)) {
            match high.take() {
                Some(first) => out.push(first << 4 | digit),
                None => high = Some(digit),
            }
        }
        out.extend(high.map(|digit| digit << 4));
        return;
    }
    let [b'(', inside @ .., b')'] = raw else { return };
    if !inside.iter().any(|byte| matches!(byte, b'\\' | b'\r')) {
        out.extend_from_slice(inside);
        return;
    }
    let mut bytes = inside.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                let Some(escaped) = bytes.next() else { return };
                match escaped {
                    b'n' => out.push(b'\n'),
                    b'r' => out.push(b'\r'),
                    b't' => out.push(b'\t'),
                    b'b' => out.push(8),
                    b'f' => out.push(12),
                    b'\n' => {}
                    b'\r' => {
                        bytes.next_if_eq(&b'\n');
                    }
                    b'0'..=b'7' => {
                        let mut code = u32::from(escaped - b'0');
                        for _ in 0..2 {
                            let Some(digit) = bytes.next_if(|byte| matches!(byte, b'0'..=b'7')) else {
                                break;
                            };
                            code = code * 8 + u32::from(digit - b'0');
                        }
                        #[expect(
                            clippy::cast_possible_truncation,
                            reason = "overflow of an octal escape is ignored"
                        )]
                        out.push(code as u8);
                    }
                    other => out.push(other),
                }
            }
            b'\r' => {
                bytes.next_if_eq(&b'\n');
                out.push(b'\n');
            }
            other => out.push(other),
        }
    }
}
