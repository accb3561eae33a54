//! A file that meets the listed checks of PDF/X-4, field by field, so that a test can spoil exactly one.

use std::fmt::Write as _;

use super::{Pdf, font, icc, text};

/// A document. Everything is raw PDF where a type does not say otherwise, so that a test can also write what is wrong.
#[derive(Debug, Clone)]
pub struct Doc {
    /// Version of the header.
    pub version: String,
    /// Entries of the Info dictionary, keys without slash, values raw.
    pub info: Vec<(String, String)>,
    /// Properties of the XMP packet by prefixed name; `None`: no packet.
    pub xmp: Option<Vec<(String, String)>>,
    /// The whole XMP packet instead of one made of `xmp`.
    pub xmp_packet: Option<String>,
    /// Entries of the output intent beside `DestOutputProfile`, raw; `None`: no output intent.
    pub intent: Option<String>,
    /// The destination profile; `None`: none embedded.
    pub profile: Option<Vec<u8>>,
    /// `N` of the profile's stream.
    pub profile_components: u8,
    /// More entries of the catalog.
    pub catalog: String,
    /// More entries of the trailer.
    pub trailer: String,
    /// Whether the trailer has an `ID`.
    pub id: bool,
    /// The pages.
    pub pages: Vec<PageSpec>,
    /// The font is embedded.
    pub embed_font: bool,
    /// `BaseFont` of the font.
    pub font_name: String,
    /// Objects that come first: what [`Doc::object`] and [`Doc::stream`] gave numbers to.
    pub file: Pdf,
}

/// A page. It has the resources `/F1` (the embedded font) and what the fields add.
#[derive(Debug, Clone)]
pub struct PageSpec {
    /// `MediaBox`.
    pub media: Option<[f64; 4]>,
    /// `CropBox`.
    pub crop: Option<[f64; 4]>,
    /// `BleedBox`.
    pub bleed: Option<[f64; 4]>,
    /// `TrimBox`.
    pub trim: Option<[f64; 4]>,
    /// `ArtBox`.
    pub art: Option<[f64; 4]>,
    /// `Rotate`.
    pub rotate: Option<i64>,
    /// `UserUnit`.
    pub user_unit: Option<f64>,
    /// `Group`, raw.
    pub group: Option<String>,
    /// More entries of the page, raw (`/Annots [...]`).
    pub entries: String,
    /// Entries of its resource dictionaries, raw: `fonts` is `/F2 9 0 R`.
    pub fonts: String,
    /// Likewise.
    pub color_spaces: String,
    /// Likewise.
    pub ext_gstates: String,
    /// Likewise.
    pub xobjects: String,
    /// Likewise.
    pub patterns: String,
    /// Likewise.
    pub shadings: String,
    /// Likewise.
    pub properties: String,
    /// The content stream.
    pub content: String,
    /// The content stream is compressed.
    pub compress: bool,
}

impl Default for PageSpec {
    /// 100 by 100 mm trimmed, 3 mm bleed, with one black box.
    fn default() -> Self {
        let mm = 72.0 / 25.4;
        let (bleed, trim) = (3.0 * mm, 100.0 * mm);
        let whole = trim + 2.0 * bleed;
        Self {
            media: Some([0.0, 0.0, whole, whole]),
            crop: None,
            bleed: Some([0.0, 0.0, whole, whole]),
            trim: Some([bleed, bleed, bleed + trim, bleed + trim]),
            art: None,
            rotate: None,
            user_unit: None,
            group: None,
            entries: String::new(),
            fonts: String::new(),
            color_spaces: String::new(),
            ext_gstates: String::new(),
            xobjects: String::new(),
            patterns: String::new(),
            shadings: String::new(),
            properties: String::new(),
            content: "0 0 0 1 k 50 50 100 100 re f".to_owned(),
            compress: false,
        }
    }
}

