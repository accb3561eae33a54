//! Text: where strings are, how large, in which font.

use super::{
    Walker,
    collect::{Exact, Kind},
    geometry::{Bounds, Matrix, clean},
    interpret::Run,
    lexer::{Item, Lexer, Operand, decode_string},
    resources::FontUse,
};

/// The matrices of a text object.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextMatrices {
    pub(super) text: Matrix,
    pub(super) line: Matrix,
}

impl TextMatrices {
    pub(super) const START: Self = Self { text: Matrix::IDENTITY, line: Matrix::IDENTITY };

    /// Begins a line, offset from the beginning of the last.
    pub(super) fn next_line(&mut self, x: f64, y: f64) {
        if let Some(line) = Matrix::translation(x, y).then(self.line) {
            self.line = line;
            self.text = line;
        }
    }
}

/// What one showing operator shows.
struct Shown {
    /// Box in text space, before the text matrix.
    extent: Bounds,
    /// How far the text matrix moves.
    advance: (f64, f64),
    glyphs: u64,
    /// Glyphs that certainly paint nothing.
    blanks: u64,
    /// Type 3 codes, each once, with how far along they are.
    codes: Vec<(u8, f64)>,
}

impl<'a> Walker<'a, '_> {
    /// `Tj` and its relatives.
    pub(super) fn show_string(&mut self, run: &mut Run<'a>, string: &[u8]) {
        self.show(run, [Operand::String(string)].into_iter());
    }

    /// `TJ`.
    pub(super) fn show_array(&mut self, run: &mut Run<'a>, array: &[u8]) {
        let mut lexer = Lexer::new(array);
        let items = std::iter::from_fn(move || {
            loop {
                match lexer.next()? {
                    Item::Operand(operand) => return Some(operand),
                    Item::Operator(_) | Item::Broken => {}
                }
            }
        });
        self.show(run, items);
    }

    fn show<'d>(&mut self, run: &mut Run<'a>, items: impl Iterator<Item = Operand<'d>>) {
        let Some(font) = run.state.text.font.clone() else {
            self.damage(
                "font_missing",
                "Text is shown without a font. Export the file anew, with its fonts.".to_owned(),
                false,
            );
            self.show_with(run, None, items);
            return;
        };
        self.show_with(run, Some(&font), items);
    }

    fn show_with<'d>(
        &mut self,
        run: &mut Run<'a>,
        font: Option<&FontUse<'a>>,
        items: impl Iterator<Item = Operand<'d>>,
    ) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let shown = measure(run, font, items, &mut buffer);
        self.buffer = buffer;
        let matrix = run.text.text;
        if let Some(moved) = Matrix::translation(shown.advance.0, shown.advance.1).then(matrix) {
            run.text.text = moved;
        }
        if shown.glyphs == 0 {
            return;
        }
        let Some(matrix) = matrix.then(run.state.ctm) else { return };
        self.place(run, font, &shown, matrix);
    }

    /// Paints what was measured.
    fn place(&mut self, run: &mut Run<'a>, font: Option<&FontUse<'a>>, shown: &Shown, matrix: Matrix) {
        // Glyphs of Type 3 fonts are painted in whatever mode.
        let type3 = font.is_some_and(|font| font.type3.is_some());
        let mode = if type3 { 0 } else { run.state.text.mode };
        let bounds = matrix.bounds(shown.extent);
        if mode == 3 {
            self.out.counts.invisible_text += 1;
        } else {
            self.out.counts.text += 1;
            if let Some(entry) = font.and_then(|font| self.tables.fonts.get_mut(font.index)) {
                entry.used = true;
            }
        }
        if mode >= 4 {
            run.text_clip = run.text_clip.union(bounds);
        }
        let size = (run.state.text.size * matrix.c).hypot(run.state.text.size * matrix.d) * self.sheet.unit;
        let kind = Kind::Text { font: font.map(|font| font.index), size: Exact::new(clean(size)), mode };
        // Modes 3 and 7 paint nothing; their text is kept, as not visible.
        let unseen = matches!(mode, 3 | 7) || shown.blanks == shown.glyphs;
        let fill = matches!(mode, 0 | 2 | 4 | 6) || matches!(mode, 3 | 7);
        let stroke = matches!(mode, 1 | 2 | 5 | 6);
        let mut works = Vec::with_capacity(2);
        for (wanted, stroke) in [(fill, false), (stroke, true)] {
            if wanted {
                let colour = if stroke { &run.state.stroke } else { &run.state.fill };
                let mut work = self.paintwork(run, kind.clone(), stroke, bounds, colour.pattern.clone());
                if unseen {
                    work.clipped = Bounds::EMPTY;
                    work.pattern = None;
                }
                works.push(work);
            }
        }
        let overlapping = works.first().is_some_and(|work| work.overlapping);
        for work in works {
            self.paint(run, work);
        }
        if let Some(type3) = font.and_then(|font| font.type3.as_ref())
            && !unseen
        {
            self.show_glyphs(run, type3, &shown.codes, matrix, overlapping);
        }
    }
}

