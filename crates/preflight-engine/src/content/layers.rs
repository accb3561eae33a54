//! Optional content under the default configuration.

use hayro_syntax::object::{Array, Dict, MaybeRef, Name, ObjRef, Object};

use super::{Walker, scope::Layering};
use crate::tables::object_ref;

/// Operators of a visibility expression within one another.
const MAX_DEPTH: u32 = 16;

/// Members of one membership dictionary or expression.
const MAX_MEMBERS: usize = 1_000;

impl<'a> Walker<'a, '_> {
    /// What holds within a layer or membership dictionary.
    pub(super) fn layering(&mut self, outer: Layering, reference: Option<ObjRef>) -> Layering {
        let Some(reference) = reference else { return outer };
        if let Some(layer) = self.tables.layer(object_ref(reference)) {
            return self.within_layers(outer, &[layer], self.is_on(layer));
        }
        let Some(dict) = self.xref.get::<Dict<'a>>(reference.into()) else { return outer };
        let members = self.members(&dict);
        let on = match dict.get::<Array<'a>>("VE") {
            Some(expression) => self.expression(&expression, 0),
            None => None,
        };
        let on = on.unwrap_or_else(|| {
            let mut states = members.iter().map(|layer| self.is_on(*layer));
            let policy = dict.get::<Name<'_>>("P");
            // Without members a membership dictionary changes nothing.
            members.is_empty()
                || match policy.as_ref().map(AsRef::as_ref) {
                    Some(b"AllOn") => states.all(|on| on),
                    Some(b"AnyOff") => states.any(|on| !on),
                    Some(b"AllOff") => states.all(|on| !on),
                    _ => states.any(|on| on),
                }
        });
        self.within_layers(outer, &members, on)
    }

    fn within_layers(&self, outer: Layering, layers: &[usize], on: bool) -> Layering {
        let groups = self.tables.layers.as_ref().map_or(&[][..], |layers| &layers.groups);
        let step = layers.iter().any(|layer| groups.get(*layer).is_some_and(|group| group.step.is_some()));
        Layering {
            off: outer.off || !on,
            layer: layers.first().copied().or(outer.layer),
            step: outer.step || step,
        }
    }

    fn is_on(&self, layer: usize) -> bool {
        self.tables.layers.as_ref().and_then(|layers| layers.groups.get(layer)).is_none_or(|group| group.on)
    }

    fn members(&mut self, dict: &Dict<'a>) -> Vec<usize> {
        if let Some(reference) = dict.get_ref("OCGs")
            && let Some(layer) = self.tables.layer(object_ref(reference))
        {
            return vec![layer];
        }
        let references: Vec<ObjRef> = dict
            .get::<Array<'a>>("OCGs")
            .map(|array| array.raw_iter().take(MAX_MEMBERS).filter_map(|item| item.as_obj_ref()).collect())
            .unwrap_or_default();
        references.into_iter().filter_map(|reference| self.tables.layer(object_ref(reference))).collect()
    }

    /// A visibility expression; `None` where it is too deep or no expression.
    fn expression(&mut self, array: &Array<'a>, depth: u32) -> Option<bool> {
        if depth >= MAX_DEPTH {
            return None;
        }
        let mut items = array.raw_iter().take(MAX_MEMBERS);
        let MaybeRef::NotRef(Object::Name(operator)) = items.next()? else { return None };
        let mut values = Vec::new();
        for item in items {
            if !self.meter.object() {
                return None;
            }
            values.push(match item {
                MaybeRef::Ref(reference) => match self.tables.layer(object_ref(reference)) {
                    Some(layer) => self.is_on(layer),
                    None => self.expression(&self.xref.get::<Array<'a>>(reference.into())?, depth + 1)?,
                },
                MaybeRef::NotRef(Object::Array(inner)) => self.expression(&inner, depth + 1)?,
                MaybeRef::NotRef(_) => return None,
            });
        }
        match operator.as_ref() {
            b"And" => Some(values.iter().all(|value| *value)),
            b"Or" => Some(values.iter().any(|value| *value)),
            b"Not" => values.first().map(|value| !value),
            _ => None,
        }
    }
}
