//! Gathers what is painted: alike elements together, counts, boxes.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, Hash, Hasher, RandomState},
    rc::Rc,
};

use super::{
    PageContent,
    geometry::{Bounds, clean},
    images::ImageFacts,
    overlap::Overlaps,
};
use crate::{
    budget::Meter,
    facts::{Counts, Element, ElementKind, Group, ObjectRef, Operation, Paint, Place, Places},
};

/// Places kept of alike elements.
const MAX_PLACES: usize = 8;

/// Kinds of transparency groups kept of one page.
const MAX_GROUPS: usize = 256;

/// Distinct elements that are told apart behind the budget, for their count.
const MAX_LEFT_OFF: usize = 100_000;

/// Images that are looked at for being white, of a page without other ink.
const MAX_PALE: usize = 16;

/// A number as part of a key: equal for equal bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Exact(u64);

impl Exact {
    pub(super) fn new(value: f64) -> Self {
        // Both zeroes are one.
        Self((value + 0.0).to_bits())
    }

    pub(super) fn value(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// What tells images apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ImageShape {
    pub(super) width: u64,
    pub(super) height: u64,
    pub(super) bits: u8,
    pub(super) mask: bool,
    pub(super) filters: Vec<String>,
    pub(super) soft_mask: bool,
    pub(super) masked: bool,
    pub(super) inline: bool,
}

/// Kind of element, as part of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Text { font: Option<usize>, size: Exact, mode: u8 },
    Line { width: Exact, filled: bool },
    Path,
    Image { shape: Rc<ImageShape>, ppi: (Exact, Exact), covers_trim: bool },
    Shading(u8),
}

/// Components as part of a key.
#[derive(Debug, Clone)]
pub(super) struct Values(pub(super) Rc<[f64]>);

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().zip(other.0.iter()).all(|(one, other)| Exact::new(*one) == Exact::new(*other))
    }
}

impl Eq for Values {}

impl Hash for Values {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for value in self.0.iter() {
            Exact::new(*value).hash(state);
        }
    }
}

/// How something is inked, as part of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Inking {
    pub(super) stroke: bool,
    pub(super) space: Option<usize>,
    pub(super) values: Option<Values>,
    pub(super) pattern: Option<&'static str>,
    pub(super) overprint: bool,
    pub(super) overprint_mode: u8,
    pub(super) alpha: Exact,
    pub(super) blend: &'static str,
    pub(super) soft_mask: bool,
}

impl Inking {
    /// Whether it needs transparency.
    fn transparent(&self) -> bool {
        self.soft_mask || self.alpha.value() < 1.0 || self.blend != super::state::NORMAL
    }
}

/// What is drawn within what.
pub(super) type Within = Rc<[&'static str]>;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    kind: Kind,
    inking: Inking,
    visible: bool,
    overlapping: bool,
    layer: Option<usize>,
    step: bool,
    within: Within,
}

/// Whether something puts ink on the page.
pub(super) enum Ink {
    Yes,
    No,
    /// If its samples are not all white.
    Samples(Rc<ImageFacts>),
}

/// Something painted.
pub(super) struct Painted {
    pub(super) kind: Kind,
    pub(super) inking: Inking,
    /// Its box within the clip.
    pub(super) bounds: Bounds,
    /// Whether anything keeps it from being seen, its place aside.
    pub(super) hidden: bool,
    pub(super) overlapping: bool,
    pub(super) layer: Option<usize>,
    pub(super) step: bool,
    pub(super) within: Within,
    pub(super) object: Option<ObjectRef>,
    pub(super) operator: u64,
    pub(super) ink: Ink,
}

/// What was gathered so far.
pub(super) struct Collector {
    media: Bounds,
    /// Elements that earlier pages left of the file's budget.
    left_of_file: usize,
    keys: HashMap<Key, usize>,
    places: Vec<Places>,
    left_off: HashSet<u64>,
    left_off_hasher: RandomState,
    left_off_count: u64,
    overlaps: Overlaps,
    pub(super) counts: Counts,
    pub(super) groups: Vec<Group>,
    pub(super) transparency: bool,
    pub(super) inked: bool,
    pub(super) pale: Vec<Rc<ImageFacts>>,
    ink_box: Bounds,
}

impl Collector {
    pub(super) fn new(media: Bounds, left_of_file: usize) -> Self {
        Self {
            media,
            left_of_file,
            keys: HashMap::new(),
            places: Vec::new(),
            left_off: HashSet::new(),
            left_off_hasher: RandomState::new(),
            left_off_count: 0,
            overlaps: Overlaps::new(media),
            counts: Counts::default(),
            groups: Vec::new(),
            transparency: false,
            inked: false,
            pale: Vec::new(),
            ink_box: Bounds::EMPTY,
        }
    }

    /// Whether a box is on the media at all.
    pub(super) fn on_media(&self, bounds: Bounds) -> bool {
        !bounds.intersection(self.media).is_empty()
    }

    /// Whether a box meets something visible that was painted before.
    pub(super) fn overlaps(&self, bounds: Bounds) -> bool {
        self.overlaps.meets(bounds)
    }

