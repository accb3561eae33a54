//! Appearances of annotations that print.

use hayro_syntax::{
    object::{Array, Dict, Name, ObjRef, Object, Stream},
    xref::XRef,
};

use super::{
    Walker,
    geometry::{Bounds, Matrix},
    resources::{entry, sub_dictionary},
    scope::Scope,
    spaces::items,
    state::State,
};
use crate::tables::Identity;

const HIDDEN: i32 = 1 << 1;
const PRINT: i32 = 1 << 2;

impl<'a> Walker<'a, '_> {
    /// Walks the normal appearances of annotations that are printed.
    pub(super) fn walk_annotations(&mut self, page: &Dict<'a>, scope: &Scope<'a>, state: &State<'a>) {
        let Some(array) = page.get::<Array<'a>>("Annots") else { return };
        for (annotation, _) in items(&array, self.xref) {
            if self.stopped || !self.meter.object() {
                return;
            }
            let Some(annotation) = annotation.into_dict() else { continue };
            let flags = annotation.get::<i32>("F").unwrap_or(0);
            let popup = annotation.get::<Name<'_>>("Subtype").is_some_and(|name| name.as_ref() == b"Popup");
            if popup || flags & HIDDEN != 0 || flags & PRINT == 0 {
                continue;
            }
            if let Some((stream, reference)) = appearance(self.xref, &annotation) {
                self.walk_appearance(&annotation, stream, reference, scope, state);
            }
        }
    }

    fn walk_appearance(
        &mut self,
        annotation: &Dict<'a>,
        stream: Stream<'a>,
        reference: Option<ObjRef>,
        scope: &Scope<'a>,
        state: &State<'a>,
    ) {
        let Some(identity) = Identity::of(reference, &Object::Stream(stream.clone())) else { return };
        let read = |dict: &Dict<'a>, key| dict.get::<Array<'_>>(key).and_then(|array| Bounds::read(&array));
        let (Some(rect), Some(bounds)) = (read(annotation, "Rect"), read(stream.dict(), "BBox")) else {
            return;
        };
        let own = stream.dict().get::<Array<'_>>("Matrix").and_then(|array| Matrix::read(&array));
        let Some(fit) = fit(own.unwrap_or(Matrix::IDENTITY).bounds(bounds), rect) else { return };
        let form = self.form(stream, identity);
        let layering = self.layering(scope.layering, annotation.get_ref("OC"));
        let layering = self.layering(layering, form.layer);
        let scope = Scope { layering, ..scope.inner("annotation") };
        let Some(ctm) = fit.then(state.ctm) else { return };
        self.execute_form(&form, scope, State { ctm, ..state.clone() });
    }
}

/// The normal appearance, of several that of the state in force.
fn appearance<'a>(xref: &'a XRef, annotation: &Dict<'a>) -> Option<(Stream<'a>, Option<ObjRef>)> {
    let all = sub_dictionary(xref, annotation, "AP")?;
    match entry(xref, &all, b"N")? {
        (Object::Stream(stream), reference) => Some((stream, reference)),
        (Object::Dict(states), _) => {
            let state = annotation.get::<Name<'_>>("AS")?;
            let (object, reference) = entry(xref, &states, state.as_ref())?;
            Some((object.into_stream()?, reference))
        }
        _ => None,
    }
}

/// The matrix that lays one box on another.
fn fit(from: Bounds, to: Bounds) -> Option<Matrix> {
    let (width, height) = (from.right - from.left, from.top - from.bottom);
    if !(width > 0.0 && height > 0.0) {
        return None;
    }
    let (x, y) = ((to.right - to.left) / width, (to.top - to.bottom) / height);
    Some(Matrix {
        a: x,
        d: y,
        e: to.left - from.left * x,
        f: to.bottom - from.bottom * y,
        ..Matrix::IDENTITY
    })
}
