//! Named resources, each looked up once for a page.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use hayro_syntax::{
    object::{Dict, Name, ObjRef, Object},
    page::Resources,
    xref::XRef,
};

use super::{
    Walker, extgstate::ExtState, forms::XObject, lexer::plain_name, metrics::FontMetrics, patterns::Pattern,
    shadings::Shading, type3::Type3,
};
use crate::{facts::Family, tables::Identity};

/// A font as text uses it.
pub(super) struct FontUse<'a> {
    /// Its index in the tables.
    pub(super) index: usize,
    pub(super) metrics: Rc<FontMetrics>,
    pub(super) type3: Option<Rc<Type3<'a>>>,
}

type Cache<T> = RefCell<HashMap<Box<[u8]>, Option<T>>>;

/// The resources of a content stream, with what was looked up already.
pub(super) struct Res<'a> {
    pub(super) named: Resources<'a>,
    fonts: Cache<Rc<FontUse<'a>>>,
    states: Cache<Rc<ExtState<'a>>>,
    spaces: Cache<usize>,
    objects: Cache<XObject<'a>>,
    patterns: Cache<Rc<Pattern<'a>>>,
    shadings: Cache<Rc<Shading>>,
    /// `DefaultGray`, `DefaultRGB`, `DefaultCMYK`.
    pub(super) defaults: RefCell<[Option<Option<usize>>; 3]>,
}

impl<'a> Res<'a> {
    fn new(named: Resources<'a>) -> Self {
        Self {
            named,
            fonts: RefCell::default(),
            states: RefCell::default(),
            spaces: RefCell::default(),
            objects: RefCell::default(),
            patterns: RefCell::default(),
            shadings: RefCell::default(),
            defaults: RefCell::default(),
        }
    }
}

/// An object under a key with its reference, where it has one.
///
/// References are followed from the table of the file, not from the dictionary: the reader of syntax refuses one that leads
/// back to an object it came by, such as the resources that a form shares with its page.
pub(super) fn entry<'a>(xref: &'a XRef, dict: &Dict<'a>, key: &[u8]) -> Option<(Object<'a>, Option<ObjRef>)> {
    let reference = dict.get_ref(key);
    let object = match reference {
        Some(reference) => xref.get::<Object<'a>>(reference.into())?,
        None => dict.get::<Object<'a>>(key)?,
    };
    if matches!(object, Object::Null(_)) {
        return None;
    }
    Some((object, reference))
}

/// A dictionary under a key.
pub(super) fn sub_dictionary<'a>(xref: &'a XRef, dict: &Dict<'a>, key: &str) -> Option<Dict<'a>> {
    entry(xref, dict, key.as_bytes()).and_then(|(object, _)| object.into_dict())
}

/// Looks something up once. The cache is not borrowed while it is made, which may look up other things.
fn once<T: Clone>(cache: &Cache<T>, raw: &[u8], make: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
    if let Some(known) = cache.borrow().get(raw) {
        return known.clone();
    }
    let made = make(&plain_name(raw));
    cache.borrow_mut().insert(raw.into(), made.clone());
    made
}

