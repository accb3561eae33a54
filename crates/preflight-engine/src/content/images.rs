//! Images: what they are, how finely they are printed.

use std::rc::Rc;

use hayro_syntax::object::{Dict, Name, Object, Stream};

use super::{
    Walker,
    collect::{Exact, ImageShape, Ink, Inking, Kind},
    geometry::{Bounds, Matrix, clean},
    interpret::Run,
    jpx,
    resources::{Res, entry},
    scope::Paintwork,
    spaces::family_of,
};
use crate::{
    decode,
    facts::{Family, ObjectRef},
    tables::Identity,
};

/// Resolutions are cut here: an image squeezed to nothing has no finite one.
const MAX_PPI: f64 = 1e9;

/// How far, in points, an image may fall short of the TrimBox and still cover it.
const TRIM_TOLERANCE: f64 = 0.1;

/// What is known of an image.
#[derive(Debug)]
pub struct ImageFacts {
    pub(super) shape: Rc<ImageShape>,
    pub(super) space: Option<usize>,
    /// The device space that it names, which resources may replace.
    pub(super) device: Option<Family>,
    pub(super) object: Option<ObjectRef>,
}

/// How an image lies on the page.
struct Lie {
    bounds: Bounds,
    ppi: (Exact, Exact),
    covers_trim: bool,
}

impl<'a> Walker<'a, '_> {
    /// Facts of an image object, read once for the file.
    pub(super) fn image(&mut self, stream: &Stream<'a>, identity: Identity) -> Rc<ImageFacts> {
        if let Some(known) = self.tables.images.get(&identity) {
            return Rc::clone(known);
        }
        let facts = Rc::new(self.read_image(stream, identity.object()));
        self.tables.images.insert(identity, Rc::clone(&facts));
        facts
    }

    fn read_image(&mut self, stream: &Stream<'a>, object: Option<ObjectRef>) -> ImageFacts {
        let dict = stream.dict();
        let filters = decode::filters(dict);
        let mask = dict.get::<bool>("ImageMask").unwrap_or(false);
        let mut shape = ImageShape {
            width: dimension(dict, "Width"),
            height: dimension(dict, "Height"),
            bits: dict.get::<u8>("BitsPerComponent").unwrap_or_else(|| default_bits(&filters)),
            mask,
            soft_mask: dict.get::<Stream<'_>>("SMask").is_some()
                || dict.get::<i32>("SMaskInData").is_some_and(|kind| kind > 0),
            masked: dict.contains_key("Mask"),
            inline: false,
            filters,
        };
        let (mut space, mut device) = (None, None);
        if mask {
            shape.bits = 1;
        } else if let Some((object, reference)) = entry(self.xref, dict, b"ColorSpace") {
            match &object {
                Object::Name(name) => device = family_of(name),
                _ => space = self.space(&object, reference, 0),
            }
            if device.is_none() && space.is_none() {
                space = Some(self.plain_space(Family::Unknown));
            }
        }
        let is = |wanted: &str| shape.filters.last().is_some_and(|filter| filter == wanted);
        if is("JPXDecode") && shape.filters.len() == 1 {
            let header = jpx::header(&stream.raw_data());
            if let Some(bits) = header.bits {
                shape.bits = bits;
            }
            if !mask && space.is_none() && device.is_none() {
                device = header.family;
                if device.is_none() {
                    space = Some(self.plain_space(Family::Unknown));
                }
            }
        }
        ImageFacts { shape: Rc::new(shape), space, device, object }
    }

    /// Paints an image object.
    pub(super) fn paint_image(&mut self, run: &mut Run<'a>, facts: &Rc<ImageFacts>) {
        let space = self.image_space(&run.scope.res, facts);
        let ink = Ink::Samples(Rc::clone(facts));
        self.paint_facts(run, facts, space, ink);
    }

    /// The space of an image, with the defaults of the resources in force.
    pub(super) fn image_space(&mut self, res: &Res<'a>, facts: &ImageFacts) -> Option<usize> {
        match facts.device {
            Some(Family::Pattern) => Some(self.plain_space(Family::Unknown)),
            Some(family) => Some(self.device(res, family)),
            None => facts.space,
        }
    }

    /// Paints an image; `ink` counts where it is no mask.
    pub(super) fn paint_facts(&mut self, run: &Run<'a>, facts: &ImageFacts, space: Option<usize>, ink: Ink) {
        self.out.counts.images += 1;
        let lie = self.lie(run, &facts.shape);
        let kind = Kind::Image { shape: Rc::clone(&facts.shape), ppi: lie.ppi, covers_trim: lie.covers_trim };
        let mut work = if facts.shape.mask {
            self.paintwork(run, kind, false, lie.bounds, run.state.fill.pattern.clone())
        } else {
            let inking = Inking { space, values: None, pattern: None, ..self.inking(run, false, None) };
            let clipped = lie.bounds.intersection(run.state.clip);
            let overlapping = self.is_overlapping(run, clipped);
            Paintwork {
                kind,
                inking,
                bounds: lie.bounds,
                clipped,
                overlapping,
                ink,
                object: None,
                pattern: None,
            }
        };
        work.object = facts.object;
        self.paint(run, work);
    }

    fn lie(&self, run: &Run<'a>, shape: &ImageShape) -> Lie {
        let ctm = run.state.ctm;
        let bounds = ctm.bounds(Bounds::new([0.0, 0.0, 1.0, 1.0]));
        #[expect(clippy::cast_precision_loss, reason = "no image has 2^53 pixels a side")]
        let ppi = |pixels: u64, length: f64| {
            let inches = length * self.sheet.unit / 72.0;
            Exact::new(clean((pixels as f64 / inches.max(1e-12)).min(MAX_PPI)))
        };
        Lie {
            bounds,
            ppi: (ppi(shape.width, ctm.a.hypot(ctm.b)), ppi(shape.height, ctm.c.hypot(ctm.d))),
            covers_trim: run.state.clip.contains(self.trim, TRIM_TOLERANCE) && covers(ctm, self.trim),
        }
    }
}

