//! Files that were spoiled at random, the same ones every time: the reader may find damage, it may not give up.

use mintmark_preflight_engine::{Budgets, read};

use super::{
    kinds,
    pdf::{Doc, Pdf},
};

/// Enough randomness for spoiling files (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Words that mean something to a reader.
const WORDS: [&[u8]; 16] = [
    b"obj",
    b"endobj",
    b"stream",
    b"endstream",
    b"<<",
    b">>",
    b"[",
    b"]",
    b"(",
    b"0",
    b"-1",
    b"99999999999",
    b"1 0 R",
    b"null",
    b"/Kids",
    b"/Length",
];

fn spoil(bytes: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.below(6) {
        if bytes.len() < 10 {
            return;
        }
        let at = dice.below(bytes.len());
        let end = (at + dice.below(40)).min(bytes.len());
        match dice.below(6) {
            0 => bytes[at] = dice.below(256) as u8,
            1 => drop(bytes.drain(at..end)),
            2 => {
                let copy = bytes[at..end].to_vec();
                let to = dice.below(bytes.len());
                bytes.splice(to..to, copy);
            }
            3 => drop(bytes.splice(at..at, WORDS[dice.below(WORDS.len())].iter().copied())),
            4 => bytes.truncate(bytes.len().saturating_sub(dice.below(200)).max(10)),
            _ => {
                // A digit becomes another: references, lengths, offsets.
                if let Some(digit) = bytes[at..].iter_mut().find(|byte| byte.is_ascii_digit()) {
                    *digit = b'0' + dice.below(10) as u8;
                }
            }
        }
    }
}

#[test]
fn spoiled_files_are_read_to_some_end() {
    let mut rich = Doc::x4();
    let form = rich.stream("/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << >>", b"0 0 5 5 re f");
    rich.page().xobjects = format!("/X {form} 0 R");
    rich.page().content = "q 1 0 0 1 5 5 cm /X Do Q BT /F1 12 Tf (Text) Tj ET".to_owned();
    rich.catalog = "/OCProperties << /OCGs [] /D << >> >> /Outlines << /First 1 0 R >>".to_owned();
    let mut plain = Pdf::new("1.4");
    plain.add("<< /Type /Catalog /Pages 2 0 R >>");
    plain.add("<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 9 9] >>");
    plain.add("<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Annots [5 0 R] >>");
    plain.flate("", b"0 0 5 5 re f");
    plain.add("<< /Type /Annot /Subtype /Link /A << /S /URI /Next 5 0 R >> >>");
    plain.trailer = "/Root 1 0 R".to_owned();
    let sources = [rich.build(), plain.build(), super::hostile::object_stream_file()];
    let runs = std::env::var("PREFLIGHT_MUTATIONS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(1_500);
    let mut dice = Dice(0x5eed);
    let budgets = Budgets {
        stream_bytes: 1 << 20,
        total_bytes: 4 << 20,
        structure_bytes: 4 << 20,
        ..Budgets::default()
    };
    for run in 0..runs {
        let mut bytes = sources[run % sources.len()].clone();
        spoil(&mut bytes, &mut dice);
        let started = std::time::Instant::now();
        let facts = read(bytes.clone(), &budgets);
        let failed = kinds(&facts).contains(&"reader_failed") || started.elapsed().as_secs() > 5;
        assert!(!failed, "run {run} after {:?}: {}", started.elapsed(), bytes.escape_ascii());
    }
}
