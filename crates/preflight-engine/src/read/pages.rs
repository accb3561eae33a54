//! The page tree: boxes with inheritance, and what is wrong with the tree.

use std::collections::HashSet;

use hayro_syntax::object::{Array, Dict, MaybeRef, ObjectIdentifier, array::ArrayIter};

use super::{
    Source,
    access::{self, object_ref},
    damage::Damages,
};
use crate::{
    budget::Meter,
    facts::{Annotation, Boxes, ObjectRef, Page, Rect},
};

/// Depth of the page tree.
const DEPTH: usize = 200;

/// What a page inherits from the nodes above it.
#[derive(Debug, Clone, Default)]
pub(super) struct Inherited {
    media: Option<Rect>,
    crop: Option<Rect>,
    rotate: Option<i64>,
}

impl Inherited {
    /// With the entries of one more node.
    fn with(&self, dict: &Dict<'_>) -> Self {
        Self {
            media: access::rect(dict, "MediaBox").or(self.media),
            crop: access::rect(dict, "CropBox").or(self.crop),
            rotate: access::integer(dict, "Rotate").or(self.rotate),
        }
    }
}

/// A leaf of the tree, in order.
#[derive(Debug)]
pub(super) struct Leaf {
    id: Option<ObjectIdentifier>,
    inherited: Inherited,
    /// Which page of the reader of syntax it is: that reader leaves out what the tree names again.
    pub(super) page: usize,
}

/// The leaves of the tree.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) leaves: Vec<Leaf>,
    /// A budget ran out before its end.
    pub(super) cut: bool,
}

/// A node that is being walked.
struct Node<'a> {
    id: Option<ObjectIdentifier>,
    kids: ArrayIter<'a>,
    inherited: Inherited,
}

impl<'a> Node<'a> {
    fn new(dict: &Dict<'a>, above: &Inherited) -> Option<Self> {
        let kids = dict.get::<Array<'a>>("Kids")?.raw_iter();
        Some(Self { id: dict.obj_id(), kids, inherited: above.with(dict) })
    }
}

/// Walks the tree in the order in which the reader of syntax does, and notes what it passes over in silence.
pub(super) fn tree(source: &Source<'_>, damages: &mut Damages) -> Tree {
    let (pdf, meter) = (source.pdf, source.meter);
    let mut leaves = Vec::new();
    let root = source.catalog.get::<Dict<'_>>("Pages");
    let Some(first) = root.as_ref().and_then(|root| Node::new(root, &Inherited::default())) else {
        damages.note(
            "page_tree_rebuilt",
            "The page tree cannot be read; pages were found by searching, and their order may be wrong.",
            None,
            None,
            false,
        );
        return Tree::default();
    };
    let mut visited: HashSet<ObjectIdentifier> = first.id.into_iter().collect();
    let mut stack = vec![first];
    let mut next = 0;
    while let Some(node) = stack.last_mut() {
        let Some(kid) = node.kids.next() else {
            stack.pop();
            continue;
        };
        if !meter.object() || leaves.len() as u64 > u64::from(meter.budgets.pages) {
            return Tree { leaves, cut: true };
        }
        let reference = kid.as_obj_ref().map(ObjectIdentifier::from);
        let inherited = node.inherited.clone();
        if let Some(id) = reference
            && !visited.insert(id)
        {
            let above = stack.iter().any(|node| node.id == Some(id));
            let page = leaves.iter().find(|leaf: &&Leaf| leaf.id == Some(id)).map(|leaf| leaf.page);
            repeated(above, page.is_some(), id, damages);
            if let Some(page) = page {
                leaves.push(Leaf { id: Some(id), inherited, page });
            }
            continue;
        }
        let resolved = match kid {
            MaybeRef::Ref(reference) => pdf.xref().get::<Dict<'_>>(reference.into()),
            MaybeRef::NotRef(object) => object.into_dict(),
        };
        let Some(dict) = resolved else {
            damages.note(
                "page_missing",
                "The page tree names a page that is not in the file.",
                None,
                reference.map(object_ref),
                false,
            );
            continue;
        };
        if access::name(&dict, "Type").as_deref() != Some("Pages") {
            leaves.push(Leaf { id: dict.obj_id(), inherited, page: next });
            next += 1;
        } else if let Some(child) = Node::new(&dict, &inherited)
            && stack.len() < DEPTH
        {
            stack.push(child);
        }
    }
    let count = root.as_ref().and_then(|root| access::integer(root, "Count"));
    if count != i64::try_from(leaves.len()).ok() {
        let found = leaves.len();
        damages.note(
            "page_count_wrong",
            count.map_or_else(
                || format!("The page tree does not say how many pages it has; it has {found}."),
                |count| format!("The page tree says that it has {count} pages; it has {found}."),
            ),
            None,
            root.and_then(|root| root.obj_id()).map(object_ref),
            true,
        );
    }
    Tree { leaves, cut: false }
}

