//! Paths: what they paint, and which filled ones are lines.
//!
//! A subpath that is filled counts as a line when it is a rectangle (axis aligned or not, drawn with `re` or as a polygon of
//! four sides) with a small side of at most [`MAX_THIN_PT`] points and at least [`MIN_ASPECT`] times as long, or a single
//! segment. No limit of a policy for lines is above 2 points, so the bound of 3 leaves none out; squares and short bars,
//! such as the modules of a code, stay areas. Each subpath is judged alone: the bars of a barcode in one path are lines.

use super::{
    Walker,
    collect::{Exact, Ink, Kind},
    geometry::{Bounds, Matrix, clean},
    interpret::Run,
    patterns::Pattern,
    scope::Paintwork,
};

/// Filled rectangles with a larger small side are areas.
const MAX_THIN_PT: f64 = 3.0;

/// Rectangles that are not at least so many times as long as wide are areas.
const MIN_ASPECT: f64 = 4.0;

/// Thin rectangles of one path that are told apart; of more, the thinnest stands for the rest.
const MAX_THIN: usize = 50_000;

/// A path under construction, in the page's space.
#[derive(Debug)]
pub(super) struct Path {
    /// Box around everything, control points included.
    pub(super) bounds: Bounds,
    /// Box around the subpaths that are no lines.
    areas: Bounds,
    thin: Vec<(f64, Bounds)>,
    corners: [(f64, f64); 5],
    /// Corners of the current subpath; 6 stands for more than five.
    count: usize,
    curved: bool,
    current: Bounds,
    start: (f64, f64),
    /// Where it is drawn from, in user space.
    point: (f64, f64),
    unit: f64,
    open: bool,
}

impl Path {
    pub(super) fn new(unit: f64) -> Self {
        Self {
            bounds: Bounds::EMPTY,
            areas: Bounds::EMPTY,
            thin: Vec::new(),
            corners: [(0.0, 0.0); 5],
            count: 0,
            curved: false,
            current: Bounds::EMPTY,
            start: (0.0, 0.0),
            point: (0.0, 0.0),
            unit,
            open: false,
        }
    }

    /// Forgets everything, keeping its memory.
    pub(super) fn clear(&mut self) {
        let mut thin = std::mem::take(&mut self.thin);
        thin.clear();
        *self = Self { thin, ..Self::new(self.unit) };
    }

    pub(super) fn start(&mut self, ctm: Matrix, x: f64, y: f64) {
        self.finish();
        self.start = (x, y);
        self.point = (x, y);
        self.open = true;
        self.corner(ctm.point(x, y));
    }

    /// A straight segment; `false` where there is no current point.
    pub(super) fn line(&mut self, ctm: Matrix, x: f64, y: f64) -> bool {
        if !self.open {
            return false;
        }
        self.resume(ctm);
        self.point = (x, y);
        self.corner(ctm.point(x, y));
        true
    }

    /// A curve; `false` where there is no current point.
    pub(super) fn curve(&mut self, ctm: Matrix, controls: [(f64, f64); 2], x: f64, y: f64) -> bool {
        if !self.open {
            return false;
        }
        self.resume(ctm);
        self.curved = true;
        for (x, y) in controls {
            self.current.add(ctm.point(x, y));
        }
        self.point = (x, y);
        self.corner(ctm.point(x, y));
        true
    }

    /// The current point in user space.
    pub(super) const fn point(&self) -> (f64, f64) {
        self.point
    }

    pub(super) fn close(&mut self) {
        self.finish();
        self.point = self.start;
    }

    pub(super) fn rectangle(&mut self, ctm: Matrix, [x, y, width, height]: [f64; 4]) {
        self.start(ctm, x, y);
        for (x, y) in [(x + width, y), (x + width, y + height), (x, y + height)] {
            self.corner(ctm.point(x, y));
        }
        self.close();
    }

    /// After `h` a segment begins at the start of the closed subpath.
    fn resume(&mut self, ctm: Matrix) {
        if self.count == 0 {
            self.corner(ctm.point(self.point.0, self.point.1));
        }
    }

    fn corner(&mut self, point: (f64, f64)) {
        self.current.add(point);
        if let Some(slot) = self.corners.get_mut(self.count) {
            *slot = point;
        }
        self.count = (self.count + 1).min(6);
    }

    /// Judges the current subpath and takes it in.
    pub(super) fn finish(&mut self) {
        let bounds = std::mem::replace(&mut self.current, Bounds::EMPTY);
        let (count, curved) = (std::mem::take(&mut self.count), std::mem::take(&mut self.curved));
        // A lone point paints nothing when filled and begins no clip.
        if count < 2 {
            return;
        }
        self.bounds = self.bounds.union(bounds);
        let width = if curved {
            None
        } else {
            self.corners.get(..count).and_then(|corners| thin(corners, self.unit))
        };
        match width {
            None => self.areas = self.areas.union(bounds),
            Some(width) if self.thin.len() < MAX_THIN => self.thin.push((width, bounds)),
            Some(width) => {
                if let Some(last) = self.thin.last_mut() {
                    *last = (last.0.min(width), last.1.union(bounds));
                }
            }
        }
    }
}

fn distance(one: (f64, f64), other: (f64, f64)) -> f64 {
    (one.0 - other.0).hypot(one.1 - other.1)
}

