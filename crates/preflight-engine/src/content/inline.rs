//! Inline images.

use std::rc::Rc;

use super::{
    Walker,
    collect::{ImageShape, Ink},
    images::{ImageFacts, default_bits},
    interpret::Run,
    lexer::{Item, Lexer, Operand, decode_string},
    spaces::plain,
};
use crate::facts::Family;

/// Entries of an inline image's dictionary.
const MAX_ENTRIES: usize = 64;

/// Bytes after a possible end that must look like a content stream.
const LOOK_AHEAD: usize = 24;

/// The dictionary of an inline image, with its abbreviations.
struct Dictionary<'d>(Vec<(&'d [u8], Operand<'d>)>);

impl<'d> Dictionary<'d> {
    /// Reads up to and including `ID`; `None` where there is none.
    fn read(lexer: &mut Lexer<'d>) -> Option<Self> {
        let mut entries = Vec::new();
        loop {
            match lexer.next()? {
                Item::Operator(b"ID") => return Some(Self(entries)),
                Item::Operand(Operand::Name(key)) if entries.len() < MAX_ENTRIES => match lexer.next()? {
                    Item::Operand(value) => entries.push((key, value)),
                    _ => return None,
                },
                _ => return None,
            }
        }
    }

    fn get(&self, short: &[u8], long: &[u8]) -> Option<Operand<'d>> {
        self.0.iter().find(|(key, _)| *key == short || *key == long).map(|(_, value)| *value)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    fn dimension(&self, short: &[u8], long: &[u8]) -> u64 {
        self.get(short, long).and_then(Operand::number).map_or(0, |value| value.clamp(0.0, 1e9) as u64)
    }

    fn filters(&self) -> Vec<String> {
        let full = |name: &[u8]| {
            let name: &[u8] = match name {
                b"AHx" => b"ASCIIHexDecode",
                b"A85" => b"ASCII85Decode",
                b"LZW" => b"LZWDecode",
                b"Fl" => b"FlateDecode",
                b"RL" => b"RunLengthDecode",
                b"CCF" => b"CCITTFaxDecode",
                b"DCT" => b"DCTDecode",
                other => other,
            };
            String::from_utf8_lossy(name).into_owned()
        };
        match self.get(b"F", b"Filter") {
            Some(Operand::Name(name)) => vec![full(name)],
            Some(Operand::Array(inside)) => operands(inside).filter_map(Operand::name).map(full).collect(),
            _ => Vec::new(),
        }
    }
}

/// The operands within an array.
fn operands(inside: &[u8]) -> impl Iterator<Item = Operand<'_>> {
    let mut lexer = Lexer::new(inside);
    std::iter::from_fn(move || match lexer.next()? {
        Item::Operand(operand) => Some(operand),
        _ => None,
    })
    .take(MAX_ENTRIES)
}

