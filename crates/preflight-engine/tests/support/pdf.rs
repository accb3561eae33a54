//! A tiny, deterministic writer of PDF files for tests: no clock, no randomness, the same bytes for the same calls.
//! [`Pdf`] is objects, streams, cross-reference table and trailer, as raw as the test wants them; [`Doc`] is a file that
//! meets the listed checks of PDF/X-4, of which a test alters one thing.
//!
//! ```ignore
//! let mut doc = Doc::x4();
//! doc.page().content = "0 0 0 1 k 100 100 50 50 re f".to_owned();
//! let bytes = doc.build();
//! ```
#![allow(dead_code, reason = "shared by several test binaries, none of which needs all of it")]

use std::fmt::Write as _;
use std::io::Write as _;

#[path = "doc.rs"]
mod doc;
#[path = "font.rs"]
pub mod font;
#[path = "icc.rs"]
pub mod icc;

#[allow(unused_imports, reason = "not every test binary makes pages of its own")]
pub use doc::{Doc, PageSpec};

/// A file as a list of objects.
#[derive(Debug, Clone)]
pub struct Pdf {
    /// Version of the header.
    pub version: String,
    /// Bodies of the objects; object `n` is at `n - 1`. `None` is a free entry.
    pub objects: Vec<Option<Vec<u8>>>,
    /// Entries of the trailer beside `Size`: raw PDF.
    pub trailer: String,
}

impl Pdf {
    /// No objects.
    pub fn new(version: &str) -> Self {
        Self { version: version.to_owned(), objects: Vec::new(), trailer: String::new() }
    }

    /// A number for an object whose body follows with [`Pdf::set`].
    pub fn reserve(&mut self) -> u32 {
        self.objects.push(None);
        u32::try_from(self.objects.len()).unwrap()
    }

    /// Sets the body of a reserved object, raw.
    pub fn set(&mut self, number: u32, body: impl Into<Vec<u8>>) {
        self.objects[number as usize - 1] = Some(body.into());
    }

    /// Adds an object with a raw body and gives its number.
    pub fn add(&mut self, body: impl Into<Vec<u8>>) -> u32 {
        self.objects.push(Some(body.into()));
        u32::try_from(self.objects.len()).unwrap()
    }

    /// Adds a stream. `entries` are its dictionary's entries beside `Length`.
    pub fn stream(&mut self, entries: &str, data: &[u8]) -> u32 {
        let mut body = format!("<< {entries} /Length {} >>\nstream\n", data.len()).into_bytes();
        body.extend_from_slice(data);
        body.extend_from_slice(b"\nendstream");
        self.add(body)
    }

    /// Adds a stream compressed with Flate.
    pub fn flate(&mut self, entries: &str, data: &[u8]) -> u32 {
        self.stream(&format!("{entries} /Filter /FlateDecode"), &deflate(data))
    }

    /// The file: header, objects in order, cross-reference table, trailer.
    pub fn build(&self) -> Vec<u8> {
        let mut out = format!("%PDF-{}\n%", self.version).into_bytes();
        out.extend_from_slice(&[0xE2, 0xE3, 0xCF, 0xD3, b'\n']);
        let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", self.objects.len() + 1);
        for (index, body) in self.objects.iter().enumerate() {
            match body {
                Some(body) => {
                    let _ = writeln!(table, "{:010} 00000 n ", out.len());
                    out.extend_from_slice(format!("{} 0 obj\n", index + 1).as_bytes());
                    out.extend_from_slice(body);
                    out.extend_from_slice(b"\nendobj\n");
                }
                None => table.push_str("0000000000 65535 f \n"),
            }
        }
        let start = out.len();
        out.extend_from_slice(table.as_bytes());
        let size = self.objects.len() + 1;
        out.extend_from_slice(
            format!("trailer\n<< /Size {size} {} >>\nstartxref\n{start}\n%%EOF\n", self.trailer).as_bytes(),
        );
        out
    }
}

/// Zlib's format, as `FlateDecode` wants it.
pub fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// A literal string.
pub fn text(value: &str) -> String {
    format!("({})", value.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)"))
}
