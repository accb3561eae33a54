//! Damage of the file's structure: every kind, and that an undamaged file has none.

use mintmark_preflight_engine::facts::{Damage, ObjectRef};

use super::{
    facts, kinds,
    pdf::{Doc, Pdf, deflate},
};

fn base() -> Vec<u8> {
    Doc::x4().build()
}

/// Replaces the first occurrence; of the same length or not.
fn replaced(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes.splice(at..at + from.len(), to.iter().copied());
    bytes
}

#[test]
fn undamaged_file_has_no_damage() {
    let facts = facts(base());
    assert_eq!(facts.file.damage, Vec::<Damage>::new());
    assert!(facts.file.readable && facts.limits.is_empty());
    assert_eq!((facts.file.header_version.as_deref(), facts.file.revisions), (Some("1.6"), 1));
    assert_eq!((facts.file.bytes_before_header, facts.file.bytes_after_eof), (0, 0));
    assert!(facts.document.has_id && facts.document.duplicate_keys.is_empty());
    assert_eq!(facts.file.encryption, None);
}

#[test]
fn junk_around_the_file_is_counted() {
    let facts = facts([b"junk\n".to_vec(), base(), b"more".to_vec()].concat());
    assert_eq!((facts.file.bytes_before_header, facts.file.bytes_after_eof), (5, 4));
    // All offsets are off by five.
    assert_eq!(kinds(&facts), ["xref_rebuilt"]);
    assert_eq!(facts.pages.len(), 1);
}

#[test]
fn lost_table_is_rebuilt() {
    let cut = base();
    let table = cut.windows(5).rposition(|window| window == b"\nxref").unwrap();
    let facts = facts(cut[..table].to_vec());
    assert_eq!(kinds(&facts), ["eof_missing", "xref_rebuilt"]);
    assert!(facts.file.damage.iter().all(|damage| damage.repaired));
    assert_eq!(facts.pages.len(), 1);
}

#[test]
fn wrong_entries_are_damage() {
    // A line behind the header moves every object, and the table itself.
    let moved = replaced(base(), b"%PDF-1.6\n", b"%PDF-1.6\n%more\n");
    let table = moved.windows(5).rposition(|window| window == b"\nxref").unwrap() + 1;
    let start = moved.windows(9).rposition(|window| window == b"startxref").unwrap();
    let bytes = [&moved[..start], format!("startxref\n{table}\n%%EOF\n").as_bytes()].concat();
    let facts = facts(bytes);
    assert_eq!(kinds(&facts), ["xref_entries_wrong"]);
    assert_eq!(facts.pages.len(), 1);
    assert!(facts.document.metadata.info.contains_key("Title"));
}

#[test]
fn table_with_entries_of_another_size_is_rebuilt() {
    // The space at the end of each entry is missing: readers that count to twenty are lost.
    let text = base();
    let at = text.windows(5).rposition(|window| window == b"\nxref").unwrap();
    let table = text[at..].to_vec();
    let mut short = text[..at].to_vec();
    let mut rest = table.as_slice();
    while let Some((first, after)) = rest.split_first() {
        if !(*first == b' ' && after.starts_with(b"\n")) {
            short.push(*first);
        }
        rest = after;
    }
    let facts = facts(short);
    assert_eq!(kinds(&facts), ["xref_rebuilt"]);
    assert!(facts.pages.len() == 1 && facts.document.has_id);
}

#[test]
fn wrong_length_of_a_stream_is_damage() {
    let mut doc = Doc::x4();
    let stream = doc.stream("/Extra true", b"0123456789");
    let bytes = replaced(doc.build(), b"/Extra true /Length 10", b"/Extra true /Length 14");
    let facts = facts(bytes);
    assert_eq!(kinds(&facts), ["stream_length_wrong"]);
    assert_eq!(facts.file.damage[0].object, Some(ObjectRef(stream as i32, 0)));
}

