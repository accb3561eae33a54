use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use serde_json::Value;
use zip::ZipArchive;

use super::*;

fn source(formats: Formats) -> PackSource {
    PackSource {
        batch_id: BatchId::new(),
        product_id: ProductId::new(),
        product_name: "Crème de menthe, 绿".to_owned(),
        gtin: Gtin::parse("09506000134352").unwrap(),
        base: Base::parse("https://id.example").unwrap(),
        partition: Partition::new(33).unwrap(),
        secret: BatchSecret::generate(),
        formats,
        parts: 2,
    }
}

fn only(format: &str) -> Formats {
    Formats::of([format]).unwrap()
}

fn everything() -> Formats {
    Formats::of(Formats::NAMES).unwrap()
}

fn range(first_serial: u64, units: u64) -> PartRange {
    PartRange { part: 1, first_serial, units }
}

fn made(source: &PackSource, range: &PartRange) -> Vec<u8> {
    write_part(source, range, &Gauge::default(), Vec::new()).unwrap()
}

/// Name and content of every entry, in the order of the archive.
fn entries(zip: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut entry = archive.by_index(index).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.name().unwrap().into_owned(), content)
        })
        .collect()
}

fn rows(csv: &[u8]) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_reader(csv).deserialize().map(Result::unwrap).collect()
}

#[test]
fn part_holds_table_symbols_and_manifest_in_order() {
    let source = source(Formats::USUAL);
    let entries = entries(&made(&source, &range(7, 200)));
    let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    let mut expected = vec!["codes.csv".to_owned()];
    expected.extend((7..207).map(|serial| format!("svg/{serial:010}.svg")));
    expected.push("manifest.json".to_owned());
    assert_eq!(names, expected);
}

#[test]
fn table_and_symbol_of_a_unit_show_the_same_code() {
    let source = source(Formats::USUAL);
    let entries = entries(&made(&source, &range(1, 130)));
    let symbols: BTreeMap<&str, &[u8]> =
        entries.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
    let rows = rows(symbols["codes.csv"]);
    assert_eq!(rows.len(), 130);
    for (row, serial) in rows.iter().zip(1..) {
        let code = source.secret.derive(source.partition, serial);
        assert_eq!(row["serial"], serial.to_string());
        assert_eq!(row["gtin"], "09506000134352");
        assert!(
            Code::parse(&row["code"]).unwrap() == code && Code::parse(&row["code_grouped"]).unwrap() == code
        );
        let link = link::Link::from_path(row["uri"].strip_prefix("https://id.example").unwrap()).unwrap();
        assert!(link.code == code && link.gtin == source.gtin);
        assert_eq!(row["qr_uri"], row["uri"].to_uppercase());
        assert_eq!(symbols[row["svg"].as_str()], Symbol::of(&row["qr_uri"]).unwrap().svg().as_bytes());
    }
}

#[test]
fn table_is_rfc_4180() {
    let source = source(only("csv"));
    let entries = entries(&made(&source, &range(1, 3)));
    let text = String::from_utf8(entries[0].1.clone()).unwrap();
    assert!(text.starts_with("serial,gtin,code,code_grouped,uri,qr_uri,svg\r\n1,09506000134352,"), "{text}");
    assert_eq!(text.matches("\r\n").count(), 4);
    assert_eq!(text.matches('\n').count(), 4);
    assert!(text.ends_with(",\r\n"), "no symbol is named in a pack without symbols");
}

#[test]
fn table_names_the_png_of_a_unit_where_there_is_one() {
    let source = source(Formats::of(["csv", "png"]).unwrap());
    let entries = entries(&made(&source, &range(1, 3)));
    let text = String::from_utf8(entries[0].1.clone()).unwrap();
    assert!(text.starts_with("serial,gtin,code,code_grouped,uri,qr_uri,svg,png\r\n1,"), "{text}");
    assert!(text.ends_with(",,png/0000000003.png\r\n"), "{text}");
}

#[test]
fn part_with_everything_holds_a_units_pictures_side_by_side_and_then_the_labels() {
    let entries = entries(&made(&source(everything()), &range(9, 2)));
    assert_eq!(
        entries.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        [
            "codes.csv",
            "svg/0000000009.svg",
            "png/0000000009.png",
            "svg/0000000010.svg",
            "png/0000000010.png",
            "labels.pdf",
            "manifest.json"
        ]
    );
}

#[test]
fn labels_print_a_symbol_no_smaller_than_it_may_be_or_not_at_all() {
    let side = |modules: u32| {
        let min_mm = (modules + 8) as f32 * 0.396;
        labels::side_mm(&manifest::SymbolFacts { version: ((modules - 17) / 4) as u8, modules, min_mm })
    };
    assert_eq!(side(33).unwrap(), 30.0);
    assert!((side(77).unwrap() - 33.66).abs() < 0.001, "version 15 is printed at its least size");
    assert!(matches!(side(81), Err(PackError::Label)));
}

