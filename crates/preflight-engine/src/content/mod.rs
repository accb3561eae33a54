//! The interpreter of content streams: what a page paints, with what, where.
//!
//! [`walk`] interprets the contents of a page and everything that they execute: forms, groups of soft masks, cells of tiling
//! patterns, procedures of Type 3 glyphs, and the appearances of annotations that print. It keeps the whole graphics state,
//! with the clip as a bounding box. What is painted becomes elements, alike ones together (`collect`).
//!
//! What it does not know it errs on towards more findings: every visible element counts as visible even where something
//! opaque is painted over it later, and boxes stand for shapes. Text of rendering modes 3 and 7, text that is only spaces by
//! a named encoding, and the contents of soft masks are kept as not visible. Colours of an Indexed space are given in its
//! base, an uncoloured pattern's in the underlying space, and `DefaultGray`, `DefaultRGB` and `DefaultCMYK` take the place of
//! the device spaces (`Space::default_for`).
//!
//! Every loop and recursion ends at a budget of [`crate::Budgets`] or at a constant beside it; what a budget leaves out is in
//! `limits`.

mod annotations;
mod collect;
mod extgstate;
mod fingerprint;
mod forms;
mod geometry;
mod images;
mod inline;
mod interpret;
mod jpx;
mod layers;
mod lexer;
mod metrics;
mod operators;
mod overlap;
mod paths;
mod patterns;
mod resources;
mod samples;
mod scope;
mod shadings;
mod spaces;
mod state;
mod text;
mod type3;

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use hayro_syntax::{page::Page, xref::XRef};

use self::{
    collect::Collector,
    forms::Form,
    geometry::{Bounds, Matrix},
    patterns::TileKey,
    resources::Res,
    scope::{Layering, Scope},
    state::{NORMAL, State},
    type3::GlyphKey,
};
pub use self::{images::ImageFacts, metrics::FontMetrics};
use crate::{
    budget::Meter,
    decode::{self, Refused},
    facts::{Counts, Damage, Element, Family, Group, ObjectRef, Rect},
    tables::{Identity, Tables},
};

/// The page as a sheet, in its default user space.
#[derive(Debug, Clone, Copy)]
pub struct Sheet {
    /// Counted from 1.
    pub number: u32,
    /// MediaBox.
    pub media: Rect,
    /// TrimBox, or what stands for it.
    pub trim: Rect,
    /// `UserUnit`, 1 where there is none. Lengths are multiplied by it, rectangles are not.
    pub unit: f64,
}

/// What the walk found on one page.
#[derive(Debug, Default)]
pub struct PageContent {
    /// See [`crate::facts::Page::elements`].
    pub elements: Vec<Element>,
    /// See [`crate::facts::Page::elements_left_off`].
    pub elements_left_off: u64,
    /// See [`crate::facts::Page::counts`].
    pub counts: Counts,
    /// See [`crate::facts::Page::group`].
    pub group: Option<Group>,
    /// See [`crate::facts::Page::groups`].
    pub groups: Vec<Group>,
    /// See [`crate::facts::Page::transparency`].
    pub transparency: bool,
    /// See [`crate::facts::Page::inked`].
    pub inked: bool,
    /// See [`crate::facts::Page::ink_box`].
    pub ink_box: Option<Rect>,
}

