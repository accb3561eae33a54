//! From bytes to facts: opens the file, walks its structure, and has every page's content walked.
//!
//! Nothing here fails: what is damaged is noted, what is too much is noted, and what is left is read.

pub(crate) mod access;
mod actions;
mod attachments;
mod bytes;
mod damage;
mod encryption;
pub mod fonts;
mod guard;
pub mod icc;
mod intents;
mod jpx;
mod layers;
mod metadata;
mod objects;
mod pages;
mod resources;
mod shape;
mod tokens;
mod trees;
mod xmp;
mod xref;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hayro_syntax::object::Dict;
use hayro_syntax::page::Page as SyntaxPage;
use hayro_syntax::{DecryptionError, LoadPdfError, Pdf};

use crate::{
    ENGINE_VERSION,
    budget::{Budgets, Meter},
    content::{self, Sheet},
    facts::{Document, Facts, File, Page, Rect, SCHEMA_VERSION},
    tables::{Readers, Tables},
};
use actions::Actions;
use attachments::Attachments;
use damage::Damages;
use pages::{Leaf, Tree};
use resources::{Findings, Scan};

/// Reads a file. Never fails: a file that cannot be read gives facts that say so.
#[must_use]
pub fn read(bytes: Vec<u8>, budgets: &Budgets) -> Facts {
    let meter = Meter::new(budgets.clone());
    let bytes = Arc::new(bytes);
    let whole = catch_unwind(AssertUnwindSafe(|| read_all(&bytes, &meter)));
    let mut facts = whole.unwrap_or_else(|_| {
        let mut damages = Damages::default();
        damages.note("reader_failed", "The reader gave up on this file.", None, None, false);
        let file = File { damage: damages.into_facts(), ..shape::read(&bytes) };
        Facts { file, ..nothing() }
    });
    facts.limits = meter.hits();
    facts
}

/// Facts about nothing.
fn nothing() -> Facts {
    Facts {
        schema: SCHEMA_VERSION,
        engine: ENGINE_VERSION.to_owned(),
        file: File::default(),
        document: Document::default(),
        output_intents: Vec::new(),
        layers: None,
        fonts: Vec::new(),
        spaces: Vec::new(),
        pages: Vec::new(),
        limits: Vec::new(),
    }
}

/// What the readers of the parts share.
struct Source<'a> {
    pdf: &'a Pdf,
    catalog: Dict<'a>,
    /// The trailer; its references are resolved by hand.
    trailer: Option<Dict<'a>>,
    meter: &'a Meter,
}

fn read_all(bytes: &Arc<Vec<u8>>, meter: &Meter) -> Facts {
    let mut facts = nothing();
    let mut damages = Damages::default();
    facts.file = shape::read(bytes);
    let structure = Meter::new(Budgets {
        stream_bytes: meter.budgets.structure_bytes,
        total_bytes: meter.budgets.structure_bytes,
        ..meter.budgets.clone()
    });
    if facts.file.revisions == 0 {
        let detail = "The file has no end marker (%%EOF): it may be cut off.";
        damages.note("eof_missing", detail, None, None, true);
    }
    let table = xref::read(bytes, &structure, &mut damages);
    facts.file.encryption = encryption::read(bytes, &table);
    facts.document.has_id = table.trailer.as_ref().is_some_and(|trailer| trailer.contains_key("ID"));
    if table.refused || !guard::bearable(bytes, &table, &structure) {
        for hit in structure.hits() {
            let budget = if hit.budget.ends_with("_bytes") { "structure_bytes" } else { &hit.budget };
            meter.hit(budget, hit.limit, None);
        }
        let detail = "The file's own tables are larger than the budget; it was not opened.";
        damages.note("too_large", detail, None, None, false);
    } else {
        match Pdf::new(Arc::clone(bytes)) {
            Ok(pdf) => {
                facts.file.readable = true;
                if let Some(encryption) = &mut facts.file.encryption {
                    encryption.opened = true;
                }
                read_document(&pdf, bytes, &table, meter, &mut facts, &mut damages);
            }
            Err(error) => unreadable(error, &mut damages),
        }
    }
    facts.file.damage = damages.into_facts();
    facts
}

