//! Embedded and attached files.

use hayro_syntax::object::{Dict, Stream};
use hayro_syntax::page::Page;

use super::{Source, access, pages, trees::Visited};
use crate::facts::{EmbeddedFile, ObjectRef};

/// Files kept; more are no new information.
const FILES: usize = 1_000;

/// Gathers the files that are embedded in a document, each once.
#[derive(Default)]
pub(super) struct Attachments {
    seen: Visited,
    found: Vec<EmbeddedFile>,
}

impl Attachments {
    /// Those of the catalog: by name, and associated with the document.
    pub(super) fn of_document(&mut self, source: &Source<'_>) {
        let catalog = &source.catalog;
        let named = catalog.get::<Dict<'_>>("Names").and_then(|names| names.get::<Dict<'_>>("EmbeddedFiles"));
        for (value, object) in named.into_iter().flat_map(|tree| source.name_tree(tree)) {
            if let Some(dict) = access::dictionary(value) {
                self.add(&dict, object);
            }
        }
        for (dict, object) in source.dictionaries(catalog, "AF") {
            self.add(&dict, object);
        }
    }

    /// Those of a page: associated ones, and those of its annotations.
    pub(super) fn of_page<'a>(&mut self, source: &Source<'a>, page: &Page<'a>) {
        for (dict, object) in source.dictionaries(page.raw(), "AF") {
            self.add(&dict, object);
        }
        for (annotation, _) in pages::annotation_dicts(page, source.meter) {
            if let Some(file) = annotation.get::<Dict<'_>>("FS") {
                self.add(&file, access::reference(&annotation, "FS"));
            }
            for (file, object) in source.dictionaries(&annotation, "AF") {
                self.add(&file, object);
            }
        }
    }

    /// All that was found.
    pub(super) fn into_facts(self) -> Vec<EmbeddedFile> {
        self.found
    }

    /// A file specification; one without embedded data is a mere reference.
    fn add(&mut self, specification: &Dict<'_>, object: Option<ObjectRef>) {
        let Some(embedded) = specification.get::<Dict<'_>>("EF") else { return };
        if self.found.len() >= FILES || !self.seen.first(specification) {
            return;
        }
        let stream = ["UF", "F", "DOS", "Mac", "Unix"].iter().find_map(|key| embedded.get::<Stream<'_>>(key));
        let dict = stream.as_ref().map(Stream::dict);
        self.found.push(EmbeddedFile {
            mime: dict.and_then(|dict| access::name(dict, "Subtype")),
            bytes: dict
                .and_then(|dict| dict.get::<Dict<'_>>("Params"))
                .and_then(|parameters| access::integer(&parameters, "Size"))
                .and_then(|size| u64::try_from(size).ok()),
            object,
        });
    }
}
