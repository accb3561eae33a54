//! Form XObjects, transparency groups and soft masks.

use std::{borrow::Cow, cell::RefCell, rc::Rc};

use hayro_syntax::object::{Array, Dict, Name, ObjRef, Object, Stream};

use super::{
    Walker,
    geometry::{Bounds, Matrix},
    images::{ImageFacts, looks_like_image},
    interpret::Run,
    resources::{entry, sub_dictionary},
    scope::{Layering, Scope},
    state::{NORMAL, State},
};
use crate::{
    decode::{self, Refused},
    facts::{Family, Group, ObjectRef},
    tables::{Identity, object_ref},
};

/// Bytes of decoded forms that are kept for one page, so that a form used often is inflated once.
const MAX_KEPT_BYTES: usize = 16 << 20;

/// An external object.
#[derive(Clone)]
pub(super) enum XObject<'a> {
    Form(Rc<Form<'a>>),
    Image(Rc<ImageFacts>, Option<ObjRef>),
    PostScript,
}

/// A form.
pub(super) struct Form<'a> {
    stream: Stream<'a>,
    identity: Identity,
    matrix: Matrix,
    bounds: Option<Bounds>,
    resources: Option<Dict<'a>>,
    group: Option<Group>,
    /// Its layer or membership dictionary.
    pub(super) layer: Option<ObjRef>,
    data: RefCell<Option<Rc<Cow<'a, [u8]>>>>,
}

/// The soft mask of a graphics state.
pub(super) struct SoftMask<'a> {
    pub(super) form: Stream<'a>,
    pub(super) reference: Option<ObjRef>,
    pub(super) kind: &'static str,
}