impl<'a> Walker<'a, '_> {
    /// Resources of a dictionary: one for each dictionary of the page.
    pub(super) fn resources(&mut self, dict: &Dict<'a>) -> Rc<Res<'a>> {
        let identity = Identity::Direct(dict.data().as_ptr() as usize, dict.data().len());
        if let Some(known) = self.resources.get(&identity) {
            return Rc::clone(known);
        }
        let made = self.own_resources(Resources::new(dict.clone()));
        self.resources.insert(identity, Rc::clone(&made));
        made
    }

    /// Resources that are read already.
    pub(super) fn own_resources(&mut self, named: Resources<'a>) -> Rc<Res<'a>> {
        self.register_fonts(&named.fonts);
        Rc::new(Res::new(named))
    }

    fn register_fonts(&mut self, fonts: &Dict<'a>) {
        if !self.tables.wants_fonts(fonts) {
            return;
        }
        for key in fonts.keys() {
            if !self.meter.object() {
                return;
            }
            if let Some((object, reference)) = entry(self.xref, fonts, &key)
                && let Some(dict) = object.into_dict()
            {
                self.tables.font(&dict, reference, self.sheet.number, self.meter);
            }
        }
    }

    pub(super) fn named_font(&mut self, res: &Res<'a>, raw: &[u8]) -> Option<Rc<FontUse<'a>>> {
        once(&res.fonts, raw, |name| {
            let (object, reference) = self.found("Font", entry(self.xref, &res.named.fonts, name))?;
            self.font(&object.into_dict()?, reference)
        })
    }

    /// A font by its dictionary.
    pub(super) fn font(&mut self, dict: &Dict<'a>, reference: Option<ObjRef>) -> Option<Rc<FontUse<'a>>> {
        let index = self.tables.font(dict, reference, self.sheet.number, self.meter);
        let metrics = match self.tables.metrics.get(&index) {
            Some(metrics) => Rc::clone(metrics),
            None => {
                let metrics = Rc::new(FontMetrics::read(dict, self.meter));
                self.tables.keep_metrics(index, Rc::clone(&metrics));
                metrics
            }
        };
        let type3 = dict.get::<Name<'_>>("Subtype").filter(|name| name.as_ref() == b"Type3");
        let type3 = type3.and_then(|_| Type3::read(self.xref, dict)).map(Rc::new);
        Some(Rc::new(FontUse { index, metrics, type3 }))
    }

    pub(super) fn named_state(&mut self, res: &Res<'a>, raw: &[u8]) -> Option<Rc<ExtState<'a>>> {
        once(&res.states, raw, |name| {
            let (object, _) = self.found("ExtGState", entry(self.xref, &res.named.ext_g_states, name))?;
            Some(Rc::new(ExtState::read(self.xref, &object.into_dict()?)))
        })
    }

    /// A colour space by the operand of `cs`: one of the families without parameters, or a resource.
    pub(super) fn named_space(&mut self, res: &Res<'a>, raw: &[u8]) -> Option<usize> {
        once(&res.spaces, raw, |name| match name {
            b"DeviceGray" | b"G" => Some(self.device(res, Family::DeviceGray)),
            b"DeviceRGB" | b"RGB" => Some(self.device(res, Family::DeviceRGB)),
            b"DeviceCMYK" | b"CMYK" => Some(self.device(res, Family::DeviceCMYK)),
            b"Pattern" => Some(self.plain_space(Family::Pattern)),
            _ => {
                let (object, reference) =
                    self.found("ColorSpace", entry(self.xref, &res.named.color_spaces, name))?;
                // A resource that names a device space is subject to the defaults like the device space itself.
                match object {
                    Object::Name(other) => Some(self.family_by_name(res, &other)),
                    object => self.space(&object, reference, 0),
                }
            }
        })
    }

    /// A device space, or the default that these resources set in its place.
    pub(super) fn device(&mut self, res: &Res<'a>, family: Family) -> usize {
        let (slot, key) = match family {
            Family::DeviceGray => (0, "DefaultGray"),
            Family::DeviceRGB => (1, "DefaultRGB"),
            _ => (2, "DefaultCMYK"),
        };
        let known = res.defaults.borrow().get(slot).copied().flatten();
        let default = known.unwrap_or_else(|| {
            let found = entry(self.xref, &res.named.color_spaces, key.as_bytes());
            let default =
                found.and_then(|(object, reference)| self.default_space(&object, reference, family));
            if let Some(place) = res.defaults.borrow_mut().get_mut(slot) {
                *place = Some(default);
            }
            default
        });
        default.unwrap_or_else(|| self.plain_space(family))
    }

    pub(super) fn named_object(&mut self, res: &Res<'a>, raw: &[u8]) -> Option<XObject<'a>> {
        once(&res.objects, raw, |name| {
            let (object, reference) = self.found("XObject", entry(self.xref, &res.named.x_objects, name))?;
            Some(self.x_object(object.into_stream()?, reference))
        })
    }

    pub(super) fn named_pattern(&mut self, res: &Res<'a>, raw: &[u8]) -> Option<Rc<Pattern<'a>>> {
        once(&res.patterns, raw, |name| {
            let (object, reference) = self.found("Pattern", entry(self.xref, &res.named.patterns, name))?;
            self.pattern(object, reference, res).map(Rc::new)
        })
    }

    pub(super) fn named_shading(&mut self, res: &Res<'a>, raw: &[u8]) -> Option<Rc<Shading>> {
        once(&res.shadings, raw, |name| {
            let (object, _) = self.found("Shading", entry(self.xref, &res.named.shadings, name))?;
            self.shading(&object, res).map(Rc::new)
        })
    }

    /// Notes a resource that is not there.
    fn found<T>(&mut self, kind: &'static str, found: Option<T>) -> Option<T> {
        if found.is_none() {
            self.damage(
                "resource_missing",
                format!(
                    "The contents name a resource of the kind {kind} that is not there. Export the file anew."
                ),
                false,
            );
        }
        found
    }
}