/// A node that the tree names a second time.
fn repeated(above: bool, page: bool, id: ObjectIdentifier, damages: &mut Damages) {
    let (kind, detail, repaired) = match (above, page) {
        (true, _) => ("page_tree_loop", "The page tree contains itself; the loop was cut.", true),
        (_, true) => ("page_repeated", "The page tree names a page twice; it counts as two pages.", true),
        _ => ("pages_repeated", "The page tree names a branch twice; the second time was left out.", false),
    };
    damages.note(kind, detail, None, Some(object_ref(id)), repaired);
}

/// Boxes, rotation, annotations of a page: everything but its content.
pub(super) fn describe(
    page: &hayro_syntax::page::Page<'_>,
    number: u32,
    leaf: Option<&Leaf>,
    meter: &Meter,
) -> Page {
    let raw = page.raw();
    // Where the tree was rebuilt, or kids are direct objects out of order, nothing is inherited.
    let above = leaf.filter(|leaf| leaf.id == raw.obj_id()).map(|leaf| &leaf.inherited);
    let own = above.unwrap_or(&Inherited::default()).with(raw);
    Page {
        number,
        object: raw.obj_id().map(object_ref),
        boxes: Boxes {
            media: own.media,
            crop: own.crop,
            bleed: access::rect(raw, "BleedBox"),
            trim: access::rect(raw, "TrimBox"),
            art: access::rect(raw, "ArtBox"),
        },
        rotate: own.rotate.unwrap_or(0),
        user_unit: access::number(raw, "UserUnit"),
        annotations: annotations(page, meter),
        ..Page::default()
    }
}

/// The annotations of a page.
fn annotations(page: &hayro_syntax::page::Page<'_>, meter: &Meter) -> Vec<Annotation> {
    let mut found = Vec::new();
    for (dict, object) in annotation_dicts(page, meter) {
        let appearance = access::sub_dictionary(&dict, "AP").is_some_and(|states| states.contains_key("N"));
        found.push(Annotation {
            kind: access::name(&dict, "Subtype").unwrap_or_default(),
            rect: access::rect(&dict, "Rect"),
            flags: access::integer(&dict, "F").unwrap_or(0),
            appearance,
            object,
        });
    }
    found
}

/// The dictionaries of a page's annotations.
pub(super) fn annotation_dicts<'a>(
    page: &hayro_syntax::page::Page<'a>,
    meter: &Meter,
) -> Vec<(Dict<'a>, Option<ObjectRef>)> {
    let mut found = Vec::new();
    for item in page.raw().get::<Array<'a>>("Annots").iter().flat_map(Array::raw_iter) {
        if !meter.object() {
            break;
        }
        let reference = item.as_obj_ref().map(|reference| object_ref(reference.into()));
        if let Some(dict) = access::resolve(page.xref(), item).and_then(access::dictionary) {
            found.push((dict, reference));
        }
    }
    found
}
