//! Info dictionary, XMP, and the standards that they claim.

use hayro_syntax::object::{Dict, Stream};

use super::{Source, access, damage::Damages, xmp};
use crate::{
    decode,
    facts::{Claim, Document, Metadata, Xmp},
};

/// The entries of the Info dictionary that are read.
const INFO: [&str; 8] = [
    "Title",
    "Creator",
    "Producer",
    "CreationDate",
    "ModDate",
    "Trapped",
    "GTS_PDFXVersion",
    "GTS_PDFXConformance",
];

/// Reads both, and the claims.
pub(super) fn read(source: &Source<'_>, document: &mut Document, damages: &mut Damages) {
    if let Some(info) = source.trailer_dict("Info") {
        for key in INFO {
            if let Some(value) = access::text(&info, key) {
                document.metadata.info.insert(key.to_owned(), value);
            }
        }
    }
    document.metadata.xmp = packet(source, damages);
    document.claims = claims(&document.metadata);
}

/// The document's XMP; damaged or unreadable ones are there, and not well-formed.
fn packet(source: &Source<'_>, damages: &mut Damages) -> Option<Xmp> {
    let stream = source.catalog.get::<Stream<'_>>("Metadata")?;
    let object = access::stream_ref(&stream);
    match decode::stream(&stream, source.meter, None) {
        Ok(decoded) => {
            if !decoded.complete {
                let detail = "The document's metadata are damaged and were read as far as possible.";
                damages.note("stream_damaged", detail, None, object, false);
            }
            Some(xmp::read(&decoded.data))
        }
        Err(_) => {
            let detail = "The document's metadata cannot be decompressed.";
            damages.note("stream_undecodable", detail, None, object, false);
            Some(Xmp::default())
        }
    }
}

fn claims(metadata: &Metadata) -> Vec<Claim> {
    let mut claims = Vec::new();
    let mut claim = |standard: String, source: &str| {
        let new = Claim { standard, source: source.to_owned() };
        if !new.standard.is_empty() && !claims.contains(&new) {
            claims.push(new);
        }
    };
    for key in ["GTS_PDFXVersion", "GTS_PDFXConformance"] {
        if let Some(value) = metadata.info.get(key) {
            claim(value.clone(), "info");
        }
    }
    let properties = metadata.xmp.iter().flat_map(|xmp| &xmp.properties);
    let property = |key: &str| metadata.xmp.as_ref().and_then(|xmp| xmp.properties.get(key));
    for (key, value) in properties {
        match key.as_str() {
            "pdfxid:GTS_PDFXVersion"
            | "pdfx:GTS_PDFXVersion"
            | "pdfx:GTS_PDFXConformance"
            | "pdfvtid:GTS_PDFVTVersion" => claim(value.clone(), "xmp"),
            "pdfaid:part" => {
                let level = property("pdfaid:conformance").map_or("", String::as_str);
                claim(format!("PDF/A-{value}{level}"), "xmp");
            }
            _ => {}
        }
    }
    claims
}

impl<'a> Source<'a> {
    /// A dictionary that the trailer names.
    fn trailer_dict(&self, key: &str) -> Option<Dict<'a>> {
        let trailer = self.trailer.as_ref()?;
        match trailer.get_ref(key) {
            Some(reference) => self.pdf.xref().get::<Dict<'a>>(reference.into()),
            None => trailer.get::<Dict<'a>>(key),
        }
    }
}