/// What walks one page.
struct Walker<'a, 't> {
    xref: &'a XRef,
    sheet: Sheet,
    trim: Bounds,
    tables: &'t mut Tables,
    meter: &'t Meter,
    out: Collector,
    resources: HashMap<Identity, Rc<Res<'a>>>,
    forms: HashMap<Identity, Rc<Form<'a>>>,
    /// Bytes of decoded forms that are kept.
    kept_bytes: usize,
    /// What is being executed.
    active: Vec<Identity>,
    executions: u64,
    tiles: HashSet<TileKey>,
    glyphs: HashSet<GlyphKey>,
    masks: HashSet<(Identity, &'static str, [u64; 6])>,
    /// Damage that was noted already.
    noted: HashSet<(&'static str, Option<ObjectRef>)>,
    /// The stream that damage belongs to.
    current: Option<ObjectRef>,
    /// A budget ran out: nothing more of this page is walked.
    stopped: bool,
    /// Memory for the bytes of strings.
    buffer: Vec<u8>,
}

/// Walks the contents of a page, with everything that they execute and the appearances of its printing annotations.
/// Fonts that resources name are registered in `tables` by this walk, on every page that it walks.
pub fn walk<'a>(page: &Page<'a>, sheet: &Sheet, tables: &mut Tables, meter: &Meter) -> PageContent {
    let media = Bounds::new(sheet.media);
    let left = meter.budgets.total_elements.saturating_sub(tables.elements);
    let mut walker = Walker {
        xref: page.xref(),
        sheet: *sheet,
        trim: Bounds::new(sheet.trim),
        tables,
        meter,
        out: Collector::new(media, left),
        resources: HashMap::new(),
        forms: HashMap::new(),
        kept_bytes: 0,
        active: Vec::new(),
        executions: 0,
        tiles: HashSet::new(),
        glyphs: HashSet::new(),
        masks: HashSet::new(),
        noted: HashSet::new(),
        current: None,
        stopped: false,
        buffer: Vec::new(),
    };
    let group = walker.page_group(page.raw());
    walker.walk_page(page);
    walker.look_at_pale_images();
    let content = walker.out.finish();
    tables.elements += content.elements.len();
    PageContent { group, ..content }
}

impl<'a> Walker<'a, '_> {
    fn walk_page(&mut self, page: &Page<'a>) {
        let res = self.own_resources(page.resources().clone());
        let gray = self.device(&res, Family::DeviceGray);
        // Nothing clips the page itself: what lies outside its media is found by its box.
        let everywhere = Bounds::new([-1e9, -1e9, 1e9, 1e9]);
        let scope = Scope {
            res,
            object: None,
            within: Rc::from([]),
            layering: Layering::default(),
            base: Matrix::IDENTITY,
            alpha: 1.0,
            blend: NORMAL,
            soft_mask: false,
            uncoloured: false,
            hidden: false,
            inherited: None,
        };
        let state = State::new(Matrix::IDENTITY, everywhere, Some(gray));
        let content = decode::content(page, self.meter, self.sheet.number);
        for (object, left_out) in &content.broken {
            self.current = Some(*object);
            if *left_out {
                self.undecodable(Some(*object), Refused::Filter);
            } else {
                let detail = "The data of a content stream end early; what could be read was looked at.";
                self.damage("stream_incomplete", format!("{detail} Export the file anew."), false);
            }
        }
        self.current = content.starts.first().map(|(_, object)| *object);
        self.walk_stream(&content.data, &content.starts, scope.clone(), state.clone());
        drop(content);
        self.walk_annotations(page.raw(), &scope, &state);
    }

    /// Whether something is being executed already, which is damage.
    fn is_recursive(&mut self, identity: Identity) -> bool {
        let recursive = self.active.contains(&identity);
        if recursive {
            self.current = identity.object();
            let detail = "A form, pattern or glyph executes itself. Export the file anew.";
            self.damage("form_recursion", detail.to_owned(), false);
        }
        recursive
    }

    /// Begins the execution of a form, cell or glyph; `false` where it must not be.
    fn enter(&mut self, identity: Identity) -> bool {
        let page = Some(self.sheet.number);
        if self.stopped {
            return false;
        }
        if self.is_recursive(identity) {
            return false;
        }
        let budgets = &self.meter.budgets;
        if self.active.len() >= budgets.form_depth as usize {
            self.meter.hit("form_depth", u64::from(budgets.form_depth), page);
            return false;
        }
        self.executions += 1;
        if self.executions > budgets.form_executions {
            self.meter.hit("form_executions", budgets.form_executions, page);
            self.stopped = true;
            return false;
        }
        self.active.push(identity);
        true
    }

    /// Ends an execution.
    fn leave(&mut self) {
        self.active.pop();
    }

    /// Notes damage of the current stream.
    fn damage(&mut self, kind: &'static str, detail: String, repaired: bool) {
        if self.noted.len() < 1_000 && self.noted.insert((kind, self.current)) {
            let (page, object) = (Some(self.sheet.number), self.current);
            self.tables.damaged(Damage { kind: kind.to_owned(), detail, page, object, repaired });
        }
    }

    /// Notes a stream that could not be read.
    fn undecodable(&mut self, object: Option<ObjectRef>, reason: Refused) {
        // A budget that ran out is no damage of the file's.
        if reason == Refused::Budget {
            return;
        }
        let outer = std::mem::replace(&mut self.current, object);
        let detail =
            "The data of a stream cannot be read, so what it paints is not known. Export the file anew.";
        self.damage("stream_undecodable", detail.to_owned(), false);
        self.current = outer;
    }
}
