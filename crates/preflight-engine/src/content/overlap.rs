//! Which boxes meet an earlier one, in time that does not grow with their number.
//!
//! The media is a grid of 64 by 64 cells. A cell that an earlier box covers whole, or that holds more boxes than are kept
//! of it, answers `true` to whatever touches it; in a cell that an earlier box enters, whatever covers the cell whole meets
//! that box. So only the cells on the rim of a box need a look at single boxes, of which each cell keeps sixteen. The answer
//! is exact but for crowded cells, where it errs towards `true`.

use super::geometry::Bounds;

/// Cells along each side: the bits of a word.
const SIDE: usize = 64;

/// Boxes kept of one cell.
const KEPT: usize = 16;

/// Boxes that meet by less than this many points do not overlap: neighbours of one line of text share an edge.
const TOLERANCE: f64 = 0.01;

/// The boxes of a page so far.
pub(super) struct Overlaps {
    media: Bounds,
    /// Cells, a word a row, that answer `true`.
    covered: Box<[u64; SIDE]>,
    /// Cells that some box enters.
    entered: Box<[u64; SIDE]>,
    boxes: Vec<Vec<Bounds>>,
}

/// Cells that a box touches, and those that it covers: first and last column and row.
struct Span {
    columns: (usize, usize),
    rows: (usize, usize),
    inner_columns: u64,
    inner_rows: (usize, usize),
}

impl Overlaps {
    pub(super) fn new(media: Bounds) -> Self {
        Self { media, covered: Box::new([0; SIDE]), entered: Box::new([0; SIDE]), boxes: Vec::new() }
    }

    /// Whether a box meets one that was added.
    pub(super) fn meets(&self, bounds: Bounds) -> bool {
        let bounds = normal(bounds);
        let Some(span) = self.span(bounds) else { return false };
        for row in span.rows.0..=span.rows.1 {
            let (covered, entered) = (self.word(&self.covered, row), self.word(&self.entered, row));
            let touched = mask(span.columns);
            if covered & touched != 0 {
                return true;
            }
            let inner =
                if (span.inner_rows.0..span.inner_rows.1).contains(&row) { span.inner_columns } else { 0 };
            if entered & inner != 0 {
                return true;
            }
            let mut rim = entered & touched;
            while rim != 0 {
                let column = rim.trailing_zeros() as usize;
                rim &= rim - 1;
                if self.cell(row, column).iter().any(|other| meet(*other, bounds)) {
                    return true;
                }
            }
        }
        false
    }

    /// Adds a box.
    pub(super) fn add(&mut self, bounds: Bounds) {
        let bounds = normal(bounds);
        let Some(span) = self.span(bounds) else { return };
        if self.boxes.is_empty() {
            self.boxes.resize_with(SIDE * SIDE, Vec::new);
        }
        for row in span.rows.0..=span.rows.1 {
            let inner =
                if (span.inner_rows.0..span.inner_rows.1).contains(&row) { span.inner_columns } else { 0 };
            let touched = mask(span.columns);
            if let Some(word) = self.entered.get_mut(row) {
                *word |= touched;
            }
            let Some(covered) = self.covered.get_mut(row) else { continue };
            *covered |= inner;
            let mut rim = touched & !*covered;
            while rim != 0 {
                let column = rim.trailing_zeros() as usize;
                rim &= rim - 1;
                let Some(cell) = self.boxes.get_mut(row * SIDE + column) else { continue };
                if cell.len() < KEPT {
                    cell.push(bounds);
                } else if !cell.iter().any(|other| other.contains(bounds, 0.0)) {
                    *covered |= 1 << column;
                }
            }
        }
    }

    fn word(&self, words: &[u64; SIDE], row: usize) -> u64 {
        words.get(row).copied().unwrap_or(0)
    }

    fn cell(&self, row: usize, column: usize) -> &[Bounds] {
        self.boxes.get(row * SIDE + column).map_or(&[], Vec::as_slice)
    }

