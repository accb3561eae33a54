//! What the pages of a file share: fonts, colour spaces, layers, damage. Pages name entries by their index.
//!
//! The reader of the structure fills `layers` before the pages are walked; the walk adds fonts and spaces as it meets
//! them. Every entry is there once: an indirect object is known by its number, a direct one by where its bytes lie in the
//! file, and colour spaces that are equal in every respect are one.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use hayro_syntax::object::{Dict, ObjRef, Object, Stream};

use crate::{
    budget::Meter,
    content::{FontMetrics, ImageFacts},
    facts::{Damage, Font, IccProfile, Layers, ObjectRef, PrepressUse, Space},
};

/// Damage noted of one file; more is not described.
const MAX_DAMAGE: usize = 1_000;

/// Bytes of samples of one file that are looked at for being white; an image beyond counts as ink.
const MAX_SAMPLE_BYTES: u64 = 1 << 30;

/// Fonts whose widths are kept at once.
const MAX_METRICS: usize = 256;

/// Pages noted of one font.
const MAX_FONT_PAGES: usize = 16;

/// How the reader of the structure describes fonts and profiles. The walk knows when, the reader knows how.
#[derive(Debug, Clone, Copy)]
pub struct Readers {
    /// Describes a font dictionary; `object`, `used` and `pages` are set by the tables.
    pub font: fn(&Dict<'_>, &Meter) -> Font,
    /// Describes the stream of an ICC profile; `object` is set by the tables.
    pub profile: fn(&Stream<'_>, &Meter) -> Option<IccProfile>,
}

/// What tells one object of the file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Identity {
    /// An indirect object.
    Indirect(ObjectRef),
    /// A direct one: where its bytes begin (they stay in memory as long as the file) and how many they are.
    Direct(usize, usize),
}

impl Identity {
    /// The identity of an object found under a key: by its reference where it has one, else by its bytes. Scalars have none.
    #[must_use]
    pub fn of(reference: Option<ObjRef>, object: &Object<'_>) -> Option<Self> {
        if let Some(reference) = reference {
            return Some(Self::Indirect(object_ref(reference)));
        }
        let data = match object {
            Object::Dict(dict) => dict.data(),
            Object::Array(array) => array.data(),
            Object::Stream(stream) => stream.dict().data(),
            _ => return None,
        };
        Some(Self::Direct(data.as_ptr() as usize, data.len()))
    }

    /// The number, where it is an indirect object.
    #[must_use]
    pub const fn object(self) -> Option<ObjectRef> {
        match self {
            Self::Indirect(object) => Some(object),
            Self::Direct(..) => None,
        }
    }
}

/// A reference as facts write it.
#[must_use]
pub fn object_ref(reference: ObjRef) -> ObjectRef {
    ObjectRef(i32::try_from(reference.obj_number).unwrap_or(i32::MAX), reference.gen_number)
}

/// The tables of one file.
#[derive(Debug)]
pub struct Tables {
    /// Fonts that some text uses or some resource names.
    pub fonts: Vec<Font>,
    /// Colour spaces.
    pub spaces: Vec<Space>,
    /// Optional content; the reader of the structure sets it before the first page is walked.
    pub layers: Option<Layers>,
    /// Damage found while walking.
    pub damage: Vec<Damage>,
    /// What only a press may set, found while walking and reading.
    pub prepress: Vec<PrepressUse>,
    pub(crate) readers: Readers,
    pub(crate) metrics: HashMap<usize, Rc<FontMetrics>>,
    /// Elements kept of the pages so far.
    pub(crate) elements: usize,
    /// Bytes of samples that may still be looked at for being white.
    pub(crate) sample_bytes: u64,
    /// Fingerprints of tint transforms that are objects of their own.
    pub(crate) tints: HashMap<ObjectRef, String>,
    pub(crate) images: HashMap<Identity, Rc<ImageFacts>>,
    layer_ids: Option<HashMap<ObjectRef, usize>>,
    font_dicts: HashMap<Identity, usize>,
    font_ids: HashMap<Identity, usize>,
    space_ids: HashMap<Identity, usize>,
    space_keys: HashMap<[u8; 32], usize>,
    /// What a base colour of an Indexed space is made of, by the index of that space.
    pub(crate) lookups: HashMap<usize, Rc<[u8]>>,
    /// Ranges of components, where they are not 0 to 1 (Lab, and ICCBased with a `Range`).
    pub(crate) ranges: HashMap<usize, Rc<[f64]>>,
    prepress_seen: HashSet<(String, Option<ObjectRef>)>,
}

impl Tables {
    /// Empty tables.
    #[must_use]
    pub fn new(readers: Readers) -> Self {
        Self {
            fonts: Vec::new(),
            spaces: Vec::new(),
            layers: None,
            damage: Vec::new(),
            prepress: Vec::new(),
            readers,
            metrics: HashMap::new(),
            elements: 0,
            sample_bytes: MAX_SAMPLE_BYTES,
            tints: HashMap::new(),
            images: HashMap::new(),
            layer_ids: None,
            font_dicts: HashMap::new(),
            font_ids: HashMap::new(),
            space_ids: HashMap::new(),
            space_keys: HashMap::new(),
            lookups: HashMap::new(),
            ranges: HashMap::new(),
            prepress_seen: HashSet::new(),
        }
    }