#[test]
fn labels_fill_as_many_sheets_as_they_need() {
    for (units, sheets) in [(1, 1), (21, 1), (22, 2), (63, 3), (100, 5)] {
        let entries = entries(&made(&source(only("pdf")), &range(1, units)));
        let (name, pdf) = &entries[0];
        assert_eq!(name, "labels.pdf");
        let count = format!("/Count {sheets}/");
        assert!(pdf.windows(count.len()).any(|window| window == count.as_bytes()), "{units}");
        let manifest: Value = serde_json::from_slice(&entries[1].1).unwrap();
        assert_eq!(manifest["labels"]["sheets"], sheets);
    }
}

#[test]
fn manifest_states_size_and_hash_of_every_other_entry() {
    let source = source(everything());
    let mut entries = entries(&made(&source, &range(51, 70)));
    let (_, manifest) = entries.pop().unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let files = manifest["files"].as_array().unwrap();
    assert_eq!(files.len(), entries.len());
    for (file, (name, content)) in files.iter().zip(&entries) {
        assert_eq!(file["name"], name.as_str());
        assert_eq!(file["bytes"], content.len());
        assert_eq!(file["sha256"], hex(&sha256(content)));
    }
    assert_eq!(manifest["batchId"], source.batch_id.to_string());
    assert_eq!(
        (&manifest["firstSerial"], &manifest["lastSerial"], &manifest["units"]),
        (&51.into(), &120.into(), &70.into())
    );
    assert_eq!(
        (&manifest["part"], &manifest["parts"], &manifest["formatVersion"]),
        (&1.into(), &2.into(), &1.into())
    );
    let symbol = &manifest["symbol"];
    let modules = symbol["modules"].as_u64().unwrap();
    let least = symbol["leastPrintedMm"].as_f64().unwrap();
    assert!((least - (modules + 8) as f64 * 0.396).abs() < 0.001, "{symbol}");
}

#[test]
fn part_made_twice_is_the_same_bytes() {
    let source = source(everything());
    assert!(made(&source, &range(1, 300)) == made(&source, &range(1, 300)));
}

#[test]
fn entries_carry_the_date_of_the_format_and_not_of_today() {
    let zip = made(&source(only("csv")), &range(1, 1));
    let mut archive = ZipArchive::new(Cursor::new(zip)).unwrap();
    for index in 0..archive.len() {
        assert_eq!(archive.by_index(index).unwrap().last_modified(), Some(zip::DateTime::DEFAULT));
    }
}

#[test]
fn part_without_a_table_or_without_symbols_holds_what_was_asked() {
    let svg = entries(&made(&source(only("svg")), &range(1, 2)));
    assert_eq!(
        svg.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["svg/0000000001.svg", "svg/0000000002.svg", "manifest.json"]
    );
    let csv = entries(&made(&source(only("csv")), &range(1, 2)));
    assert_eq!(csv.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["codes.csv", "manifest.json"]);
    let manifest: Value = serde_json::from_slice(&csv[1].1).unwrap();
    assert!(manifest.get("symbol").is_none());
}

#[test]
fn gauge_counts_every_unit_once() {
    for formats in [everything(), Formats::USUAL, only("csv"), only("svg"), only("png"), only("pdf")] {
        let gauge = Gauge::default();
        write_part(&source(formats), &range(1, 150), &gauge, io::sink()).unwrap();
        assert_eq!(gauge.done(), 150);
    }
}

#[test]
fn write_after_stop_ends_before_the_part_does() {
    for formats in [everything(), Formats::USUAL, only("csv"), only("svg"), only("png"), only("pdf")] {
        let gauge = Gauge::default();
        gauge.stop();
        let result = write_part(&source(formats), &range(1, 100_000), &gauge, io::sink());
        assert!(matches!(result, Err(PackError::Stopped)), "{:?}", result.err());
        assert!(gauge.done() < 1_000);
    }
}

#[test]
fn write_to_a_full_disk_is_an_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for formats in [Formats::USUAL, only("csv"), only("pdf")] {
        let error = write_part(&source(formats), &range(1, 5_000), &Gauge::default(), Full).err().unwrap();
        assert!(
            matches!(&error, PackError::Io(error) if error.kind() == io::ErrorKind::StorageFull),
            "{error:?}"
        );
    }
}

#[test]
fn cut_covers_every_serial_once() {
    for (units, part_units, parts) in [(1, 50, 1), (50, 50, 1), (51, 50, 2), (149, 50, 3)] {
        let ranges = PartRange::cut(1_001, units, part_units);
        assert_eq!(ranges.len(), parts);
        let serials: Vec<u64> = ranges.iter().flat_map(PartRange::serials).collect();
        assert_eq!(serials, (1_001..1_001 + units).collect::<Vec<_>>());
        assert_eq!(
            ranges.iter().map(|range| range.part).collect::<Vec<_>>(),
            (1..=parts as u32).collect::<Vec<_>>()
        );
    }
}

#[test]
fn formats_of_unknown_or_no_names_are_none() {
    assert_eq!(Formats::of(["svg", "csv", "svg"]), Some(Formats::USUAL));
    assert_eq!(Formats::of(["csv"]).map(Formats::names), Some(vec!["csv"]));
    assert_eq!(Formats::of([]), None);
    assert_eq!(Formats::of(["csv", "eps"]), None);
}