/// Where the glyphs of a showing operator are.
fn measure<'d>(
    run: &Run<'_>,
    font: Option<&FontUse<'_>>,
    items: impl Iterator<Item = Operand<'d>>,
    buffer: &mut Vec<u8>,
) -> Shown {
    let text = &run.state.text;
    let metrics = font.map(|font| &*font.metrics);
    let vertical = metrics.is_some_and(|metrics| metrics.vertical);
    let scale = if vertical { 1.0 } else { text.scale };
    let bytes = metrics.map_or(1, |metrics| metrics.code_bytes);
    let type3 = font.is_some_and(|font| font.type3.is_some());
    let mut seen = [false; 256];
    let (mut at, mut low, mut high) = (0.0f64, f64::INFINITY, f64::NEG_INFINITY);
    let mut shown =
        Shown { extent: Bounds::EMPTY, advance: (0.0, 0.0), glyphs: 0, blanks: 0, codes: Vec::new() };
    for item in items {
        match item {
            Operand::Number(adjustment) => at -= adjustment * 0.001 * text.size * scale,
            Operand::String(raw) => {
                decode_string(raw, buffer);
                for code in buffer.chunks(bytes) {
                    let value = code.iter().fold(0u32, |value, byte| value << 8 | u32::from(*byte));
                    if type3
                        && let Some(first) = code.first()
                        && let Some(seen) = seen.get_mut(usize::from(*first))
                        && !std::mem::replace(seen, true)
                    {
                        shown.codes.push((*first, at));
                    }
                    let width = match metrics {
                        // The default of vertical advance.
                        Some(_) if vertical => -1.0,
                        Some(metrics) => metrics.width(value),
                        None => 0.5,
                    };
                    let space = bytes == 1 && value == 32;
                    let extra = text.character + if space { text.word } else { 0.0 };
                    let glyph = width * text.size * scale;
                    (low, high) = (low.min(at).min(at + glyph), high.max(at).max(at + glyph));
                    at += glyph + extra * if vertical { -1.0 } else { scale };
                    shown.glyphs += 1;
                    shown.blanks += u64::from(space && metrics.is_some_and(|metrics| metrics.blank_space));
                }
            }
            _ => {}
        }
    }
    if !at.is_finite() || !low.is_finite() || !high.is_finite() {
        return shown;
    }
    let (ascent, descent) = metrics.map_or((0.8, -0.2), |metrics| (metrics.ascent, metrics.descent));
    if vertical {
        // The origin is at the middle of the top, by default 0.88 above.
        let half = (0.5 * text.size * text.scale).abs();
        shown.extent = Bounds::new([-half, low, half, high]);
        shown.advance = (0.0, at);
    } else {
        let (one, two) = (descent * text.size + text.rise, ascent * text.size + text.rise);
        shown.extent = Bounds::new([low, one.min(two), high, one.max(two)]);
        shown.advance = (at, 0.0);
    }
    shown
}
