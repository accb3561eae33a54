//! Small readings of dictionaries: what is absent, of the wrong type or not finite is `None`.

use hayro_syntax::object::{
    Array, Dict, MaybeRef, Name, Number, Object, ObjectIdentifier, Stream, String as PdfString,
};
use hayro_syntax::xref::XRef;

use crate::facts::{ObjectRef, Rect};

/// Texts of the file are cut here, at a character's border.
const LONGEST_TEXT: usize = 1_000;

/// An object's identity as facts name it.
pub(crate) fn object_ref(id: ObjectIdentifier) -> ObjectRef {
    ObjectRef(i32::try_from(id.obj_number).unwrap_or(i32::MAX), id.gen_number)
}

/// The object that an entry refers to.
pub(crate) fn reference(dict: &Dict<'_>, key: &str) -> Option<ObjectRef> {
    dict.get_ref(key).map(|reference| object_ref(reference.into()))
}

/// A name.
pub(crate) fn name(dict: &Dict<'_>, key: &str) -> Option<String> {
    dict.get::<Name<'_>>(key).map(|name| name_text(&name))
}

/// A name as text, cut to a bearable length.
pub(crate) fn name_text(name: &Name<'_>) -> String {
    cut(&String::from_utf8_lossy(name.as_ref()))
}

/// A whole number; of a fraction its whole part.
pub(crate) fn integer(dict: &Dict<'_>, key: &str) -> Option<i64> {
    dict.get::<Number>(key).map(|number| number.as_i64())
}

/// A number.
pub(crate) fn number(dict: &Dict<'_>, key: &str) -> Option<f64> {
    dict.get::<Number>(key).map(|number| number.as_f64()).filter(|number| number.is_finite())
}

/// A rectangle, normalised, at full precision.
pub(crate) fn rect(dict: &Dict<'_>, key: &str) -> Option<Rect> {
    let array = dict.get::<Array<'_>>(key)?;
    let mut values = array.iter::<Number>().map(|number| number.as_f64());
    let [a, b, c, d] = [values.next()?, values.next()?, values.next()?, values.next()?];
    let rect = [a.min(c), b.min(d), a.max(c), b.max(d)];
    rect.iter().all(|value| value.is_finite()).then_some(rect)
}

/// A text string, in whichever of its encodings; of a name its text.
pub(crate) fn text(dict: &Dict<'_>, key: &str) -> Option<String> {
    match dict.get::<Object<'_>>(key)? {
        Object::String(string) => Some(text_string(&string)),
        Object::Name(name) => Some(name_text(&name)),
        _ => None,
    }
}

/// Decodes a text string: UTF-16 or UTF-8 with a mark, otherwise PDFDocEncoding.
pub(crate) fn text_string(string: &PdfString<'_>) -> String {
    let bytes = string.as_bytes();
    let bytes = &bytes[..bytes.len().min(4 * LONGEST_TEXT)];
    let units = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest.as_chunks::<2>().0.iter().map(|pair| unit(*pair)).collect();
        String::from_utf16_lossy(&units)
    };
    let text = match bytes {
        [0xfe, 0xff, rest @ ..] => units(rest, u16::from_be_bytes),
        [0xff, 0xfe, rest @ ..] => units(rest, u16::from_le_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => bytes.iter().map(|&byte| pdf_doc(byte)).collect(),
    };
    cut(&text)
}

/// A character of PDFDocEncoding (ISO 32000-1, annex D.2).
fn pdf_doc(byte: u8) -> char {
    const LOW: [char; 8] = ['˘', 'ˇ', 'ˆ', '˙', '˝', '˛', '˚', '˜'];
    const HIGH: [char; 33] = [
        '•', '†', '‡', '…', '—', '–', 'ƒ', '⁄', '‹', '›', '−', '‰', '„', '“', '”', '‘', '’', '‚', '™', 'ﬁ',
        'ﬂ', 'Ł', 'Œ', 'Š', 'Ÿ', 'Ž', 'ı', 'ł', 'œ', 'š', 'ž', '\u{fffd}', '€',
    ];
    match byte {
        0x18..=0x1f => LOW[usize::from(byte - 0x18)],
        0x80..=0xa0 => HIGH[usize::from(byte - 0x80)],
        other => char::from(other),
    }
}

/// Cuts a text and takes control characters out of it.
pub(crate) fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_TEXT).collect()
}

/// Resolves an item of an array.
pub(crate) fn resolve<'a>(xref: &'a XRef, item: MaybeRef<Object<'a>>) -> Option<Object<'a>> {
    match item {
        MaybeRef::Ref(reference) => xref.get::<Object<'a>>(reference.into()),
        MaybeRef::NotRef(object) => Some(object),
    }
}

/// The dictionary of an object that is one, or of a stream.
pub(crate) fn dictionary(object: Object<'_>) -> Option<Dict<'_>> {
    match object {
        Object::Dict(dict) => Some(dict),
        Object::Stream(stream) => Some(stream.dict().clone()),
        _ => None,
    }
}

/// The dictionary of an entry that is one, or of a stream.
pub(crate) fn sub_dictionary<'a>(dict: &Dict<'a>, key: &str) -> Option<Dict<'a>> {
    dict.get::<Object<'a>>(key).and_then(dictionary)
}

/// A stream's identity, where it has one.
pub(crate) fn stream_ref(stream: &Stream<'_>) -> Option<ObjectRef> {
    stream.dict().obj_id().map(object_ref)
}

#[cfg(test)]
mod tests {
    use hayro_syntax::object::FromBytes;

    use super::*;

    fn dict(text: &str) -> Dict<'_> {
        Dict::from_bytes(text.as_bytes()).unwrap()
    }

    #[test]
    fn rect_is_normalised_at_full_precision() {
        let boxes = dict("<< /A [10 841.8897637795 595.2755905512 0] /B [0 0 5] /C [0 0 (x) 1] >>");
        assert_eq!(rect(&boxes, "A"), Some([10.0, 0.0, 595.275_590_551_2, 841.889_763_779_5]));
        assert_eq!(rect(&boxes, "B"), None);
        assert_eq!(rect(&boxes, "C"), None);
    }

    #[test]
    fn text_reads_every_encoding() {
        let texts = dict("<< /A <FEFF00C4> /B (\\304\\240) /C <EFBBBFC384> /D <FFFEC400> /E /True >>");
        let read = |key| text(&texts, key).unwrap();
        assert_eq!([read("A"), read("B"), read("C"), read("D"), read("E")], ["Ä", "Ä€", "Ä", "Ä", "True"]);
    }
}
