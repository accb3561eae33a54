//! Files that mean harm, made when they are needed: each small, each known to have brought down some reader of PDF.
#![allow(dead_code, reason = "shared by several test binaries, none of which needs all of it")]

use std::fmt::Write as _;
use std::io::Write as _;

use super::pdf::{Doc, Pdf, deflate};

/// A file with what an honest reader says about it.
pub struct Hostile {
    /// Its name in messages.
    pub name: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
    /// What must be among the budgets that ran out, the codes of damage or the words of [`Said`]; empty where reading the
    /// file to its end is the right thing.
    pub says: &'static [&'static str],
}

/// All of them.
pub fn all() -> Vec<Hostile> {
    let mut all = bombs();
    all.extend(loops());
    all.extend(extremes());
    all.extend(broken());
    all
}

/// Small files that grow.
pub fn bombs() -> Vec<Hostile> {
    let page = |content: Vec<u8>| one_page("", |file| file.add(content));
    vec![
        Hostile { name: "a gigabyte from 3 kB", bytes: page(gigabyte()), says: &["stream_bytes"] },
        Hostile {
            name: "three million q",
            bytes: page(flated(&b"q ".repeat(3_000_000))),
            says: &["graphics_states"],
        },
        Hostile { name: "a function of 200,000 operators", bytes: function(200_000), says: &[] },
        Hostile { name: "an image of 60,000 by 60,000", bytes: image(60_000), says: &[] },
        Hostile { name: "20,000 nested arrays", bytes: nested("[", "]"), says: &[] },
        Hostile { name: "20,000 nested dictionaries", bytes: nested("<< /K ", " >>"), says: &[] },
        Hostile { name: "20,000 nested arrays in content", bytes: page(plain(&nest("[", "]"))), says: &[] },
    ]
}

/// Files without an end.
pub fn loops() -> Vec<Hostile> {
    vec![
        Hostile {
            name: "a page tree that holds itself",
            bytes: page_tree_loop(),
            says: &["page_tree_loop", "page_repeated"],
        },
        Hostile {
            name: "forms within forms, 2^30",
            bytes: forms(30),
            says: &["form_executions", "form_depth"],
        },
        Hostile { name: "a form that draws itself", bytes: self_drawing(), says: &[] },
        Hostile { name: "a length that is its own", bytes: own_length(), says: &[] },
        Hostile { name: "tables of objects that name one another", bytes: xref_loop(), says: &[] },
    ]
}

/// Numbers beyond reason.
pub fn extremes() -> Vec<Hostile> {
    let boxed = |size: &str| {
        let mut file = Pdf::new("1.6");
        let content = file.stream("", b"0 0 0 1 k 0 0 100 100 re f");
        finish(file, content, &format!("/MediaBox [0 0 {size} {size}]"), "")
    };
    let drawn = |content: &str| one_page("", |file| file.stream("", content.as_bytes()));
    vec![
        Hostile { name: "a page of a million points", bytes: boxed("1000000"), says: &[] },
        Hostile {
            name: "a page of 10^38 points",
            bytes: boxed("100000000000000000000000000000000000000"),
            says: &[],
        },
        Hostile {
            name: "dashes of 10^-5",
            bytes: drawn("[0.00001] 0 d 10 w 0 0 m 1000000 1000000 l S"),
            says: &[],
        },
        Hostile {
            name: "a matrix of infinities",
            bytes: drawn("1e38 0 0 1e38 0 0 cm 1e38 0 0 1e38 0 0 cm 0 0 9 9 re f"),
            says: &[],
        },
        Hostile { name: "a pattern of tiny tiles", bytes: tiles(), says: &[] },
        Hostile {
            name: "a table of four thousand million objects",
            bytes: table_of(4_000_000_000),
            says: &[],
        },
        Hostile { name: "a count of pages that lies", bytes: counted(2_000_000_000), says: &[] },
    ]
}

/// Files that were cut, locked or garbled.
pub fn broken() -> Vec<Hostile> {
    let whole = Doc::x4().build();
    let half = whole[..whole.len() / 2].to_vec();
    let mut noise = whole.clone();
    for at in (200..noise.len()).step_by(37) {
        noise[at] ^= 0x55;
    }
    vec![
        Hostile { name: "nothing", bytes: Vec::new(), says: &["damaged"] },
        Hostile { name: "a header alone", bytes: b"%PDF-1.7\n".to_vec(), says: &["damaged"] },
        Hostile { name: "no PDF", bytes: vec![0; 100_000], says: &["damaged"] },
        Hostile { name: "cut in half", bytes: half, says: &["damaged"] },
        Hostile { name: "full of noise", bytes: noise, says: &["damaged"] },
        Hostile { name: "locked by a password", bytes: locked(), says: &["encrypted"] },
    ]
}

