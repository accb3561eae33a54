//! A PDF file written front to back: pages of vector drawing and text, and nothing else.
//!
//! What a page needs stands in the file before it, so only the place of each object is remembered (16 bytes a page). There
//! is no date, no random id and no float that is not rounded: the same pages are the same bytes.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::PackError;

/// The fonts of every page, by the name under which a page's drawing selects them. Both are standard fonts, which every
/// reader has and no file carries, in the encoding of Windows (WinAnsi).
const FONTS: [(&str, &str); 2] = [("F1", "Helvetica"), ("F2", "Courier-Bold")];

const CATALOG: usize = 1;
const PAGES: usize = 2;
const INFO: usize = 3;
const FIRST_FONT: usize = 4;
const FIRST_PAGE: usize = FIRST_FONT + FONTS.len();

/// The speed of the page's compression: drawings are digits, and level 6 saves a tenth for twice the time.
const LEVEL: u32 = 3;

/// The content of one page, compressed.
pub(super) struct Page(Vec<u8>);

impl Page {
    /// Compresses drawing operators (ISO 32000-1, annex A).
    pub fn of(drawing: &[u8]) -> Result<Self, PackError> {
        let mut encoder = ZlibEncoder::new(Vec::with_capacity(drawing.len() / 3), Compression::new(LEVEL));
        encoder.write_all(drawing)?;
        Ok(Self(encoder.finish()?))
    }
}

/// The file under construction. Objects are written in the order of their numbers.
pub(super) struct Document<W: Write> {
    out: W,
    written: u64,
    /// Where object *n* + 1 begins.
    offsets: Vec<u64>,
}

impl<W: Write> Document<W> {
    /// Writes everything that stands before the pages. `size` is that of each page in points; `title` is plain ASCII
    /// without parentheses.
    pub fn begin(out: W, title: &str, size: (f64, f64), pages: usize) -> Result<Self, PackError> {
        let mut document = Self { out, written: 0, offsets: Vec::with_capacity(FIRST_PAGE + 2 * pages) };
        // The second line tells programs that move files that this one is not text.
        document.put(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")?;
        document.object(
            CATALOG,
            // Labels must meet the die cuts: a viewer should not shrink the page to its printer's margins.
            format!("<</Type/Catalog/Pages {PAGES} 0 R/ViewerPreferences<</PrintScaling/None>>>>").as_bytes(),
        )?;
        document.object(PAGES, &page_tree(size, pages))?;
        document.object(INFO, format!("<</Title({title})/Producer(Mintmark)>>").as_bytes())?;
        for (number, (_, font)) in (FIRST_FONT..).zip(FONTS) {
            let body = format!("<</Type/Font/Subtype/Type1/BaseFont/{font}/Encoding/WinAnsiEncoding>>");
            document.object(number, body.as_bytes())?;
        }
        Ok(document)
    }

    /// Adds the next page.
    pub fn page(&mut self, page: &Page) -> Result<(), PackError> {
        let number = self.offsets.len() + 1;
        let body = format!("<</Type/Page/Parent {PAGES} 0 R/Contents {} 0 R>>", number + 1);
        self.object(number, body.as_bytes())?;
        let mut stream = format!("<</Length {}/Filter/FlateDecode>>stream\n", page.0.len()).into_bytes();
        stream.extend_from_slice(&page.0);
        stream.extend_from_slice(b"\nendstream");
        self.object(number + 1, &stream)
    }

    /// Writes the table of objects.
    pub fn finish(mut self) -> Result<(), PackError> {
        let (start, size) = (self.written, self.offsets.len() + 1);
        self.put(format!("xref\n0 {size}\n0000000000 65535 f \n").as_bytes())?;
        for offset in std::mem::take(&mut self.offsets) {
            self.put(format!("{offset:010} 00000 n \n").as_bytes())?;
        }
        let trailer = format!(
            "trailer\n<</Size {size}/Root {CATALOG} 0 R/Info {INFO} 0 R>>\nstartxref\n{start}\n%%EOF\n"
        );
        self.put(trailer.as_bytes())
    }

    fn object(&mut self, number: usize, body: &[u8]) -> Result<(), PackError> {
        debug_assert_eq!(number, self.offsets.len() + 1, "objects come in the order of their numbers");
        self.offsets.push(self.written);
        self.put(format!("{number} 0 obj\n").as_bytes())?;
        self.put(body)?;
        self.put(b"\nendobj\n")
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

/// The one node above all pages; they inherit size and fonts from it.
fn page_tree((width, height): (f64, f64), pages: usize) -> Vec<u8> {
    let kids: Vec<String> = (0..pages).map(|page| format!("{} 0 R", FIRST_PAGE + 2 * page)).collect();
    let fonts: String =
        (FIRST_FONT..).zip(FONTS).map(|(number, (name, _))| format!("/{name} {number} 0 R")).collect();
    format!(
        "<</Type/Pages/Count {pages}/MediaBox[0 0 {width:.3} {height:.3}]/Resources<</Font<<{fonts}>>>>/Kids[{}]>>",
        kids.join(" ")
    )
    .into_bytes()
}
