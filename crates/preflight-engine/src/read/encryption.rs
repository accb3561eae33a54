//! The encryption dictionary, read from the bytes: it is never encrypted itself, and it is wanted even where the file
//! does not open.

use hayro_syntax::object::{Dict, FromBytes};
use memchr::memmem;

use super::{
    access,
    bytes::Cursor,
    xref::{Entry, Table},
};
use crate::facts::Encryption;

/// The encryption of a file; `opened` is left to whoever opens it.
pub(super) fn read(bytes: &[u8], table: &Table<'_>) -> Option<Encryption> {
    let trailer = table.trailer.as_ref()?;
    if !trailer.contains_key("Encrypt") {
        return None;
    }
    let dict = match trailer.get_ref("Encrypt") {
        Some(reference) => {
            let known = match table.entries.get(&reference.obj_number) {
                Some(Entry::At(offset, _)) => dict_at(bytes, *offset, reference.obj_number),
                _ => None,
            };
            known.or_else(|| search(bytes, reference.obj_number))
        }
        None => trailer.get::<Dict<'_>>("Encrypt"),
    }
    .unwrap_or_default();
    Some(Encryption {
        filter: access::name(&dict, "Filter").unwrap_or_default(),
        version: access::integer(&dict, "V").unwrap_or(0),
        revision: access::integer(&dict, "R").unwrap_or(0),
        opened: false,
    })
}

fn dict_at(bytes: &[u8], offset: usize, number: u32) -> Option<Dict<'_>> {
    let mut cursor = Cursor::new(bytes, offset);
    let header = cursor.object_header()?;
    cursor.skip_white();
    (header.0 == number).then(|| Dict::from_bytes(cursor.rest())).flatten()
}

/// Looks for the object where the table does not help.
fn search(bytes: &[u8], number: u32) -> Option<Dict<'_>> {
    let needle = format!("{number} ");
    memmem::rfind_iter(bytes, needle.as_bytes())
        .filter(|at| *at == 0 || !bytes[at - 1].is_ascii_digit())
        .take(10_000)
        .find_map(|at| dict_at(bytes, at, number).filter(|dict| dict.contains_key("Filter")))
}
