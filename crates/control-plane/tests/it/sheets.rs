//! The pictures and label sheets of a pack, read back by programs that are not ours: qpdf, poppler and zbar.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use zip::ZipArchive;

use crate::raster::{read_png, read_symbol};
use crate::stage::Stage;

/// Labels on a sheet.
const LABELS: usize = 21;

/// Resolution at which a sheet is looked at: ten pixels a millimetre.
const DPI: &str = "254";

/// Width and height of a label in pixels.
const LABEL: (usize, usize) = (635, 381);

type Row = BTreeMap<String, String>;

/// The entries of a ZIP, and the rows of its table.
fn opened(zip: Vec<u8>) -> (BTreeMap<String, Vec<u8>>, Vec<Row>) {
    let mut archive = ZipArchive::new(Cursor::new(zip)).unwrap();
    let entries: BTreeMap<String, Vec<u8>> = (0..archive.len())
        .map(|index| {
            let mut entry = archive.by_index(index).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.name().unwrap().into_owned(), content)
        })
        .collect();
    let mut table = csv::Reader::from_reader(entries["codes.csv"].as_slice());
    let rows = table.deserialize().map(Result::unwrap).collect();
    (entries, rows)
}

/// What a program prints; it must be installed and must succeed.
fn told(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; deploy/setup/setup.sh installs it"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// What a reader finds on each label of a PDF, from the first sheet on; an empty place gives nothing.
fn read_labels(pdf: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("labels.pdf"), pdf).unwrap();
    told("qpdf", &["--check", "labels.pdf"], path);
    told("pdftoppm", &["-r", DPI, "-gray", "labels.pdf", "sheet"], path);
    let mut sheets: Vec<String> = std::fs::read_dir(path)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".pgm"))
        .collect();
    sheets.sort();
    sheets.iter().flat_map(|sheet| read_sheet(path, sheet)).collect()
}

/// Cuts a sheet along its dies and reads what is on each label.
fn read_sheet(folder: &Path, sheet: &str) -> Vec<String> {
    let picture = std::fs::read(folder.join(sheet)).unwrap();
    let (width, pixels) = pgm(&picture);
    let mut labels = Vec::new();
    for place in 0..LABELS {
        let (left, top) = (72 + place % 3 * 660, 152 + place / 3 * 381);
        let mut label = format!("P5\n{} {}\n255\n", LABEL.0, LABEL.1).into_bytes();
        for row in pixels.chunks_exact(width).skip(top).take(LABEL.1) {
            label.extend_from_slice(&row[left..][..LABEL.0]);
        }
        let empty = label[label.len() - LABEL.0 * LABEL.1..].iter().all(|&pixel| pixel == 255);
        if !empty {
            labels.push(format!("{sheet}.{place}.pgm"));
            std::fs::write(folder.join(&labels[place]), label).unwrap();
        }
    }
    let arguments: Vec<&str> = ["-q", "--raw"].into_iter().chain(labels.iter().map(String::as_str)).collect();
    let found: Vec<String> = told("zbarimg", &arguments, folder).lines().map(str::to_owned).collect();
    assert_eq!(found.len(), labels.len(), "one symbol on each label of {sheet}");
    found
}

/// Width and pixels of a binary PGM.
fn pgm(content: &[u8]) -> (usize, &[u8]) {
    let lines: Vec<&[u8]> = content.splitn(4, |&byte| byte == b'\n').collect();
    assert_eq!((lines[0], lines[2]), (&b"P5"[..], &b"255"[..]));
    let size = std::str::from_utf8(lines[1]).unwrap();
    (size.split(' ').next().unwrap().parse().unwrap(), lines[3])
}

