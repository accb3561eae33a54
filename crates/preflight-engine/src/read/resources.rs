//! Everything that pages could use: a scan of resources for what only a press may set, and for fonts that nothing shows.
//! Forms, patterns, glyph procedures, soft masks and appearances are entered whether or not a page executes them, each
//! once for a file.

use std::collections::HashSet;

use hayro_syntax::object::{Array, Dict, ObjRef, Object, Stream};
use hayro_syntax::page::{Page, Resources};

use super::{Source, access, damage::Damages, jpx, pages, trees::Visited};
use crate::{
    decode,
    facts::{ObjectRef, PrepressUse},
    tables::Tables,
};

/// Font programs above this size, compressed, are not decompressed to see whether they can be.
const PROGRAM_CHECKED: i64 = 1 << 20;

/// The scan of one file.
pub(super) struct Scan<'s, 'a> {
    source: &'s Source<'a>,
    visited: Visited,
    references: HashSet<ObjRef>,
    waiting: Vec<Resources<'a>>,
    page: u32,
}

/// Where uses and damage go.
pub(super) struct Findings<'f> {
    /// Fonts and uses.
    pub(super) tables: &'f mut Tables,
    /// Damage.
    pub(super) damages: &'f mut Damages,
}

impl<'s, 'a> Scan<'s, 'a> {
    /// Nothing seen yet.
    pub(super) fn new(source: &'s Source<'a>) -> Self {
        Self { source, visited: Visited::default(), references: HashSet::new(), waiting: Vec::new(), page: 0 }
    }

