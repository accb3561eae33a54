//! The files that are compared: made here, and written anew by other programs.

use std::{path::Path, process::Command};

use super::pdf::{Doc, PageSpec, Pdf};

/// Every file with its name.
pub fn all(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = vec![
        ("base".into(), Doc::x4().build()),
        ("boxes".into(), boxes().build()),
        ("fonts".into(), fonts().build()),
        ("scripts".into(), scripts().build()),
        ("script-on-opening".into(), script_on_opening().build()),
        ("attachments".into(), attachments().build()),
        ("metadata".into(), metadata().build()),
        ("tree".into(), tree(&["[3 0 R 4 0 R]", "2"])),
        ("tree-repeated".into(), tree(&["[3 0 R 3 0 R 4 0 R]", "3"])),
        ("tree-missing".into(), tree(&["[3 0 R 9 0 R]", "2"])),
        ("tree-loop".into(), tree(&["[3 0 R 2 0 R]", "2"])),
        ("tree-count".into(), tree(&["[3 0 R 4 0 R]", "7"])),
    ];
    let source = folder.join("source.pdf");
    for name in ["base", "boxes", "fonts", "scripts", "attachments"] {
        let bytes = &files.iter().find(|file| file.0 == name).unwrap().1;
        std::fs::write(&source, bytes).unwrap();
        for (how, arguments) in [
            ("streams", "--object-streams=generate"),
            ("linearized", "--linearize"),
            ("rc4", "--allow-weak-crypto --encrypt  owner 128 --use-aes=n --"),
            ("aes128", "--allow-weak-crypto --encrypt  owner 128 --use-aes=y --"),
            ("aes256", "--encrypt  owner 256 --"),
            ("locked", "--encrypt user owner 256 --"),
        ] {
            // Encryption is independent of what is encrypted.
            if name == "base" || !arguments.contains("--encrypt") || how == "aes256" {
                files.push((format!("{name}-{how}"), rewritten(&source, arguments, folder)));
            }
        }
    }
    let base = files[0].1.clone();
    files.push(("junk-before".into(), [b"junk\n", base.as_slice()].concat()));
    files.push(("junk-after".into(), [base.as_slice(), b"junk"].concat()));
    files.push(("cut".into(), base[..base.len() - 200].to_vec()));
    files.push(("updated".into(), updated(&base)));
    let mut shortened = Doc::x4();
    shortened.stream("/Extra true", b"0123456789");
    let text = shortened.build();
    let at = text.windows(23).position(|window| window == b"/Extra true /Length 10 ").unwrap();
    let mut wrong = text;
    wrong[at + 20] = b'4';
    files.push(("length".into(), wrong));
    files
}

/// The file as qpdf writes it anew. Two spaces stand for an empty argument.
fn rewritten(source: &Path, arguments: &str, folder: &Path) -> Vec<u8> {
    let target = folder.join("target.pdf");
    let status = Command::new("qpdf").args(arguments.split(' ')).arg(source).arg(&target).status().unwrap();
    assert!(status.success(), "qpdf {arguments}");
    std::fs::read(target).unwrap()
}

fn boxes() -> Doc {
    let mut doc = Doc::x4();
    let mut add = |media, crop, bleed, trim, art, rotate, entries: &str| {
        doc.pages.push(PageSpec {
            media,
            crop,
            bleed,
            trim,
            art,
            rotate,
            entries: entries.to_owned(),
            ..PageSpec::default()
        });
    };
    let a4 = Some([0.0, 0.0, 595.275_590_551, 841.889_763_78]);
    add(a4, None, None, None, None, None, "");
    add(a4, Some([10.0, 20.0, 500.0, 700.0]), None, Some([30.5, 40.25, 480.125, 680.0]), None, Some(90), "");
    add(
        Some([-100.0, -50.0, 200.0, 300.0]),
        None,
        Some([-90.0, -40.0, 190.0, 290.0]),
        None,
        None,
        Some(-90),
        "",
    );
    // Boxes beyond the media.
    add(a4, Some([-10.0, -10.0, 900.0, 900.0]), Some([-5.0, 0.0, 600.0, 850.0]), None, None, Some(450), "");
    // Corners the other way round.
    add(Some([300.0, 400.0, 0.0, 0.0]), None, None, None, Some([200.0, 200.0, 100.0, 100.0]), None, "");
    add(a4, None, None, None, None, None, "/UserUnit 2.5");
    doc
}