impl Doc {
    /// One page that meets the listed checks of PDF/X-4, and every rule of GWG 2022 that applies to it.
    pub fn x4() -> Self {
        let owned = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
        };
        Self {
            version: "1.6".to_owned(),
            info: owned(&[
                ("Title", "(Fixture)"),
                ("Creator", "(Mintmark fixtures)"),
                ("Producer", "(Mintmark fixtures)"),
                ("CreationDate", "(D:20260101000000Z)"),
                ("ModDate", "(D:20260101000000Z)"),
                ("Trapped", "/False"),
            ]),
            xmp: Some(owned(&[
                ("xmp:CreateDate", "2026-01-01T00:00:00Z"),
                ("xmp:ModifyDate", "2026-01-01T00:00:00Z"),
                ("xmp:MetadataDate", "2026-01-01T00:00:00Z"),
                ("xmp:CreatorTool", "Mintmark fixtures"),
                ("pdf:Producer", "Mintmark fixtures"),
                ("pdf:Trapped", "False"),
                ("pdfxid:GTS_PDFXVersion", "PDF/X-4"),
                ("xmpMM:DocumentID", "uuid:00000000-0000-4000-8000-000000000001"),
                ("xmpMM:VersionID", "1"),
                ("xmpMM:RenditionClass", "default"),
                ("dc:title", "Fixture"),
            ])),
            xmp_packet: None,
            intent: Some(
                "/S /GTS_PDFX /OutputConditionIdentifier (Mintmark test) /Info (Mintmark test CMYK)"
                    .to_owned(),
            ),
            profile: Some(icc::cmyk()),
            profile_components: 4,
            catalog: String::new(),
            trailer: String::new(),
            id: true,
            pages: vec![PageSpec::default()],
            embed_font: true,
            font_name: "ABCDEF+MintmarkBox".to_owned(),
            file: Pdf::new("1.6"),
        }
    }

    /// The first page.
    pub fn page(&mut self) -> &mut PageSpec {
        &mut self.pages[0]
    }

    /// Adds an object for the test's own use and gives its number.
    pub fn object(&mut self, body: &str) -> u32 {
        self.file.add(body)
    }

    /// Adds a stream for the test's own use and gives its number.
    pub fn stream(&mut self, entries: &str, data: &[u8]) -> u32 {
        self.file.stream(entries, data)
    }

    /// Replaces an entry of the Info dictionary; an empty value takes it away.
    pub fn set_info(&mut self, key: &str, value: &str) {
        self.info.retain(|(name, _)| name != key);
        if !value.is_empty() {
            self.info.push((key.to_owned(), value.to_owned()));
        }
    }

    /// Replaces a property of the XMP packet; an empty value takes it away.
    pub fn set_xmp(&mut self, key: &str, value: &str) {
        let xmp = self.xmp.get_or_insert_default();
        xmp.retain(|(name, _)| name != key);
        if !value.is_empty() {
            xmp.push((key.to_owned(), value.to_owned()));
        }
    }

    /// The file.
    pub fn build(&self) -> Vec<u8> {
        self.file_with_catalog().build()
    }

    /// The file's objects, for tests that spoil its structure.
    pub fn file_with_catalog(&self) -> Pdf {
        let mut file = self.file.clone();
        file.version.clone_from(&self.version);
        let catalog = file.reserve();
        let pages = file.reserve();
        let font = self.add_font(&mut file);
        let kids: Vec<u32> = self.pages.iter().map(|page| page.add(&mut file, pages, font)).collect();
        let list = kids.iter().map(|kid| format!("{kid} 0 R")).collect::<Vec<_>>().join(" ");
        file.set(pages, format!("<< /Type /Pages /Kids [{list}] /Count {} >>", kids.len()));
        let mut entries = format!("/Type /Catalog /Pages {pages} 0 R {}", self.catalog);
        if let Some(packet) = self.packet() {
            let metadata = file.stream("/Type /Metadata /Subtype /XML", packet.as_bytes());
            let _ = write!(entries, " /Metadata {metadata} 0 R");
        }
        if let Some(intent) = &self.intent {
            let profile = self.profile.as_ref().map_or_else(String::new, |profile| {
                let stream = file.flate(&format!("/N {}", self.profile_components), profile);
                format!("/DestOutputProfile {stream} 0 R")
            });
            let intent = file.add(format!("<< /Type /OutputIntent {intent} {profile} >>"));
            let _ = write!(entries, " /OutputIntents [{intent} 0 R]");
        }
        file.set(catalog, format!("<< {entries} >>"));
        file.trailer = format!("/Root {catalog} 0 R {}", self.trailer);
        if !self.info.is_empty() {
            let pairs = self.info.iter().map(|(key, value)| format!("/{key} {value}")).collect::<Vec<_>>();
            let info = file.add(format!("<< {} >>", pairs.join(" ")));
            let _ = write!(file.trailer, " /Info {info} 0 R");
        }
        if self.id {
            let id = "<0123456789ABCDEF0123456789ABCDEF>";
            let _ = write!(file.trailer, " /ID [{id} {id}]");
        }
        file
    }

    fn add_font(&self, file: &mut Pdf) -> u32 {
        let name = &self.font_name;
        let program = if self.embed_font {
            let data = font::truetype();
            let stream = file.flate(&format!("/Length1 {}", data.len()), &data);
            format!("/FontFile2 {stream} 0 R")
        } else {
            String::new()
        };
        let descriptor = file.add(format!(
            "<< /Type /FontDescriptor /FontName /{name} /Flags 32 /FontBBox [50 0 550 700] /ItalicAngle 0 /Ascent 800 \
             /Descent -200 /CapHeight 700 /StemV 80 {program} >>"
        ));
        file.add(format!(
            "<< /Type /Font /Subtype /TrueType /BaseFont /{name} /Encoding /WinAnsiEncoding {} /FontDescriptor \
             {descriptor} 0 R >>",
            font::widths()
        ))
    }

    fn packet(&self) -> Option<String> {
        if let Some(packet) = &self.xmp_packet {
            return Some(packet.clone());
        }
        let mut body = String::new();
        for (key, value) in self.xmp.as_ref()? {
            if key == "dc:title" {
                let _ = writeln!(
                    body,
                    "<{key}><rdf:Alt><rdf:li xml:lang=\"x-default\">{value}</rdf:li></rdf:Alt></{key}>"
                );
            } else {
                let _ = writeln!(body, "<{key}>{value}</{key}>");
            }
        }
        Some(format!(
            "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n\
             <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n<rdf:Description rdf:about=\"\" \
             xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" xmlns:pdf=\"http://ns.adobe.com/pdf/1.3/\" \
             xmlns:pdfx=\"http://ns.adobe.com/pdfx/1.3/\" xmlns:pdfxid=\"http://www.npes.org/pdfx/ns/id/\" \
             xmlns:xmpMM=\"http://ns.adobe.com/xap/1.0/mm/\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n\
             {body}</rdf:Description>\n</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end=\"w\"?>"
        ))
    }
}