    /// Scans a page: its contents' filters, its resources, its annotations' appearances.
    pub(super) fn page(&mut self, page: &Page<'a>, number: u32, findings: &mut Findings<'_>) {
        self.page = number;
        let raw = page.raw();
        if let Some(separation) = raw.get::<Dict<'a>>("SeparationInfo") {
            let colorant = access::text(&separation, "DeviceColorant");
            self.note(findings, "preseparated", colorant, raw.obj_id().map(access::object_ref));
        }
        self.contents(page, findings);
        for (annotation, _) in pages::annotation_dicts(page, self.source.meter) {
            self.appearances(&annotation, findings);
        }
        self.resources(&page.resources().clone(), findings);
        while let Some(next) = self.waiting.pop() {
            self.resources(&next, findings);
        }
    }

    /// The streams of a page's content: their filters, and whether they are there.
    fn contents(&self, page: &Page<'a>, findings: &mut Findings<'_>) {
        let raw = page.raw();
        let mut missing = |reference: Option<ObjRef>| {
            if let Some(reference) = reference {
                let detail = "A content stream of the page is not in the file.";
                let object = Some(access::object_ref(reference.into()));
                findings.damages.note("contents_missing", detail, Some(self.page), object, false);
            }
        };
        let mut streams = Vec::new();
        match raw.get::<Object<'a>>("Contents") {
            Some(Object::Stream(stream)) => streams.push(stream),
            Some(Object::Array(parts)) => {
                for part in parts.raw_iter().take_while(|_| self.source.meter.object()) {
                    let reference = part.as_obj_ref();
                    match access::resolve(page.xref(), part) {
                        Some(Object::Stream(stream)) => streams.push(stream),
                        _ => missing(reference),
                    }
                }
            }
            _ => missing(raw.get_ref("Contents")),
        }
        for stream in streams {
            self.filters(&stream, findings);
        }
    }

    /// The entries of a dictionary that were not seen before, each with its reference.
    fn fresh(&mut self, dict: &Dict<'a>) -> Vec<(Object<'a>, Option<ObjRef>)> {
        let mut fresh = Vec::new();
        // Thousands of pages share one dictionary.
        if !self.visited.first(dict) {
            return fresh;
        }
        for (_, item) in dict.entries() {
            if !self.source.meter.object() {
                break;
            }
            let reference = item.as_obj_ref();
            if reference.is_some_and(|reference| !self.references.insert(reference)) {
                continue;
            }
            fresh.extend(access::resolve(self.source.pdf.xref(), item).map(|object| (object, reference)));
        }
        fresh
    }

    fn resources(&mut self, resources: &Resources<'a>, findings: &mut Findings<'_>) {
        for (state, reference) in self.fresh(&resources.ext_g_states) {
            if let Some(dict) = access::dictionary(state) {
                self.graphics_state(&dict, reference, findings);
            }
        }
        for (object, _) in self.fresh(&resources.x_objects) {
            if let Object::Stream(stream) = object {
                self.x_object(&stream, findings);
            }
        }
        for (font, reference) in self.fresh(&resources.fonts) {
            if let Some(dict) = access::dictionary(font) {
                findings.tables.font(&dict, reference, self.page, self.source.meter);
                self.font(&dict, findings);
            }
        }
        for (pattern, _) in self.fresh(&resources.patterns) {
            match pattern {
                Object::Stream(tiling) => self.form(&tiling, findings),
                Object::Dict(shading) => {
                    if let Some(state) = shading.get::<Dict<'a>>("ExtGState") {
                        self.graphics_state(&state, shading.get_ref("ExtGState"), findings);
                    }
                    if let Some(mesh) = shading.get::<Stream<'a>>("Shading") {
                        self.filters(&mesh, findings);
                    }
                }
                _ => {}
            }
        }
        for (shading, _) in self.fresh(&resources.shadings) {
            if let Object::Stream(mesh) = shading {
                self.filters(&mesh, findings);
            }
        }
    }

    fn graphics_state(&mut self, state: &Dict<'a>, reference: Option<ObjRef>, findings: &mut Findings<'_>) {
        let object = reference
            .map(|reference| access::object_ref(reference.into()))
            .or(state.obj_id().map(access::object_ref));
        for (key, kind) in [
            ("TR", "transfer_function"),
            ("TR2", "transfer_function"),
            ("HTP", "halftone_phase"),
            ("BG", "black_generation"),
            ("BG2", "black_generation"),
            ("UCR", "undercolor_removal"),
            ("UCR2", "undercolor_removal"),
        ] {
            match state.get::<Object<'a>>(key) {
                None | Some(Object::Null(_)) => {}
                // Which standard allows which value is the policies' business; `Default` asks for nothing.
                Some(Object::Name(value)) if value.as_ref() == b"Default" => {}
                Some(Object::Name(value)) => {
                    self.note(findings, kind, Some(format!("{key} {}", access::name_text(&value))), object);
                }
                Some(_) => self.note(findings, kind, Some(key.to_owned()), object),
            }
        }
        match state.get::<Object<'a>>("HT") {
            // A name can only be `Default`.
            None | Some(Object::Name(_)) => {}
            Some(halftone) => {
                if let Some(dict) = access::dictionary(halftone) {
                    self.halftone(&dict, object, findings);
                }
            }
        }
        if let Some(group) = state.get::<Dict<'a>>("SMask").and_then(|mask| mask.get::<Stream<'a>>("G")) {
            self.form(&group, findings);
        }
    }

    /// A halftone, and those of its colorants where it has several (type 5).
    fn halftone(&mut self, dict: &Dict<'a>, object: Option<ObjectRef>, findings: &mut Findings<'_>) {
        let kind = access::integer(dict, "HalftoneType").map(|kind| kind.to_string());
        self.note(findings, "halftone", kind, object);
        let single = |dict: &Dict<'a>, scan: &mut Self, findings: &mut Findings<'_>| {
            if let Some(name) = access::text(dict, "HalftoneName") {
                scan.note(findings, "halftone_name", Some(name), object);
            }
            if dict.contains_key("TransferFunction") {
                scan.note(findings, "transfer_function", Some("TransferFunction".to_owned()), object);
            }
        };
        single(dict, self, findings);
        for (_, item) in dict.entries().take(64) {
            if let Some(colorant) = access::resolve(self.source.pdf.xref(), item).and_then(access::dictionary)
                && colorant.contains_key("HalftoneType")
            {
                single(&colorant, self, findings);
            }
        }
    }

    fn x_object(&mut self, stream: &Stream<'a>, findings: &mut Findings<'_>) {
        match access::name(stream.dict(), "Subtype").as_deref() {
            Some("Image") => self.image(stream, findings),
            Some("PS") => {
                self.note(findings, "postscript", None, access::stream_ref(stream));
                self.filters(stream, findings);
            }
            _ => self.form(stream, findings),
        }
    }

    /// A form, a tiling pattern or the group of a soft mask.
    fn form(&mut self, stream: &Stream<'a>, findings: &mut Findings<'_>) {
        let dict = stream.dict();
        if !self.visited.first(dict) || !self.source.meter.object() {
            return;
        }
        let object = access::stream_ref(stream);
        self.filters(stream, findings);
        if access::name(dict, "Subtype2").as_deref() == Some("PS") || dict.contains_key("PS") {
            self.note(findings, "postscript", None, object);
        }
        self.opi(dict, object, findings);
        if dict.contains_key("Ref") {
            self.note(findings, "reference_xobject", None, object);
        }
        if let Some(resources) = dict.get::<Dict<'a>>("Resources")
            && self.visited.first(&resources)
        {
            self.waiting.push(Resources::new(resources));
        }
    }

    fn image(&mut self, stream: &Stream<'a>, findings: &mut Findings<'_>) {
        let dict = stream.dict();
        if !self.visited.first(dict) || !self.source.meter.object() {
            return;
        }
        let object = access::stream_ref(stream);
        self.filters(stream, findings);
        self.opi(dict, object, findings);
        if dict.contains_key("Alternates") {
            self.note(findings, "alternate_image", None, object);
            for (alternate, _) in self.source.dictionaries(dict, "Alternates") {
                if let Some(image) = alternate.get::<Stream<'a>>("Image") {
                    self.filters(&image, findings);
                }
            }
        }
        for key in ["SMask", "Mask"] {
            if let Some(mask) = dict.get::<Stream<'a>>(key) {
                self.filters(&mask, findings);
            }
        }
    }

    fn opi(&self, dict: &Dict<'a>, object: Option<ObjectRef>, findings: &mut Findings<'_>) {
        if let Some(opi) = dict.get::<Dict<'a>>("OPI") {
            let version = opi.keys().next().map(|key| access::name_text(&key));
            self.note(findings, "opi", version, object);
        }
    }

    /// A font: its program, and the procedures and resources of a Type 3 font.
    fn font(&mut self, dict: &Dict<'a>, findings: &mut Findings<'_>) {
        if let Some(procedures) = dict.get::<Dict<'a>>("CharProcs") {
            for (procedure, _) in self.fresh(&procedures) {
                if let Object::Stream(stream) = procedure {
                    self.filters(&stream, findings);
                }
            }
        }
        if let Some(resources) = dict.get::<Dict<'a>>("Resources")
            && self.visited.first(&resources)
        {
            self.waiting.push(Resources::new(resources));
        }
        let descendant =
            dict.get::<Array<'a>>("DescendantFonts").and_then(|fonts| fonts.iter::<Dict<'a>>().next());
        let Some(descriptor) = descendant.as_ref().unwrap_or(dict).get::<Dict<'a>>("FontDescriptor") else {
            return;
        };
        for key in ["FontFile", "FontFile2", "FontFile3"] {
            if let Some(program) = descriptor.get::<Stream<'a>>(key)
                && self.visited.first(program.dict())
            {
                self.filters(&program, findings);
                self.program(&program, findings);
            }
        }
    }

    /// Whether a font program can be decompressed.
    fn program(&self, program: &Stream<'a>, findings: &mut Findings<'_>) {
        if access::integer(program.dict(), "Length").is_none_or(|length| length > PROGRAM_CHECKED) {
            return;
        }
        let object = access::stream_ref(program);
        match decode::stream(program, self.source.meter, None) {
            Ok(decoded) if decoded.complete && !decoded.data.is_empty() => {}
            Ok(_) => {
                let detail = "The program of a font is damaged.";
                findings.damages.note("stream_damaged", detail, None, object, false);
            }
            Err(decode::Refused::Budget) => {}
            Err(_) => {
                let detail = "The program of a font cannot be decompressed.";
                findings.damages.note("stream_undecodable", detail, None, object, false);
            }
        }
    }

    /// The appearances of an annotation: a stream each, or one for every state.
    fn appearances(&mut self, annotation: &Dict<'a>, findings: &mut Findings<'_>) {
        let Some(appearances) = annotation.get::<Dict<'a>>("AP") else { return };
        for (appearance, _) in self.fresh(&appearances) {
            match appearance {
                Object::Stream(stream) => self.form(&stream, findings),
                Object::Dict(states) => {
                    for (state, _) in self.fresh(&states) {
                        if let Object::Stream(stream) = state {
                            self.form(&stream, findings);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Filters and places of data that not every press takes.
    fn filters(&self, stream: &Stream<'a>, findings: &mut Findings<'_>) {
        let object = access::stream_ref(stream);
        if decode::external(stream.dict()) {
            self.note(findings, "external_stream", None, object);
        }
        for filter in decode::filters(stream.dict()) {
            match filter.as_str() {
                "LZWDecode" => self.note(findings, "lzw", None, object),
                "JBIG2Decode" => self.note(findings, "jbig2", None, object),
                "JPXDecode" => self.note(findings, "jpx", jpx::describe(&stream.raw_data()), object),
                _ => {}
            }
        }
    }

    fn note(
        &self,
        findings: &mut Findings<'_>,
        kind: &str,
        detail: Option<String>,
        object: Option<ObjectRef>,
    ) {
        findings.tables.prepress_use(PrepressUse {
            kind: kind.to_owned(),
            detail,
            page: Some(self.page),
            object,
        });
    }
}
