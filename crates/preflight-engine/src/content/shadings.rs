//! Shadings.

use hayro_syntax::object::{Array, Object};

use super::{
    Walker,
    collect::{Ink, Inking, Kind},
    geometry::Bounds,
    interpret::Run,
    resources::{Res, entry},
    scope::Paintwork,
};
use crate::facts::Family;

/// A shading.
pub(super) struct Shading {
    /// `ShadingType`.
    pub(super) kind: u8,
    pub(super) space: Option<usize>,
    bounds: Option<Bounds>,
}

impl<'a> Walker<'a, '_> {
    /// Reads a shading, a dictionary or a stream.
    pub(super) fn shading(&mut self, object: &Object<'a>, res: &Res<'a>) -> Option<Shading> {
        let dict = match object {
            Object::Dict(dict) => dict.clone(),
            Object::Stream(stream) => stream.dict().clone(),
            _ => return None,
        };
        let space = match entry(self.xref, &dict, b"ColorSpace") {
            Some((Object::Name(name), _)) => Some(self.family_by_name(res, &name)),
            Some((space, reference)) => self.space(&space, reference, 0),
            None => Some(self.plain_space(Family::Unknown)),
        };
        let bounds = dict.get::<Array<'_>>("BBox").and_then(|array| Bounds::read(&array));
        Some(Shading { kind: dict.get::<u8>("ShadingType").unwrap_or(0), space, bounds })
    }

    /// `sh`: fills the clip.
    pub(super) fn paint_shading(&mut self, run: &mut Run<'a>, name: &[u8]) {
        let res = std::rc::Rc::clone(&run.scope.res);
        let Some(shading) = self.named_shading(&res, name) else { return };
        self.out.counts.shadings += 1;
        let mut bounds = run.state.clip;
        if let Some(own) = shading.bounds {
            bounds = bounds.intersection(run.state.ctm.bounds(own));
        }
        let inking =
            Inking { space: shading.space, values: None, pattern: None, ..self.inking(run, false, None) };
        let overlapping = self.is_overlapping(run, bounds);
        let work = Paintwork {
            kind: Kind::Shading(shading.kind),
            inking,
            bounds,
            clipped: bounds,
            overlapping,
            ink: Ink::Yes,
            object: None,
            pattern: None,
        };
        self.paint(run, work);
    }
}
