//! Files that want too much: every one ends soon, with facts that say what was not read.

use mintmark_preflight_engine::{Budgets, read};

use super::{
    facts, kinds,
    pdf::{Doc, Pdf, deflate},
};

fn budgets(facts: &mintmark_preflight_engine::Facts) -> Vec<&str> {
    facts.limits.iter().map(|hit| hit.budget.as_str()).collect()
}

#[test]
fn content_bomb_stops_at_its_budget() {
    let mut doc = Doc::x4();
    doc.page().content = " ".repeat(3_000_000);
    doc.page().compress = true;
    let small = Budgets { stream_bytes: 1 << 20, ..Budgets::default() };
    let facts = read(doc.build(), &small);
    assert_eq!(budgets(&facts), ["stream_bytes"]);
    assert_eq!(facts.limits[0].page, Some(1));
}

/// A file whose objects are in an object stream of the given data, which the table finds.
fn with_object_stream(entries: &str, data: &[u8], places: [u8; 3]) -> Vec<u8> {
    let mut bytes = b"%PDF-1.5\n".to_vec();
    let stream = bytes.len();
    bytes.extend(format!("4 0 obj\n<< {entries} /Length {} >>\nstream\n", data.len()).bytes());
    bytes.extend(data);
    bytes.extend(b"\nendstream\nendobj\n");
    let table = bytes.len();
    let mut rows = vec![0_u8, 0, 0, 0];
    for place in places {
        rows.extend([2, 0, 4, place]);
    }
    rows.extend([1, 0, stream as u8, 0]);
    rows.extend([1, (table >> 8) as u8, table as u8, 0]);
    bytes.extend(
        format!("5 0 obj\n<< /Type /XRef /Size 6 /W [1 2 1] /Root 1 0 R /Length {} >>\nstream\n", rows.len())
            .bytes(),
    );
    bytes.extend(rows);
    bytes.extend(format!("\nendstream\nendobj\nstartxref\n{table}\n%%EOF\n").bytes());
    bytes
}

/// Catalog, pages and a page with a duplicate key, and `First`.
fn objects() -> (String, usize) {
    let bodies = [
        "<< /Type /Catalog /Pages 2 0 R >> ",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 9 9] >> ",
        "<< /Type /Page /X 1 /X 2 >> ",
    ];
    let head = format!("1 0 2 {} 3 {} ", bodies[0].len(), bodies[0].len() + bodies[1].len());
    (format!("{head}{}", bodies.concat()), head.len())
}

/// A file whose catalog, pages and page are in an object stream.
pub fn object_stream_file() -> Vec<u8> {
    let (objects, first) = objects();
    let entries = format!("/Type /ObjStm /N 3 /First {first} /Filter /FlateDecode");
    with_object_stream(&entries, &deflate(objects.as_bytes()), [0, 1, 2])
}

#[test]
fn object_streams_are_read() {
    let facts = facts(object_stream_file());
    assert_eq!(kinds(&facts), [""; 0], "{:?}", facts.file.damage);
    assert_eq!(facts.pages.len(), 1);
    assert_eq!(facts.document.duplicate_keys.len(), 1);
}

#[test]
fn object_stream_that_holds_other_objects_is_damage() {
    let (objects, first) = objects();
    let entries = format!("/Type /ObjStm /N 3 /First {first} /Filter /FlateDecode");
    let data = deflate(objects.as_bytes());
    let facts_other = facts(with_object_stream(&entries, &data, [0, 1, 7]));
    assert_eq!(kinds(&facts_other), ["xref_entries_wrong"]);
    let facts_cut = facts(with_object_stream(&entries, &data[..data.len() - 12], [0, 1, 2]));
    assert!(kinds(&facts_cut).contains(&"stream_damaged"), "{:?}", kinds(&facts_cut));
}

#[test]
fn object_stream_bomb_is_not_opened() {
    let bomb = deflate(&deflate(&[objects().0.as_bytes(), &vec![b' '; 40_000_000]].concat()));
    for entries in [
        "/Type /ObjStm /N 3 /First 16 /Filter [/FlateDecode /FlateDecode]",
        // The table alone says that it is an object stream.
        "/N 3 /First 16 /Filter [/FlateDecode /FlateDecode]",
    ] {
        let small = Budgets { structure_bytes: 20_000_000, ..Budgets::default() };
        let facts = read(with_object_stream(entries, &bomb, [0, 1, 2]), &small);
        assert!(!facts.file.readable);
        assert_eq!(kinds(&facts), ["too_large"]);
        assert_eq!(budgets(&facts), ["structure_bytes"]);
    }
}

