//! Patterns. The cell of a tiling pattern is walked once for each way in which it is used, not once for each tile: what is
//! in it lies in the area that it fills, and has the sizes that the pattern's matrix gives it.

use std::rc::Rc;

use hayro_syntax::object::{Array, Dict, ObjRef, Object, Stream};

use super::{
    Walker,
    collect::Inking,
    geometry::{Bounds, Matrix},
    interpret::Run,
    resources::{Res, entry, sub_dictionary},
    scope::{Inherited, Scope},
    shadings::Shading,
    state::{Colour, State},
};
use crate::{decode, facts::Family, tables::Identity};

/// A pattern.
pub(super) enum Pattern<'a> {
    Tiling(Tiling<'a>),
    Shading(Shading),
}

/// A tiling pattern.
pub(super) struct Tiling<'a> {
    stream: Stream<'a>,
    identity: Identity,
    matrix: Matrix,
    bounds: Option<Bounds>,
    uncoloured: bool,
}

/// A use of a cell that was walked.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct TileKey {
    pattern: Identity,
    base: [u64; 6],
    inking: Inking,
    overlapping: bool,
    hidden: bool,
    layer: Option<usize>,
}

impl<'a> Walker<'a, '_> {
    /// Reads a pattern.
    pub(super) fn pattern(
        &mut self,
        object: Object<'a>,
        reference: Option<ObjRef>,
        res: &Res<'a>,
    ) -> Option<Pattern<'a>> {
        let identity = Identity::of(reference, &object)?;
        match object {
            Object::Stream(stream) => {
                let dict = stream.dict();
                let matrix = matrix(dict);
                let bounds = dict.get::<Array<'_>>("BBox").and_then(|array| Bounds::read(&array));
                let uncoloured = dict.get::<i32>("PaintType") == Some(2);
                Some(Pattern::Tiling(Tiling { matrix, bounds, uncoloured, identity, stream }))
            }
            Object::Dict(dict) => {
                let (shading, _) = entry(self.xref, &dict, b"Shading")?;
                self.shading(&shading, res).map(Pattern::Shading)
            }
            _ => None,
        }
    }

    /// Walks the cell of a tiling pattern.
    pub(super) fn tile(
        &mut self,
        run: &Run<'a>,
        pattern: &Rc<Pattern<'a>>,
        inking: &Inking,
        inherited: Inherited,
        hidden: bool,
    ) {
        let Pattern::Tiling(tiling) = &**pattern else { return };
        let layering = run.layering();
        let key = TileKey {
            pattern: tiling.identity,
            base: run.scope.base.bits(),
            inking: inking.clone(),
            overlapping: inherited.overlapping,
            hidden,
            layer: layering.layer,
        };
        let Some(ctm) = tiling.matrix.then(run.scope.base) else { return };
        // A cell within itself would be taken for one that was walked.
        if self.is_recursive(tiling.identity) || !self.tiles.insert(key) || !self.enter(tiling.identity) {
            return;
        }
        match decode::stream(&tiling.stream, self.meter, Some(self.sheet.number)) {
            Ok(decoded) => {
                let res = match sub_dictionary(self.xref, tiling.stream.dict(), "Resources") {
                    Some(dict) => self.resources(&dict),
                    None => Rc::clone(&run.scope.res),
                };
                let gray = Some(self.device(&res, Family::DeviceGray));
                let everywhere = Bounds::new([-1e9, -1e9, 1e9, 1e9]);
                let clip = tiling.bounds.map_or(everywhere, |bounds| ctm.bounds(bounds));
                let mut state = State::new(ctm, clip, gray);
                if tiling.uncoloured {
                    let values = inking.values.as_ref().map(|values| Rc::clone(&values.0));
                    state.fill = Colour { space: inking.space, values, pattern: None };
                    state.stroke = state.fill.clone();
                }
                // Overprint is taken over; the rest of a cell's state is that at the beginning of a page.
                state.fill_overprint = inking.overprint;
                state.stroke_overprint = inking.overprint;
                state.overprint_mode = inking.overprint_mode;
                let scope = Scope {
                    res,
                    object: tiling.identity.object(),
                    base: ctm,
                    layering,
                    alpha: inking.alpha.value(),
                    blend: inking.blend,
                    soft_mask: inking.soft_mask,
                    uncoloured: tiling.uncoloured,
                    hidden,
                    inherited: Some(inherited),
                    ..run.scope.inner("pattern")
                };
                self.walk_stream(&decoded.data, &[], scope, state);
            }
            Err(reason) => self.undecodable(tiling.identity.object(), reason),
        }
        self.leave();
    }
}

fn matrix(dict: &Dict<'_>) -> Matrix {
    dict.get::<Array<'_>>("Matrix").and_then(|array| Matrix::read(&array)).unwrap_or(Matrix::IDENTITY)
}
