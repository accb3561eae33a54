//! The graphics state.

use std::rc::Rc;

use super::{
    geometry::{Bounds, Matrix},
    patterns::Pattern,
    resources::FontUse,
};

/// A current colour.
#[derive(Clone)]
pub(super) struct Colour<'a> {
    /// Index of the space that was set.
    pub(super) space: Option<usize>,
    /// Components as set; absent for a pattern without underlying colour and where they cannot be known.
    pub(super) values: Option<Rc<[f64]>>,
    /// The pattern, where one is set.
    pub(super) pattern: Option<Rc<Pattern<'a>>>,
}

/// The parameters of text. `Tm` and `Tlm` are not among them: `q` does not save them.
#[derive(Clone)]
pub(super) struct TextState<'a> {
    pub(super) font: Option<Rc<FontUse<'a>>>,
    pub(super) size: f64,
    pub(super) mode: u8,
    /// `Tz` as a factor.
    pub(super) scale: f64,
    pub(super) rise: f64,
    pub(super) character: f64,
    pub(super) word: f64,
    pub(super) leading: f64,
}

/// The graphics state.
#[derive(Clone)]
pub(super) struct State<'a> {
    pub(super) ctm: Matrix,
    pub(super) clip: Bounds,
    pub(super) line_width: f64,
    pub(super) fill: Colour<'a>,
    pub(super) stroke: Colour<'a>,
    pub(super) fill_alpha: f64,
    pub(super) stroke_alpha: f64,
    pub(super) blend: &'static str,
    pub(super) soft_mask: bool,
    pub(super) fill_overprint: bool,
    pub(super) stroke_overprint: bool,
    pub(super) overprint_mode: u8,
    pub(super) text: TextState<'a>,
}

/// The blend mode that is none.
pub(super) const NORMAL: &str = "Normal";

const BLEND_MODES: [&str; 16] = [
    NORMAL,
    "Multiply",
    "Screen",
    "Overlay",
    "Darken",
    "Lighten",
    "ColorDodge",
    "ColorBurn",
    "HardLight",
    "SoftLight",
    "Difference",
    "Exclusion",
    "Hue",
    "Saturation",
    "Color",
    "Luminosity",
];

/// A blend mode by its name; `Compatible` is Normal, an unknown one is none.
pub(super) fn blend_mode(name: &[u8]) -> Option<&'static str> {
    if name == b"Compatible" {
        return Some(NORMAL);
    }
    BLEND_MODES.into_iter().find(|mode| mode.as_bytes() == name)
}

impl<'a> State<'a> {
    /// The state at the beginning of a page; `gray` is the index of DeviceGray.
    pub(super) fn new(ctm: Matrix, clip: Bounds, gray: Option<usize>) -> Self {
        let black = Colour { space: gray, values: Some(Rc::from([0.0])), pattern: None };
        Self {
            ctm,
            clip,
            line_width: 1.0,
            fill: black.clone(),
            stroke: black,
            fill_alpha: 1.0,
            stroke_alpha: 1.0,
            blend: NORMAL,
            soft_mask: false,
            fill_overprint: false,
            stroke_overprint: false,
            overprint_mode: 0,
            text: TextState {
                font: None,
                size: 0.0,
                mode: 0,
                scale: 1.0,
                rise: 0.0,
                character: 0.0,
                word: 0.0,
                leading: 0.0,
            },
        }
    }
}
