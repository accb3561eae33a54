//! Type 3 fonts, whose glyphs are content streams.

use std::{collections::HashMap, rc::Rc};

use hayro_syntax::{
    object::{Array, Dict, Stream},
    xref::XRef,
};

use super::{
    Walker,
    geometry::Matrix,
    interpret::Run,
    metrics::glyph_name,
    resources::{entry, sub_dictionary},
    scope::{Inherited, Scope},
};
use crate::{
    decode,
    tables::{Identity, object_ref},
};

/// A Type 3 font.
pub(super) struct Type3<'a> {
    matrix: Matrix,
    resources: Option<Dict<'a>>,
    procedures: Dict<'a>,
    encoding: Dict<'a>,
    names: std::cell::RefCell<HashMap<u8, Option<Vec<u8>>>>,
}

impl<'a> Type3<'a> {
    pub(super) fn read(xref: &'a XRef, dict: &Dict<'a>) -> Option<Self> {
        Some(Self {
            matrix: Matrix::read(&dict.get::<Array<'_>>("FontMatrix")?)?,
            resources: sub_dictionary(xref, dict, "Resources"),
            procedures: sub_dictionary(xref, dict, "CharProcs")?,
            encoding: sub_dictionary(xref, dict, "Encoding").unwrap_or_default(),
            names: std::cell::RefCell::default(),
        })
    }

    fn procedure(&self, xref: &'a XRef, code: u8) -> Option<(Stream<'a>, Identity)> {
        let mut names = self.names.borrow_mut();
        let name =
            names.entry(code).or_insert_with(|| glyph_name(&self.encoding, i64::from(code))).as_deref()?;
        let (object, reference) = entry(xref, &self.procedures, name)?;
        Some((object.into_stream()?, Identity::Indirect(object_ref(reference?))))
    }
}

/// A glyph that was walked: which, how large and turned, in which ink, whether it is seen.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct GlyphKey {
    procedure: Identity,
    matrix: [u64; 4],
    inking: super::collect::Inking,
    overlapping: bool,
    layer: Option<usize>,
    hidden: bool,
}

impl<'a> Walker<'a, '_> {
    /// Walks the procedures of glyphs, each once for a size and colour.
    pub(super) fn show_glyphs(
        &mut self,
        run: &Run<'a>,
        type3: &Rc<Type3<'a>>,
        codes: &[(u8, f64)],
        matrix: Matrix,
        overlapping: bool,
    ) {
        let text = &run.state.text;
        let size = Matrix::new([text.size * text.scale, 0.0, 0.0, text.size, 0.0, text.rise]);
        for (code, along) in codes {
            let placed = Matrix { e: *along, ..size };
            let glyph = type3.matrix.then(placed).and_then(|glyph| glyph.then(matrix));
            let (Some(glyph), Some((stream, identity))) = (glyph, type3.procedure(self.xref, *code)) else {
                continue;
            };
            let [a, b, c, d, _, _] = glyph.bits();
            let layering = run.layering();
            let key = GlyphKey {
                procedure: identity,
                matrix: [a, b, c, d],
                inking: self.inking(run, false, None),
                overlapping,
                layer: layering.layer,
                hidden: layering.off || run.scope.hidden,
            };
            if !self.glyphs.insert(key) || !self.enter(identity) {
                continue;
            }
            self.walk_glyph(run, type3, &stream, identity, glyph, overlapping);
            self.leave();
        }
    }

    fn walk_glyph(
        &mut self,
        run: &Run<'a>,
        type3: &Rc<Type3<'a>>,
        stream: &Stream<'a>,
        identity: Identity,
        glyph: Matrix,
        overlapping: bool,
    ) {
        let decoded = match decode::stream(stream, self.meter, Some(self.sheet.number)) {
            Ok(decoded) => decoded,
            Err(reason) => return self.undecodable(identity.object(), reason),
        };
        let res = match &type3.resources {
            Some(dict) => self.resources(dict),
            None => Rc::clone(&run.scope.res),
        };
        let mut state = run.state.clone();
        state.ctm = glyph;
        // A glyph is painted with the fill colour, its strokes too.
        state.stroke = state.fill.clone();
        state.stroke_alpha = state.fill_alpha;
        state.stroke_overprint = state.fill_overprint;
        state.line_width = 1.0;
        state.text.mode = 0;
        let area = run.scope.inherited.and_then(|inherited| inherited.area);
        let scope = Scope {
            res,
            object: identity.object(),
            base: glyph,
            layering: run.layering(),
            inherited: Some(Inherited { area, overlapping }),
            ..run.scope.inner("type3")
        };
        self.walk_stream(&decoded.data, &[], scope, state);
    }
}