impl PageSpec {
    fn add(&self, file: &mut Pdf, parent: u32, font: u32) -> u32 {
        let content = if self.compress {
            file.flate("", self.content.as_bytes())
        } else {
            file.stream("", self.content.as_bytes())
        };
        let mut entries = format!("/Type /Page /Parent {parent} 0 R /Contents {content} 0 R");
        let boxes = [
            ("MediaBox", self.media),
            ("CropBox", self.crop),
            ("BleedBox", self.bleed),
            ("TrimBox", self.trim),
            ("ArtBox", self.art),
        ];
        for (name, value) in boxes {
            if let Some([left, bottom, right, top]) = value {
                let _ = write!(entries, " /{name} [{left} {bottom} {right} {top}]");
            }
        }
        if let Some(rotate) = self.rotate {
            let _ = write!(entries, " /Rotate {rotate}");
        }
        if let Some(unit) = self.user_unit {
            let _ = write!(entries, " /UserUnit {unit}");
        }
        if let Some(group) = &self.group {
            let _ = write!(entries, " /Group {group}");
        }
        let dictionaries = [
            ("Font", format!("/F1 {font} 0 R {}", self.fonts)),
            ("ColorSpace", self.color_spaces.clone()),
            ("ExtGState", self.ext_gstates.clone()),
            ("XObject", self.xobjects.clone()),
            ("Pattern", self.patterns.clone()),
            ("Shading", self.shadings.clone()),
            ("Properties", self.properties.clone()),
        ];
        let resources: String = dictionaries
            .iter()
            .filter(|(_, entries)| !entries.is_empty())
            .map(|(name, entries)| format!("/{name} << {entries} >> "))
            .collect();
        file.add(format!("<< {entries} /Resources << {resources}>> {} >>", self.entries))
    }
}

/// A title for the Info dictionary, escaped.
pub fn literal(value: &str) -> String {
    text(value)
}