fn fonts() -> Doc {
    let mut doc = Doc::x4();
    let plain =
        doc.object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>");
    let map = doc.stream("", b"begincmap endcmap");
    let procedure = doc.stream("", b"0 0 d0 0 0 500 500 re f");
    let type3 = doc.object(&format!(
        "<< /Type /Font /Subtype /Type3 /FontBBox [0 0 1000 1000] /FontMatrix [0.001 0 0 0.001 0 0] /FirstChar 65 \
         /LastChar 65 /Widths [1000] /Encoding << /Differences [65 /A] >> /CharProcs << /A {procedure} 0 R >> \
         /ToUnicode {map} 0 R /Resources << /Font << /Inner {plain} 0 R >> >> >>"
    ));
    let system = "/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>";
    let descriptor = doc.object(
        "<< /Type /FontDescriptor /FontName /GHIJKL+Cid /Flags 4 /FontBBox [0 0 1000 1000] /ItalicAngle 0 /Ascent 800 \
         /Descent 0 /CapHeight 700 /StemV 80 >>",
    );
    let descendant = doc.object(&format!(
        "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /GHIJKL+Cid {system} /FontDescriptor {descriptor} 0 R >>"
    ));
    let composite = doc.object(&format!(
        "<< /Type /Font /Subtype /Type0 /BaseFont /GHIJKL+Cid /Encoding /Identity-H /DescendantFonts [{descendant} 0 R] >>"
    ));
    let in_form = doc.object("<< /Type /Font /Subtype /TrueType /BaseFont /Arial,Bold >>");
    let form = doc.stream(
        &format!(
            "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /Font << /F {in_form} 0 R >> >>"
        ),
        b"BT /F 9 Tf (a) Tj ET",
    );
    let in_pattern = doc.object("<< /Type /Font /Subtype /MMType1 /BaseFont /Myriad_400 >>");
    let pattern = doc.stream(
        &format!(
            "/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 9 9] /XStep 9 /YStep 9 \
             /Resources << /Font << /F {in_pattern} 0 R >> >>"
        ),
        b"",
    );
    let in_appearance = doc.object("<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>");
    let appearance = doc.stream(
        &format!("/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /Font << /F {in_appearance} 0 R >> >>"),
        b"",
    );
    let page = doc.page();
    page.fonts = format!("/F2 {plain} 0 R /F3 {type3} 0 R /F4 {composite} 0 R");
    page.xobjects = format!("/X {form} 0 R");
    page.patterns = format!("/P {pattern} 0 R");
    page.entries =
        format!("/Annots [<< /Type /Annot /Subtype /Stamp /Rect [0 0 9 9] /AP << /N {appearance} 0 R >> >>]");
    doc
}

fn scripts() -> Doc {
    let mut doc = Doc::x4();
    let named = doc.object("<< /S /JavaScript /JS (1) >>");
    let next = doc.object("<< /S /Launch /F (x) /Next [<< /S /URI /URI (http://localhost) >>] >>");
    let outline =
        doc.object(&format!("<< /Title (a) /Parent 5 0 R /A << /S /GoToR /F (x) /Next {next} 0 R >> >>"));
    let outlines =
        doc.object(&format!("<< /Type /Outlines /First {outline} 0 R /Last {outline} 0 R /Count 1 >>"));
    let field = doc.object(
        "<< /Type /Annot /Subtype /Widget /FT /Tx /T (f) /Rect [0 0 9 9] /AA << /K << /S /JavaScript /JS (2) >> >> >>",
    );
    doc.catalog = format!(
        "/Names << /JavaScript << /Names [(a) {named} 0 R] >> >> /Outlines {outlines} 0 R \
         /AcroForm << /Fields [{field} 0 R] >> /OpenAction << /S /Named /N /NextPage >>"
    );
    doc.page().entries = format!(
        "/AA << /O << /S /SubmitForm /F (x) >> >> /Annots [{field} 0 R << /Subtype /Link /Rect [0 0 1 1] >>]"
    );
    doc
}

fn script_on_opening() -> Doc {
    let mut doc = Doc::x4();
    doc.catalog = "/OpenAction << /S /JavaScript /JS (1) >>".to_owned();
    doc
}

fn attachments() -> Doc {
    let mut doc = Doc::x4();
    let data = doc.stream("/Type /EmbeddedFile /Subtype /text#2Fplain /Params << /Size 3 >>", b"abc");
    let file = doc.object(&format!("<< /Type /Filespec /F (a) /UF (a) /EF << /F {data} 0 R >> >>"));
    let other = doc.object(&format!("<< /Type /Filespec /F (b) /UF (b) /EF << /F {data} 0 R >> >>"));
    doc.catalog = format!("/Names << /EmbeddedFiles << /Names [(a) {file} 0 R] >> >>");
    doc.page().entries =
        format!("/Annots [<< /Type /Annot /Subtype /FileAttachment /Rect [0 0 1 1] /FS {other} 0 R >>]");
    doc
}

fn metadata() -> Doc {
    let mut doc = Doc::x4();
    doc.catalog = "/Version /1.7 /AcroForm << /Fields [] /XFA [] >>".to_owned();
    doc.set_info("Title", "<FEFF00DC006200650072>");
    doc
}

/// A page tree with the given kids and count.
fn tree([kids, count]: &[&str; 2]) -> Vec<u8> {
    let mut file = Pdf::new("1.4");
    file.add("<< /Type /Catalog /Pages 2 0 R >>");
    file.add(format!("<< /Type /Pages /Kids {kids} /Count {count} /MediaBox [0 0 100 100] /Rotate 180 >>"));
    file.add("<< /Type /Page /Parent 2 0 R >>");
    file.add("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 50 50] /Rotate 0 >>");
    file.trailer = "/Root 1 0 R".to_owned();
    file.build()
}

/// With an incremental update that gives the catalog another version.
fn updated(base: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(base);
    let root = text.split("/Root ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let previous = text.rsplit("startxref\n").next().unwrap().lines().next().unwrap().to_owned();
    let catalog = text
        .split(&format!("\n{root} 0 obj\n<<"))
        .nth(1)
        .unwrap()
        .split("\nendobj")
        .next()
        .unwrap()
        .to_owned();
    let size = text.split("/Size ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let mut bytes = base.to_vec();
    let object = bytes.len();
    bytes.extend(format!("{root} 0 obj\n<< /Version /1.7{catalog}\nendobj\n").bytes());
    let table = bytes.len();
    bytes.extend(
        format!(
            "xref\n{root} 1\n{object:010} 00000 n \ntrailer\n<< /Size {size} /Root {root} 0 R /Prev {previous} >>\n\
             startxref\n{table}\n%%EOF\n"
        )
        .bytes(),
    );
    bytes
}
