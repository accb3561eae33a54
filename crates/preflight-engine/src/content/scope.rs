//! What holds for a whole content stream, and the painting of one thing within it.

use std::rc::Rc;

use super::{
    Walker,
    collect::{Exact, Ink, Inking, Kind, Painted, Values, Within},
    geometry::{Bounds, Matrix, clean},
    interpret::Run,
    patterns::Pattern,
    resources::Res,
    state::NORMAL,
};
use crate::facts::ObjectRef;

/// What elements take over from what executes their content stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inherited {
    /// A cell of a pattern is where its area is.
    pub(super) area: Option<Bounds>,
    pub(super) overlapping: bool,
}

/// Optional content in force.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Layering {
    /// Something around it is off.
    pub(super) off: bool,
    /// The innermost layer.
    pub(super) layer: Option<usize>,
    /// Some layer around it is a processing step.
    pub(super) step: bool,
}

/// A content stream's circumstances.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    pub(super) res: Rc<Res<'a>>,
    pub(super) object: Option<ObjectRef>,
    pub(super) within: Within,
    pub(super) layering: Layering,
    /// The space in which patterns of this stream lie.
    pub(super) base: Matrix,
    /// Alpha of the groups around it.
    pub(super) alpha: f64,
    /// The blend mode of the groups around it, the innermost that is not Normal.
    pub(super) blend: &'static str,
    /// A group around it has a soft mask.
    pub(super) soft_mask: bool,
    /// Colours come from outside: an uncoloured cell or glyph.
    pub(super) uncoloured: bool,
    /// Nothing of it is seen by itself: the group of a soft mask.
    pub(super) hidden: bool,
    pub(super) inherited: Option<Inherited>,
}

impl<'a> Scope<'a> {
    /// The scope of something executed in this one.
    pub(super) fn inner(&self, name: &'static str) -> Self {
        let within = self.within.iter().copied().chain([name]).collect();
        Self { within, ..self.clone() }
    }
}

/// One thing about to be painted.
pub(super) struct Paintwork<'a> {
    pub(super) kind: Kind,
    pub(super) inking: Inking,
    pub(super) bounds: Bounds,
    pub(super) clipped: Bounds,
    pub(super) overlapping: bool,
    pub(super) ink: Ink,
    /// The object itself, where it is one.
    pub(super) object: Option<ObjectRef>,
    pub(super) pattern: Option<Rc<Pattern<'a>>>,
}

impl<'a> Walker<'a, '_> {
    /// Whether something in a box is in front of something else.
    pub(super) fn is_overlapping(&self, run: &Run<'a>, clipped: Bounds) -> bool {
        match run.scope.inherited {
            Some(inherited) => inherited.overlapping,
            None => !clipped.is_empty() && self.out.overlaps(clipped),
        }
    }

    /// How something is inked with one of the two colours of the state.
    pub(super) fn inking(&self, run: &Run<'a>, stroke: bool, pattern: Option<&Pattern<'a>>) -> Inking {
        let (state, scope) = (&run.state, &run.scope);
        let colour = if stroke { &state.stroke } else { &state.fill };
        let (space, values, pattern) = match pattern {
            Some(Pattern::Shading(shading)) => (shading.space, None, Some("shading")),
            Some(Pattern::Tiling(_)) => {
                let (space, values) = self.resolved(colour.space, colour.values.clone());
                (space, values, Some("tiling"))
            }
            None => {
                let (space, values) = self.resolved(colour.space, colour.values.clone());
                (space, values, None)
            }
        };
        Inking {
            stroke,
            space,
            values: values.map(Values),
            pattern,
            overprint: if stroke { state.stroke_overprint } else { state.fill_overprint },
            overprint_mode: state.overprint_mode,
            alpha: Exact::new(clean(
                scope.alpha * if stroke { state.stroke_alpha } else { state.fill_alpha },
            )),
            blend: if state.blend == NORMAL { scope.blend } else { state.blend },
            soft_mask: state.soft_mask || scope.soft_mask,
        }
    }

    /// Adds one thing to what was gathered, and walks the cell of its pattern.
    pub(super) fn paint(&mut self, run: &Run<'a>, work: Paintwork<'a>) {
        let scope = &run.scope;
        let layering = run.layering();
        let alpha_zero = work.inking.alpha == Exact::new(0.0);
        let area = scope.inherited.and_then(|inherited| inherited.area);
        let outside = work.clipped.is_empty() || (area.is_none() && !self.out.on_media(work.clipped));
        let hidden = scope.hidden || layering.off || alpha_zero || outside;
        let bounds = area.unwrap_or(if work.clipped.is_empty() { work.bounds } else { work.clipped });
        if !hidden {
            // Of a colour in an Indexed or Pattern space the inking names the base; the space itself is used too.
            let colour = if work.inking.stroke { &run.state.stroke } else { &run.state.fill };
            if let (Some(_), Some(space)) = (&work.inking.values, colour.space) {
                self.tables.use_space(space);
            }
            if let Some(space) = work.inking.space {
                self.tables.use_space(space);
            }
            if scope.inherited.is_none() {
                self.out.cover(work.clipped);
            }
        }
        let tiling =
            work.pattern.as_ref().filter(|pattern| matches!(***pattern, Pattern::Tiling(_))).cloned();
        let (inking, overlapping) = (tiling.as_ref().map(|_| work.inking.clone()), work.overlapping);
        let painted = Painted {
            kind: work.kind,
            inking: work.inking,
            bounds,
            hidden,
            overlapping,
            layer: layering.layer,
            step: layering.step,
            within: Rc::clone(&scope.within),
            object: work.object.or(run.object()),
            operator: run.operator(),
            ink: work.ink,
        };
        self.out.add(painted, self.meter, self.sheet.number);
        if let (Some(pattern), Some(inking)) = (tiling, inking) {
            self.tile(run, &pattern, &inking, Inherited { area: Some(bounds), overlapping }, hidden);
        }
    }
}
