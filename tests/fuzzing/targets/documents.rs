//! PDF files: any bytes, and files of our builder with a few changes to their objects. Reading never fails, and what was
//! read can be written, read back and judged.

use std::cell::{Cell, RefCell};
use std::sync::Once;

use mintmark_preflight_engine::policy::{Intent, Verdict, evaluate, find};
use mintmark_preflight_engine::{Budgets, Facts, read};

use super::pdf::{Doc, Pdf};

/// What is put in place of a piece of an object.
const PIECES: [&str; 40] = [
    "-1",
    "0",
    "1",
    "2147483648",
    "-2147483649",
    "1e38",
    "0.00001",
    "null",
    "true",
    "[",
    "]",
    "<<",
    ">>",
    "(",
    ")",
    "<",
    "1 0 R",
    "2 0 R",
    "5 0 R",
    "9 0 R",
    "99 0 R",
    "/Type",
    "/Kids",
    "/Parent",
    "/Filter /FlateDecode",
    "/Filter /LZWDecode",
    "/Length 0",
    "/Resources",
    "/DeviceN",
    "/Separation",
    "/ICCBased",
    "/Indexed",
    "/Pattern",
    "/Subtype /Type3",
    "/SMask",
    "/OCProperties",
    "/Encrypt",
    "/MediaBox [0 0 0 0]",
    "stream\n",
    "endobj",
];

/// Reads the input as a file, and as changes to files.
pub fn run(data: &[u8]) {
    holds(data);
    let [which, changes @ ..] = data else { return };
    let mut file = base(*which).file_with_catalog();
    for change in changes.chunks_exact(4).take(16) {
        apply(&mut file, change);
    }
    holds(&file.build());
}

/// A file that has much of what a file can have.
pub fn base(which: u8) -> Doc {
    let mut doc = Doc::x4();
    let image = doc.stream(
        "/Type /XObject /Subtype /Image /Width 2 /Height 2 /ColorSpace /DeviceCMYK /BitsPerComponent 8",
        &[0; 16],
    );
    let form = doc.stream("/Type /XObject /Subtype /Form /BBox [0 0 9 9]", b"0 0 5 5 re f");
    let tint = doc.object("<< /FunctionType 2 /Domain [0 1] /C0 [0 0 0 0] /C1 [0 1 1 0] /N 1 >>");
    let page = doc.page();
    page.xobjects = format!("/Im {image} 0 R /Fm {form} 0 R");
    page.color_spaces = format!(
        "/Sp [/Separation /Spot /DeviceCMYK {tint} 0 R] /Ix [/Indexed /DeviceCMYK 1 <0000000000000000>]"
    );
    page.ext_gstates = "/Gs << /ca 0.5 /BM /Multiply /OP true /OPM 1 /SMask /None >>".to_owned();
    page.content = super::streams::SAMPLE.to_owned();
    page.entries =
        "/Annots [<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI (x) >> >>]".to_owned();
    page.compress = which & 1 == 1;
    if which & 2 == 2 {
        doc.pages = vec![doc.pages[0].clone(); 3];
    }
    if which & 4 == 4 {
        doc.catalog =
            "/OCProperties << /OCGs [] /D << >> >> /Names << /JavaScript << /Names [] >> >>".to_owned();
    }
    doc
}

/// Four bytes: which object, where in it, how much goes, what comes.
fn apply(file: &mut Pdf, change: &[u8]) {
    let [object, place, length, piece] = change else { return };
    let count = file.objects.len();
    let Some(Some(body)) = file.objects.get_mut(usize::from(*object) % count) else { return };
    let from = usize::from(*place) * body.len() / 256;
    let to = (from + usize::from(*length % 16)).min(body.len());
    let piece = PIECES[usize::from(*piece) % PIECES.len()];
    body.splice(from..to, format!(" {piece} ").into_bytes());
}

/// What is true of every file.
pub fn holds(bytes: &[u8]) {
    let budgets = Budgets {
        pages: 50,
        stream_bytes: 1 << 20,
        total_bytes: 4 << 20,
        structure_bytes: 4 << 20,
        page_operators: 20_000,
        total_operators: 50_000,
        form_executions: 500,
        objects: 20_000,
        ..Budgets::default()
    };
    let facts = without_panics_of_ours(|| read(bytes.to_vec(), &budgets));
    let json = serde_json::to_string(&facts).expect("facts are JSON");
    let back: Facts = serde_json::from_str(&json).expect("facts are read back: no number is missing");
    let policy = find("digital-print").expect("a policy of ours");
    let report = evaluate(policy, &back, &Intent::default());
    let whole = facts.limits.is_empty();
    assert!(whole || !matches!(report.verdict, Verdict::Pass), "no file passes that was not read to its end");
}

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static PANICKED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Panics of the libraries below are caught and become facts; one of ours is a defect, caught or not.
fn without_panics_of_ours<T>(work: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !WATCHED.get() {
                return before(panic);
            }
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            if place.contains("preflight-engine") {
                PANICKED.set(Some(panic.to_string()));
            }
        }));
    });
    WATCHED.set(true);
    let result = work();
    WATCHED.set(false);
    if let Some(panic) = PANICKED.take() {
        panic!("the engine itself: {panic}");
    }
    result
}
