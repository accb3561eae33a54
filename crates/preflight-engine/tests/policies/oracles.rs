//! The fixtures' truth, by tools that are not ours: pikepdf, poppler, Ghostscript (`deploy/setup/setup.sh` installs them).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

use mintmark_preflight_engine::policy::Verdict;

use crate::{
    cases::{self, Case, Truth},
    golden::crate_file,
};

/// Fixtures in a folder that goes away.
struct Files {
    _folder: tempfile::TempDir,
    files: Vec<(Case, PathBuf)>,
}

fn written(wanted: impl Fn(&Case) -> bool) -> Files {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (index, case) in cases::all().into_iter().filter(wanted).enumerate() {
        let path = folder.path().join(format!("{index}.pdf"));
        std::fs::write(&path, &case.file).unwrap();
        files.push((case, path));
    }
    assert!(!files.is_empty());
    Files { _folder: folder, files }
}

fn say(tool: &str, arguments: &[&str], files: &[&Path]) -> String {
    let output = Command::new(tool).args(arguments).args(files).output();
    let output = output.unwrap_or_else(|error| panic!("{tool} is needed ({error}): run `make setup-test`"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool}: {said}{errors}");
    said + &errors
}

/// Debian's own Python has Debian's pikepdf, whatever other Python comes first.
fn python() -> &'static str {
    if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" }
}