/// Whether the unit square under a matrix covers a box.
fn covers(ctm: Matrix, trim: Bounds) -> bool {
    let determinant = ctm.a * ctm.d - ctm.b * ctm.c;
    if determinant.abs() < 1e-9 || trim.is_empty() {
        return false;
    }
    let margins = (TRIM_TOLERANCE / ctm.a.hypot(ctm.b), TRIM_TOLERANCE / ctm.c.hypot(ctm.d));
    [(trim.left, trim.bottom), (trim.right, trim.bottom), (trim.right, trim.top), (trim.left, trim.top)]
        .iter()
        .all(|(x, y)| {
            let (x, y) = (x - ctm.e, y - ctm.f);
            let (u, v) = ((x * ctm.d - y * ctm.c) / determinant, (y * ctm.a - x * ctm.b) / determinant);
            (-margins.0..=1.0 + margins.0).contains(&u) && (-margins.1..=1.0 + margins.1).contains(&v)
        })
}

fn dimension(dict: &Dict<'_>, key: &str) -> u64 {
    dict.get::<i32>(key).and_then(|value| u64::try_from(value).ok()).unwrap_or(0)
}

/// Bits of a component where the dictionary does not say: fax and JBIG2 have one, JPEG eight.
pub(super) fn default_bits(filters: &[String]) -> u8 {
    match filters.last().map(String::as_str) {
        Some("CCITTFaxDecode" | "JBIG2Decode") => 1,
        _ => 8,
    }
}

/// Whether a stream's dictionary is that of an image, where it does not say.
pub(super) fn looks_like_image(dict: &Dict<'_>) -> bool {
    dict.get::<Name<'_>>("Subtype").map_or(dict.contains_key("Width"), |name| name.as_ref() == b"Image")
}