    /// The index of a font; described at the first time. `page` is one whose resources name it.
    pub fn font(&mut self, dict: &Dict<'_>, reference: Option<ObjRef>, page: u32, meter: &Meter) -> usize {
        let data = dict.data();
        let identity = reference.map_or(Identity::Direct(data.as_ptr() as usize, data.len()), |reference| {
            Identity::Indirect(object_ref(reference))
        });
        let index = if let Some(index) = self.font_ids.get(&identity) {
            *index
        } else {
            let mut font = (self.readers.font)(dict, meter);
            font.object = identity.object();
            self.fonts.push(font);
            self.font_ids.insert(identity, self.fonts.len() - 1);
            self.fonts.len() - 1
        };
        if let Some(font) = self.fonts.get_mut(index)
            && font.pages.len() < MAX_FONT_PAGES
            && !font.pages.contains(&page)
        {
            font.pages.push(page);
        }
        index
    }

    /// Whether the fonts of a dictionary are still to be registered: after so many pages as a font notes, they are not.
    pub(crate) fn wants_fonts(&mut self, fonts: &Dict<'_>) -> bool {
        let data = fonts.data();
        let pages = self.font_dicts.entry(Identity::Direct(data.as_ptr() as usize, data.len())).or_default();
        *pages += 1;
        !data.is_empty() && *pages <= MAX_FONT_PAGES
    }

    /// Keeps the widths of a font; when there are too many, all are forgotten and read anew where they are needed.
    pub(crate) fn keep_metrics(&mut self, font: usize, metrics: Rc<FontMetrics>) {
        if self.metrics.len() >= MAX_METRICS {
            self.metrics.clear();
        }
        self.metrics.insert(font, metrics);
    }

    /// The index of the layer that is this object. The layers must be set by now.
    pub fn layer(&mut self, object: ObjectRef) -> Option<usize> {
        let layers = self.layers.as_ref()?;
        let ids = self.layer_ids.get_or_insert_with(|| {
            let groups = layers.groups.iter().enumerate();
            groups.filter_map(|(index, group)| Some((group.object?, index))).collect()
        });
        ids.get(&object).copied()
    }

    /// The index of a colour space that was met before.
    #[must_use]
    pub fn known_space(&self, identity: Identity) -> Option<usize> {
        self.space_ids.get(&identity).copied()
    }

    /// Remembers which entry an object is.
    pub fn remember_space(&mut self, identity: Identity, index: usize) {
        self.space_ids.insert(identity, index);
    }

    /// The index of a colour space; `key` is equal for spaces that are equal in every respect but their object.
    pub fn space(&mut self, key: [u8; 32], space: impl FnOnce() -> Space) -> usize {
        let spaces = &mut self.spaces;
        *self.space_keys.entry(key).or_insert_with(|| {
            spaces.push(space());
            spaces.len() - 1
        })
    }

    /// Marks a space as used by a visible element, with the bases of Indexed and Pattern spaces.
    pub fn use_space(&mut self, index: usize) {
        use crate::facts::Family;
        let mut next = Some(index);
        while let Some(space) = next.and_then(|index| self.spaces.get_mut(index)) {
            if std::mem::replace(&mut space.used, true) {
                return;
            }
            next = match space.family {
                Family::Indexed | Family::Pattern => space.base,
                _ => None,
            };
        }
    }

    /// Notes damage, each kind once for a page and object.
    pub fn damaged(&mut self, damage: Damage) {
        let known = |other: &Damage| {
            other.kind == damage.kind && other.page == damage.page && other.object == damage.object
        };
        if self.damage.len() < MAX_DAMAGE && !self.damage.iter().any(known) {
            self.damage.push(damage);
        }
    }

    /// Notes a use of something of the press, each kind once for an object.
    pub fn prepress_use(&mut self, found: PrepressUse) {
        if self.prepress.len() < MAX_DAMAGE && self.prepress_seen.insert((found.kind.clone(), found.object)) {
            self.prepress.push(found);
        }
    }
}