    /// Takes note that something visible lies in a box.
    pub(super) fn cover(&mut self, bounds: Bounds) {
        self.overlaps.add(bounds);
        self.ink_box = self.ink_box.union(bounds.intersection(self.media));
    }

    /// Adds an element.
    pub(super) fn add(&mut self, painted: Painted, meter: &Meter, page: u32) {
        let visible = !painted.hidden && self.on_media(painted.bounds);
        let soft_image = matches!(&painted.kind, Kind::Image { shape, .. } if shape.soft_mask);
        self.transparency |= soft_image || painted.inking.transparent();
        if visible && !painted.step {
            match painted.ink {
                Ink::Yes => self.inked = true,
                Ink::No => {}
                Ink::Samples(image) if self.pale.len() < MAX_PALE => self.pale.push(image),
                Ink::Samples(_) => self.inked = true,
            }
        }
        let key = Key {
            kind: painted.kind,
            inking: painted.inking,
            visible,
            overlapping: visible && painted.overlapping,
            layer: painted.layer,
            step: painted.step,
            within: painted.within,
        };
        let known = self.keys.len();
        let index = match self.keys.get(&key) {
            Some(index) => *index,
            None if known < meter.budgets.page_elements.min(self.left_of_file) => {
                self.keys.insert(key, known);
                self.places.push(Places { count: 0, first: Vec::with_capacity(1) });
                known
            }
            None => {
                if known < meter.budgets.page_elements {
                    meter.hit("total_elements", meter.budgets.total_elements as u64, None);
                } else {
                    meter.hit("page_elements", meter.budgets.page_elements as u64, Some(page));
                }
                let unknown = self.left_off.len() >= MAX_LEFT_OFF
                    || self.left_off.insert(self.left_off_hasher.hash_one(&key));
                self.left_off_count += u64::from(unknown);
                return;
            }
        };
        let Some(places) = self.places.get_mut(index) else { return };
        places.count += 1;
        if places.first.len() < MAX_PLACES {
            let shown = if visible { painted.bounds.intersection(self.media) } else { painted.bounds };
            let bbox = if shown.is_empty() { [0.0; 4] } else { shown.rect().map(clean) };
            places.first.push(Place { bbox, object: painted.object, operator: painted.operator });
        }
    }

    /// Adds a transparency group, each kind once.
    pub(super) fn group(&mut self, group: Group, meter: &Meter, page: u32) {
        let alike = |other: &Group| Group { object: group.object, ..other.clone() } == group;
        if self.groups.iter().any(alike) {
            return;
        }
        if self.groups.len() < MAX_GROUPS {
            self.groups.push(group);
        } else {
            meter.hit("page_elements", MAX_GROUPS as u64, Some(page));
        }
    }

    /// The facts.
    pub(super) fn finish(self) -> PageContent {
        let mut keys: Vec<(Key, usize)> = self.keys.into_iter().collect();
        keys.sort_unstable_by_key(|(_, index)| *index);
        let elements =
            keys.into_iter().zip(self.places).map(|((key, _), places)| key.element(places)).collect();
        PageContent {
            elements,
            elements_left_off: self.left_off_count,
            counts: self.counts,
            group: None,
            groups: self.groups,
            transparency: self.transparency,
            inked: self.inked,
            ink_box: (!self.ink_box.is_empty()).then(|| self.ink_box.rect().map(clean)),
        }
    }
}

impl Key {
    fn element(self, places: Places) -> Element {
        let inking = self.inking;
        Element {
            kind: self.kind.facts(),
            paint: Paint {
                operation: if inking.stroke { Operation::Stroke } else { Operation::Fill },
                space: inking.space,
                values: inking.values.map(|values| values.0.to_vec()),
                pattern: inking.pattern.map(str::to_owned),
                overprint: inking.overprint,
                overprint_mode: inking.overprint_mode,
                alpha: inking.alpha.value(),
                blend: inking.blend.to_owned(),
                soft_mask: inking.soft_mask,
            },
            visible: self.visible,
            overlapping: self.overlapping,
            layer: self.layer,
            step: self.step,
            within: self.within.iter().map(|name| (*name).to_owned()).collect(),
            places,
        }
    }
}

impl Kind {
    fn facts(self) -> ElementKind {
        match self {
            Self::Text { font, size, mode } => ElementKind::Text { font, size_pt: size.value(), mode },
            Self::Line { width, filled } => ElementKind::Line { width_pt: width.value(), filled },
            Self::Path => ElementKind::Path {},
            Self::Shading(shading) => ElementKind::Shading { shading },
            Self::Image { shape, ppi, covers_trim } => ElementKind::Image {
                width: shape.width,
                height: shape.height,
                bits: shape.bits,
                mask: shape.mask,
                ppi_x: ppi.0.value(),
                ppi_y: ppi.1.value(),
                filters: shape.filters.clone(),
                soft_mask: shape.soft_mask,
                masked: shape.masked,
                inline: shape.inline,
                covers_trim,
            },
        }
    }
}