impl<'a> Walker<'a, '_> {
    /// Reads an external object.
    pub(super) fn x_object(&mut self, stream: Stream<'a>, reference: Option<ObjRef>) -> XObject<'a> {
        let identity =
            Identity::of(reference, &Object::Stream(stream.clone())).unwrap_or(Identity::Direct(0, 0));
        let dict = stream.dict();
        let subtype = dict.get::<Name<'_>>("Subtype");
        let postscript = subtype.as_ref().is_some_and(|name| name.as_ref() == b"PS")
            || dict.get::<Name<'_>>("Subtype2").is_some_and(|name| name.as_ref() == b"PS");
        if postscript {
            return XObject::PostScript;
        }
        if looks_like_image(dict) {
            let layer = dict.get_ref("OC");
            return XObject::Image(self.image(&stream, identity), layer);
        }
        XObject::Form(self.form(stream, identity))
    }

    /// A form, read once for a page.
    pub(super) fn form(&mut self, stream: Stream<'a>, identity: Identity) -> Rc<Form<'a>> {
        if let Some(known) = self.forms.get(&identity) {
            return Rc::clone(known);
        }
        let dict = stream.dict();
        let array = |key| dict.get::<Array<'_>>(key);
        let group = entry(self.xref, dict, b"Group").and_then(|(group, _)| group.into_dict());
        let form = Rc::new(Form {
            identity,
            matrix: array("Matrix").and_then(|array| Matrix::read(&array)).unwrap_or(Matrix::IDENTITY),
            bounds: array("BBox").and_then(|array| Bounds::read(&array)),
            resources: sub_dictionary(self.xref, dict, "Resources"),
            group: group.and_then(|group| self.group_facts(&group, identity.object())),
            layer: dict.get_ref("OC"),
            data: RefCell::default(),
            stream,
        });
        self.forms.insert(identity, Rc::clone(&form));
        form
    }

    /// The page's own transparency group.
    pub(super) fn page_group(&mut self, page: &Dict<'a>) -> Option<Group> {
        let (group, reference) = entry(self.xref, page, b"Group")?;
        self.group_facts(&group.into_dict()?, reference.map(object_ref))
    }

    fn group_facts(&mut self, dict: &Dict<'a>, object: Option<ObjectRef>) -> Option<Group> {
        let transparency = dict.get::<Name<'_>>("S").is_some_and(|name| name.as_ref() == b"Transparency");
        let space =
            entry(self.xref, dict, b"CS").and_then(|(space, reference)| self.space(&space, reference, 0));
        transparency.then(|| Group {
            space,
            isolated: dict.get::<bool>("I").unwrap_or(false),
            knockout: dict.get::<bool>("K").unwrap_or(false),
            soft_mask: None,
            object,
        })
    }

    /// `Do`.
    pub(super) fn execute(&mut self, run: &mut Run<'a>, name: &[u8]) {
        let res = Rc::clone(&run.scope.res);
        match self.named_object(&res, name) {
            None | Some(XObject::PostScript) => {}
            Some(XObject::Image(facts, layer)) => {
                let outer = run.enter_layer(self.layering(run.layering(), layer));
                self.paint_image(run, &facts);
                run.leave_layer(outer);
            }
            Some(XObject::Form(form)) => {
                let layering = self.layering(run.layering(), form.layer);
                let scope = Scope { layering, ..run.scope.inner("form") };
                let state = run.state.clone();
                self.execute_form(&form, scope, state);
            }
        }
    }

    /// Walks a form in a scope that is made from its surroundings, with the state around it.
    pub(super) fn execute_form(&mut self, form: &Rc<Form<'a>>, mut scope: Scope<'a>, mut state: State<'a>) {
        let Some(ctm) = form.matrix.then(state.ctm) else { return };
        if !self.enter(form.identity) {
            return;
        }
        state.ctm = ctm;
        if let Some(bounds) = form.bounds {
            state.clip = state.clip.intersection(ctm.bounds(bounds));
        }
        scope.base = ctm;
        scope.object = form.identity.object();
        if let Some(dict) = &form.resources {
            scope.res = self.resources(dict);
        }
        if let Some(group) = &form.group {
            self.out.group(group.clone(), self.meter, self.sheet.number);
            scope.alpha *= state.fill_alpha;
            scope.soft_mask |= state.soft_mask;
            if state.blend != NORMAL {
                scope.blend = state.blend;
            }
            state.fill_alpha = 1.0;
            state.stroke_alpha = 1.0;
            state.blend = NORMAL;
            state.soft_mask = false;
        }
        match self.form_data(form) {
            Ok(data) => self.walk_stream(&data, &[], scope, state),
            Err(reason) => self.undecodable(form.identity.object(), reason),
        }
        self.leave();
    }

    fn form_data(&mut self, form: &Form<'a>) -> Result<Rc<Cow<'a, [u8]>>, Refused> {
        if let Some(kept) = &*form.data.borrow() {
            return Ok(Rc::clone(kept));
        }
        let decoded = decode::stream(&form.stream, self.meter, Some(self.sheet.number))?;
        if !decoded.complete {
            self.current = form.identity.object();
            self.damage(
                "stream_incomplete",
                "The data of a form end early; what could be read was looked at. Export the file anew."
                    .to_owned(),
                false,
            );
        }
        let data = Rc::new(decoded.data);
        let size = if matches!(*data, Cow::Owned(_)) { data.len() } else { 0 };
        if self.kept_bytes + size <= MAX_KEPT_BYTES {
            self.kept_bytes += size;
            *form.data.borrow_mut() = Some(Rc::clone(&data));
        }
        Ok(data)
    }

    /// Walks the group of a soft mask, once for each place in which it is set.
    pub(super) fn walk_soft_mask(&mut self, run: &Run<'a>, mask: &SoftMask<'a>) {
        let Some(identity) = Identity::of(mask.reference, &Object::Stream(mask.form.clone())) else { return };
        if !self.masks.insert((identity, mask.kind, run.state.ctm.bits())) {
            return;
        }
        let form = self.form(mask.form.clone(), identity);
        let group = form.group.clone().unwrap_or(Group {
            space: None,
            isolated: false,
            knockout: false,
            soft_mask: None,
            object: mask.reference.map(object_ref),
        });
        let group = Group { soft_mask: Some(mask.kind.to_owned()), ..group };
        self.out.group(group, self.meter, self.sheet.number);
        let gray = self.device(&run.scope.res, Family::DeviceGray);
        let everywhere = Bounds::new([-1e9, -1e9, 1e9, 1e9]);
        let state = State::new(run.state.ctm, everywhere, Some(gray));
        let scope = Scope {
            hidden: true,
            alpha: 1.0,
            blend: NORMAL,
            soft_mask: false,
            layering: Layering::default(),
            ..run.scope.inner("soft_mask")
        };
        // The mask's own group is no group of the page's.
        let bare = Rc::new(Form {
            stream: form.stream.clone(),
            identity,
            matrix: form.matrix,
            bounds: form.bounds,
            resources: form.resources.clone(),
            group: None,
            layer: None,
            data: RefCell::new(form.data.borrow().clone()),
        });
        self.execute_form(&bare, scope, state);
    }
}