#[test]
fn pages_above_the_budget_are_a_limit() {
    let mut doc = Doc::x4();
    let page = doc.pages[0].clone();
    doc.pages.resize(5, page);
    let facts = read(doc.build(), &Budgets { pages: 3, ..Budgets::default() });
    assert_eq!((facts.pages.len(), budgets(&facts)), (3, vec!["pages"]));
    // What lies before the limit is read as ever.
    let mut file = Pdf::new("1.4");
    file.add("<< /Type /Catalog /Pages 2 0 R >>");
    file.add("<< /Type /Pages /Kids [3 0 R 4 0 R 5 0 R] /Count 3 /MediaBox [0 0 9 9] >>");
    for _ in 0..3 {
        file.add("<< /Type /Page /Parent 2 0 R >>");
    }
    file.trailer = "/Root 1 0 R".to_owned();
    let facts = read(file.build(), &Budgets { pages: 1, ..Budgets::default() });
    assert_eq!((facts.pages.len(), budgets(&facts)), (1, vec!["pages"]));
    assert_eq!(facts.pages[0].boxes.media, Some([0.0, 0.0, 9.0, 9.0]));
}

#[test]
fn circles_of_every_kind_end() {
    let mut file = Pdf::new("1.7");
    file.add(
        "<< /Type /Catalog /Pages 2 0 R /Outlines << /First 4 0 R >> /OpenAction 5 0 R \
         /Names << /JavaScript 6 0 R /EmbeddedFiles 6 0 R >> /AcroForm << /Fields [7 0 R] >> \
         /Metadata 8 0 R /OCProperties 1 0 R /D 1 0 R /OCGs [1 0 R] /OutputIntents [1 0 R] >>",
    );
    file.add("<< /Type /Pages /Kids [3 0 R 2 0 R] /Count 1 /Parent 2 0 R /MediaBox [0 0 9 9] >>");
    file.add("<< /Type /Page /Parent 2 0 R /Resources << /XObject << /X 8 0 R >> /Font << /F 9 0 R >> >> /Annots 3 0 R >>");
    file.add("<< /First 4 0 R /Next 4 0 R /A 5 0 R >>");
    file.add("<< /S /JavaScript /Next [5 0 R 5 0 R] >>");
    file.add("<< /Kids [6 0 R 6 0 R] /Names [(a) 5 0 R] >>");
    file.add("<< /T (a) /Kids [7 0 R] /Parent 7 0 R >>");
    file.stream("/Subtype /Form /Resources << /XObject << /X 8 0 R >> >> /Group 8 0 R", b"/X Do");
    file.add("<< /Subtype /Type3 /Resources << /Font << /F 9 0 R >> >> /CharProcs << /a 8 0 R >> /DescendantFonts [9 0 R] >>");
    file.trailer = "/Root 1 0 R /Info 1 0 R /Encrypt 99 0 R".to_owned();
    let _ = facts(file.build());
    file.trailer = "/Root 1 0 R /Info 1 0 R".to_owned();
    let facts = facts(file.build());
    assert!(facts.file.readable);
    assert_eq!((facts.pages.len(), facts.document.actions.len(), facts.document.form_fields), (1, 1, 0));
}

#[test]
fn overlapping_objects_take_no_quadratic_time() {
    let started = std::time::Instant::now();
    let mut file = Pdf::new("1.4");
    file.add("<< /Type /Catalog /Pages 2 0 R >>");
    file.add("<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 9 9] >>");
    file.add("<< /Type /Page /Parent 2 0 R >>");
    for _ in 0..40_000 {
        // Each string goes on to the end of the file.
        file.add("<< /A (");
    }
    file.trailer = "/Root 1 0 R".to_owned();
    let facts = facts(file.build());
    assert_eq!((facts.pages.len(), kinds(&facts)), (1, vec!["objects_overlap"]));
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
