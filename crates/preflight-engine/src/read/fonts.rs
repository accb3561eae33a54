//! Font dictionaries.

use hayro_syntax::object::{Array, Dict, Name, Object, Stream};

use super::access;
use crate::{
    budget::Meter,
    facts::{Font, FontKind},
};

/// Describes a font from its dictionary. `object`, `used` and `pages` are left to whoever met it.
#[must_use]
pub fn describe(dict: &Dict<'_>, _meter: &Meter) -> Font {
    let kind = kind(dict);
    let descendant = (kind == FontKind::Type0)
        .then(|| dict.get::<Array<'_>>("DescendantFonts"))
        .flatten()
        .and_then(|fonts| fonts.iter::<Dict<'_>>().next());
    let base = dict.get::<Name<'_>>("BaseFont").or_else(|| dict.get::<Name<'_>>("Name"));
    let (subset_tag, name) = split(&base.map(|name| access::name_text(&name)).unwrap_or_default());
    let descriptor = descendant.as_ref().unwrap_or(dict).get::<Dict<'_>>("FontDescriptor");
    let program = descriptor.as_ref().and_then(program);
    Font {
        name,
        subset_tag,
        kind,
        embedded: kind == FontKind::Type3 || program.is_some(),
        descendant: descendant.as_ref().map(self::kind),
        program,
        to_unicode: dict.contains_key("ToUnicode"),
        encoding: encoding(dict),
        object: None,
        used: false,
        pages: Vec::new(),
    }
}

fn kind(dict: &Dict<'_>) -> FontKind {
    match access::name(dict, "Subtype").as_deref() {
        Some("Type1") => FontKind::Type1,
        Some("MMType1") => FontKind::MmType1,
        Some("TrueType") => FontKind::TrueType,
        Some("Type3") => FontKind::Type3,
        Some("Type0") => FontKind::Type0,
        Some("CIDFontType0") => FontKind::CidType0,
        Some("CIDFontType2") => FontKind::CidType2,
        _ => FontKind::Unknown,
    }
}

/// The tag of a subset (six capitals and a plus) and the name behind it.
fn split(base: &str) -> (Option<String>, String) {
    match base.split_at_checked(7) {
        Some((tag, name)) if tag.ends_with('+') && tag[..6].bytes().all(|byte| byte.is_ascii_uppercase()) => {
            (Some(tag[..6].to_owned()), name.to_owned())
        }
        _ => (None, base.to_owned()),
    }
}

/// Which program is embedded: the key of the descriptor, or what the program's own dictionary says. An entry that leads
/// to no stream is no program.
fn program(descriptor: &Dict<'_>) -> Option<String> {
    ["FontFile", "FontFile2", "FontFile3"].into_iter().find_map(|key| {
        let stream = descriptor.get::<Stream<'_>>(key)?;
        Some(match key {
            "FontFile3" => access::name(stream.dict(), "Subtype").unwrap_or_else(|| key.to_owned()),
            key => key.to_owned(),
        })
    })
}

/// The encoding by name: itself, the base of its differences, or the name of an embedded CMap.
fn encoding(dict: &Dict<'_>) -> Option<String> {
    match dict.get::<Object<'_>>("Encoding")? {
        Object::Name(name) => Some(access::name_text(&name)),
        Object::Dict(differences) => access::name(&differences, "BaseEncoding"),
        Object::Stream(map) => access::name(map.dict(), "CMapName"),
        _ => None,
    }
}