/// The small side in points of a subpath that counts as a line when filled.
fn thin(corners: &[(f64, f64)], unit: f64) -> Option<f64> {
    let (first, last) = (*corners.first()?, *corners.last()?);
    let corners = match corners {
        // Closed by hand.
        [rest @ .., _] if corners.len() > 2 && distance(first, last) < 1e-6 => rest,
        all => all,
    };
    match corners {
        [_, _] => Some(0.0),
        [a, b, c, d] => {
            let (one, two) = (distance(*a, *b).max(distance(*c, *d)), distance(*b, *c).max(distance(*d, *a)));
            let long = one.max(two);
            // A parallelogram's diagonals halve each other.
            let skew = (a.0 + c.0 - b.0 - d.0).hypot(a.1 + c.1 - b.1 - d.1);
            if skew > 1e-3 * long + 1e-6 {
                return None;
            }
            // The distance between the long sides, which is the small side of a rectangle.
            let cross = (b.0 - a.0) * (d.1 - a.1) - (b.1 - a.1) * (d.0 - a.0);
            let small = if long > 0.0 { cross.abs() / long } else { 0.0 };
            let width = clean(small * unit);
            (width <= MAX_THIN_PT && long >= MIN_ASPECT * small).then_some(width)
        }
        _ => None,
    }
}

impl<'a> Walker<'a, '_> {
    /// Paints the current path, clips with it where that was asked for, and ends it.
    pub(super) fn paint_path(&mut self, run: &mut Run<'a>, fill: bool, stroke: bool) {
        run.path.finish();
        if !run.path.bounds.is_empty() {
            // What is painted at once is not in front of itself: all boxes are asked for before any is added.
            let filled = if fill { self.fills(run) } else { Vec::new() };
            let stroked = stroke.then(|| self.stroke(run));
            for work in filled.into_iter().chain(stroked) {
                self.paint(run, work);
            }
        }
        self.end_path(run);
    }

    /// Ends the path without painting it.
    pub(super) fn end_path(&mut self, run: &mut Run<'a>) {
        if std::mem::take(&mut run.clip_pending) {
            run.path.finish();
            run.state.clip = run.state.clip.intersection(run.path.bounds);
        }
        run.path.clear();
    }

    fn fills(&mut self, run: &Run<'a>) -> Vec<Paintwork<'a>> {
        self.out.counts.fills += 1;
        let pattern = run.state.fill.pattern.clone();
        let mut works = Vec::with_capacity(run.path.thin.len() + 1);
        if !run.path.areas.is_empty() {
            let kind = match pattern.as_deref() {
                Some(Pattern::Shading(shading)) => Kind::Shading(shading.kind),
                _ => Kind::Path,
            };
            works.push(self.paintwork(run, kind, false, run.path.areas, pattern.clone()));
        }
        for (width, bounds) in &run.path.thin {
            let kind = Kind::Line { width: Exact::new(*width), filled: true };
            works.push(self.paintwork(run, kind, false, *bounds, pattern.clone()));
        }
        works
    }

    fn stroke(&mut self, run: &Run<'a>) -> Paintwork<'a> {
        self.out.counts.strokes += 1;
        let (small, large) = run.state.ctm.stretch();
        let kind = Kind::Line {
            width: Exact::new(clean(run.state.line_width * small * self.sheet.unit)),
            filled: false,
        };
        let bounds = run.path.bounds.grown(run.state.line_width * large / 2.0);
        self.paintwork(run, kind, true, bounds, run.state.stroke.pattern.clone())
    }

    /// Something about to be painted with one of the two colours.
    pub(super) fn paintwork(
        &self,
        run: &Run<'a>,
        kind: Kind,
        stroke: bool,
        bounds: Bounds,
        pattern: Option<std::rc::Rc<Pattern<'a>>>,
    ) -> Paintwork<'a> {
        let inking = self.inking(run, stroke, pattern.as_deref());
        let ink = match (pattern.as_deref(), &inking.values) {
            // The cell says whether there is ink.
            (Some(Pattern::Tiling(_)), _) => Ink::No,
            (None, Some(values)) if self.is_white(inking.space, &values.0) => Ink::No,
            _ => Ink::Yes,
        };
        let clipped = bounds.intersection(run.state.clip);
        let overlapping = self.is_overlapping(run, clipped);
        Paintwork { kind, inking, bounds, clipped, overlapping, ink, object: None, pattern }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn width(points: &[(f64, f64)]) -> Option<f64> {
        thin(points, 1.0)
    }

    #[test]
    fn thin_rectangle_in_any_direction_is_a_line_of_its_small_side() {
        assert_eq!(width(&[(0.0, 0.0), (100.0, 0.0), (100.0, 0.25), (0.0, 0.25)]), Some(0.25));
        assert_eq!(width(&[(0.0, 0.0), (0.25, 0.0), (0.25, 90.0), (0.0, 90.0), (0.0, 0.0)]), Some(0.25));
        let (sin, cos) = 37f64.to_radians().sin_cos();
        let turn = |(x, y): (f64, f64)| (x * cos - y * sin, x * sin + y * cos);
        let turned = [(0.0, 0.0), (40.0, 0.0), (40.0, 0.5), (0.0, 0.5)].map(turn);
        assert!((width(&turned).unwrap() - 0.5).abs() < 1e-9);
        assert_eq!(width(&[(0.0, 0.0), (5.0, 5.0)]), Some(0.0));
    }

    #[test]
    fn squares_wide_bars_and_other_shapes_are_areas() {
        assert_eq!(width(&[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]), None);
        assert_eq!(width(&[(0.0, 0.0), (100.0, 0.0), (100.0, 3.1), (0.0, 3.1)]), None);
        assert_eq!(width(&[(0.0, 0.0), (100.0, 0.0), (50.0, 0.2)]), None);
        assert_eq!(width(&[(0.0, 0.0), (100.0, 0.0), (100.0, 2.0), (0.0, 0.2)]), None);
    }

    #[test]
    fn user_unit_widens_the_small_side() {
        assert_eq!(thin(&[(0.0, 0.0), (100.0, 0.0), (100.0, 0.25), (0.0, 0.25)], 2.0), Some(0.5));
    }
}