#[test]
fn file_that_ends_within_a_stream_is_truncated() {
    let mut file = Pdf::new("1.4");
    file.add("<< /Type /Catalog /Pages 2 0 R >>");
    file.add("<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 9 9] >>");
    file.add("<< /Type /Page /Parent 2 0 R /Contents 4 0 R >>");
    file.stream("", b"0 0 5 5 re f 0 0 5 5 re f");
    file.trailer = "/Root 1 0 R".to_owned();
    let bytes = file.build();
    let middle = bytes.windows(4).rposition(|window| window == b"re f").unwrap();
    let facts = facts(bytes[..middle].to_vec());
    assert_eq!(kinds(&facts), ["eof_missing", "xref_rebuilt", "truncated", "contents_missing"]);
    assert!(!facts.file.damage[2].repaired);
}

#[test]
fn duplicate_keys_are_listed() {
    let mut doc = Doc::x4();
    let object = doc.object("<< /A << /B 1 /B 2 >> >>");
    assert_eq!(facts(doc.build()).document.duplicate_keys, [ObjectRef(object as i32, 0)]);
}

#[test]
fn damaged_font_and_profile_are_damage() {
    let mut doc = Doc::x4();
    doc.profile = Some(b"no profile".to_vec());
    assert_eq!(kinds(&facts(doc.build())), ["profile_unreadable"]);

    let mut doc = Doc::x4();
    doc.profile.as_mut().unwrap().pop();
    assert_eq!(kinds(&facts(doc.build())), ["profile_unreadable"]);

    let mut doc = Doc::x4();
    let mut data = deflate(&[7; 5_000]);
    data.truncate(data.len() - 6);
    let program = doc.stream("/Filter /FlateDecode", &data);
    let descriptor = doc.object(&format!("<< /Type /FontDescriptor /FontFile2 {program} 0 R >>"));
    let font = doc.object(&format!(
        "<< /Type /Font /Subtype /TrueType /BaseFont /X /FontDescriptor {descriptor} 0 R >>"
    ));
    doc.page().fonts = format!("/F2 {font} 0 R");
    let facts = facts(doc.build());
    assert_eq!(kinds(&facts), ["stream_damaged"]);
    assert_eq!(facts.file.damage[0].object, Some(ObjectRef(program as i32, 0)));
}

#[test]
fn content_that_is_not_there_is_damage() {
    for contents in ["9 0 R", "[9 0 R]"] {
        let mut file = Pdf::new("1.4");
        file.add("<< /Type /Catalog /Pages 2 0 R >>");
        file.add("<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 9 9] >>");
        file.add(format!("<< /Type /Page /Parent 2 0 R /Contents {contents} >>"));
        file.trailer = "/Root 1 0 R".to_owned();
        let facts = facts(file.build());
        assert_eq!(kinds(&facts), ["contents_missing"]);
        assert_eq!(facts.file.damage[0].page, Some(1));
    }
}

#[test]
fn content_that_ends_early_leaves_something_out() {
    let content = "0 0 5 5 re f\n".repeat(200) + "%";
    let with = |data: &[u8]| {
        let mut file = Pdf::new("1.4");
        file.add("<< /Type /Catalog /Pages 2 0 R >>");
        file.add("<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 9 9] >>");
        file.add("<< /Type /Page /Parent 2 0 R /Contents 4 0 R >>");
        file.stream("/Filter /FlateDecode", data);
        file.trailer = "/Root 1 0 R".to_owned();
        facts(file.build())
    };
    let data = deflate(content.as_bytes());
    assert_eq!(kinds(&with(&data)), [""; 0]);
    // Without its checksum the data are whole.
    assert_eq!(kinds(&with(&data[..data.len() - 4])), [""; 0]);
    let cut = with(&data[..data.len() - 10]);
    assert_eq!(kinds(&cut)[0], "stream_incomplete");
    assert!(!cut.file.damage[0].repaired);
}

#[test]
fn bytes_that_are_no_file_are_unreadable() {
    for bytes in [Vec::new(), b"hello".to_vec(), b"%PDF-1.4\n%%EOF".to_vec(), vec![0; 100_000]] {
        let facts = facts(bytes);
        assert!(!facts.file.readable);
        assert_eq!(kinds(&facts).last(), Some(&"not_a_pdf"));
        assert!(facts.pages.is_empty());
    }
}
