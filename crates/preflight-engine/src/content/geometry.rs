//! Matrices and bounding boxes.

use hayro_syntax::object::{Array, Number};

use crate::facts::Rect;

/// Coordinates beyond this are taken for damage: a page is at most 14,400 units wide, and products stay finite.
const LIMIT: f64 = 1e12;

/// `[a b c d e f]`; a point is a row: `x' = a·x + c·y + e`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Matrix {
    pub(super) a: f64,
    pub(super) b: f64,
    pub(super) c: f64,
    pub(super) d: f64,
    pub(super) e: f64,
    pub(super) f: f64,
}

impl Matrix {
    pub(super) const IDENTITY: Self = Self { a: 1.0, b: 0.0, c: 0.0, d: 1.0, e: 0.0, f: 0.0 };

    pub(super) const fn new([a, b, c, d, e, f]: [f64; 6]) -> Self {
        Self { a, b, c, d, e, f }
    }

    /// From an array of six numbers.
    pub(super) fn read(array: &Array<'_>) -> Option<Self> {
        numbers(array).map(Self::new)
    }

    pub(super) const fn translation(x: f64, y: f64) -> Self {
        Self { e: x, f: y, ..Self::IDENTITY }
    }

    /// First `self`, then `outer`; `None` where the product leaves every sensible range.
    pub(super) fn then(self, outer: Self) -> Option<Self> {
        let product = Self {
            a: self.a * outer.a + self.b * outer.c,
            b: self.a * outer.b + self.b * outer.d,
            c: self.c * outer.a + self.d * outer.c,
            d: self.c * outer.b + self.d * outer.d,
            e: self.e * outer.a + self.f * outer.c + outer.e,
            f: self.e * outer.b + self.f * outer.d + outer.f,
        };
        product.values().iter().all(|value| value.abs() < LIMIT).then_some(product)
    }

    pub(super) const fn values(self) -> [f64; 6] {
        [self.a, self.b, self.c, self.d, self.e, self.f]
    }

    /// The matrix as a key: equal exactly for equal bits.
    pub(super) fn bits(self) -> [u64; 6] {
        self.values().map(|value| (value + 0.0).to_bits())
    }

    pub(super) fn point(self, x: f64, y: f64) -> (f64, f64) {
        (self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f)
    }

    /// How much it stretches at least and at most: its singular values.
    pub(super) fn stretch(self) -> (f64, f64) {
        let sum = self.a.powi(2) + self.b.powi(2) + self.c.powi(2) + self.d.powi(2);
        let determinant = (self.a * self.d - self.b * self.c).abs();
        // Of the pure scalings and rotations, which are nearly all, the values without a rounding error.
        if self.b == 0.0 && self.c == 0.0 {
            let (x, y) = (self.a.abs(), self.d.abs());
            return (x.min(y), x.max(y));
        }
        if self.a == 0.0 && self.d == 0.0 {
            let (x, y) = (self.b.abs(), self.c.abs());
            return (x.min(y), x.max(y));
        }
        let root = (sum.powi(2) - 4.0 * determinant.powi(2)).max(0.0).sqrt();
        let largest = ((sum + root) / 2.0).sqrt();
        let smallest = if largest > 0.0 { determinant / largest } else { 0.0 };
        (smallest, largest)
    }

    /// Box around a rectangle's image.
    pub(super) fn bounds(self, rect: Bounds) -> Bounds {
        if rect.is_empty() {
            return Bounds::EMPTY;
        }
        let mut bounds = Bounds::EMPTY;
        for (x, y) in [
            (rect.left, rect.bottom),
            (rect.right, rect.bottom),
            (rect.right, rect.top),
            (rect.left, rect.top),
        ] {
            bounds.add(self.point(x, y));
        }
        bounds
    }
}

/// A box whose edges belong to it; empty where its edges are crossed over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    pub(super) left: f64,
    pub(super) bottom: f64,
    pub(super) right: f64,
    pub(super) top: f64,
}