#[tokio::test(flavor = "multi_thread")]
async fn svg_png_and_pdf_of_a_unit_say_the_uri_of_the_table() {
    let stage = Stage::set().await;
    let (id, view) = stage.ready(json!({ "formats": ["pdf", "png", "svg", "csv"] })).await;
    assert_eq!(view["formats"], json!(["csv", "svg", "png", "pdf"]));
    let part = stage.download(&id).await["parts"][1]["url"].clone();
    let (entries, rows) = opened(stage.fetch(&part).await);
    assert_eq!((rows.len(), entries.len()), (50, 50 * 2 + 3));
    for row in &rows {
        let svg = std::str::from_utf8(&entries[&row["svg"]]).unwrap();
        assert_eq!(read_symbol(svg), row["qr_uri"]);
        assert_eq!(read_png(&entries[&row["png"]]), row["qr_uri"]);
        assert_eq!(row["png"], format!("png/{:010}.png", row["serial"].parse::<u64>().unwrap()));
    }
    let expected: Vec<&String> = rows.iter().map(|row| &row["qr_uri"]).collect();
    assert_eq!(read_labels(&entries["labels.pdf"]).iter().collect::<Vec<_>>(), expected);
    let manifest: Value = serde_json::from_slice(&entries["manifest.json"]).unwrap();
    let symbol = &manifest["symbol"];
    let side = symbol["modules"].as_u64().unwrap() + 8;
    assert_eq!(
        manifest["png"],
        json!({ "pixels": side * 10, "pixelsPerModule": 10, "pixelsPerMetre": 25252, "dpi": 641.4 })
    );
    let labels = &manifest["labels"];
    assert_eq!((&labels["sheets"], &labels["labelsPerSheet"]), (&3.into(), &LABELS.into()));
    assert!(labels["symbolMm"].as_f64().unwrap() >= symbol["leastPrintedMm"].as_f64().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn label_shows_name_gtin_and_code_for_people() {
    let stage = Stage::set().await;
    let product = format!("/v1/products/{}", stage.shop.product);
    let rename = async |name: &str| {
        let body = json!({ "name": name });
        stage.plane.as_person(&stage.shop.owner, "PATCH", &product, body).await.expect(200);
    };
    // The last one has no counterpart in the font.
    for (name, printed) in [("Crème brûlée", Some("Crème brûlée")), ("Győr", Some("Gyor")), ("绿茶", None)]
    {
        rename(name).await;
        let (id, _) = stage.ready(json!({ "formats": ["csv", "pdf"] })).await;
        let part = stage.download(&id).await["parts"][2]["url"].clone();
        let (entries, rows) = opened(stage.fetch(&part).await);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("labels.pdf"), &entries["labels.pdf"]).unwrap();
        let text = told("pdftotext", &["-raw", "labels.pdf", "-"], folder.path());
        assert_eq!(text.matches(&format!("GTIN {}", rows[0]["gtin"])).count(), rows.len());
        let manifest: Value = serde_json::from_slice(&entries["manifest.json"]).unwrap();
        assert_eq!(manifest["labels"]["namePrinted"], printed.is_some());
        if let Some(printed) = printed {
            assert_eq!(text.matches(printed).count(), rows.len(), "{name}: {text}");
        }
        let together: String = text.split_whitespace().collect();
        for row in &rows {
            assert!(together.contains(&row["code_grouped"]), "{}", row["serial"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn export_made_again_after_the_product_was_renamed_differs_in_the_labels_alone() {
    let stage = Stage::set().await;
    let made = async || {
        let (id, _) = stage.ready(json!({ "formats": ["csv", "png", "pdf"] })).await;
        opened(stage.fetch(&stage.download(&id).await["parts"][0]["url"]).await).0
    };
    let (first, again) = (made().await, made().await);
    assert!(first == again, "all formats are made again byte by byte");
    let product = format!("/v1/products/{}", stage.shop.product);
    stage.plane.as_person(&stage.shop.owner, "PATCH", &product, json!({ "name": "Other" })).await.expect(200);
    let renamed = made().await;
    let changed: Vec<&String> = first.keys().filter(|name| first.get(*name) != renamed.get(*name)).collect();
    assert_eq!(changed, ["labels.pdf", "manifest.json"]);
}
