//! Colour spaces: their entries in the tables, and what a colour in them is.

use std::rc::Rc;

use hayro_syntax::object::{Array, Dict, Name, Number, ObjRef, Object};
use sha2::{Digest, Sha256};

use super::{
    Walker, fingerprint,
    geometry::{clean, numbers},
    resources::Res,
};
use crate::{
    decode,
    facts::{Family, Space},
    tables::{Identity, object_ref},
};

/// Spaces within one another: an Indexed or Pattern over a DeviceN over an ICCBased with an alternate is four.
const MAX_DEPTH: u32 = 8;

/// Colorants of a DeviceN, which PDF limits to 32.
const MAX_COLORANTS: usize = 64;

/// An entry without anything but its family.
pub(super) fn plain(family: Family, components: u8) -> Space {
    Space {
        family,
        components,
        colorants: Vec::new(),
        base: None,
        tint_transform: None,
        profile: None,
        subtype: None,
        process: Vec::new(),
        default_for: None,
        object: None,
        used: false,
    }
}

impl<'a> Walker<'a, '_> {
    /// The entry of a space without parameters.
    pub(super) fn plain_space(&mut self, family: Family) -> usize {
        let components = match family {
            Family::DeviceGray | Family::CalGray => 1,
            Family::DeviceRGB | Family::CalRGB | Family::Lab => 3,
            Family::DeviceCMYK => 4,
            _ => 0,
        };
        self.enter_space(plain(family, components), &[])
    }

    /// The space that stands in for a device space; kept apart from the same space where it is used by its own name.
    pub(super) fn default_space(
        &mut self,
        object: &Object<'a>,
        reference: Option<ObjRef>,
        family: Family,
    ) -> Option<usize> {
        let index = match object {
            // A default that names a device space changes nothing if it is the same, and means it if not.
            Object::Name(name) => {
                let named = family_of(name)?;
                return (named != family).then(|| self.plain_space(named));
            }
            object => self.space(object, reference, 0)?,
        };
        let mut space = self.tables.spaces.get(index)?.clone();
        space.default_for = Some(family);
        space.used = false;
        let (lookup, range) =
            (self.tables.lookups.get(&index).cloned(), self.tables.ranges.get(&index).cloned());
        let entry = self.enter_space(space, &[]);
        lookup.and_then(|lookup| self.tables.lookups.insert(entry, lookup));
        range.and_then(|range| self.tables.ranges.insert(entry, range));
        Some(entry)
    }

    /// The entry of a space by a name that stands for itself.
    pub(super) fn family_by_name(&mut self, res: &Res<'a>, name: &Name<'_>) -> usize {
        match family_of(name) {
            Some(Family::Pattern) => self.plain_space(Family::Pattern),
            Some(family) => self.device(res, family),
            None => self.plain_space(Family::Unknown),
        }
    }

    /// The entry of a colour space object.
    pub(super) fn space(
        &mut self,
        object: &Object<'a>,
        reference: Option<ObjRef>,
        depth: u32,
    ) -> Option<usize> {
        if let Object::Name(name) = object {
            return Some(self.plain_space(family_of(name).unwrap_or(Family::Unknown)));
        }
        let identity = Identity::of(reference, object)?;
        if let Some(known) = self.tables.known_space(identity) {
            return Some(known);
        }
        let made = if depth < MAX_DEPTH && self.meter.object() {
            self.make_space(object, identity, depth)
        } else {
            None
        };
        let index = match made {
            Some(index) => index,
            None => {
                self.damage(
                    "colour_space_damaged",
                    "A colour space cannot be read. Export the file anew.".to_owned(),
                    false,
                );
                self.plain_space(Family::Unknown)
            }
        };
        self.tables.remember_space(identity, index);
        Some(index)
    }

    pub(super) fn enter_space(&mut self, space: Space, parameters: &[u8]) -> usize {
        let mut alike = Space { object: None, used: false, ..space.clone() };
        if let Some(profile) = &mut alike.profile {
            profile.object = None;
        }
        let mut hash = Sha256::new();
        hash.update(serde_json::to_vec(&alike).unwrap_or_default());
        hash.update(parameters);
        self.tables.space(hash.finalize().into(), || space)
    }

    fn make_space(&mut self, object: &Object<'a>, identity: Identity, depth: u32) -> Option<usize> {
        let Object::Array(array) = object else { return None };
        let mut items = items(array, self.xref);
        let (name, _) = items.next()?;
        let Object::Name(name) = name else { return None };
        let rest: Vec<(Object<'a>, Option<ObjRef>)> = items.take(4).collect();
        let first = rest.first();
        let mut space = plain(Family::Unknown, 0);
        space.object = identity.object();
        match name.as_ref() {
            b"CalGray" | b"CalRGB" | b"Lab" => {
                let family = match name.as_ref() {
                    b"CalGray" => Family::CalGray,
                    b"CalRGB" => Family::CalRGB,
                    _ => Family::Lab,
                };
                let dict = first?.0.clone().into_dict()?;
                space.family = family;
                space.components = if family == Family::CalGray { 1 } else { 3 };
                let print = fingerprint::of(&Object::Dict(dict.clone()), self.xref, self.meter);
                let index = self.enter_space(space, print.as_bytes());
                if family == Family::Lab {
                    let [a0, a1, b0, b1] = dict
                        .get::<Array<'_>>("Range")
                        .and_then(|array| numbers(&array))
                        .unwrap_or([-100.0, 100.0, -100.0, 100.0]);
                    self.tables.ranges.insert(index, Rc::from([0.0, 100.0, a0, a1, b0, b1]));
                }
                Some(index)
            }
            b"ICCBased" => self.icc_based(space, &first?.0, first?.1, depth),
            b"Indexed" | b"I" => self.indexed(space, &rest, depth),
            b"Separation" => {
                space.family = Family::Separation;
                space.components = 1;
                space.colorants = vec![first?.0.clone().into_name().map(|name| lossy(&name))?];
                self.tinted(&mut space, &rest, depth)?;
                Some(self.enter_space(space, &[]))
            }
            b"DeviceN" => {
                space.family = Family::DeviceN;
                let names = first?.0.clone().into_array()?;
                space.colorants =
                    names.iter::<Name<'_>>().take(MAX_COLORANTS + 1).map(|name| lossy(&name)).collect();
                if space.colorants.len() > MAX_COLORANTS {
                    return None;
                }
                space.components = u8::try_from(space.colorants.len()).ok()?;
                self.tinted(&mut space, &rest, depth)?;
                if let Some(attributes) = rest.get(3).and_then(|(object, _)| object.clone().into_dict()) {
                    attribute(&mut space, &attributes);
                }
                Some(self.enter_space(space, &[]))
            }
            b"Pattern" => {
                space.family = Family::Pattern;
                space.base = match first {
                    Some((base, reference)) => Some(self.space(base, *reference, depth + 1)?),
                    None => None,
                };
                Some(self.enter_space(space, &[]))
            }
            _ => family_of(&name).map(|family| self.plain_space(family)),
        }
    }

    fn icc_based(
        &mut self,
        mut space: Space,
        object: &Object<'a>,
        reference: Option<ObjRef>,
        depth: u32,
    ) -> Option<usize> {
        // Pages often have arrays of their own that name one profile, which is read once.
        let profile = reference.map(|reference| Identity::Indirect(object_ref(reference)));
        if let Some(known) = profile.and_then(|profile| self.tables.known_space(profile)) {
            return Some(known);
        }
        let stream = object.clone().into_stream()?;
        let dict = stream.dict();
        space.family = Family::ICCBased;
        space.components = dict.get::<u8>("N").filter(|n| matches!(n, 1 | 3 | 4))?;
        // Two arrays that name one profile are one space.
        space.object = space.object.or(reference.map(object_ref));
        space.profile = (self.tables.readers.profile)(&stream, self.meter);
        if let Some(profile) = &mut space.profile {
            profile.object = reference.map(object_ref);
        }
        if let Some((alternate, reference)) = super::resources::entry(self.xref, dict, b"Alternate") {
            space.base = self.space(&alternate, reference, depth + 1);
        }
        let range: Vec<f64> = dict
            .get::<Array<'_>>("Range")
            .map(|array| array.iter::<Number>().take(8).map(|number| number.as_f64()).collect())
            .unwrap_or_default();
        let mut key = Vec::new();
        range.iter().for_each(|value| key.extend(value.to_bits().to_le_bytes()));
        let index = self.enter_space(space, &key);
        if !range.is_empty() {
            self.tables.ranges.insert(index, range.into());
        }
        if let Some(profile) = profile {
            self.tables.remember_space(profile, index);
        }
        Some(index)
    }

    fn indexed(
        &mut self,
        mut space: Space,
        rest: &[(Object<'a>, Option<ObjRef>)],
        depth: u32,
    ) -> Option<usize> {
        let [(base, reference), (_, _), (lookup, _), ..] = rest else { return None };
        let base = self.space(base, *reference, depth + 1)?;
        space.family = Family::Indexed;
        space.components = 1;
        space.base = Some(base);
        let bytes: Rc<[u8]> = match lookup {
            Object::String(string) => string.as_bytes().into(),
            Object::Stream(stream) => {
                decode::stream(stream, self.meter, Some(self.sheet.number)).ok()?.data.as_ref().into()
            }
            _ => return None,
        };
        let index = self.enter_space(space, &bytes);
        self.tables.lookups.insert(index, bytes);
        Some(index)
    }

    /// Alternate space and tint transform of a Separation or DeviceN.
    fn tinted(&mut self, space: &mut Space, rest: &[(Object<'a>, Option<ObjRef>)], depth: u32) -> Option<()> {
        let [_, (alternate, reference), (tint, tint_reference), ..] = rest else { return None };
        space.base = Some(self.space(alternate, *reference, depth + 1)?);
        let own = tint_reference.map(object_ref);
        let known = own.and_then(|own| self.tables.tints.get(&own).cloned());
        let print = known.unwrap_or_else(|| fingerprint::of(tint, self.xref, self.meter));
        if let Some(own) = own {
            self.tables.tints.entry(own).or_insert_with(|| print.clone());
        }
        space.tint_transform = Some(print);
        Some(())
    }

    /// A colour as facts give it: of an Indexed space the base and its components; of a Pattern space with an underlying
    /// one, that.
    pub(super) fn resolved(
        &self,
        space: Option<usize>,
        values: Option<Rc<[f64]>>,
    ) -> (Option<usize>, Option<Rc<[f64]>>) {
        let Some(entry) = space.and_then(|index| self.tables.spaces.get(index)) else {
            return (space, values);
        };
        match entry.family {
            Family::Pattern if values.is_some() => self.resolved(entry.base, values),
            Family::Indexed => {
                let components =
                    values.and_then(|values| self.looked_up(space?, entry.base?, *values.first()?));
                (entry.base, components)
            }
            _ => (space, values),
        }
    }

    fn looked_up(&self, index: usize, base: usize, value: f64) -> Option<Rc<[f64]>> {
        let components = usize::from(self.tables.spaces.get(base)?.components);
        let lookup = self.tables.lookups.get(&index)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the table's size"
        )]
        let row = value.clamp(0.0, 255.0).round() as usize;
        let bytes = lookup.get(row * components..(row + 1) * components)?;
        let ranges = self.tables.ranges.get(&base);
        let component = |(place, byte): (usize, &u8)| {
            let share = f64::from(*byte) / 255.0;
            match ranges.and_then(|ranges| Some((*ranges.get(2 * place)?, *ranges.get(2 * place + 1)?))) {
                Some((low, high)) => clean(low + share * (high - low)),
                None => clean(share),
            }
        };
        Some(bytes.iter().enumerate().map(component).collect())
    }

    /// Whether a colour is white: without ink, or the lightest of its space.
    pub(super) fn is_white(&self, space: Option<usize>, values: &[f64]) -> bool {
        let Some(entry) = space.and_then(|index| self.tables.spaces.get(index)) else { return false };
        let all = |wanted: f64| values.iter().all(|value| (value - wanted).abs() < 1e-6);
        match (entry.family, entry.components) {
            (Family::DeviceGray | Family::CalGray | Family::DeviceRGB | Family::CalRGB, _) => all(1.0),
            (Family::ICCBased, 1 | 3) => match entry.profile.as_ref().map(|profile| profile.space.trim()) {
                Some("Lab") => lab_white(values),
                _ => all(1.0),
            },
            (Family::Lab, _) => lab_white(values),
            (Family::DeviceCMYK | Family::ICCBased, _) => all(0.0),
            (Family::Separation | Family::DeviceN, _) => {
                let inks = entry.colorants.iter().zip(values).filter(|(name, _)| *name != "None");
                inks.map(|(_, value)| *value).all(|value| value.abs() < 1e-6)
            }
            _ => false,
        }
    }
}

fn lab_white(values: &[f64]) -> bool {
    matches!(values, [lightness, a, b] if *lightness >= 100.0 - 1e-6 && a.abs() < 1e-6 && b.abs() < 1e-6)
}

/// The family that a name stands for by itself.
pub(super) fn family_of(name: &Name<'_>) -> Option<Family> {
    Some(match name.as_ref() {
        b"DeviceGray" | b"G" => Family::DeviceGray,
        // PDF 1.0 had these names without parameters.
        b"DeviceRGB" | b"RGB" | b"CalRGB" => Family::DeviceRGB,
        b"DeviceCMYK" | b"CMYK" | b"CalCMYK" => Family::DeviceCMYK,
        b"CalGray" => Family::DeviceGray,
        b"Pattern" => Family::Pattern,
        _ => return None,
    })
}

/// A name as text.
pub(super) fn lossy(name: &Name<'_>) -> String {
    String::from_utf8_lossy(name.as_ref()).into_owned()
}

/// The items of an array with their references, resolved.
pub(super) fn items<'a>(
    array: &Array<'a>,
    xref: &'a hayro_syntax::xref::XRef,
) -> impl Iterator<Item = (Object<'a>, Option<ObjRef>)> + use<'a> {
    use hayro_syntax::object::{MaybeRef, Null};
    array.raw_iter().map(move |item| match item {
        MaybeRef::Ref(reference) => {
            (xref.get::<Object<'a>>(reference.into()).unwrap_or(Object::Null(Null)), Some(reference))
        }
        MaybeRef::NotRef(object) => (object, None),
    })
}

fn attribute(space: &mut Space, attributes: &Dict<'_>) {
    space.subtype = attributes.get::<Name<'_>>("Subtype").map(|name| lossy(&name));
    let process = attributes.get::<Dict<'_>>("Process");
    if let Some(names) = process.and_then(|process| process.get::<Array<'_>>("Components")) {
        space.process = names.iter::<Name<'_>>().take(MAX_COLORANTS).map(|name| lossy(&name)).collect();
    }
}