impl Bounds {
    pub(super) const EMPTY: Self =
        Self { left: f64::INFINITY, bottom: f64::INFINITY, right: f64::NEG_INFINITY, top: f64::NEG_INFINITY };

    pub(super) const fn new([left, bottom, right, top]: Rect) -> Self {
        Self { left, bottom, right, top }
    }

    /// From an array of four numbers, in any order of corners.
    pub(super) fn read(array: &Array<'_>) -> Option<Self> {
        let [x0, y0, x1, y1] = numbers(array)?;
        Some(Self { left: x0.min(x1), bottom: y0.min(y1), right: x0.max(x1), top: y0.max(y1) })
    }

    pub(super) const fn rect(self) -> Rect {
        [self.left, self.bottom, self.right, self.top]
    }

    pub(super) fn is_empty(self) -> bool {
        // Written so that a box with a NaN is empty.
        !(self.left <= self.right && self.bottom <= self.top)
    }

    pub(super) fn add(&mut self, (x, y): (f64, f64)) {
        self.left = self.left.min(x);
        self.bottom = self.bottom.min(y);
        self.right = self.right.max(x);
        self.top = self.top.max(y);
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            bottom: self.bottom.min(other.bottom),
            right: self.right.max(other.right),
            top: self.top.max(other.top),
        }
    }

    pub(super) fn intersection(self, other: Self) -> Self {
        Self {
            left: self.left.max(other.left),
            bottom: self.bottom.max(other.bottom),
            right: self.right.min(other.right),
            top: self.top.min(other.top),
        }
    }

    /// Wider by `margin` on every side.
    pub(super) fn grown(self, margin: f64) -> Self {
        Self {
            left: self.left - margin,
            bottom: self.bottom - margin,
            right: self.right + margin,
            top: self.top + margin,
        }
    }

    /// Whether `other` lies within it, give or take `tolerance`.
    pub(super) fn contains(self, other: Self, tolerance: f64) -> bool {
        self.left <= other.left + tolerance
            && self.bottom <= other.bottom + tolerance
            && self.right >= other.right - tolerance
            && self.top >= other.top - tolerance
    }
}

/// A length without the noise of binary fractions: 0.25 drawn as the difference of 10.35 and 10.1 is 0.25 again, and not
/// below a limit of 0.25. A thousand-millionth of a point is far finer than any coordinate is written.
pub(super) fn clean(length: f64) -> f64 {
    let rounded = (length * 1e9).round() / 1e9;
    if rounded.is_finite() { rounded } else { length }
}

/// Exactly `N` numbers of an array's beginning, each in a sensible range.
pub(super) fn numbers<const N: usize>(array: &Array<'_>) -> Option<[f64; N]> {
    let mut found = [0.0; N];
    let mut items = array.iter::<Number>();
    for slot in &mut found {
        *slot = items.next()?.as_f64();
        if slot.is_nan() || slot.abs() >= LIMIT {
            return None;
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretch_is_the_two_axes_of_the_ellipse() {
        let (small, large) = Matrix::new([2.0, 0.0, 0.0, 0.5, 7.0, 7.0]).stretch();
        assert_eq!((small, large), (0.5, 2.0));
        // Turned by 30 degrees after the scaling, nothing changes.
        let (sin, cos) = 30f64.to_radians().sin_cos();
        let turned = Matrix::new([2.0, 0.0, 0.0, 0.5, 0.0, 0.0])
            .then(Matrix::new([cos, sin, -sin, cos, 0.0, 0.0]))
            .unwrap();
        let (small, large) = turned.stretch();
        assert!((small - 0.5).abs() < 1e-12 && (large - 2.0).abs() < 1e-12);
    }

    #[test]
    fn product_beyond_every_page_is_refused() {
        let large = Matrix::new([1e7, 0.0, 0.0, 1e7, 0.0, 0.0]);
        assert!(large.then(large).is_none());
    }

    #[test]
    fn box_with_nan_is_empty() {
        assert!(Bounds::new([f64::NAN, 0.0, 1.0, 1.0]).is_empty());
        assert!(!Bounds::new([0.0, 0.0, 0.0, 1.0]).is_empty());
    }
}