#[test]
fn pikepdf_sees_what_fixtures_say() {
    let set = written(|case| !case.shows.is_empty());
    let script = crate_file("tests/policies/oracle.py");
    let paths: Vec<&Path> = set.files.iter().map(|(_, path)| path.as_path()).collect();
    let said = say(python(), &[script.to_str().unwrap()], &paths);
    let seen: BTreeMap<PathBuf, BTreeSet<String>> = serde_json::from_str(&said).unwrap();
    let mut missing = Vec::new();
    for (case, path) in &set.files {
        for line in case.shows.iter().filter(|line| !seen[path].contains(*line)) {
            missing.push(format!("{}: no `{line}` among {:?}", case.name, seen[path]));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn pdfimages_sees_the_resolution() {
    let resolution = |case: &Case| {
        case.shows
            .iter()
            .find_map(|line| line.strip_prefix("image ppi="))
            .map(|ppi| ppi.parse::<f64>().unwrap())
    };
    let set = written(|case| resolution(case).is_some());
    for (case, path) in &set.files {
        let said = say("pdfimages", &["-list"], &[path]);
        let row: Vec<&str> = said.lines().nth(2).unwrap().split_whitespace().collect();
        let seen = row[12].parse::<f64>().unwrap().min(row[13].parse().unwrap());
        let ppi = resolution(case).unwrap();
        assert!((seen - ppi).abs() <= 0.51, "{}: pdfimages sees {seen} ppi, not {ppi}", case.name);
    }
}

#[test]
fn ghostscript_sees_the_size_of_text() {
    let size = |case: &Case| {
        case.shows
            .iter()
            .find_map(|line| line.strip_prefix("text size="))
            .map(|size| size.parse::<f64>().unwrap())
    };
    // It leaves out text that does not show, and turns none of the rest into another size but where axes differ.
    let set = written(|case| size(case).is_some_and(|size| size >= 4.0) && !case.name.ends_with("narrow"));
    let paths: Vec<&Path> = set.files.iter().map(|(_, path)| path.as_path()).collect();
    let said =
        say("gs", &["-q", "-dNOPAUSE", "-dBATCH", "-sDEVICE=txtwrite", "-dTextFormat=0", "-o", "-"], &paths);
    let pages: Vec<&str> = said.split("<page>").skip(1).collect();
    assert_eq!(pages.len(), set.files.len(), "one page a file");
    for ((case, _), page) in set.files.iter().zip(pages) {
        let seen: Vec<f64> =
            page.split("size=\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse().ok()).collect();
        let wanted = size(case).unwrap();
        assert!(
            seen.iter().any(|seen| (seen - wanted).abs() < 0.006),
            "{}: Ghostscript sees sizes {seen:?}, not {wanted}",
            case.name
        );
    }
}

#[test]
fn ghostscript_sees_which_pages_are_empty() {
    let set = written(|case| case.rule == "R0005");
    let paths: Vec<&Path> = set.files.iter().map(|(_, path)| path.as_path()).collect();
    let said = say("gs", &["-q", "-dNOPAUSE", "-dBATCH", "-sDEVICE=inkcov", "-r36", "-o", "-"], &paths);
    let rows: Vec<f64> = said
        .lines()
        .filter(|line| line.contains("CMYK"))
        .map(|line| line.split_whitespace().take(4).map(|ink| ink.parse::<f64>().unwrap()).sum())
        .collect();
    assert_eq!(rows.len(), set.files.len());
    for ((case, _), ink) in set.files.iter().zip(rows) {
        assert_eq!(case.truth == Truth::Bad, ink == 0.0, "{}: Ghostscript sees ink {ink}", case.name);
    }
}

#[test]
fn ghostscript_sees_the_spots() {
    let set = written(|case| case.rule == "R0020" && !case.name.contains("outside"));
    for (case, path) in &set.files {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("plate.tif");
        say(
            "gs",
            &["-q", "-dNOPAUSE", "-dBATCH", "-sDEVICE=tiffsep", "-r5", "-o", target.to_str().unwrap()],
            &[path],
        );
        let plates = std::fs::read_dir(folder.path()).unwrap();
        let names: Vec<String> =
            plates.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect();
        let seen: BTreeSet<&str> = names.iter().filter_map(|name| plate(name)).collect();
        let process = ["Cyan", "Magenta", "Yellow", "Black", "All", "None"];
        for name in case.shows.iter().filter_map(|line| line.strip_prefix("colorant ")) {
            let is_spot = !process.contains(&name);
            assert_eq!(seen.contains(name), is_spot, "{}: Ghostscript sees the spots {seen:?}", case.name);
        }
    }
}

/// The spot of a plate's file: `plate(Gold).tif`.
fn plate(name: &str) -> Option<&str> {
    let spot = name.strip_prefix("plate(")?.strip_suffix(").tif")?;
    (!["Cyan", "Magenta", "Yellow", "Black"].contains(&spot)).then_some(spot)
}

#[test]
fn pdffonts_sees_what_is_embedded() {
    let set = written(|case| case.rule == "X0009" && !case.name.contains("not-used"));
    for (case, path) in &set.files {
        let said = say("pdffonts", &[], &[path]);
        let row: Vec<&str> = said.lines().nth(2).unwrap().split_whitespace().collect();
        // Name, kind, encoding, embedded, subset, ToUnicode, object.
        assert_eq!(row[3] == "yes", case.truth == Truth::Good, "{}: {said}", case.name);
    }
}

#[test]
fn encryption_by_qpdf_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, secret) = (folder.path().join("plain.pdf"), folder.path().join("secret.pdf"));
    std::fs::write(&plain, crate::pdf::Doc::x4().build()).unwrap();
    for (password, verdict) in [("", "opens with the empty password"), ("word", "does not open")] {
        say("qpdf", &["--encrypt", password, "owner", "256", "--"], &[&plain, &secret]);
        let facts = mintmark_preflight_engine::read(
            std::fs::read(&secret).unwrap(),
            &mintmark_preflight_engine::Budgets::default(),
        );
        let found = |id: &str| {
            let policy = mintmark_preflight_engine::policy::find(id).unwrap();
            let report = mintmark_preflight_engine::policy::evaluate(policy, &facts, &Default::default());
            assert_eq!(report.verdict, Verdict::Fail, "{id}: {verdict}");
            report.findings.into_iter().map(|found| found.rule).collect::<BTreeSet<_>>()
        };
        assert!(found("pdfx-4-listed").contains("X0010"), "{verdict}");
        assert!(found("gwg-2022-sheetcmyk-cmyk").contains("R0001"), "{verdict}");
        assert_eq!(found("digital-print").contains("D0001"), !password.is_empty(), "{verdict}");
    }
}

/// A box of a page as pdfinfo prints it.
fn boxes<'a>(said: &'a str, name: &str) -> Vec<Vec<&'a str>> {
    let is_box = |line: &&str| line.starts_with("Page") && line.contains(&format!("{name}:"));
    said.lines()
        .filter(is_box)
        .map(|line| line.split_once(':').unwrap().1.split_whitespace().collect())
        .collect()
}

#[test]
fn pdfinfo_sees_boxes_and_turns() {
    let set = written(|case| matches!(case.rule, "R0003" | "R0004"));
    for (case, path) in &set.files {
        let said = say("pdfinfo", &["-box", "-f", "1", "-l", "2"], &[path]);
        let good = if case.rule == "R0003" {
            boxes(&said, "CropBox") == boxes(&said, "MediaBox")
        } else {
            let trims = boxes(&said, "TrimBox");
            let side = |page: usize, axis: usize| {
                let corner = |index: usize| trims[page][index].parse::<f64>().unwrap();
                corner(axis + 2) - corner(axis)
            };
            // It prints two decimals.
            let same = (0..2).all(|axis| (side(0, axis) - side(1, axis)).abs() < 0.009);
            let turned = said.lines().any(|line| line.contains("rot:") && !line.trim_end().ends_with(" 0"));
            same && !turned
        };
        assert_eq!(good, case.truth == Truth::Good, "{}: {said}", case.name);
    }
}