/// Files that are cut after each of so many parts: what a broken upload looks like.
pub fn cut(parts: usize) -> impl Iterator<Item = Vec<u8>> {
    let whole = Doc::x4().build();
    (1..parts).map(move |part| whole[..whole.len() * part / parts].to_vec())
}

/// A gigabyte of `q Q ` in 3 kB: packed in a way that repeats, and packed again.
fn gigabyte() -> Vec<u8> {
    const BLOCK: usize = 1 << 20;
    const BLOCKS: u32 = 1_024;
    let block = b"q Q ".repeat(BLOCK / 4);
    // One block that needs nothing of the one before it, so that it can stand there a thousand times.
    let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&block).unwrap();
    packer.flush().unwrap();
    let packed = packer.get_ref().clone();
    let mut inner = vec![0x78, 0xDA];
    for _ in 0..BLOCKS {
        inner.extend_from_slice(&packed);
    }
    // An empty last block, and the checksum of all that is packed here.
    inner.extend_from_slice(&[0x03, 0x00]);
    inner.extend_from_slice(&adler(&block, BLOCKS).to_be_bytes());
    let outer = deflate(&deflate(&inner));
    assert!(outer.len() < 8_000, "{} bytes", outer.len());
    let filters = "/Filter [/FlateDecode /FlateDecode /FlateDecode]";
    let mut body = format!("<< {filters} /Length {} >>\nstream\n", outer.len()).into_bytes();
    body.extend_from_slice(&outer);
    body.extend_from_slice(b"\nendstream");
    body
}

/// The checksum of a block that is repeated.
fn adler(block: &[u8], times: u32) -> u32 {
    const MODULUS: u64 = 65_521;
    let length = block.len() as u64;
    let (mut sum, mut weighted) = (0_u64, 0_u64);
    for byte in block {
        sum = (sum + u64::from(*byte)) % MODULUS;
        weighted = (weighted + sum) % MODULUS;
    }
    let (mut a, mut b) = (1_u64, 0_u64);
    for _ in 0..times {
        b = (b + length % MODULUS * a + weighted) % MODULUS;
        a = (a + sum) % MODULUS;
    }
    u32::try_from(b << 16 | a).unwrap()
}

fn plain(content: &str) -> Vec<u8> {
    format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()).into_bytes()
}

fn flated(content: &[u8]) -> Vec<u8> {
    let packed = deflate(content);
    let mut body = format!("<< /Filter /FlateDecode /Length {} >>\nstream\n", packed.len()).into_bytes();
    body.extend_from_slice(&packed);
    body.extend_from_slice(b"\nendstream");
    body
}

fn nest(open: &str, close: &str) -> String {
    format!("{}{}", open.repeat(20_000), close.repeat(20_000))
}

fn nested(open: &str, close: &str) -> Vec<u8> {
    let mut file = Pdf::new("1.6");
    let inner = if open == "[" {
        nest(open, close)
    } else {
        format!("{}null{}", open.repeat(20_000), close.repeat(20_000))
    };
    let deep = file.add(inner);
    let content = file.stream("", b"0 g");
    finish(file, content, &format!("/MediaBox [0 0 100 100] /PieceInfo {deep} 0 R"), "")
}

/// A file of one page with that content; `resources` are raw.
fn one_page(resources: &str, content: impl FnOnce(&mut Pdf) -> u32) -> Vec<u8> {
    let mut file = Pdf::new("1.6");
    let content = content(&mut file);
    finish(file, content, "/MediaBox [0 0 200 200]", resources)
}

/// Adds catalog, tree and page.
fn finish(mut file: Pdf, content: u32, page: &str, resources: &str) -> Vec<u8> {
    let tree = file.reserve();
    let page = file.add(format!(
        "<< /Type /Page /Parent {tree} 0 R {page} /Contents {content} 0 R /Resources << {resources} >> >>"
    ));
    file.set(tree, format!("<< /Type /Pages /Kids [{page} 0 R] /Count 1 >>"));
    let catalog = file.add(format!("<< /Type /Catalog /Pages {tree} 0 R >>"));
    file.trailer = format!("/Root {catalog} 0 R");
    file.build()
}

/// A PostScript function without a loop, but long.
fn function(operators: usize) -> Vec<u8> {
    let mut file = Pdf::new("1.6");
    let program = format!("{{ {} }}", "dup mul ".repeat(operators / 2));
    let tint = file.flate("/FunctionType 4 /Domain [0 1] /Range [0 1 0 1 0 1 0 1]", program.as_bytes());
    let content = file.stream("", b"/S cs 0.5 scn 0 0 100 100 re f");
    let spaces = format!("/ColorSpace << /S [/Separation /Spot /DeviceCMYK {tint} 0 R] >>");
    finish(file, content, "/MediaBox [0 0 200 200]", &spaces)
}