/// Why a file could not be opened.
fn unreadable(error: LoadPdfError, damages: &mut Damages) {
    let (kind, detail) = match error {
        LoadPdfError::Decryption(DecryptionError::UnsupportedAlgorithm) => {
            ("encrypted", "The file is encrypted in a way that the engine does not know.")
        }
        LoadPdfError::Decryption(_) => ("encrypted", "The file is encrypted and needs a password."),
        LoadPdfError::Invalid => {
            ("not_a_pdf", "The file is no PDF, or so damaged that no page can be found.")
        }
    };
    damages.note(kind, detail, None, None, false);
}

fn read_document(
    pdf: &Pdf,
    bytes: &[u8],
    table: &xref::Table<'_>,
    meter: &Meter,
    facts: &mut Facts,
    damages: &mut Damages,
) {
    let catalog = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id()).unwrap_or_default();
    let source = Source { pdf, catalog, trailer: table.trailer.clone(), meter };
    facts.document.catalog_version = access::name(&source.catalog, "Version");
    facts.document.duplicate_keys = objects::check(bytes, table, &source, damages);
    metadata::read(&source, &mut facts.document, damages);
    facts.output_intents = intents::read(&source, damages);
    let mut tables = Tables::new(Readers { font: fonts::describe, profile: icc::profile });
    tables.layers = layers::read(&source);
    read_pages(&source, &mut tables, facts, damages);
    for damage in tables.damage {
        damages.add(damage);
    }
    facts.document.prepress.extend(tables.prepress);
    facts.fonts = tables.fonts;
    facts.spaces = tables.spaces;
    facts.layers = tables.layers;
}

fn read_pages(source: &Source<'_>, tables: &mut Tables, facts: &mut Facts, damages: &mut Damages) {
    let tree = pages::tree(source, damages);
    let mut actions = Actions::of_document(source, &mut facts.document);
    let mut attachments = Attachments::default();
    attachments.of_document(source);
    let mut scan = Scan::new(source);
    let limit = source.meter.budgets.pages;
    for (index, (page, leaf)) in in_order(source, &tree).into_iter().enumerate() {
        let Some(number) = u32::try_from(index + 1).ok().filter(|number| *number <= limit) else {
            source.meter.hit("pages", u64::from(limit), None);
            break;
        };
        let mut described = pages::describe(page, number, leaf, source.meter);
        scan.page(page, number, &mut Findings { tables, damages });
        let walked = content::walk(page, &sheet(&described, page), tables, source.meter);
        described.elements = walked.elements;
        described.elements_left_off = walked.elements_left_off;
        described.counts = walked.counts;
        described.group = walked.group;
        described.groups = walked.groups;
        described.transparency = walked.transparency;
        described.inked = walked.inked;
        described.ink_box = walked.ink_box;
        facts.pages.push(described);
        actions.of_page(page, number);
        attachments.of_page(source, page);
    }
    facts.document.actions = actions.into_facts();
    facts.document.embedded_files = attachments.into_facts();
}

/// The pages with their leaves; without leaves where the reader of syntax found pages that the tree does not have.
fn in_order<'s, 'a>(source: &Source<'a>, tree: &'s Tree) -> Vec<(&'a SyntaxPage<'a>, Option<&'s Leaf>)> {
    let pages = source.pdf.pages();
    let both: Vec<_> =
        tree.leaves.iter().filter_map(|leaf| Some((pages.get(leaf.page)?, Some(leaf)))).collect();
    let last = tree.leaves.iter().map(|leaf| leaf.page + 1).max().unwrap_or(0);
    if both.len() == tree.leaves.len() && (last == pages.len() || tree.cut) {
        both
    } else {
        pages.iter().map(|page| (page, None)).collect()
    }
}

/// The sheet that a page's content is walked on.
fn sheet(described: &Page, page: &SyntaxPage<'_>) -> Sheet {
    let fallback = page.media_box();
    let media: Rect = described.boxes.media.unwrap_or([fallback.x0, fallback.y0, fallback.x1, fallback.y1]);
    let trim = described.boxes.trim.or(described.boxes.art).or(described.boxes.crop).unwrap_or(media);
    let unit = described.user_unit.filter(|unit| *unit > 0.0).unwrap_or(1.0);
    Sheet { number: described.number, media, trim, unit }
}