impl<'a> Walker<'a, '_> {
    /// Reads and paints an inline image; the lexer stands after `BI`, and after `EI` then.
    pub(super) fn inline_image(&mut self, run: &mut Run<'a>, lexer: &mut Lexer<'_>) {
        let Some(dictionary) = Dictionary::read(lexer) else {
            self.damage(
                "inline_image_damaged",
                "The dictionary of an inline image cannot be read. Export the file anew.".to_owned(),
                false,
            );
            return;
        };
        let filters = dictionary.filters();
        let mask = dictionary.get(b"IM", b"ImageMask") == Some(Operand::Constant(true));
        let mut shape = ImageShape {
            width: dictionary.dimension(b"W", b"Width"),
            height: dictionary.dimension(b"H", b"Height"),
            bits: 1,
            mask,
            soft_mask: false,
            masked: false,
            inline: true,
            filters,
        };
        if !mask {
            let stated = dictionary.get(b"BPC", b"BitsPerComponent").and_then(Operand::number);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
            let stated = stated.map(|bits| bits.clamp(0.0, 32.0) as u8);
            shape.bits = stated.unwrap_or_else(|| default_bits(&shape.filters));
        }
        let space = if mask { None } else { self.inline_space(run, dictionary.get(b"CS", b"ColorSpace")) };
        let components =
            space.and_then(|index| self.tables.spaces.get(index)).map_or(1, |space| space.components.max(1));
        if !end_of_image(lexer, &dictionary, &shape, components) {
            self.damage(
                "inline_image_damaged",
                "An inline image has no end. Export the file anew.".to_owned(),
                false,
            );
        }
        for filter in &shape.filters {
            if filter == "LZWDecode" {
                self.prepress("lzw", None, run.object());
            }
        }
        let facts = ImageFacts { shape: Rc::new(shape), space, device: None, object: None };
        self.paint_facts(run, &facts, space, Ink::Yes);
    }

    fn inline_space(&mut self, run: &Run<'a>, value: Option<Operand<'_>>) -> Option<usize> {
        let res = Rc::clone(&run.scope.res);
        match value? {
            Operand::Name(name) => self.named_space(&res, name),
            Operand::Array(inside) => {
                let mut items = operands(inside);
                let (first, base) = (items.next()?.name()?, items.next()?.name()?);
                if !matches!(first, b"I" | b"Indexed") {
                    return self.named_space(&res, first);
                }
                let base = self.named_space(&res, base)?;
                let mut lookup = Vec::new();
                if let Some(Operand::String(raw)) = items.nth(1) {
                    decode_string(raw, &mut lookup);
                }
                let mut space = plain(Family::Indexed, 1);
                space.base = Some(base);
                let index = self.enter_space(space, &lookup);
                self.tables.lookups.insert(index, lookup.into());
                Some(index)
            }
            _ => None,
        }
    }
}

/// Goes behind `EI`; `false` where there is none.
fn end_of_image(
    lexer: &mut Lexer<'_>,
    dictionary: &Dictionary<'_>,
    shape: &ImageShape,
    components: u8,
) -> bool {
    // One white-space character after `ID`.
    let start = lexer.position() + 1;
    lexer.seek(start);
    let data = lexer.rest();
    // PDF 2.0 states the length; without a filter it follows from the dimensions.
    let stated = dictionary.get(b"L", b"Length").and_then(Operand::number);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    let mut known = stated.map(|length| length.clamp(0.0, 1e9) as usize);
    if known.is_none() && shape.filters.is_empty() {
        let row = shape.width.saturating_mul(u64::from(components) * u64::from(shape.bits)).div_ceil(8);
        known = usize::try_from(row.saturating_mul(shape.height)).ok();
    }
    if let Some(length) = known
        && let Some(after) = data.get(length..)
    {
        let spaces =
            after.iter().take(3).take_while(|byte| byte.is_ascii_whitespace() || **byte == 0).count();
        if ends_here(after.get(spaces..).unwrap_or_default()) {
            lexer.seek(start + length + spaces + 2);
            return true;
        }
    }
    for at in memchr::memmem::find_iter(data, b"EI") {
        let before = at.checked_sub(1).and_then(|at| data.get(at));
        let separate = before.is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, 0 | b'>'));
        if separate && ends_here(data.get(at..).unwrap_or_default()) {
            lexer.seek(start + at + 2);
            return true;
        }
    }
    lexer.seek(usize::MAX);
    false
}

/// Whether `EI` stands here, with something behind it that looks like a content stream.
fn ends_here(data: &[u8]) -> bool {
    let [b'E', b'I', after @ ..] = data else { return false };
    let separate =
        after.first().is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, 0 | b'/' | b'%'));
    let text = |byte: &u8| matches!(byte, 0x20..=0x7e | b'\n' | b'\r' | b'\t');
    // A string right behind may hold anything.
    let ahead = after.get(..after.len().min(LOOK_AHEAD)).unwrap_or_default();
    let ahead = ahead.split(|byte| *byte == b'(').next().unwrap_or_default();
    separate && ahead.iter().all(|byte| text(byte) || *byte == 0)
}