fn image(side: u32) -> Vec<u8> {
    let mut file = Pdf::new("1.6");
    let entries = format!(
        "/Type /XObject /Subtype /Image /Width {side} /Height {side} /ColorSpace /DeviceCMYK /BitsPerComponent 8"
    );
    let image = file.flate(&entries, &[0; 100]);
    let content = file.stream("", b"100 0 0 100 0 0 cm /I Do");
    finish(file, content, "/MediaBox [0 0 200 200]", &format!("/XObject << /I {image} 0 R >>"))
}

fn page_tree_loop() -> Vec<u8> {
    let mut file = Pdf::new("1.6");
    let (root, branch) = (file.reserve(), file.reserve());
    file.set(root, format!("<< /Type /Pages /Kids [{branch} 0 R {root} 0 R] /Count 2 >>"));
    file.set(
        branch,
        format!("<< /Type /Pages /Parent {root} 0 R /Kids [{root} 0 R {branch} 0 R] /Count 2 >>"),
    );
    let catalog = file.add(format!("<< /Type /Catalog /Pages {root} 0 R >>"));
    file.trailer = format!("/Root {catalog} 0 R");
    file.build()
}

fn forms(depth: u32) -> Vec<u8> {
    let mut file = Pdf::new("1.6");
    let entries = "/Type /XObject /Subtype /Form /BBox [0 0 100 100]";
    let mut inner = file.stream(entries, b"0 0 1 1 re f");
    for _ in 0..depth {
        let resources = format!("{entries} /Resources << /XObject << /F {inner} 0 R >> >>");
        inner = file.stream(&resources, b"/F Do /F Do");
    }
    let content = file.stream("", b"/F Do");
    finish(file, content, "/MediaBox [0 0 200 200]", &format!("/XObject << /F {inner} 0 R >>"))
}

fn self_drawing() -> Vec<u8> {
    let mut file = Pdf::new("1.6");
    let form = file.reserve();
    let body = b"/F Do 0 0 1 1 re f /F Do";
    let mut object = format!(
        "<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /F {form} 0 R >> >> /Length {} >>\nstream\n",
        body.len()
    )
    .into_bytes();
    object.extend_from_slice(body);
    object.extend_from_slice(b"\nendstream");
    file.set(form, object);
    let content = file.stream("", b"/F Do");
    finish(file, content, "/MediaBox [0 0 200 200]", &format!("/XObject << /F {form} 0 R >>"))
}

fn own_length() -> Vec<u8> {
    let mut file = Pdf::new("1.6");
    let content = file.reserve();
    file.set(content, format!("<< /Length {content} 0 R >>\nstream\n0 g 0 0 9 9 re f\nendstream"));
    finish(file, content, "/MediaBox [0 0 200 200]", "")
}

/// Two tables, each of which says that the other one came before it.
fn xref_loop() -> Vec<u8> {
    let mut bytes = one_page("", |file| file.stream("", b"0 g"));
    let end = bytes.len();
    let text =
        format!("xref\n0 0\ntrailer\n<< /Size 9 /Root 4 0 R /Prev {end:010} >>\nstartxref\n{end}\n%%EOF\n");
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

fn tiles() -> Vec<u8> {
    let mut file = Pdf::new("1.6");
    let pattern = file.stream(
        "/PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] /XStep 0.0000001 /YStep 0.0000001 /Resources << >>",
        b"0 0 1 1 re f",
    );
    let content = file.stream("", b"/Pattern cs /P scn 0 0 200 200 re f");
    finish(file, content, "/MediaBox [0 0 200 200]", &format!("/Pattern << /P {pattern} 0 R >>"))
}

fn table_of(objects: u64) -> Vec<u8> {
    let text = String::from_utf8_lossy(&one_page("", |file| file.stream("", b"0 g"))).into_owned();
    text.replacen("xref\n0 ", &format!("xref\n0 {objects} % "), 1).into_bytes()
}

fn counted(pages: u64) -> Vec<u8> {
    let mut file = Pdf::new("1.6");
    let tree = file.reserve();
    let mut kids = String::new();
    let content = file.stream("", b"0 0 9 9 re f");
    let page =
        file.add(format!("<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 9 9] /Contents {content} 0 R >>"));
    // The same page again and again: it is there once.
    for _ in 0..20_000 {
        let _ = write!(kids, "{page} 0 R ");
    }
    file.set(tree, format!("<< /Type /Pages /Kids [{kids}] /Count {pages} >>"));
    let catalog = file.add(format!("<< /Type /Catalog /Pages {tree} 0 R >>"));
    file.trailer = format!("/Root {catalog} 0 R");
    file.build()
}

/// Encrypted by a password that nobody here knows.
fn locked() -> Vec<u8> {
    let mut doc = Doc::x4();
    let junk = "5A".repeat(32);
    let encrypt = doc.object(&format!(
        "<< /Filter /Standard /V 2 /R 3 /Length 128 /P -3904 /O <{junk}> /U <{}> >>",
        "A5".repeat(32)
    ));
    let _ = write!(doc.trailer, " /Encrypt {encrypt} 0 R");
    doc.build()
}
