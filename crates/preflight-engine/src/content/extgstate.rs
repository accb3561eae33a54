//! Graphics state parameter dictionaries.

use hayro_syntax::{
    object::{Array, Dict, Name, Number, ObjRef, Object},
    xref::XRef,
};

use super::{
    Walker,
    forms::SoftMask,
    resources::entry,
    state::{NORMAL, State, blend_mode},
};
use crate::facts::{ObjectRef, PrepressUse};

/// What `SMask` says.
pub(super) enum Mask<'a> {
    None,
    Group(SoftMask<'a>),
}

/// The entries that matter here; absent ones leave the state as it is.
pub(super) struct ExtState<'a> {
    line_width: Option<f64>,
    font: Option<(Dict<'a>, Option<ObjRef>, f64)>,
    stroke_overprint: Option<bool>,
    fill_overprint: Option<bool>,
    overprint_mode: Option<u8>,
    blend: Option<&'static str>,
    pub(super) soft_mask: Option<Mask<'a>>,
    stroke_alpha: Option<f64>,
    fill_alpha: Option<f64>,
}

fn number(dict: &Dict<'_>, key: &str) -> Option<f64> {
    dict.get::<Number>(key).map(|number| number.as_f64()).filter(|number| number.is_finite())
}

impl<'a> ExtState<'a> {
    pub(super) fn read(xref: &'a XRef, dict: &Dict<'a>) -> Self {
        Self {
            line_width: number(dict, "LW").map(f64::abs),
            font: None,
            stroke_overprint: dict.get::<bool>("OP"),
            fill_overprint: dict.get::<bool>("op"),
            overprint_mode: number(dict, "OPM").map(|mode| u8::from(mode != 0.0)),
            blend: blend(dict),
            soft_mask: soft_mask(xref, dict),
            stroke_alpha: number(dict, "CA").map(|alpha| alpha.clamp(0.0, 1.0)),
            fill_alpha: number(dict, "ca").map(|alpha| alpha.clamp(0.0, 1.0)),
        }
        .with_font(dict)
    }

    fn with_font(mut self, dict: &Dict<'a>) -> Self {
        let Some(array) = dict.get::<Array<'a>>("Font") else { return self };
        let mut items = array.raw_iter();
        let reference = items.next().and_then(|item| item.as_obj_ref());
        let mut values = array.flex_iter();
        if let (Some(font), Some(size)) = (values.next::<Dict<'a>>(), values.next::<Number>()) {
            self.font = Some((font, reference, size.as_f64()));
        }
        self
    }
}

/// `BM`: a name, or an array of which the first known one counts.
fn blend(dict: &Dict<'_>) -> Option<&'static str> {
    match dict.get::<Object<'_>>("BM")? {
        Object::Name(name) => Some(blend_mode(name.as_ref()).unwrap_or(NORMAL)),
        Object::Array(array) => {
            let mut known = array.iter::<Name<'_>>().take(32).filter_map(|name| blend_mode(name.as_ref()));
            Some(known.next().unwrap_or(NORMAL))
        }
        _ => None,
    }
}

fn soft_mask<'a>(xref: &'a XRef, dict: &Dict<'a>) -> Option<Mask<'a>> {
    match entry(xref, dict, b"SMask")? {
        (Object::Dict(mask), _) => {
            let (group, reference) = entry(xref, &mask, b"G")?;
            let alpha = mask.get::<Name<'_>>("S").is_some_and(|name| name.as_ref() == b"Alpha");
            Some(Mask::Group(SoftMask {
                form: group.into_stream()?,
                reference,
                kind: if alpha { "alpha" } else { "luminosity" },
            }))
        }
        (Object::Name(_), _) => Some(Mask::None),
        _ => None,
    }
}

impl<'a> Walker<'a, '_> {
    /// Notes something that only a press may set.
    pub(super) fn prepress(&mut self, kind: &str, detail: Option<String>, object: Option<ObjectRef>) {
        let page = Some(self.sheet.number);
        self.tables.prepress_use(PrepressUse { kind: kind.to_owned(), detail, page, object });
    }

    /// Sets what a dictionary says, the soft mask aside, which is a group to be walked.
    pub(super) fn set_state(&mut self, state: &mut State<'a>, set: &ExtState<'a>) {
        if let Some(width) = set.line_width {
            state.line_width = width;
        }
        if let Some((dict, reference, size)) = &set.font {
            state.text.font = self.font(dict, *reference);
            state.text.size = *size;
        }
        if let Some(overprint) = set.stroke_overprint {
            state.stroke_overprint = overprint;
            // `OP` alone sets both.
            state.fill_overprint = set.fill_overprint.unwrap_or(overprint);
        } else if let Some(overprint) = set.fill_overprint {
            state.fill_overprint = overprint;
        }
        state.overprint_mode = set.overprint_mode.unwrap_or(state.overprint_mode);
        state.blend = set.blend.unwrap_or(state.blend);
        state.stroke_alpha = set.stroke_alpha.unwrap_or(state.stroke_alpha);
        state.fill_alpha = set.fill_alpha.unwrap_or(state.fill_alpha);
        match &set.soft_mask {
            Some(Mask::None) => state.soft_mask = false,
            Some(Mask::Group(_)) => state.soft_mask = true,
            None => {}
        }
    }
}
