//! The fingerprint of an object: equal exactly for objects that say the same, direct or indirect, compressed or not.

use hayro_syntax::{
    object::{MaybeRef, Object},
    xref::XRef,
};
use sha2::{Digest, Sha256};

use crate::{budget::Meter, decode};

/// Objects within one another.
const MAX_DEPTH: u32 = 24;

/// Objects of one fingerprint.
const MAX_NODES: u32 = 20_000;

/// The fingerprint, hexadecimal. An object that is too deep or too large to be followed differs from every other.
pub(super) fn of<'a>(object: &Object<'a>, xref: &'a XRef, meter: &Meter) -> String {
    let mut print = Print { hash: Sha256::new(), xref, meter, nodes: 0 };
    print.object(object, 0);
    print.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Print<'a, 'm> {
    hash: Sha256,
    xref: &'a XRef,
    meter: &'m Meter,
    nodes: u32,
}

impl<'a> Print<'a, '_> {
    fn tag(&mut self, tag: u8, data: &[u8]) {
        self.hash.update([tag]);
        self.hash.update((data.len() as u64).to_le_bytes());
        self.hash.update(data);
    }

    fn object(&mut self, object: &Object<'a>, depth: u32) {
        match object {
            Object::Null(_) => self.tag(b'0', &[]),
            Object::Boolean(value) => self.tag(b'b', &[u8::from(*value)]),
            // 1 and 1.0 are one number.
            Object::Number(number) => self.tag(b'n', &(number.as_f64() + 0.0).to_bits().to_le_bytes()),
            Object::String(string) => self.tag(b's', string.as_bytes()),
            Object::Name(name) => self.tag(b'/', name.as_ref()),
            Object::Array(array) => {
                self.hash.update(b"[");
                for item in array.raw_iter() {
                    self.item(item, depth);
                }
                self.hash.update(b"]");
            }
            Object::Dict(dict) => {
                self.hash.update(b"<");
                for (key, item) in dict.entries() {
                    self.tag(b'k', key.as_ref());
                    self.item(item, depth);
                }
                self.hash.update(b">");
            }
            Object::Stream(stream) => {
                let decoded =
                    decode::stream(stream, self.meter, None).ok().filter(|decoded| decoded.complete);
                self.hash.update(b"{");
                for (key, item) in stream.dict().entries() {
                    // How the data are compressed is no part of what they say.
                    let coding: &[&[u8]] =
                        if decoded.is_some() { &[b"Length", b"Filter", b"DecodeParms", b"DL"] } else { &[] };
                    if !coding.contains(&key.as_ref()) {
                        self.tag(b'k', key.as_ref());
                        self.item(item, depth);
                    }
                }
                match decoded {
                    Some(decoded) => self.tag(b'd', &decoded.data),
                    None => self.tag(b'r', &stream.raw_data()),
                }
            }
        }
    }

    fn item(&mut self, item: MaybeRef<Object<'a>>, depth: u32) {
        self.nodes += 1;
        let reference = item.as_obj_ref();
        if depth >= MAX_DEPTH || self.nodes > MAX_NODES || !self.meter.object() {
            self.tag(b'!', format!("{reference:?}").as_bytes());
            return;
        }
        let object = match item {
            MaybeRef::Ref(reference) => self.xref.get::<Object<'a>>(reference.into()),
            MaybeRef::NotRef(object) => Some(object),
        };
        match object {
            Some(object) => self.object(&object, depth + 1),
            None => self.tag(b'0', &[]),
        }
    }
}
