//! Name trees and other trees of dictionaries, walked once and never in circles.

use std::collections::HashSet;

use hayro_syntax::object::{Array, Dict, MaybeRef, Object};

use super::access;
use crate::facts::ObjectRef;

use super::Source;

/// Depth of a tree.
const DEPTH: usize = 64;

/// Dictionaries that were visited, known by where their bytes lie: indirect and direct ones alike.
#[derive(Debug, Default)]
pub(super) struct Visited(HashSet<(usize, usize)>);

impl Visited {
    /// Whether this is the first visit.
    pub(super) fn first(&mut self, dict: &Dict<'_>) -> bool {
        let data = dict.data();
        self.0.insert((data.as_ptr() as usize, data.len()))
    }
}

/// An item with the object that it is.
pub(super) type Found<'a> = (Object<'a>, Option<ObjectRef>);

impl<'a> Source<'a> {
    /// Resolves an item.
    pub(super) fn found(&self, item: MaybeRef<Object<'a>>) -> Option<Found<'a>> {
        let object = item.as_obj_ref().map(|reference| access::object_ref(reference.into()));
        Some((access::resolve(self.pdf.xref(), item)?, object))
    }

    /// The dictionaries of an array.
    pub(super) fn dictionaries(&self, dict: &Dict<'a>, key: &str) -> Vec<(Dict<'a>, Option<ObjectRef>)> {
        dict.get::<Array<'a>>(key)
            .iter()
            .flat_map(Array::raw_iter)
            .take_while(|_| self.meter.object())
            .filter_map(|item| self.found(item))
            .filter_map(|(object, reference)| Some((access::dictionary(object)?, reference)))
            .collect()
    }

    /// The values of a name tree.
    pub(super) fn name_tree(&self, root: Dict<'a>) -> Vec<Found<'a>> {
        let mut values = Vec::new();
        let mut visited = Visited::default();
        let mut stack = vec![(root, 0)];
        while let Some((node, depth)) = stack.pop() {
            if depth > DEPTH || !visited.first(&node) || !self.meter.object() {
                continue;
            }
            let kids = self.dictionaries(&node, "Kids").into_iter().rev();
            stack.extend(kids.map(|(kid, _)| (kid, depth + 1)));
            // Names and values take turns.
            let pairs = node.get::<Array<'a>>("Names");
            for item in pairs.iter().flat_map(Array::raw_iter).skip(1).step_by(2) {
                if !self.meter.object() {
                    return values;
                }
                values.extend(self.found(item));
            }
        }
        values
    }
}