    fn span(&self, bounds: Bounds) -> Option<Span> {
        let inside = bounds.intersection(self.media);
        let (width, height) = (self.media.right - self.media.left, self.media.top - self.media.bottom);
        if inside.is_empty() || width <= 0.0 || height <= 0.0 {
            return None;
        }
        let (left, right) =
            ((inside.left - self.media.left) / width, (inside.right - self.media.left) / width);
        let (low, high) =
            ((inside.bottom - self.media.bottom) / height, (inside.top - self.media.bottom) / height);
        let columns = (cell(left), cell(right));
        let inner = (inner_start(left), inner_end(right));
        Some(Span {
            columns,
            rows: (cell(low), cell(high)),
            inner_columns: if inner.0 < inner.1 { mask((inner.0, inner.1 - 1)) } else { 0 },
            inner_rows: (inner_start(low), inner_end(high)),
        })
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the grid before")]
fn cell(fraction: f64) -> usize {
    ((fraction * SIDE as f64).clamp(0.0, (SIDE - 1) as f64)) as usize
}

/// First cell that lies wholly after the fraction.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the grid before")]
fn inner_start(fraction: f64) -> usize {
    (fraction * SIDE as f64 + 1e-9).ceil().clamp(0.0, SIDE as f64) as usize
}

/// One after the last cell that lies wholly before the fraction.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the grid before")]
fn inner_end(fraction: f64) -> usize {
    (fraction * SIDE as f64 - 1e-9).floor().clamp(0.0, SIDE as f64) as usize
}

/// Bits of the columns from first to last.
fn mask((first, last): (usize, usize)) -> u64 {
    (u64::MAX >> (SIDE - 1 - last)) & (u64::MAX << first)
}

/// A box with an area, drawn in by the tolerance where it is large enough.
fn normal(bounds: Bounds) -> Bounds {
    let side = |low: f64, high: f64| {
        let margin =
            if high - low > 4.0 * TOLERANCE { TOLERANCE / 2.0 } else { (high - low) / 2.0 - TOLERANCE / 2.0 };
        (low + margin, high - margin)
    };
    let (left, right) = side(bounds.left, bounds.right);
    let (bottom, top) = side(bounds.bottom, bounds.top);
    Bounds { left, bottom, right, top }
}

fn meet(one: Bounds, other: Bounds) -> bool {
    one.left < other.right && other.left < one.right && one.bottom < other.top && other.bottom < one.top
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Overlaps {
        Overlaps::new(Bounds::new([0.0, 0.0, 640.0, 640.0]))
    }

    #[test]
    fn neighbours_that_share_an_edge_do_not_overlap() {
        let mut overlaps = page();
        overlaps.add(Bounds::new([10.0, 10.0, 30.0, 22.0]));
        assert!(!overlaps.meets(Bounds::new([30.0, 10.0, 50.0, 22.0])));
        assert!(overlaps.meets(Bounds::new([29.9, 10.0, 50.0, 22.0])));
    }

    #[test]
    fn line_without_height_on_a_background_overlaps() {
        let mut overlaps = page();
        overlaps.add(Bounds::new([0.0, 0.0, 640.0, 640.0]));
        assert!(overlaps.meets(Bounds::new([100.0, 100.0, 200.0, 100.0])));
    }

    #[test]
    fn large_box_around_a_small_one_overlaps() {
        let mut overlaps = page();
        overlaps.add(Bounds::new([101.0, 101.0, 102.0, 102.0]));
        assert!(overlaps.meets(Bounds::new([50.0, 50.0, 300.0, 300.0])));
        assert!(!overlaps.meets(Bounds::new([103.0, 50.0, 300.0, 300.0])));
    }

    #[test]
    fn answers_agree_with_comparing_all_pairs_where_cells_are_not_crowded() {
        let mut seed = 7u64;
        let mut random = |limit: f64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 40) as f64 / (1u64 << 24) as f64 * limit
        };
        for _ in 0..200 {
            let mut overlaps = page();
            let mut all: Vec<Bounds> = Vec::new();
            for _ in 0..KEPT {
                let (x, y) = (random(600.0), random(600.0));
                let bounds = Bounds::new([x, y, x + random(200.0), y + random(60.0)]);
                let truth = all.iter().any(|other| meet(normal(*other), normal(bounds)));
                assert_eq!(overlaps.meets(bounds), truth, "{bounds:?} among {all:?}");
                overlaps.add(bounds);
                all.push(bounds);
            }
        }
    }
}
