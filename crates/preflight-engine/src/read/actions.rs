//! Actions, wherever they hang, and the form and the bookmarks that they hang on.

use hayro_syntax::object::{Dict, Object};
use hayro_syntax::page::Page;

use super::{Source, access, pages, trees::Visited};
use crate::facts::{Action, Document, ObjectRef};

/// Actions kept; more are no new information.
const ACTIONS: usize = 10_000;
/// Depth of fields and bookmarks.
const DEPTH: usize = 64;

/// Gathers the actions of a document; those that several places share are listed once.
pub(super) struct Actions<'s, 'a> {
    source: &'s Source<'a>,
    seen: Visited,
    found: Vec<Action>,
}

impl<'s, 'a> Actions<'s, 'a> {
    /// The actions of the catalog, the form and the bookmarks; fields are counted too.
    pub(super) fn of_document(source: &'s Source<'a>, document: &mut Document) -> Self {
        let mut actions = Self { source, seen: Visited::default(), found: Vec::new() };
        let catalog = &source.catalog;
        if let Some(open) = catalog.get::<Dict<'a>>("OpenAction") {
            actions.add(open, access::reference(catalog, "OpenAction"), "open", None);
        }
        actions.additional(catalog, "document", None);
        if let Some(scripts) =
            catalog.get::<Dict<'a>>("Names").and_then(|names| names.get::<Dict<'a>>("JavaScript"))
        {
            for (value, object) in source.name_tree(scripts) {
                if let Some(dict) = access::dictionary(value) {
                    actions.add(dict, object, "names", None);
                }
            }
        }
        if let Some(form) = catalog.get::<Dict<'a>>("AcroForm") {
            document.xfa = form.contains_key("XFA");
            document.form_fields = actions.fields(&form);
        }
        if let Some(first) =
            catalog.get::<Dict<'a>>("Outlines").and_then(|root| root.get::<Dict<'a>>("First"))
        {
            actions.bookmarks(first);
        }
        actions
    }

    /// The actions of a page and its annotations.
    pub(super) fn of_page(&mut self, page: &Page<'a>, number: u32) {
        self.additional(page.raw(), "page", Some(number));
        for (annotation, _) in pages::annotation_dicts(page, self.source.meter) {
            self.holder(&annotation, "annotation", Some(number));
        }
    }

    /// All that was found.
    pub(super) fn into_facts(self) -> Vec<Action> {
        self.found
    }

    /// `A`, `AA` and the older `PA` of a dictionary.
    fn holder(&mut self, dict: &Dict<'a>, place: &str, page: Option<u32>) {
        for key in ["A", "PA"] {
            if let Some(action) = dict.get::<Dict<'a>>(key) {
                self.add(action, access::reference(dict, key), place, page);
            }
        }
        self.additional(dict, place, page);
    }

    /// The actions of events.
    fn additional(&mut self, dict: &Dict<'a>, place: &str, page: Option<u32>) {
        let Some(events) = dict.get::<Dict<'a>>("AA") else { return };
        for (_, item) in events.entries() {
            if let Some((Object::Dict(action), object)) = self.source.found(item) {
                self.add(action, object, place, page);
            }
        }
    }

    /// An action and those that follow it.
    fn add(&mut self, action: Dict<'a>, object: Option<ObjectRef>, place: &str, page: Option<u32>) {
        let mut queue = vec![(action, object)];
        while let Some((action, object)) = queue.pop() {
            if !self.seen.first(&action) || !self.source.meter.object() || self.found.len() >= ACTIONS {
                continue;
            }
            let kind = access::name(&action, "S").unwrap_or_default();
            self.found.push(Action { kind, place: place.to_owned(), page, object });
            match action.get::<Object<'a>>("Next") {
                Some(Object::Dict(next)) => queue.push((next, access::reference(&action, "Next"))),
                Some(Object::Array(_)) => {
                    queue.extend(self.source.dictionaries(&action, "Next").into_iter().rev());
                }
                _ => {}
            }
        }
    }

    /// Walks the fields and counts those that have no fields below them.
    fn fields(&mut self, form: &Dict<'a>) -> u32 {
        let mut count = 0_u32;
        let mut visited = Visited::default();
        let mut stack: Vec<_> =
            self.source.dictionaries(form, "Fields").into_iter().map(|one| (one.0, 0)).collect();
        while let Some((field, depth)) = stack.pop() {
            if depth > DEPTH || !visited.first(&field) || !self.source.meter.object() {
                continue;
            }
            self.holder(&field, "field", None);
            let kids = self.source.dictionaries(&field, "Kids");
            // Kids without a name are the field's appearances on pages.
            if !kids.iter().any(|(kid, _)| kid.contains_key("T")) {
                count = count.saturating_add(1);
            }
            let fields = kids.into_iter().filter(|(kid, _)| kid.contains_key("T"));
            stack.extend(fields.map(|(kid, _)| (kid, depth + 1)));
        }
        count
    }

    /// Walks the bookmarks.
    fn bookmarks(&mut self, first: Dict<'a>) {
        let mut visited = Visited::default();
        let mut stack = vec![(first, 0)];
        while let Some((item, depth)) = stack.pop() {
            if !visited.first(&item) || !self.source.meter.object() {
                continue;
            }
            self.holder(&item, "outline", None);
            stack.extend(item.get::<Dict<'a>>("Next").map(|next| (next, depth)));
            if depth < DEPTH {
                stack.extend(item.get::<Dict<'a>>("First").map(|child| (child, depth + 1)));
            }
        }
    }
}
